"""Signs of life of the services on one data folder, so that the jobs of one that died are taken over.

Each service touches a file of its own every few seconds. One whose file was not touched for :data:`LEASE_S`, as counted
by the clock of whoever looks, has died; clocks of different machines are never compared. A service that only slept does
no harm when it wakes: DBOS lets one execution of a job end it, and a video is published once.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from visionllm_interaction.utils.file_locks import try_lock_file

BEAT_S = 5.0
LEASE_S = 30.0
_LOCK = ".takeover.lock"
_SUFFIX = ".lease"
_log = logging.getLogger(__name__)


class Leases:
    """The signs of life of this service and of the others.

    Args:
        folder: where they lie; all services share it.
        executor_id: name of this service.
        pending: gives the names of services that the database knows as running a job.
        take_over: queues the jobs of a service that has died again.
    """

    def __init__(
        self,
        folder: Path,
        executor_id: str,
        *,
        pending: Callable[[], set[str]],
        take_over: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._own = executor_id
        self._pending = pending
        self._take_over = take_over
        self._seen: dict[str, tuple[int | None, float]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to give signs of life, and to watch those of others."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop both."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def beat(self) -> None:
        """Give a sign of life; on a full disk, too, since a file's time needs no space."""
        path = self._file(self._own)
        path.touch()
        os.utime(path)

    def look(self) -> list[str]:
        """Look at the others once.

        Returns:
            The names of those whose jobs were taken over.
        """
        others: dict[str, int] = {}
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):  # another one has just taken over
                others[path.stem] = path.stat().st_mtime_ns
        names = (set(others) | self._pending()) - {self._own}
        now = time.monotonic()
        for name in names:
            if name not in self._seen or self._seen[name][0] != others.get(name):
                self._seen[name] = (others.get(name), now)
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        dead = [name for name, (_, since) in self._seen.items() if now - since > LEASE_S]
        return [name for name in dead if self._bury(name)]

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"

    def _bury(self, name: str) -> bool:
        lock = try_lock_file(self._folder / _LOCK)
        if lock is None:  # another service does it
            return False
        with lock:
            self._take_over(name)
            self._file(name).unlink(missing_ok=True)
            del self._seen[name]
        return True

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.beat()
                self.look()
            except Exception:  # noqa: BLE001 (disk or database may be out of reach for a while; it is logged)
                _log.exception("the leases cannot be renewed")
            self._stop.wait(BEAT_S)
