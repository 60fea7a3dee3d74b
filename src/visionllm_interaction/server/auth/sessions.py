"""The page's login: a signed cookie that names the key it was opened with and when it ends."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path

from visionllm_interaction.server.auth.api_keys import KeyRing

COOKIE = "visionllm_session"
LIFETIME_S = 12 * 3600


class Sessions:
    """Makes and checks cookies. A session ends with its key: revoking the key closes the page too."""

    def __init__(self, secret_file: Path, keys: KeyRing) -> None:
        self._secret = _secret(secret_file)
        self._keys = keys

    def open(self, key_id: str, *, now_s: float | None = None) -> str:
        """The cookie for a session opened with the key ``key_id``."""
        ends = int((time.time() if now_s is None else now_s) + LIFETIME_S)
        text = f"{key_id}.{ends}"
        return f"{text}.{self._sign(text)}"

    def valid(self, cookie: str, *, now_s: float | None = None) -> bool:
        """Whether the cookie is ours, not over, and of a key that still exists."""
        text, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(text).encode()):
            return False
        key_id, _, ends = text.partition(".")
        now = time.time() if now_s is None else now_s
        return ends.isdigit() and now < int(ends) and self._keys.has_id(key_id)

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _secret(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as stream:
        secret = secrets.token_bytes(32)
        stream.write(secret)
    return secret
