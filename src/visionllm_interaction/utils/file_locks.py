"""Advisory locks on files and folders, held by one process at a time.

The locks are those of the operating system (``flock``, through the library *filelock*) and belong to the process. The
kernel releases a lock when its process dies, so a killed run never blocks the next one. A forked child does not hold
its parent's locks. Programs that do not ask for the lock are not stopped by it.

On NFS ``flock`` works between machines if the server and the mount support locks (NFSv4, or NFSv3 with ``lockd``). On a
file system without locks the work continues unlocked, with a warning in the log.

Lock files are never deleted: if another process waited for a deleted one, two would hold the lock. Their names start
with a dot, and readers of artifacts, uploads and stores skip such names.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from visionllm_interaction.utils.logs import log

if TYPE_CHECKING:
    from filelock import FileLock

LOCK_NAME = ".lock"
"""Name of the lock file within a folder that is locked as a whole."""
_FOR_EVER = -1.0
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK})


class HeldLock:
    """A held lock, released as a context manager or by :meth:`release`. A second release does nothing."""

    def __init__(self, lock: FileLock | None) -> None:
        self._lock = lock

    def release(self) -> None:
        """Release the lock; in a forked child the parent's lock is left as it is."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def try_lock(folder: str | os.PathLike[str]) -> HeldLock | None:
    """Lock ``folder`` for this process; ``None`` at once if any process, even this one, holds the lock."""
    return try_lock_file(Path(folder) / LOCK_NAME)


def wait_for_lock(folder: str | os.PathLike[str]) -> HeldLock:
    """Lock ``folder`` for this process, waiting as long as another process holds the lock.

    Args:
        folder: an existing folder.

    Returns:
        The held lock.

    Raises:
        FileNotFoundError: if the folder does not exist.
        RuntimeError: if this thread already holds the lock; waiting would never end.
    """
    return wait_for_lock_file(Path(folder) / LOCK_NAME)


def try_lock_file(path: str | os.PathLike[str], *, wait_s: float = 0.0) -> HeldLock | None:
    """Lock a file, unless it is held.

    Args:
        path: the lock file, created if needed in an existing folder.
        wait_s: for how many seconds to try, in case somebody holds it for a moment only.

    Returns:
        The held lock; None if somebody else, even in this process, holds it.

    Raises:
        FileNotFoundError: if the folder does not exist.
    """
    try:
        return _acquired(path, wait_s=wait_s)
    except TimeoutError:  # filelock's Timeout
        return None


def wait_for_lock_file(path: str | os.PathLike[str]) -> HeldLock:
    """Lock the lock file ``path``, waiting as long as another process holds it.

    Args:
        path: the lock file, created if needed in an existing folder.

    Returns:
        The held lock.

    Raises:
        FileNotFoundError: if the folder does not exist.
        RuntimeError: if this thread already holds the lock; waiting would never end.
    """
    return _acquired(path, wait_s=_FOR_EVER)


def _acquired(path: str | os.PathLike[str], *, wait_s: float) -> HeldLock:
    # Imported here: reading a store takes no lock, and the library loads asyncio.
    from filelock import FileLock

    if not Path(path).parent.is_dir():  # the library would make it: the name of what was erased would be back
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    # Not thread-local: another thread than the one that took the lock may release it. No fallback to lock files
    # without flock: such a file would outlive a killed process and block the next one.
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=wait_s)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        # Some cluster file systems are mounted without locks.
        log.warning("the file system has no locks, do not start two processes here", path=os.fspath(path))
        return HeldLock(None)
    return HeldLock(lock)
