"""Settings of logging in through an identity provider, and which rights its groups have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from visionllm_interaction.config_loading import Section
from visionllm_interaction.server.auth.roles import PROJECT_PATTERN, ROLES, Principal, Role

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Signatures with a public key: with a shared secret, whoever knows it could make tokens."""
_ADDRESS = r"^https://[^/?#]+(/[^?#]*)?$|^http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[^?#]*)?$"


class GroupRights(Section):
    """What the members of one group may do."""

    role: Role
    """``viewer``, ``analyst`` or ``admin``."""

    projects: tuple[Annotated[str, StringConstraints(pattern=PROJECT_PATTERN)], ...] | None = None
    """The only projects that they see; null: all."""


class OidcConfig(Section):
    """Log-in through an identity provider (OpenID Connect); off without an ``issuer``."""

    issuer: str | None = Field(default=None, pattern=_ADDRESS)
    """Address of the provider, exactly as its own tokens say it. ``https``, except on this machine."""

    client_id: str = ""
    """What the provider calls this service."""

    client_secret_file: Path | None = None
    """File with the secret that the provider has given out (a mounted secret); null: it has given none."""

    address: str | None = Field(default=None, pattern=_ADDRESS)
    """Address of this service in the browser, for example ``https://videos.example.org``. The provider has to know
    ``ADDRESS/login/oidc/callback`` as redirect URI."""

    scopes: tuple[str, ...] = ("openid", "profile")
    """What is asked of the provider; some give groups only for a scope of their own, such as ``groups``."""

    name_claim: str = "preferred_username"
    """Claim of the ID token with the name for the audit log; without it the subject is taken."""

    groups_claim: str = "groups"
    """Claim of the ID token with the groups or roles of a person: a text or a list of texts."""

    groups: dict[str, GroupRights] = Field(default={})
    """Group → rights. Whoever is in none of them is not let in."""

    algorithms: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256")
    """Signatures of ID tokens that are accepted."""

    @model_validator(mode="after")
    def _is_complete(self) -> OidcConfig:
        if self.issuer is not None:
            missing = [name for name in ("client_id", "address", "groups", "algorithms") if not getattr(self, name)]
            if missing:
                raise ValueError(f"log-in through a provider needs {', '.join(missing)}, too")
            if "openid" not in self.scopes:
                raise ValueError("scopes need openid")
        return self

    def known_groups(self, claimed: object) -> tuple[str, ...]:
        """Those of the groups in a claim that have rights here."""
        names = [claimed] if isinstance(claimed, str) else claimed if isinstance(claimed, list) else []
        return tuple(name for name in self.groups if name in names)

    def principal(self, *, person_id: str, name: str, groups: tuple[str, ...]) -> Principal | None:
        """Who somebody is by their groups: the highest role, in the projects of the groups that have this role.

        Args:
            person_id: stands for the person in the audit log.
            name: their name.
            groups: their groups.

        Returns:
            The principal; None if no group has rights here.
        """
        rights = [self.groups[name] for name in groups if name in self.groups]
        if not rights:
            return None
        role = max((one.role for one in rights), key=ROLES.index)
        projects = [one.projects for one in rights if one.role == role]
        seen = None if None in projects else frozenset(name for one in projects for name in one or ())
        return Principal(key_id=person_id, name=name, role=role, projects=seen)
