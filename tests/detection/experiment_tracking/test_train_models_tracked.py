"""A training on a real tracking server: data set, curves, the model with its signature, one version in the registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow_server import PASSWORD, USER, Server, all_runs, client, files
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.detection.experiment_tracking.mlflow_client import REFUSED_TAG, deliver
from visionllm_interaction.detection.experiment_tracking.pyfunc_model import _load_pyfunc
from visionllm_interaction.detection.experiment_tracking.spool import SPOOL_NAME, Spool
from visionllm_interaction.detection.experiment_tracking.tracker import sync_tracking
from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.detection.training import stage
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.detection.training.plots import curves_png
from visionllm_interaction.utils.hashing import sha256_file

pytestmark = pytest.mark.filterwarnings("ignore")  # what MLflow and its dependencies deprecate is not ours
NAME = "visionllm-detector"


def train(manifest: Path, config: TrackingConfig) -> Path:
    out = manifest.parents[1] / "model_trainer"
    stage.run(model=tiny(), train=tiny_train(epochs=2), tracking=config, training_manifest=manifest, out=out)
    return out


def picture(root: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(root / "raw" / "val2017" / "val_001.png").convert("RGB"))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that is still away; its password is in the environment, for the program and for the test."""
    for prefix in ("LAB", "MLFLOW_TRACKING"):
        monkeypatch.setenv(f"{prefix}_{'USER' if prefix == 'LAB' else 'USERNAME'}", USER)
        monkeypatch.setenv(f"{prefix}_PASSWORD", PASSWORD)
    server = Server(tmp_path / "server")
    yield server
    server.kill()


def assert_complete(uri: str, run: Any, manifest: Path, out: Path) -> Any:
    """Everything the run must have; returns its version in the registry."""
    assert run.info.status == "FINISHED"
    assert {"metrics.csv", "curves.png", "fasterrcnn_best.pt.json"} <= set(files(uri, run))
    (entry,) = run.inputs.dataset_inputs
    assert entry.dataset.digest == sha256_file(manifest)[:36] and entry.dataset.name == "run1"
    assert json.loads(entry.dataset.profile) == {
        "train_images": 8, "train_annotations": 0, "val_images": 6, "val_annotations": 0, "categories": 2
    }  # fmt: skip
    assert entry.tags[0].value == "training"
    (output,) = run.outputs.model_outputs
    (version,) = client(uri).search_model_versions(f"name = '{NAME}'")
    assert version.run_id == run.info.run_id and output.model_id in version.source
    assert version.tags["checkpoint_sha256"] == sha256_file(out / "fasterrcnn_best.pt")
    return version


def assert_detects(uri: str, version: Any, out: Path, image: NDArray[np.uint8]) -> None:
    import mlflow

    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/{version.version}")
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, -1, -1, 3)
    assert model.metadata.signature.outputs.input_names() == ["picture", "boxes_xyxy", "confidences", "labels"]
    assert model.metadata.metadata["categories"] == {"1": "red", "2": "blue"}
    params = {"min_confidence": 0.0}
    found = model.predict({"images": np.stack([image, image])}, params=params)
    (expected,) = load_detector(out / "fasterrcnn_best.pt").detect([image], min_confidence=0.0)
    assert len(expected) > 0 and found["picture"].tolist() == [0] * len(expected) + [1] * len(expected)
    np.testing.assert_array_equal(found["boxes_xyxy"][: len(expected)], expected.boxes_xyxy)
    np.testing.assert_array_equal(found["confidences"][len(expected) :], expected.confidences)
    np.testing.assert_array_equal(found["labels"][: len(expected)], expected.labels)
    with pytest.raises(Exception, match=r"shape|Shape"):
        model.predict({"images": image[None, :, :, :1]})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_best_checkpoint_becomes_a_version_once_also_when_told_again(tmp_path: Path, server: Server) -> None:
    manifest = write_manifest(tmp_path)
    out = train(manifest, server.config())  # the folder is renamed before the server is there
    assert [m["kind"] for m in Spool(out / SPOOL_NAME).pending()] == [
        "start", "metrics", "metrics", "artifact", "artifact", "artifact", "model", "status"
    ]  # fmt: skip
    server.start()
    spool = Spool(out / SPOOL_NAME)
    deliver(spool)
    spool.cursor_path.unlink()  # the reply got lost: everything once more
    assert sync_tracking(tmp_path / "artifacts").delivered == 8
    assert not spool.path.exists()
    (run,) = all_runs(server.uri).values()
    version = assert_complete(server.uri, run, manifest, out)
    assert_detects(server.uri, version, out, picture(tmp_path))


@pytest.mark.slow
def test_a_second_training_is_a_second_version_in_the_local_store(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    out = train(manifest, TrackingConfig())
    uri = f"sqlite:///{tmp_path}/artifacts/mlflow.db"
    (run,) = all_runs(uri).values()
    assert_detects(uri, assert_complete(uri, run, manifest, out), out, picture(tmp_path))
    shutil.rmtree(out)
    config = TrackingConfig(registered_model="other")
    out = train(manifest, config)
    assert len(client(uri).search_model_versions("name = 'other'")) == 1
    shutil.rmtree(out)
    train(manifest, TrackingConfig(log_model=False))
    assert len(client(uri).search_model_versions()) == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_refuses_the_model_still_gets_the_run(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_manifest(tmp_path)
    server.start()
    from mlflow.server.auth.client import AuthServiceClient

    client(server.uri).create_registered_model(NAME)  # the name belongs to somebody else
    AuthServiceClient(server.uri).create_user("guest", "long-password-2")
    monkeypatch.setenv("LAB_USER", "guest")
    monkeypatch.setenv("LAB_PASSWORD", "long-password-2")
    out = train(manifest, server.config(experiment="guests"))
    assert not (out / SPOOL_NAME).exists()
    (run,) = all_runs(server.uri, "guests").values()
    assert run.info.status == "FINISHED" and "ermission denied" in run.data.tags[REFUSED_TAG]
    assert not client(server.uri).search_model_versions(f"name = '{NAME}'")


def test_curves_are_drawn_also_where_epochs_were_not_evaluated() -> None:
    rows = [{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": 1.0, "AP": 0.1, "AP50": 0.2}]
    image = curves_png(rows, best_epoch=2)
    assert image.startswith(b"\x89PNG") and image == curves_png(rows, best_epoch=2)
    assert curves_png(rows[:1]) != image


def test_no_pictures_give_no_detections_of_the_right_shape(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    out = train(manifest, TrackingConfig(kind="none"))
    found = _load_pyfunc(str(out / "fasterrcnn_best.pt")).predict(np.zeros((0, 8, 8, 3), np.uint8))
    assert {key: value.shape for key, value in found.items()} == {
        "picture": (0,), "boxes_xyxy": (0, 4), "confidences": (0,), "labels": (0,)
    }  # fmt: skip


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "it's"])
def test_names_that_the_registry_refuses_are_refused_at_once(name: str) -> None:
    with pytest.raises(ValidationError, match="registered_model"):
        TrackingConfig(registered_model=name)
