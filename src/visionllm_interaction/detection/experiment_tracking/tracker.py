"""Experiment tracking: parameters, curves and files of a training, to MLflow or nowhere.

Everything goes to a spool on disk first and from there to the server. While that is away training goes on; what it
missed is delivered when it is back, or later by ``visionllm sync-tracking``. MLflow is imported only when something is
tracked.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from visionllm_interaction.detection.experiment_tracking.mlflow_client import ARTIFACTS_NAME, STORE_NAME, deliver
from visionllm_interaction.detection.experiment_tracking.spool import SPOOL_NAME, Message, Spool
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.errors import Interrupted, TrackingUnreachable
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.paths import StrPath

RETRY_EVERY_S = 30.0
"""A server that is away is not asked more often than this: each try makes training wait."""


class Tracker(Protocol):
    """Where a training tells what it does. No method raises because a server is away."""

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
    """Tells nobody."""

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Nothing."""

    def tags(self, values: Mapping[str, Any]) -> None:
        """Nothing."""

    def finish(self, status: str, *, artifacts: Sequence[Path] = (), model: Path | None = None) -> None:
        """Nothing."""


@dataclass
class Patience:
    """Since when the server has been away; shared by all that ask the same server."""

    away_since: float | None = None

    def is_short(self) -> bool:
        """Whether it was asked in vain a moment ago."""
        return self.away_since is not None and time.monotonic() - self.away_since < RETRY_EVERY_S


class SpoolingTracker:
    """Writes to the spool, then tries to deliver.

    The spool of something that failed is kept with ``goes_on``: the same command will go on as the same run.
    """

    def __init__(self, spool: Spool, *, patience: Patience | None = None, goes_on: bool = True) -> None:
        self._spool = spool
        self._steps = {m["step"] for m in spool.messages() if m["kind"] == "metrics"}
        self._patience = patience or Patience()
        self._goes_on = goes_on
        self._final = False

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """One message; an epoch that a resumed training does again was told already."""
        if step in self._steps:
            return
        self._steps.add(step)
        self.tell({"kind": "metrics", "step": step, "values": {k: float(v) for k, v in values.items()}})
        self.send()

    def tags(self, values: Mapping[str, Any]) -> None:
        """One message."""
        self.tell({"kind": "tags", "values": {key: str(value) for key, value in values.items()}})
        self.send()

    def finish(self, status: str, *, artifacts: Sequence[Path] = (), model: Path | None = None) -> None:
        """Files, model, status, and a last try."""
        for path in artifacts:
            self.tell({"kind": "artifact", "path": self._place(path)})
        if model is not None:
            self.tell({"kind": "model", "path": self._place(model)})
        final = status == "FINISHED" or not self._goes_on
        self.tell({"kind": "status", "status": status, "final": final})
        self._final = final
        if self._goes_on:
            self._patience.away_since = None
        self.close()

    def close(self) -> bool:
        """A try to tell the rest; returns whether all is told. The spool of what has ended then goes."""
        self.send()
        told = not self._spool.pending()
        if told and self._final:
            self._spool.remove_with_folder()
        return told

    def _place(self, path: Path) -> str:
        return os.path.relpath(path, self._spool.path.parent)

    def reopen(self) -> None:
        """What was told to have ended goes on."""
        self.tell({"kind": "status", "status": "RUNNING"})

    def tell(self, message: Message) -> None:
        """Any message, kept for the next :meth:`send`."""
        self._spool.append({**message, "at_ms": now_ms()})

    def send(self) -> Exception | None:
        """Deliver unless the server was away a moment ago; returns what went wrong."""
        if self._patience.is_short():
            return None
        try:
            deliver(self._spool)
        except Exception as error:  # noqa: BLE001  MLflow raises whatever its stores raise; tracking must not end a training
            if self._patience.away_since is None:
                log.warning(
                    "the tracking server is away; training goes on and tells it later", error=_first_line(error)
                )
            self._patience.away_since = time.monotonic()
            return error
        self._patience.away_since = None
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
    """A tracker for one training that works in ``folder``; left by an exception the run is marked FAILED.

    A training of the same parameters and tags that was begun in ``folder`` goes on as the same run.

    Raises:
        TrackingUnreachable: if the server is away at the start and ``config.required`` is set.
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


def sync_tracking(folder: StrPath) -> dict[str, Any]:
    """Deliver every spool in ``folder`` and below it; those that are told completely and finished are removed.

    Returns:
        ``spools, delivered`` (messages), ``runs`` (run id or ``None`` and what is pending, by path).

    Raises:
        TrackingUnreachable: if a server is still away.
    """
    folder = Path(folder)
    delivered, runs = 0, []
    for spool in Spool.find_all(folder):
        messages = list(spool.messages())
        try:
            delivered += deliver(spool)
        except Exception as error:  # MLflow raises whatever its stores raise
            raise unreachable(messages[0]["uri"], error) from error
        runs.append({"path": str(spool.path), "run_id": spool.run_id, "messages": len(messages)})
        if messages and (messages[-1].get("final") or messages[-1].get("status") == "FINISHED"):
            spool.remove_with_folder()
    return {"spools": len(runs), "delivered": delivered, "runs": runs}


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
