"""Experiment tracking: parameters, curves and artifacts of a training, to MLflow or nowhere.

MLflow is imported only when something is tracked, and its telemetry is switched off before that.
"""

from __future__ import annotations

import logging
import os
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from visionllm_interaction.artifacts.publish import PARTIAL_PREFIX
from visionllm_interaction.errors import TrackingUnreachable
from visionllm_interaction.train.config import TrackingConfig

STORE_NAME = "mlflow.db"
ARTIFACTS_NAME = ".mlflow-artifacts"
"""Hidden, because each plain folder beside the runs is taken for a run."""
MAX_PARAMETER_LENGTH = 500


class Tracker(Protocol):
    """Where a training tells what it does. No method raises because a server is away."""

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Values after ``step`` epochs."""
        ...

    def finish(self, status: str, *, artifacts: Sequence[Path] = ()) -> None:
        """End of the training (``FINISHED`` or ``FAILED``) with the files to keep."""
        ...


class NoTracker:
    """Tells nobody."""

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Nothing."""

    def finish(self, status: str, *, artifacts: Sequence[Path] = ()) -> None:
        """Nothing."""


class MlflowTracker:
    """One MLflow run. After the first failed call it warns once and stays silent: training goes on."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._alive = True

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """One batch of metrics."""
        for name, value in values.items():
            self._try(partial(self._client.log_metric, self._run_id, name, float(value), step=step))

    def finish(self, status: str, *, artifacts: Sequence[Path] = ()) -> None:
        """Upload the files and close the run."""
        for path in artifacts:
            self._try(partial(self._client.log_artifact, self._run_id, str(path)))
        self._try(partial(self._client.set_terminated, self._run_id, status=status))

    def _try(self, call: Callable[[], object]) -> None:
        if not self._alive:
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001  MLflow raises whatever its stores raise; tracking must not end a training
            self._alive = False
            structlog.get_logger().warning("tracking stopped, training goes on", error=str(error)[:300])


@contextmanager
def open_tracker(
    config: TrackingConfig, *, runs_dir: Path, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]
) -> Iterator[Tracker]:
    """A tracker for one training; a run that is left by an exception is marked FAILED.

    Raises:
        TrackingUnreachable: if the server is away at the start and ``config.required`` is set.
    """
    tracker = _start(config, runs_dir=runs_dir, name=name, parameters=parameters, tags=tags)
    try:
        yield tracker
    except BaseException:
        tracker.finish("FAILED")
        raise


def _start(
    config: TrackingConfig, *, runs_dir: Path, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]
) -> Tracker:
    if config.kind == "none":
        return NoTracker()
    uri = tracking_uri(config, runs_dir)
    try:
        return _start_run(config, uri, runs_dir=runs_dir, name=name, parameters=parameters, tags=tags)
    except Exception as error:  # MLflow raises whatever its stores and requests raise
        if config.required:
            raise TrackingUnreachable(
                "The experiment tracking server does not answer.",
                expected="an MLflow tracking server",
                found=str(error).split("\n", maxsplit=1)[0][:300],
                where=uri,
                fix="start it, correct tracking.uri, or set tracking.required=false to train untracked",
            ) from error
        structlog.get_logger().warning("training goes on untracked", tracking=uri, error=str(error)[:300])
        return NoTracker()


def tracking_uri(config: TrackingConfig, runs_dir: Path) -> str:
    """Address of the tracking store."""
    if config.kind == "mlflow":
        return str(config.uri)
    if config.kind == "dagshub":
        return f"https://dagshub.com/{config.repository}.mlflow"
    return f"sqlite:///{runs_dir.absolute() / STORE_NAME}"


def _start_run(
    config: TrackingConfig,
    uri: str,
    *,
    runs_dir: Path,
    name: str,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str],
) -> MlflowTracker:
    client = _client(config, uri)
    found = client.get_experiment_by_name(config.experiment)
    place = (runs_dir.absolute() / ARTIFACTS_NAME).as_uri() if config.kind == "local" else None
    experiment_id = found.experiment_id if found else client.create_experiment(config.experiment, place)
    run = client.create_run(experiment_id, run_name=name, tags=dict(tags))
    for key, value in flatten(parameters).items():
        client.log_param(run.info.run_id, key, str(value)[:MAX_PARAMETER_LENGTH])
    return MlflowTracker(client, run.info.run_id)


def _client(config: TrackingConfig, uri: str) -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, round(config.timeout_s)))
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    for ours, mlflows in ((config.username_env, "USERNAME"), (config.password_env, "PASSWORD")):
        if ours in os.environ:
            os.environ[f"MLFLOW_TRACKING_{mlflows}"] = os.environ[ours]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside MLflow and its dependencies, at import
        from mlflow.tracking import MlflowClient
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if config.kind == "local":
        _create_store(Path(uri.removeprefix("sqlite:///")), MlflowClient)
    return MlflowClient(uri)


def _create_store(path: Path, client: Callable[[str], Any]) -> None:
    """Make the database beside its place: one that a kill left half made could never be opened again."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{PARTIAL_PREFIX}{path.name}-{uuid.uuid4().hex[:8]}")
    client(f"sqlite:///{partial}").search_experiments()
    partial.replace(path)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings → dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        here = f"{prefix}{key}"
        flat |= flatten(value, f"{here}.") if isinstance(value, Mapping) else {here: value}
    return flat
