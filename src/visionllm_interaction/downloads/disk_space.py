"""Keep the disk from filling up: ask before writing."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visionllm_interaction.errors import SpaceError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Space:
    """Room on the disk of ``folder``, shared out among several writers (thread-safe).

    ``reserve_bytes`` stay free, for everybody else who uses the disk. ``advice`` is what an error says to do.
    """

    def __init__(self, folder: Path, *, reserve_bytes: int, advice: str = "free some space") -> None:
        self._folder = folder
        self._advice = advice
        self._reserve = reserve_bytes
        self._lock = threading.Lock()
        self._claims: dict[Path, int] = {}

    def claim(self, path: Path, total_bytes: int) -> None:
        """Reserve the bytes that a file still lacks to its final size.

        Args:
            path: the file; an earlier claim for it is replaced.
            total_bytes: its final size.

        Raises:
            SpaceError: if that does not fit beside what the others still have to write.
        """
        with self._lock:
            self.require(sum(_lacks(*claim) for claim in {**self._claims, path: total_bytes}.items()))
            self._claims[path] = total_bytes

    def require(self, wanted_bytes: int) -> None:
        """Check once that ``wanted_bytes`` fit, without reserving them.

        Args:
            wanted_bytes: number of bytes.

        Raises:
            SpaceError: if they do not.
        """
        free = shutil.disk_usage(self._folder).free
        if wanted_bytes + self._reserve > free:
            raise SpaceError(
                "The disk has no room for the data.",
                expected=f"{_gb(wanted_bytes)} for the data and {_gb(self._reserve)} left over",
                found=f"{_gb(free)} free",
                where=str(self._folder),
                fix=self._advice,
            )

    def release(self, path: Path) -> None:
        """Forget the claim for ``path``: it is written, or given up."""
        with self._lock:
            self._claims.pop(path, None)


def _lacks(path: Path, total_bytes: int) -> int:
    return max(total_bytes - (path.stat().st_size if path.exists() else 0), 0)


@contextmanager
def full_disk_reported(folder: Path, *, advice: str = "free some space") -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" into a :class:`SpaceError`; a quota cannot be asked beforehand."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise SpaceError(
            "The disk is full.",
            found=error.strerror,
            where=str(folder),
            fix=f"{advice}, then run the same command again",
        ) from error


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
