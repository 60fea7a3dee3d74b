"""Experiment tracking: parameters, curves and files of a training, to MLflow or nowhere.

Everything goes to a spool on disk first and from there to the server. While that is away training goes on; what it
missed is delivered when it is back, or later by ``visionllm sync-tracking``. MLflow is imported only when something is
tracked.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import structlog

from visionllm_interaction.errors import Interrupted, TrackingUnreachable
from visionllm_interaction.train.config import TrackingConfig
from visionllm_interaction.train.mlflow_delivery import ARTIFACTS_NAME, STORE_NAME, deliver
from visionllm_interaction.train.spool import SPOOL_NAME, Message, Spool

RETRY_EVERY_S = 30.0
"""A server that is away is not asked more often than this: each try makes training wait."""


class Tracker(Protocol):
    """Where a training tells what it does. No method raises because a server is away."""

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Values after ``step`` epochs."""
        ...

    def finish(self, status: str, *, artifacts: Sequence[Path] = ()) -> None:
        """End of the training (``FINISHED`` or ``FAILED``) with the files to keep, which lie beside the spool."""
        ...


class NoTracker:
    """Tells nobody."""

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Nothing."""

    def finish(self, status: str, *, artifacts: Sequence[Path] = ()) -> None:
        """Nothing."""


class SpoolingTracker:
    """Writes to the spool, then tries to deliver."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._steps = {m["step"] for m in spool.messages() if m["kind"] == "metrics"}
        self._away_since: float | None = None

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """One message; an epoch that a resumed training does again was told already."""
        if step in self._steps:
            return
        self._steps.add(step)
        self._tell({"kind": "metrics", "step": step, "values": {k: float(v) for k, v in values.items()}})
        self.send()

    def finish(self, status: str, *, artifacts: Sequence[Path] = ()) -> None:
        """Files, status, and a last try."""
        for path in artifacts:
            self._tell({"kind": "artifact", "path": path.name})
        self._tell({"kind": "status", "status": status})
        self._away_since = None
        self.send()
        if status == "FINISHED" and not self._spool.pending():
            self._spool.remove()

    def reopen(self) -> None:
        """A training that was told to have failed goes on."""
        self._tell({"kind": "status", "status": "RUNNING"})

    def _tell(self, message: Message) -> None:
        self._spool.append({**message, "at_ms": _now_ms()})

    def send(self) -> Exception | None:
        """Deliver unless the server was away a moment ago; returns what went wrong."""
        if self._away_since is not None and time.monotonic() - self._away_since < RETRY_EVERY_S:
            return None
        try:
            deliver(self._spool)
        except Exception as error:  # noqa: BLE001  MLflow raises whatever its stores raise; tracking must not end a training
            if self._away_since is None:
                structlog.get_logger().warning(
                    "the tracking server is away; training goes on and tells it later", error=_first_line(error)
                )
            self._away_since = time.monotonic()
            return error
        self._away_since = None
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
) -> Iterator[Tracker]:
    """A tracker for one training that works in ``folder``; left by an exception the run is marked FAILED.

    A training of the same parameters and tags that was begun in ``folder`` goes on as the same run.

    Raises:
        TrackingUnreachable: if the server is away at the start and ``config.required`` is set.
    """
    if config.kind == "none":
        yield NoTracker()
        return
    tracker = SpoolingTracker(_spool(config, folder, runs_dir, name=name, parameters=parameters, tags=tags))
    error = tracker.send()
    if error is not None and config.required:
        raise _unreachable(tracking_uri(config, runs_dir), error) from error
    try:
        yield tracker
    except Interrupted:
        raise
    except BaseException:
        tracker.finish("FAILED")
        raise


def _spool(
    config: TrackingConfig,
    folder: Path,
    runs_dir: Path,
    *,
    name: str,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str],
) -> Spool:
    start = {
        "kind": "start",
        "tracking": config.model_dump(mode="json"),
        "uri": tracking_uri(config, runs_dir),
        "artifacts": (runs_dir.absolute() / ARTIFACTS_NAME).as_uri(),
        "name": name,
        "parameters": {key: str(value) for key, value in flatten(parameters).items()},
        "tags": dict(tags),
    }
    spool = Spool(folder / SPOOL_NAME)
    found = list(spool.messages())
    if found and all(found[0].get(key) == value for key, value in start.items()):
        if found[-1]["kind"] == "status" and found[-1]["status"] != "RUNNING":
            SpoolingTracker(spool).reopen()
        return spool
    spool.remove()
    spool.append({**start, "id": uuid.uuid4().hex, "at_ms": _now_ms()})
    return spool


def sync_tracking(folder: Path) -> dict[str, Any]:
    """Deliver every spool in ``folder`` and below it; those that are told completely and finished are removed.

    Returns:
        ``spools, delivered`` (messages), ``runs`` (run id or ``None`` and what is pending, by path).

    Raises:
        TrackingUnreachable: if a server is still away.
    """
    delivered, runs = 0, []
    for spool in Spool.find_all(folder):
        messages = list(spool.messages())
        try:
            delivered += deliver(spool)
        except Exception as error:  # MLflow raises whatever its stores raise
            raise _unreachable(messages[0]["uri"], error) from error
        runs.append({"path": str(spool.path), "run_id": spool.run_id, "messages": len(messages)})
        if messages and messages[-1].get("status") == "FINISHED":
            spool.remove()
    return {"spools": len(runs), "delivered": delivered, "runs": runs}


def _unreachable(uri: str, error: Exception) -> TrackingUnreachable:
    return TrackingUnreachable(
        "The experiment tracking server does not answer.",
        expected="an MLflow tracking server",
        found=_first_line(error),
        where=uri,
        fix="start it, correct tracking.uri, or set tracking.required=false to train meanwhile",
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0][:300]


def _now_ms() -> int:
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
