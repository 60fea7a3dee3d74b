"""Messages of a spool → an MLflow server. Delivering a message twice has the effect of delivering it once."""

from __future__ import annotations

import logging
import os
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.publish import PARTIAL_PREFIX
from visionllm_interaction.train.config import TrackingConfig
from visionllm_interaction.train.spool import Message, Spool

STORE_NAME = "mlflow.db"
ARTIFACTS_NAME = ".mlflow-artifacts"
"""Hidden, because each plain folder beside the runs is taken for a run."""
MAX_PARAMETER_LENGTH = 500
MAX_PARAMETERS = 100
"""Per request, as MLflow's API has it."""
SPOOL_TAG = "visionllm.training_id"


def deliver(spool: Spool) -> int:
    """Send what is pending, in order; returns how many messages arrived.

    Raises:
        Exception: whatever MLflow raises when the server is away; what arrived before that is noted in the spool.
    """
    pending = spool.pending()
    if not pending:
        return 0
    start = next(iter(spool.messages()))
    config = TrackingConfig.model_validate(start["tracking"])
    client = make_client(config, start["uri"])
    run_id = spool.run_id
    for message in pending:
        run_id = _send(client, config, message, run_id=run_id, folder=spool.path.parent)
        spool.delivered(1, run_id=run_id)
    return len(pending)


def _send(client: Any, config: TrackingConfig, message: Message, *, run_id: str | None, folder: Path) -> str:
    if message["kind"] == "start" or run_id is None:
        return _start(client, config, message)
    if message["kind"] == "metrics":
        _log_metrics(client, run_id, message)
    elif message["kind"] == "artifact":
        if (folder / message["path"]).is_file():
            client.log_artifact(run_id, str(folder / message["path"]))
    elif message["kind"] == "status":
        client.update_run(run_id, status=message["status"])
        if message["status"] != "RUNNING":
            client.set_terminated(run_id, status=message["status"], end_time=message["at_ms"])
    return run_id


def _log_metrics(client: Any, run_id: str, message: Message) -> None:
    from mlflow.entities import Metric

    # the time is the spool's, so that a point sent again is the same point and not a second one
    metrics = [Metric(key, value, message["at_ms"], message["step"]) for key, value in message["values"].items()]
    client.log_batch(run_id, metrics=metrics)


def _start(client: Any, config: TrackingConfig, message: Message) -> str:
    experiment = client.get_experiment_by_name(config.experiment)
    place = message["artifacts"] if config.kind == "local" else None
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(config.experiment, place)
    known = client.search_runs([experiment_id], f"tags.`{SPOOL_TAG}` = '{message['id']}'", max_results=1)
    tags = {**message["tags"], SPOOL_TAG: message["id"]}
    run = known[0] if known else client.create_run(
        experiment_id, start_time=message["at_ms"], tags=tags, run_name=message["name"]
    )  # fmt: skip
    _log_parameters(client, run.info.run_id, message["parameters"])
    run_id: str = run.info.run_id
    return run_id


def _log_parameters(client: Any, run_id: str, parameters: dict[str, str]) -> None:
    from mlflow.entities import Param

    entries = [Param(key, value[:MAX_PARAMETER_LENGTH]) for key, value in parameters.items()]
    for start in range(0, len(entries), MAX_PARAMETERS):
        client.log_batch(run_id, params=entries[start : start + MAX_PARAMETERS])


def make_client(config: TrackingConfig, uri: str) -> Any:
    """MLflow's client for ``uri``, with user and password from the environment, telemetry off and short patience."""
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
