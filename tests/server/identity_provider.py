"""An OpenID Connect provider on this machine, which also insists on PKCE."""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

CLIENT_ID, SECRET = "videos", "a secret: with + and %"
PEOPLE: Mapping[str, dict[str, Any]] = {
    "u-1": {"preferred_username": "anna", "groups": ["lab-admins", "staff"]},
    "u-2": {"preferred_username": "bo", "groups": ["coders", "guests"]},
    "u-3": {"groups": "guests"},
    "u-4": {"preferred_username": "stranger", "groups": ["staff"]},
    "u-5": {"preferred_username": "nobody"},
}


@dataclass
class Provider:
    """A running provider; ``token_requests`` are the forms that it was sent for a code."""

    issuer: str
    token_requests: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def answer_of(self, address: str, sub: str, *, action: str = "authorize") -> str:
        """The address that the provider sends a browser to in which somebody logs in."""
        answer = httpx.post(address, data={"sub": sub, "action": action})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]


@contextmanager
def identity_provider() -> Iterator[Provider]:
    """Run a provider that knows :data:`PEOPLE`."""
    with warnings.catch_warnings(record=True):  # the provider's own libraries insist on showing what they deprecate
        from oidc_provider_mock import User, run_server_in_thread

        people = [User(sub=sub, claims=dict(claims)) for sub, claims in PEOPLE.items()]
        with run_server_in_thread(require_nonce=True, user_claims=people) as server:
            provider = Provider(f"http://localhost:{server.server_port}")
            server.app = _insisting_on_pkce(server.app, provider)
            yield provider


def _insisting_on_pkce(app: Callable[..., Any], provider: Provider) -> Callable[..., Any]:
    """The provider ignores code challenges: one that belongs to no verifier of the token request is refused here."""
    challenges: list[str] = []

    def insisting(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] == "/oauth2/authorize":
            query = parse_qs(environ["QUERY_STRING"])
            assert query["code_challenge_method"] == ["S256"]
            challenges.extend(query["code_challenge"])
        if environ["PATH_INFO"] == "/oauth2/token":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            form["authorization"] = environ.get("HTTP_AUTHORIZATION", "")
            provider.token_requests.append(form)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() not in challenges:
                start("400 Bad Request", [("Content-Type", "application/json")])
                return [b'{"error": "invalid_grant"}']
            from io import BytesIO

            environ["wsgi.input"] = BytesIO(body)
        return app(environ, start)

    return insisting


def query_of(address: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
