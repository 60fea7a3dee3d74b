"""The page's login: a signed cookie (itsdangerous) that names the key it was opened with and when that was."""

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
"""Keeps the signatures of cookies apart from whatever else the secret may sign one day."""


class Sessions:
    """Makes and checks cookies. A session ends after 12 hours, or with its key: revoking the key closes the page too.

    The secret lies in a file of its own, readable by the service's user only. Deleting it and starting the service
    anew ends every session.
    """

    def __init__(self, secret_file: Path, keys: KeyRing) -> None:
        self._signer = TimestampSigner(_secret(secret_file), salt=_SALT, digest_method=hashlib.sha256)
        self._keys = keys

    def open(self, key_id: str) -> str:
        """The cookie for a session opened now with the key ``key_id``."""
        return self._signer.sign(key_id).decode("ascii")

    def valid(self, cookie: str) -> bool:
        """Whether the cookie is ours, not over, and of a key that still exists."""
        try:
            key_id = self._signer.unsign(cookie, max_age=LIFETIME_S).decode()
        except (BadSignature, UnicodeError):
            return False
        return self._keys.has_id(key_id)


def _secret(path: Path) -> bytes:
    """The secret in ``path``, made at the first start; one that a crash cut short is replaced."""
    if not path.is_file() or path.stat().st_size < _SECRET_BYTES:
        path.unlink(missing_ok=True)
        write_file(path, secrets.token_bytes(_SECRET_BYTES), mode=0o600, replace=False)
    return path.read_bytes()
