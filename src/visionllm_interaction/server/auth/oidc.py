"""OpenID Connect: the authorization code flow with PKCE, and the checks of ID tokens (OpenID Connect Core 1.0, 3.1).

What is asked of the provider and what its answer has to hold lies in a cookie of the browser that began: an answer that
somebody else's browser brings is refused, and so is one that is brought twice after the cookie is gone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar
from urllib.parse import quote_plus, urlencode

import httpx
from joserfc import jws, jwt
from joserfc.errors import (
    BadSignatureError,
    InvalidKeyCurveError,
    InvalidKeyIdError,
    JoseError,
    UnsupportedKeyAlgorithmError,
)
from joserfc.jwk import JWKRegistry, Key, KeySet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from visionllm_interaction.errors import ServiceError
from visionllm_interaction.server.auth.oidc_config import OidcConfig
from visionllm_interaction.server.auth.sessions import Person
from visionllm_interaction.utils.logs import log

CALLBACK = "/login/oidc/callback"
TIMEOUT_S = 10.0
CONNECT_S = 3.0
LEEWAY_S = 60
"""How far the clocks of provider and service may differ."""
KEPT_S = 3600.0
"""How long what the provider says of itself is kept."""
FAILED_S = 5.0
"""How long a provider that did not answer is not asked again."""
CODES_AT_ONCE = 4
"""How many codes are exchanged at a time: each holds a thread while the provider answers."""
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC"}
"""First letters of an algorithm → the type of its keys."""
_Model = TypeVar("_Model", bound=BaseModel)
_Value = TypeVar("_Value")
_ADDRESS = r"^https://|^http://(127\.0\.0\.1|localhost|\[::1\])[:/]"


class OidcRefusal(Exception):
    """Somebody is not let in; the message is for them, ``log`` has the reason."""


class Attempt(BaseModel):
    """What is kept in the browser between the question to the provider and its answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: str
    nonce: str
    verifier: str

    @classmethod
    def begin(cls) -> Attempt:
        """A new attempt: three texts that nobody can guess."""
        return cls(state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """The S256 code challenge of the verifier (RFC 7636)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class _Provider(BaseModel):
    """What a provider says of itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str = Field(pattern=_ADDRESS)
    token_endpoint: str = Field(pattern=_ADDRESS)
    jwks_uri: str = Field(pattern=_ADDRESS)
    end_session_endpoint: str | None = Field(default=None, pattern=_ADDRESS)
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]


class _Keys(BaseModel):
    keys: list[dict[str, Any]]


class _Tokens(BaseModel):
    """The part of the answer of the token endpoint that is used."""

    id_token: str


class _Kept(Generic[_Value]):
    """Something the provider says, which one thread asks for while no other waits.

    Whoever comes while it is asked for gets what is known, or is refused at once; a failure is kept for a moment. A
    provider that hangs therefore holds one thread, however many people want to log in.

    Args:
        ask: asks the provider.
    """

    def __init__(self, ask: Callable[[], _Value]) -> None:
        self._ask = ask
        self._lock = threading.Lock()  # never held while the provider is asked
        self._is_asked = False
        self._value: _Value | None = None
        self._fresh_until = 0.0
        self._failure: ServiceError | None = None
        self._ask_again_at = 0.0

    def get(self, *, again: bool = False) -> _Value:
        """What the provider says.

        Args:
            again: whether to ask although it is known.

        Returns:
            It; while another thread asks, what was known before.

        Raises:
            ServiceError: if the provider does not answer as one, has just not done so, or is being asked.
        """
        with self._lock:
            now = time.monotonic()
            if self._value is not None and (self._is_asked or (not again and now < self._fresh_until)):
                return self._value
            if self._is_asked:
                raise _unusable("it has not answered yet")
            if self._failure is not None and now < self._ask_again_at:
                raise _unusable(self._failure.found or "")
            self._is_asked = True
        value, failure = None, None
        try:
            value = self._ask()
        except ServiceError as error:
            failure = error
            raise
        finally:
            with self._lock:
                now = time.monotonic()
                self._is_asked, self._failure, self._ask_again_at = False, failure, now + FAILED_S
                if value is not None:
                    self._value, self._fresh_until = value, now + KEPT_S
        return value


