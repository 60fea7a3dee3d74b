"""Sessions of the web page: a signed cookie (itsdangerous) with who has logged in, the session's id, and the time.

Whoever logged in with a key has its id in the cookie. Whoever came from an identity provider has their name and groups
in it; which rights the groups have is asked of the present settings at every request.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.errors import OutputError
from visionllm_interaction.server.auth.api_keys import KeyRing
from visionllm_interaction.server.auth.oidc_config import OidcConfig
from visionllm_interaction.server.auth.roles import Principal
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.file_locks import wait_for_lock_file
from visionllm_interaction.utils.logs import log

M = TypeVar("M", bound=BaseModel)
COOKIE = "visionllm_session"
LIFETIME_S = 12 * 3600
_SECRET_BYTES = 32
_ENDED_FILE = "sessions.ended.json"
_SALT = "visionllm page session"
"""Separates the signatures of cookies from other uses of the secret."""
_PERSON_SALT = "visionllm page session of a person"
_ATTEMPT_SALT = "visionllm log-in at a provider"
ATTEMPT_S = 600
"""How long somebody may take to log in at the identity provider."""


class Person(BaseModel):
    """Somebody whom the identity provider knows.

    Attributes:
        id: stands for them in the audit log.
        name: their name.
        groups: those of their groups that had rights here when they logged in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    groups: tuple[str, ...]


class Sessions:
    """Creates and checks session cookies. A session ends after 12 hours, by logging out, or when its key is revoked.

    The secret lies in its own file, which only the user of the service can read. Deleting the file and restarting the
    service ends all sessions. Sessions that were logged out are kept beside it until they would have expired, so that
    a copy of the cookie opens nothing, at no service on this data folder.

    Args:
        secret_file: the file of the secret; made at the first start.
        keys: the keys of the service.
        oidc: which rights the groups of the identity provider have.
    """

    def __init__(self, secret_file: Path, keys: KeyRing, oidc: OidcConfig = OidcConfig()) -> None:
        secret, sha256 = _secret(secret_file), {"digest_method": hashlib.sha256}
        self._signer = TimestampSigner(secret, salt=_SALT, digest_method=hashlib.sha256)
        self._people = URLSafeTimedSerializer(secret, salt=_PERSON_SALT, signer_kwargs=sha256)
        self._attempts = URLSafeTimedSerializer(secret, salt=_ATTEMPT_SALT, signer_kwargs=sha256)
        self._keys = keys
        self._oidc = oidc
        self._ended_file = secret_file.with_name(_ENDED_FILE)
        self._ended: dict[str, float] = {}
        self._ended_signature: tuple[int, int, int] | None = None
        self._lock = threading.Lock()

    def open(self, key_id: str) -> str:
        """The cookie of a new session, opened with the key ``key_id``."""
        return self._signer.sign(f"{key_id}:{secrets.token_hex(8)}").decode("ascii")

    def open_for(self, person: Person) -> str:
        """The cookie of a new session of somebody whom the identity provider knows."""
        return self._people.dumps([secrets.token_hex(8), person.model_dump()])

    def valid(self, cookie: str) -> bool:
        """Whether the signature is valid, the session was neither ended nor has expired, and its rights are valid."""
        return self.principal_of(cookie) is not None

    def principal_of(self, cookie: str) -> Principal | None:
        """Who has opened a session; None unless session and rights are valid."""
        session = self._read(cookie)
        if session is None or session[0] in self._ended_now():
            return None
        who = session[1]
        if isinstance(who, Person):
            provider = self._oidc
            return provider.principal(person_id=who.id, name=who.name, groups=who.groups) if provider.issuer else None
        entry = self._keys.with_id(who)
        return entry.principal() if entry else None

    def is_of_person(self, cookie: str) -> bool:
        """Whether a session was opened by somebody from the identity provider."""
        session = self._read(cookie)
        return session is not None and isinstance(session[1], Person)

    def keep_attempt(self, attempt: BaseModel) -> str:
        """The cookie that keeps an attempt to log in at the identity provider."""
        return self._attempts.dumps(attempt.model_dump())

    def attempt(self, cookie: str, kind: type[M]) -> M | None:
        """The attempt that a cookie keeps; None if there is none, or it is too old."""
        try:
            return kind.model_validate(self._attempts.loads(cookie, max_age=ATTEMPT_S))
        except (BadSignature, ValidationError):
            return None

    def end(self, cookie: str) -> None:
        """Log out: the session's cookie, and every copy of it, is refused from now on."""
        session = self._read(cookie)
        if session is None:
            return
        now = time.time()
        try:
            with wait_for_lock_file(self._ended_file.with_name(f".{_ENDED_FILE}.lock")), self._lock:
                ended = {**self._ended, **_read_ended(self._ended_file), session[0]: now + LIFETIME_S}
                self._ended = {id_: until for id_, until in ended.items() if until > now}
                write_file(self._ended_file, json.dumps(self._ended).encode(), mode=0o600)
        except (OSError, OutputError) as error:  # a full disk: whoever leaves is not kept in
            with self._lock:
                self._ended = {**self._ended, session[0]: now + LIFETIME_S}
            log.error("a session that was ended cannot be kept: a restart opens it again", error=type(error).__name__)

    def _ended_now(self) -> dict[str, float]:
        """The sessions that were ended, here or by another service on the same data folder."""
        try:
            stat = self._ended_file.stat()
        except OSError:
            return self._ended
        signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        with self._lock:
            if signature != self._ended_signature:
                self._ended = {**self._ended, **_read_ended(self._ended_file)}
                self._ended_signature = signature
            return self._ended

    def _read(self, cookie: str) -> tuple[str, str | Person] | None:
        """The id of the session, and that of its key or the person; None if the signature is not ours or too old."""
        with suppress(BadSignature, UnicodeError):
            key_id, _, session_id = self._signer.unsign(cookie, max_age=LIFETIME_S).decode().partition(":")
            return session_id, key_id
        with suppress(BadSignature, ValidationError, ValueError, TypeError):
            session_id, person = self._people.loads(cookie, max_age=LIFETIME_S)
            return str(session_id), Person.model_validate(person)
        return None


def _read_ended(path: Path) -> dict[str, float]:
    """Session id → until when its cookie has to be refused (Unix time); a file that is damaged ends no session."""
    try:
        return {str(id_): float(until) for id_, until in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _secret(path: Path) -> bytes:
    """The secret in ``path``, created at the first start; an incomplete one is replaced."""
    if not path.is_file() or path.stat().st_size < _SECRET_BYTES:
        path.unlink(missing_ok=True)
        write_file(path, secrets.token_bytes(_SECRET_BYTES), mode=0o600, replace=False)
    return path.read_bytes()
