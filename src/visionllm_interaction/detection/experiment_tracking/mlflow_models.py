"""The best checkpoint as an MLflow model: logged with a signature, registered as a version, once per run.

The model is the module ``pyfunc_model`` by name and the checkpoint as data: no code is pickled, and loading needs this
package.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_interaction import __version__
from visionllm_interaction.detection.experiment_tracking.pyfunc_model import (
    DEFAULT_MIN_CONFIDENCE,
    INPUT,
    MIN_CONFIDENCE,
)
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo, read_info, sidecar_of
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.utils.hashing import sha256_file

MODEL_NAME = "detector"
LOADER = "visionllm_interaction.detection.experiment_tracking.pyfunc_model"
REGISTER_WAIT_S = 60


def log_checkpoint(client: Any, run_id: str, checkpoint: Path, config: TrackingConfig) -> None:
    """Log a checkpoint as the model of a run and, if ``config`` has a name for it, register it.

    Args:
        client: MLflow's client.
        run_id: of the run.
        checkpoint: of the best epoch.
        config: of the tracking.

    Raises:
        Exception: whatever MLflow raises when the server is unreachable or refuses.
    """
    info = read_info(json.loads(sidecar_of(checkpoint).read_bytes()), checkpoint)
    tags = _tags(info, checkpoint)
    model = _logged_model(client, run_id, tags)
    if str(model.status) != "READY":
        _upload(client, model, run_id, checkpoint, info, tags)
    if config.registered_model is not None:
        # a store on this machine would look for models:/ in whatever store the environment names
        source = model.artifact_location if config.kind == "local" else f"models:/{model.model_id}"
        _register(client, config.registered_model, source=source, model=model, run_id=run_id, tags=tags)


def _tags(info: CheckpointInfo, checkpoint: Path) -> dict[str, str]:
    metrics = {name: f"{info.metrics[name]:.4f}" for name in ("AP", "AP50") if name in info.metrics}
    return {
        **metrics,
        "epoch": str(info.epoch),
        "architecture": info.model.architecture,
        "training_manifest_sha256": str(info.training_manifest_sha256),
        "checkpoint_sha256": sha256_file(checkpoint),
    }


def _logged_model(client: Any, run_id: str, tags: dict[str, str]) -> Any:
    """The model of the run: the one an interrupted delivery began, or a new one."""
    experiment_id = client.get_run(run_id).info.experiment_id
    begun = client.search_logged_models([experiment_id], f"name = '{MODEL_NAME}' AND source_run_id = '{run_id}'")
    if begun:
        return begun[0]
    return client.create_logged_model(
        experiment_id, name=MODEL_NAME, source_run_id=run_id, tags=tags, model_type="object-detection"
    )


def _upload(client: Any, model: Any, run_id: str, checkpoint: Path, info: CheckpointInfo, tags: dict[str, str]) -> None:
    from mlflow.entities import LoggedModelOutput

    outputs = client.get_run(run_id).outputs
    if model.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else [])]:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=info.epoch)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_NAME
        _save(path, checkpoint, info, model, run_id, tags)
        client.log_model_artifacts(model.model_id, str(path))
    client.finalize_logged_model(model.model_id, "READY")


def _save(path: Path, checkpoint: Path, info: CheckpointInfo, model: Any, run_id: str, tags: dict[str, str]) -> None:
    with _quiet():
        import mlflow
        from mlflow.models import Model

        mlflow.pyfunc.save_model(
            str(path),
            loader_module=LOADER,
            data_path=str(checkpoint),
            signature=_signature(),
            # named, because MLflow would else load the model in a second process to find out
            pip_requirements=[f"visionllm-interaction[models]=={__version__}", f"mlflow=={mlflow.__version__}"],
            metadata={"categories": {str(c.label): c.name for c in info.categories}, **tags},
            mlflow_model=Model(
                artifact_path=model.artifact_location, run_id=run_id, model_uuid=model.model_id, model_id=model.model_id
            ),
        )


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

    def tensor(name: str, kind: str, *shape: int) -> Any:
        return TensorSpec(np.dtype(kind), (-1, *shape), name)

    return ModelSignature(
        inputs=Schema([tensor(INPUT, "uint8", -1, -1, 3)]),
        outputs=Schema(
            [
                tensor("picture", "int64"),
                tensor("boxes_xyxy", "float32", 4),
                tensor("confidences", "float32"),
                tensor("labels", "int64"),
            ]
        ),
        params=ParamSchema([ParamSpec(MIN_CONFIDENCE, "double", DEFAULT_MIN_CONFIDENCE)]),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    # MLflow would copy the pyproject.toml of whatever folder the command is given in into the model
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    level = logging.getLogger("mlflow").level
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice about input examples, deprecations at import
            yield
    finally:
        logging.getLogger("mlflow").setLevel(level)


def _register(client: Any, name: str, *, source: str, model: Any, run_id: str, tags: dict[str, str]) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    if client.search_model_versions(f"name = '{name}' AND run_id = '{run_id}'"):
        return
    client.create_model_version(
        name, source, run_id=run_id, tags=tags, model_id=model.model_id, await_creation_for=REGISTER_WAIT_S
    )
