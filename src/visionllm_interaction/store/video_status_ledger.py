"""The ledger: the status of every video that was to be analysed into a store.

One small file per video is written atomically, so that any number of machines can write at the same time. A process
that is killed leaves the status "running" behind.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, write_file
from visionllm_interaction.utils.hashing import sha256_value
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.path_type import StrPath

FOLDER = "ledger"
Status = Literal["running", "done", "failed", "interrupted"]


class LedgerEntry(BaseModel):
    """The latest status of one video.

    Attributes:
        path: the video file.
        video_id: its id in the store; None while it is not known.
        status: running, done, failed or interrupted.
        reason: why it failed or was interrupted.
        seconds: how long the last attempt took.
        run: the call of `visionllm analyze`.
        attempt: how many processes began the video in that run; above 1, all but the last one died.
        host: name of the machine.
        updated_at: time of the last change, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    video_id: str | None
    status: Status
    reason: str | None = None
    seconds: float | None = None
    run: str
    attempt: int
    host: str
    updated_at: str


class Ledger:
    """The ledger of the store at ``store``, as one ``run`` writes it; ``publish`` is called after each change."""

    def __init__(self, store: Path, *, run: str, publish: Callable[[], None] = lambda: None) -> None:
        self._store, self._run, self._publish = store, run, publish

    def begin(self, path: Path, video_id: str | None) -> int:
        """Record that a video is begun; returns which attempt of this run it is, from 1."""
        former = _read(ledger_file(self._store, path, video_id))
        died = former is not None and former.run == self._run and former.status == "running"
        attempt = former.attempt + 1 if former and died else 1
        self._write(path, video_id, "running", attempt=attempt)
        return attempt

    def done(self, path: Path, video_id: str, *, asked_id: str | None, attempt: int, seconds: float) -> None:
        """Record that a video is in the store as ``video_id``; ``asked_id`` is the id it was begun with."""
        self._write(path, asked_id, "done", attempt=attempt, seconds=seconds, known_id=video_id)

    def failed(self, path: Path, video_id: str | None, *, attempt: int, seconds: float, reason: str) -> None:
        """Record that a video could not be analysed, and why."""
        self._write(path, video_id, "failed", attempt=attempt, seconds=seconds, reason=reason)

    def interrupted(self, path: Path, video_id: str | None, *, attempt: int, seconds: float, reason: str) -> None:
        """Record that the analysis of a video was stopped, and how."""
        self._write(path, video_id, "interrupted", attempt=attempt, seconds=seconds, reason=reason)

    def close(self, *, reason: str) -> None:
        """Record every video that this run still has as running as interrupted: its processes are gone."""
        for file, entry in list(_entries(self._store)):
            if entry.run == self._run and entry.status == "running":
                changes = {"status": "interrupted", "reason": reason, "updated_at": utc_now()}
                _write_entry(file, entry.model_copy(update=changes), self._publish)

    def _write(
        self,
        path: Path,
        asked_id: str | None,
        status: Status,
        *,
        attempt: int,
        seconds: float | None = None,
        reason: str | None = None,
        known_id: str | None = None,
    ) -> None:
        entry = LedgerEntry(
            path=str(path.absolute()),
            video_id=known_id or asked_id,
            status=status,
            reason=reason,
            seconds=seconds,
            run=self._run,
            attempt=attempt,
            host=socket.gethostname(),
            updated_at=utc_now(),
        )
        _write_entry(ledger_file(self._store, path, asked_id), entry, self._publish)


def _write_entry(file: Path, entry: LedgerEntry, publish: Callable[[], None]) -> None:
    """Write atomically; a ledger that cannot be written (a full disk) stops no analysis."""
    try:
        write_file(file, (entry.model_dump_json(indent=1) + "\n").encode())
        publish()
    except (OSError, VisionLLMError) as error:
        log.warning("the ledger cannot be written", path=entry.path, status=entry.status, error=str(error))


def read_ledger(store: StrPath) -> list[LedgerEntry]:
    """The latest status of every video, by path and id."""
    store = Path(store)
    entries = [entry for _, entry in _entries(store)]
    return sorted(entries, key=lambda entry: (entry.path, entry.video_id or ""))


def forget_video(store: Path, video_id: str, *, path: str | None) -> None:
    """Delete a video's entries, found by its id or by the ``path`` it was read from."""
    for file, entry in list(_entries(store)):
        if entry.video_id == video_id or entry.path == path:
            file.unlink(missing_ok=True)


def ledger_file(store: Path, path: Path, video_id: str | None) -> Path:
    """The file with the status of one video.

    Args:
        store: the store's folder.
        path: the video file.
        video_id: the id it was asked to have; None: none.

    Returns:
        The file; it need not exist.
    """
    return store / FOLDER / f"{sha256_value([str(path.absolute()), video_id])[:32]}.json"


def _entries(store: Path) -> Iterator[tuple[Path, LedgerEntry]]:
    for file in sorted((store / FOLDER).glob("*.json")):
        entry = None if file.name.startswith(PARTIAL_PREFIX) else _read(file)
        if entry is not None:
            yield file, entry


def _read(file: Path) -> LedgerEntry | None:
    try:
        return LedgerEntry.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