class OidcClient:
    """One provider. All methods that ask it block, and no more than a few at a time do.

    Args:
        config: the section ``serve.oidc``, with an issuer.
        transport: how requests are sent; None: over the network. For tests.
    """

    def __init__(self, config: OidcConfig, *, transport: httpx.BaseTransport | None = None) -> None:
        self.config = config
        self._transport = transport
        self._provider = _Kept(self._ask_about)
        self._keys = _Kept(self._ask_keys)
        self._codes = threading.BoundedSemaphore(CODES_AT_ONCE)

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back to."""
        return f"{(self.config.address or '').rstrip('/')}{CALLBACK}"

    def authorization_url(self, attempt: Attempt) -> str:
        """The address at the provider where somebody logs in.

        Args:
            attempt: a new one, which the browser keeps.

        Returns:
            The address.

        Raises:
            ServiceError: if the provider does not answer as one.
        """
        query = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.config.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(self._provider.get().authorization_endpoint, query)

    def end_session_url(self) -> str | None:
        """The address at the provider where somebody logs out of it.

        Returns:
            The address; None if it has none.

        Raises:
            ServiceError: if the provider does not answer as one.
        """
        place = self._provider.get().end_session_endpoint
        back = f"{(self.config.address or '').rstrip('/')}/login"
        query = {"client_id": self.config.client_id, "post_logout_redirect_uri": back}
        return None if place is None else _with_query(place, query)

    def person(self, attempt: Attempt, answer: dict[str, str]) -> Person:
        """Who has logged in at the provider.

        Args:
            attempt: what was asked.
            answer: the query that the provider has sent the browser back with.

        Returns:
            The person, with those of their groups that have rights here.

        Raises:
            OidcRefusal: if the answer is not the one to this question, the token does not hold, or no group has rights.
            ServiceError: if the provider does not answer as one.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise _refused("another state", "This log-in was begun elsewhere, or too long ago.")
        if answer.get("iss", self.config.issuer) != self.config.issuer:  # RFC 9207
            raise _refused("another issuer answers")
        if "code" not in answer:
            raise _refused(f"the provider says {answer.get('error', 'nothing')[:100]!r}", "The provider refused.")
        claims = self.claims(self._id_token(answer["code"], attempt), nonce=attempt.nonce)
        groups = self.config.known_groups(claims.get(self.config.groups_claim))
        name = _shown(str(claims.get(self.config.name_claim) or claims["sub"]))
        if not groups:
            raise _refused(f"{name} is in no group of serve.oidc.groups", "Your account has no rights on this service.")
        return Person(id=_person_id(claims["iss"], claims["sub"]), name=name, groups=groups)

    def claims(self, token: str, *, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that holds.

        Args:
            token: the ID token.
            nonce: what was asked with.

        Returns:
            Its claims.

        Raises:
            OidcRefusal: if signature, issuer, audience, times or nonce are not as they have to be.
            ServiceError: if the provider does not answer as one.
        """
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.config.issuer or ""},
            sub={"essential": True},
            aud={"essential": True, "value": self.config.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._decoded(token)
            registry.validate(claims)
        except (JoseError, ValueError) as error:
            raise _refused(f"the ID token does not hold: {error}") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self.config.client_id) != self.config.client_id:
            raise _refused("the ID token does not hold: it was made for another client")
        return claims

    def _decoded(self, token: str) -> dict[str, Any]:
        try:
            return self._verified(token, self._keys.get())
        except InvalidKeyIdError:  # the provider may have changed its keys
            return self._verified(token, self._keys.get(again=True))

    def _verified(self, token: str, keys: KeySet) -> dict[str, Any]:
        algorithms = list(self.config.algorithms)
        header = jws.extract_compact(token.encode()).protected
        if "kid" in header or header.get("alg") not in algorithms:
            return jwt.decode(token, keys, algorithms=algorithms).claims
        for key in keys:  # OpenID Connect Core 1.0, 10.1: only where there are several keys a token has to name its own
            if key.key_type == _KEY_TYPES[header["alg"][:2]]:
                with suppress(BadSignatureError, InvalidKeyCurveError, UnsupportedKeyAlgorithmError):
                    return jwt.decode(token, key, algorithms=algorithms).claims
        raise InvalidKeyIdError("no key of the provider fits the signature")

    def _id_token(self, code: str, attempt: Attempt) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        secret, auth = self._secret(), None
        if secret and "client_secret_basic" in self._provider.get().token_endpoint_auth_methods_supported:
            # RFC 6749, 2.3.1: both are form-encoded before they are joined
            auth = (quote_plus(self.config.client_id), quote_plus(secret))
        else:
            form |= {"client_id": self.config.client_id, **({"client_secret": secret} if secret else {})}
        place = self._provider.get().token_endpoint
        if not self._codes.acquire(blocking=False):
            raise _unusable(f"{CODES_AT_ONCE} of its answers are waited for")
        try:
            with self._http() as http:
                answer = self._sent(http, "POST", place, data=form, auth=auth)
        finally:
            self._codes.release()
        if answer.is_client_error:
            raise _refused(f"the provider refuses the code: {answer.text[:200]}", "The provider refused.")
        try:
            return _Tokens.model_validate_json(answer.raise_for_status().content).id_token
        except (ValidationError, httpx.HTTPStatusError) as error:
            raise _unusable("its answer has no ID token") from error

    def _ask_about(self) -> _Provider:
        found = self._json(f"{(self.config.issuer or '').rstrip('/')}/.well-known/openid-configuration", _Provider)
        if found.issuer != self.config.issuer:
            raise _unusable(f"it calls itself {found.issuer!r}")
        return found

    def _ask_keys(self) -> KeySet:
        found = self._json(self._provider.get().jwks_uri, _Keys)
        keys = [key for one in found.keys if (key := _key_of(one)) is not None]
        if not keys:
            raise _unusable("none of its keys can be read")
        return KeySet(keys)

    def _json(self, place: str, kind: type[_Model]) -> _Model:
        with self._http() as http:
            answer = self._sent(http, "GET", place)
        try:
            return kind.model_validate_json(answer.raise_for_status().content)
        except (ValidationError, httpx.HTTPStatusError) as error:
            raise _unusable(" ".join(str(error).split())[:200]) from error

    def _sent(self, http: httpx.Client, method: str, place: str, **more: Any) -> httpx.Response:
        try:
            return http.request(method, place, **more)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # ValueError: a host that is no host's name
            raise _unusable(f"{type(error).__name__}: {error}") from error

    def _http(self) -> httpx.Client:
        patience = httpx.Timeout(TIMEOUT_S, connect=CONNECT_S)
        return httpx.Client(timeout=patience, transport=self._transport, headers={"Accept": "application/json"})

    def _secret(self) -> str | None:
        if self.config.client_secret_file is None:
            return None
        try:
            return self.config.client_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ServiceError(
                "The secret for the identity provider cannot be read.",
                found=str(error),
                where="serve.oidc.client_secret_file",
                fix="check the file and its permissions",
            ) from error


def _key_of(published: dict[str, Any]) -> Key | None:
    """A key that a provider publishes; None: it is not for signatures that are accepted here, or cannot be read."""
    if published.get("kty") not in _KEY_TYPES.values() or published.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(published)
        key.ensure_kid()
    except Exception as error:  # noqa: BLE001 (joserfc raises KeyError and others; the other keys may be good)
        log.warning("a key of the identity provider cannot be read", error=f"{type(error).__name__}: {error}"[:200])
        return None
    return key


def _with_query(place: str, query: dict[str, str]) -> str:
    return f"{place}{'&' if '?' in place else '?'}{urlencode(query)}"


def _person_id(issuer: str, subject: str) -> str:
    """What stands for a person in the audit log: the same at each log-in, and different from every key's id."""
    return f"oidc-{hashlib.sha256(f'{issuer} {subject}'.encode()).hexdigest()[:16]}"


def _shown(name: str) -> str:
    """A name as the page and the audit log can show it."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:64] or "?"


def _refused(reason: str, told: str = "The provider's answer does not hold.") -> OidcRefusal:
    log.warning("a log-in through the identity provider was refused", reason=reason)
    return OidcRefusal(told)


def _unusable(found: str) -> ServiceError:
    return ServiceError(
        "The identity provider does not answer as one.",
        expected="OpenID Connect at serve.oidc.issuer",
        found=found,
        fix="check serve.oidc, and that the provider runs",
    )
