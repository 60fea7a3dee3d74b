"""Experiment tracking: parameters, curves and files of a training, to MLflow or nowhere.

Everything goes to a spool on disk first and from there to the server. Training continues while that is unreachable;
what it missed is delivered when it answers again, or later by ``visionllm sync-tracking``. MLflow is imported only
when something is tracked.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from visionllm_interaction.detection.experiment_tracking.mlflow_client import ARTIFACTS_NAME, STORE_NAME, deliver
from visionllm_interaction.detection.experiment_tracking.spool import SPOOL_NAME, Message, Spool
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.errors import Interrupted, TrackingUnreachable
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.path_type import StrPath

RETRY_EVERY_S = 30.0
"""An unreachable server is not tried more often than this: each try makes training wait."""


class Tracker(Protocol):
    """Records what a training does. No method raises because a server is unreachable."""

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Values after ``step`` epochs."""
        ...

    def tags(self, values: Mapping[str, Any]) -> None:
        """Notes that may be replaced later."""
        ...

    def finish(self, status: str, *, artifacts: Sequence[Path] = (), model: Path | None = None) -> None:
        """End (``FINISHED``, ``KILLED`` or ``FAILED``), files to keep, the checkpoint to keep as a model.

        Files are named in the spool by where they lie from its folder, and may be sent long after.
        """
        ...


class NoTracker:
    """Records nothing."""

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Do nothing."""

    def tags(self, values: Mapping[str, Any]) -> None:
        """Do nothing."""

    def finish(self, status: str, *, artifacts: Sequence[Path] = (), model: Path | None = None) -> None:
        """Do nothing."""


@dataclass
class ServerBackoff:
    """Since when the server has been unreachable; shared by all that send to the same server."""

    unreachable_since: float | None = None

    def is_active(self) -> bool:
        """Whether it was unreachable a moment ago."""
        return self.unreachable_since is not None and time.monotonic() - self.unreachable_since < RETRY_EVERY_S


class SpoolingTracker:
    """Writes to the spool, then tries to deliver.

    A spool that is ``resumable`` is kept after a failure: the same command continues as the same run.
    """

    def __init__(self, spool: Spool, *, backoff: ServerBackoff | None = None, resumable: bool = True) -> None:
        self._spool = spool
        self._steps = {m["step"] for m in spool.messages() if m["kind"] == "metrics"}
        self._backoff = backoff or ServerBackoff()
        self._resumable = resumable
        self._final = False

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Record one message; an epoch that a resumed training repeats is recorded already."""
        if step in self._steps:
            return
        self._steps.add(step)
        self.record({"kind": "metrics", "step": step, "values": {k: float(v) for k, v in values.items()}})
        self.send()

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record one message."""
        self.record({"kind": "tags", "values": {key: str(value) for key, value in values.items()}})
        self.send()

    def finish(self, status: str, *, artifacts: Sequence[Path] = (), model: Path | None = None) -> None:
        """Record files, model and status, and try to deliver."""
        for path in artifacts:
            self.record({"kind": "artifact", "path": self._relative(path)})
        if model is not None:
            self.record({"kind": "model", "path": self._relative(model)})
        final = status == "FINISHED" or not self._resumable
        self.record({"kind": "status", "status": status, "final": final})
        self._final = final
        if self._resumable:
            self._backoff.unreachable_since = None
        self.close()

    def close(self) -> bool:
        """Try to deliver the rest; returns whether all is delivered. The spool of what has ended is then deleted."""
        self.send()
        delivered = not self._spool.pending()
        if delivered and self._final:
            self._spool.remove_with_folder()
        return delivered

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self._spool.path.parent)

    def reopen(self) -> None:
        """Record that a run continues whose end was recorded."""
        self.record({"kind": "status", "status": "RUNNING"})

    def record(self, message: Message) -> None:
        """Keep a message for the next :meth:`send`."""
        self._spool.append({**message, "at_ms": now_ms()})

    def send(self) -> Exception | None:
        """Deliver, unless the server was unreachable a moment ago; returns the error if it is still."""
        if self._backoff.is_active():
            return None
        try:
            deliver(self._spool)
        except Exception as error:  # noqa: BLE001  MLflow raises whatever its stores raise; tracking must not end a training
            if self._backoff.unreachable_since is None:
                log.warning(
                    "the tracking server is unreachable; training continues and delivers later",
                    error=_first_line(error),
                )
            self._backoff.unreachable_since = time.monotonic()
            return error
        self._backoff.unreachable_since = None
        return None


@contextmanager
def open_tracker(
    config: TrackingConfig,
    *,
    folder: Path,
    runs_dir: Path,
    name: str,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str],
    dataset: Mapping[str, str] | None = None,
) -> Iterator[Tracker]:
    """Open a tracker for one training; left by an exception, the run is marked FAILED.

    A training of the same parameters and tags that was begun in ``folder`` continues as the same run.

    Args:
        config: of the tracking.
        folder: in which the training works; the spool lies there.
        runs_dir: folder of all runs; the local store lies there.
        name: of the run.
        parameters: nested, as they are recorded.
        tags: of the run.
        dataset: the data as MLflow records it.

    Yields:
        The tracker.

    Raises:
        TrackingUnreachable: if the server is unreachable at the start and ``config.required`` is set.
    """
    if config.kind == "none":
        yield NoTracker()
        return
    start = start_message(config, runs_dir, name=name, parameters=parameters, tags=tags, dataset=dataset)
    tracker = SpoolingTracker(_spool(folder, start))
    error = tracker.send()
    if error is not None and config.required:
        raise unreachable(tracking_uri(config, runs_dir), error) from error
    try:
        yield tracker
    except Interrupted:
        raise
    except BaseException:
        tracker.finish("FAILED")
        raise


def start_message(
    config: TrackingConfig,
    runs_dir: Path,
    *,
    name: str,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str],
    dataset: Mapping[str, str] | None = None,
) -> Message:
    """The first message of a spool, but for the run's own ``id`` and the time: which server, and what the run is."""
    start: Message = {
        "kind": "start",
        "tracking": config.model_dump(mode="json"),
        "uri": tracking_uri(config, runs_dir),
        "artifacts": (runs_dir.absolute() / ARTIFACTS_NAME).as_uri(),
        "name": name,
        "parameters": {key: str(value) for key, value in flatten(parameters).items()},
        "tags": dict(tags),
    }
    return {**start, "dataset": dict(dataset)} if dataset else start


