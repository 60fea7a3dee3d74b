"""Orderly stop: a signal is noted, the running step ends, a resume point is written, the program exits."""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from visionllm_interaction.errors import OutputError

SIGNALS: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGUSR1)
"""What Slurm and container runtimes send before they take the machine."""


class StopRequest:
    """Notes that one of :data:`SIGNALS` has arrived; ``name`` is the first that did."""

    def __init__(self) -> None:
        self.name: str | None = None
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def listen(self) -> None:
        """Take the signals over from whoever has them now; does nothing outside the main thread."""
        self._handle(dict.fromkeys(SIGNALS, self._note))

    def restore(self) -> None:
        """Give the signals back to whoever had them when this object was made."""
        self._handle(self._before)

    def _handle(self, handlers: Mapping[signal.Signals, Any]) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.name = self.name or signal.Signals(number).name


@contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Turn a full or broken disk into an error that says so.

    Args:
        path: the file that is written.

    Yields:
        Nothing.

    Raises:
        OutputError: if writing failed; what was there before is untouched, as everything is written beside it first.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise OutputError(
            "The disk is full." if full else "A file cannot be written.",
            expected="room for a checkpoint and its resume point, each several times the size of the weights",
            found=error.strerror or str(error),
            where=str(path),
            fix="free space, then give the same command again: it continues from the last resume point",
        ) from error
