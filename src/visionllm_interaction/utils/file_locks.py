"""One process builds in a folder at a time.

The lock is advisory (``flock`` on ``<run>/.lock``) and belongs to the process: the kernel lets it go when the
process dies, however it dies, so a killed run never blocks the next one. It does not guard against programs that
do not ask for it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from visionllm_interaction.core.logs import log

LOCK_NAME = ".lock"
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK})


class RunLock:
    """A held lock on a folder; a context manager that lets it go."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        # Workers forked by a data loader outlive a killed parent for seconds; with a copy of the descriptor
        # they would keep the lock, and the next call could not continue the run.
        os.register_at_fork(after_in_child=self.release)

    def release(self) -> None:
        """Close the descriptor; in a forked child this leaves the parent's lock as it is."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def try_lock(folder: Path) -> RunLock | None:
    """Lock ``folder`` for this process, or ``None`` at once if another holds it."""
    try:
        return _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def wait_for_lock(folder: Path) -> RunLock:
    """Lock ``folder`` for this process, waiting as long as another holds it."""
    return _lock(folder, fcntl.LOCK_EX)


def _lock(folder: Path, operation: int) -> RunLock:
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            os.close(descriptor)
            raise
        # Some cluster file systems are mounted without locks; refusing to run there would help nobody.
        log.warning("the file system has no locks, do not start two runs here", folder=str(folder))
    return RunLock(descriptor)
