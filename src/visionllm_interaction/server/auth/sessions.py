"""Sessions of the web page: a signed cookie (itsdangerous) with the ids of key and session, and the time of login."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner

from visionllm_interaction.server.auth.api_keys import KeyEntry, KeyRing
from visionllm_interaction.utils.atomic_files import write_file

COOKIE = "visionllm_session"
LIFETIME_S = 12 * 3600
_SECRET_BYTES = 32
_ENDED_FILE = "sessions.ended.json"
_SALT = "visionllm page session"
"""Separates the signatures of cookies from other uses of the secret."""


class Sessions:
    """Creates and checks session cookies. A session ends after 12 hours, by logging out, or when its key is revoked.

    The secret lies in its own file, which only the user of the service can read. Deleting the file and restarting the
    service ends all sessions. Sessions that were logged out are kept beside it until they would have expired, so that
    a copy of the cookie opens nothing.
    """

    def __init__(self, secret_file: Path, keys: KeyRing) -> None:
        self._signer = TimestampSigner(_secret(secret_file), salt=_SALT, digest_method=hashlib.sha256)
        self._keys = keys
        self._ended_file = secret_file.with_name(_ENDED_FILE)
        self._ended = _read_ended(self._ended_file)
        self._lock = threading.Lock()

    def open(self, key_id: str) -> str:
        """The cookie of a new session, opened with the key ``key_id``."""
        return self._signer.sign(f"{key_id}:{secrets.token_hex(8)}").decode("ascii")

    def valid(self, cookie: str) -> bool:
        """Whether the signature is valid, the session was neither ended nor has expired, and its key is valid."""
        return self.key_of(cookie) is not None

    def key_of(self, cookie: str) -> KeyEntry | None:
        """The key with which a session was opened; None unless session and key are valid."""
        key_id, session_id = self._ids(cookie)
        return self._keys.with_id(key_id) if session_id and session_id not in self._ended else None

    def end(self, cookie: str) -> None:
        """Log out: the session's cookie, and every copy of it, is refused from now on."""
        _, session_id = self._ids(cookie)
        if not session_id:
            return
        with self._lock:
            now = time.time()
            self._ended = {id_: until for id_, until in self._ended.items() if until > now}
            self._ended[session_id] = now + LIFETIME_S
            write_file(self._ended_file, json.dumps(self._ended).encode(), mode=0o600)

    def _ids(self, cookie: str) -> tuple[str, str]:
        """The ids of key and session; empty if the signature is not ours or the session has expired."""
        try:
            key_id, _, session_id = self._signer.unsign(cookie, max_age=LIFETIME_S).decode().partition(":")
        except (BadSignature, UnicodeError):
            return "", ""
        return key_id, session_id


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