def _spool(folder: Path, start: Message) -> Spool:
    """The spool in ``folder``, if it was begun by the same training; else a new one."""
    spool = Spool(folder / SPOOL_NAME)
    found = list(spool.messages())
    if found and all(found[0].get(key) == value for key, value in start.items()):
        if found[-1]["kind"] == "status" and found[-1]["status"] != "RUNNING":
            SpoolingTracker(spool).reopen()
        return spool
    spool.remove()
    spool.append({**start, "id": uuid.uuid4().hex, "at_ms": now_ms()})
    return spool


@dataclass(frozen=True)
class SyncedRun:
    """A spool and its run on the server.

    Attributes:
        path: of the spool.
        run_id: the server's name of the run.
        messages: in the spool.
    """

    path: str
    run_id: str | None
    messages: int


@dataclass(frozen=True)
class SyncResult:
    """What was delivered.

    Attributes:
        delivered: messages.
        runs: one per spool.
    """

    delivered: int
    runs: tuple[SyncedRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``visionllm sync-tracking --json`` prints them."""
        runs = [asdict(run) for run in self.runs]
        return {"spools": len(runs), "delivered": self.delivered, "runs": runs}


def sync_tracking(folder: StrPath) -> SyncResult:
    """Deliver every spool in ``folder`` and below it; those that are complete and delivered are deleted.

    Args:
        folder: a run, or the folder of all runs.

    Returns:
        What was delivered.

    Raises:
        TrackingUnreachable: if a server is still unreachable.
    """
    folder = Path(folder)
    delivered, runs = 0, []
    for spool in Spool.find_all(Path(folder)):
        messages = list(spool.messages())
        try:
            delivered += deliver(spool)
        except Exception as error:  # MLflow raises whatever its stores raise
            raise unreachable(messages[0]["uri"], error) from error
        runs.append(SyncedRun(str(spool.path), spool.run_id, len(messages)))
        if messages and (messages[-1].get("final") or messages[-1].get("status") == "FINISHED"):
            spool.remove_with_folder()
    return SyncResult(delivered, tuple(runs))


def unreachable(uri: str, error: Exception) -> TrackingUnreachable:
    """The error for a server that must answer and does not."""
    return TrackingUnreachable(
        "The experiment tracking server does not answer.",
        expected="an MLflow tracking server",
        found=_first_line(error),
        where=uri,
        fix="start it, correct tracking.uri, or set tracking.required=false to train meanwhile",
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0][:300]


def now_ms() -> int:
    """Now, as MLflow counts time."""
    return time.time_ns() // 1_000_000


def tracking_uri(config: TrackingConfig, runs_dir: Path) -> str:
    """Address of the tracking store."""
    if config.kind == "mlflow":
        return str(config.uri)
    if config.kind == "dagshub":
        return f"https://dagshub.com/{config.repository}.mlflow"
    return f"sqlite:///{runs_dir.absolute() / STORE_NAME}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings → dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        here = f"{prefix}{key}"
        flat |= flatten(value, f"{here}.") if isinstance(value, Mapping) else {here: value}
    return flat
