"""Messages of a spool → an MLflow server. Delivering a message twice has the effect of delivering it once."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.detection.experiment_tracking.figures_only import FiguresOnlyClient
from visionllm_interaction.detection.experiment_tracking.mlflow_runs import (
    log_metrics,
    reconcile_trials,
    set_status,
    start_run,
)
from visionllm_interaction.detection.experiment_tracking.spool import Message, Spool
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.utils.atomic_files import publish_file
from visionllm_interaction.utils.logs import log

STORE_NAME = "mlflow.db"
ARTIFACTS_NAME = ".mlflow-artifacts"
"""Hidden, because every visible folder beside the runs is taken for a run."""
FILES = frozenset({"artifact", "model"})
"""Kinds of messages that bring a file."""
REFUSED_TAG = "visionllm.model_refused"
REFUSALS = frozenset(
    {"BAD_REQUEST", "ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "INVALID_PARAMETER_VALUE", "NOT_IMPLEMENTED",
     "PERMISSION_DENIED"}
)  # fmt: skip
"""Error codes of a server that will never take a model: too old for models of runs, or the name is another user's."""


def deliver(spool: Spool) -> int:
    """Send what is pending in a spool, in order.

    Args:
        spool: of one training.

    Returns:
        How many messages arrived.

    Raises:
        Exception: whatever MLflow raises when the server is unreachable; what arrived before is noted in the spool.
    """
    pending = spool.pending()
    if not pending:
        return 0
    start = next(iter(spool.messages()))
    config = TrackingConfig.model_validate(start["tracking"])
    server = _Server(make_client(config, start["uri"]), config, start, spool.path.parent)
    # a study's run is shared by its workers: two may have made one at the same time, and then one is given up
    run_id = server.start() if start.get("shared") else spool.run_id
    for message in pending:
        run_id = server.send(message, run_id)
        spool.delivered(1, run_id=run_id)
    return len(pending)


@dataclass(frozen=True)
class _Server:
    """Where the messages of one spool go; ``first`` is its first message, files lie from ``folder``."""

    client: Any
    config: TrackingConfig
    first: Message
    folder: Path

    def send(self, message: Message, run_id: str | None) -> str:
        """One message; returns the server's name of the run."""
        if message["kind"] == "start" or run_id is None:
            return self.start()
        if self.config.figures_only and message["kind"] in FILES:
            return run_id
        send = {
            "metrics": self._metrics,
            "tags": self._tags,
            "artifact": self._artifact,
            "model": self._model,
            "trials": self._trials,
            "status": self._status,
        }[message["kind"]]
        send(message, run_id)
        return run_id

    def start(self) -> str:
        """The run of the first message, found or made."""
        name = self.config.experiment
        experiment = self.client.get_experiment_by_name(name)
        place = self.first["artifacts"] if self.config.kind == "local" else None
        experiment_id = experiment.experiment_id if experiment else self.client.create_experiment(name, place)
        return start_run(self.client, experiment_id, self.first)

    def _metrics(self, message: Message, run_id: str) -> None:
        log_metrics(self.client, run_id, message)

    def _tags(self, message: Message, run_id: str) -> None:
        for key, value in message["values"].items():
            self.client.set_tag(run_id, key, value)

    def _artifact(self, message: Message, run_id: str) -> None:
        if (self.folder / message["path"]).is_file():
            self.client.log_artifact(run_id, str(self.folder / message["path"]))

    def _model(self, message: Message, run_id: str) -> None:
        from mlflow.exceptions import MlflowException

        from visionllm_interaction.detection.experiment_tracking.mlflow_models import log_checkpoint

        checkpoint = self.folder / message["path"]
        if not self.config.log_model or not checkpoint.is_file():
            return
        try:
            log_checkpoint(self.client, run_id, checkpoint, self.config)
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
            log.warning("the tracking server does not take the model", error=error.message[:300])
            self.client.set_tag(run_id, REFUSED_TAG, error.message[:300])

    def _trials(self, message: Message, run_id: str) -> None:
        reconcile_trials(self.client, run_id, message)

    def _status(self, message: Message, run_id: str) -> None:
        set_status(self.client, run_id, message)


def make_client(config: TrackingConfig, uri: str) -> Any:
    """MLflow's client for ``uri``, with user and password from the environment, telemetry off and no retries.

    With ``figures_only`` it is one that lets nothing else out.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # it would print the address of a run that ends to stdout, where the JSON of --json is
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, round(config.timeout_s)))
    # the spool retries, and knows what arrived; MLflow would ask for the same run twice
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
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
    client = MlflowClient(uri, registry_uri=uri)
    return FiguresOnlyClient(client) if config.figures_only else client


def _create_store(path: Path, client: Callable[[str], Any]) -> None:
    """Make the database beside its place: one that a kill left half made could never be opened again."""
    if path.exists():
        return
    with publish_file(path, replace=False) as partial:  # another worker may have made it meanwhile
        client(f"sqlite:///{partial}").search_experiments()
