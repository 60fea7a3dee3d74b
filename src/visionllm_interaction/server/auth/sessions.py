"""Sessions of the web page: a signed cookie (itsdangerous) with the id of the key and the time of the login."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner

from visionllm_interaction.server.auth.api_keys import KeyRing
from visionllm_interaction.utils.atomic_files import write_file

COOKIE = "visionllm_session"
LIFETIME_S = 12 * 3600
_SECRET_BYTES = 32
_SALT = "visionllm page session"
"""Separates the signatures of cookies from other uses of the secret."""


class Sessions:
    """Creates and checks session cookies. A session ends after 12 hours, or when its key is revoked.

    The secret lies in its own file, which only the user of the service can read. Deleting the file and restarting the
    service ends all sessions.
    """

    def __init__(self, secret_file: Path, keys: KeyRing) -> None:
        self._signer = TimestampSigner(_secret(secret_file), salt=_SALT, digest_method=hashlib.sha256)
        self._keys = keys

    def open(self, key_id: str) -> str:
        """The cookie of a new session, opened with the key ``key_id``."""
        return self._signer.sign(key_id).decode("ascii")

    def valid(self, cookie: str) -> bool:
        """Whether the signature is valid, the session has not expired, and its key still exists."""
        try:
            key_id = self._signer.unsign(cookie, max_age=LIFETIME_S).decode()
        except (BadSignature, UnicodeError):
            return False
        return self._keys.has_id(key_id)


def _secret(path: Path) -> bytes:
    """The secret in ``path``, created at the first start; an incomplete one is replaced."""
    if not path.is_file() or path.stat().st_size < _SECRET_BYTES:
        path.unlink(missing_ok=True)
        write_file(path, secrets.token_bytes(_SECRET_BYTES), mode=0o600, replace=False)
    return path.read_bytes()
