"""Files on a server: what they are called, how big they are and what they hash to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a file must hash to; ``algorithm`` is sha256 or md5 (against accidents only)."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


@dataclass(frozen=True, slots=True)
class Remote:
    """One file to download; ``bytes`` and ``checksum`` are ``None`` where nobody said."""

    url: str
    name: str
    bytes: int | None = None
    checksum: Checksum | None = None

    @property
    def public_url(self) -> str:
        """The address without user name, password and query, which may hold a secret."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))


def digests_of(path: Path, algorithms: Sequence[str]) -> dict[str, str]:
    """Hex digests of a file, all in one reading."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            for digest in hashes.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in hashes.items()}
