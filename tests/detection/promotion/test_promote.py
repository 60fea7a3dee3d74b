"""From a real MLflow registry to the file that a service loads: good versions pass, bad ones do not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow_server import PASSWORD, USER, Server, client
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.detection.experiment_tracking.mlflow_models import log_checkpoint
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.detection.promotion.promote import promote
from visionllm_interaction.detection.registry.served_version import fetch_served
from visionllm_interaction.detection.training import stage
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.errors import CheckpointError, PromotionRefused, ServiceError, UsageError
from visionllm_interaction.utils.hashing import sha256_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.filterwarnings("ignore"),  # what MLflow and its dependencies deprecate is not ours
]
NAME = "visionllm-detector"
REFERENCE = f"models:/{NAME}@serving"
LOOSE = PromoteConfig(max_latency_ratio=3.0, latency_images=6, min_confidence=0.05, resamples=200)
"""What is timed here is a millisecond on a busy machine."""


@dataclass
class Registry:
    """A server with three versions: 1 trained long, 2 not at all, 3 the same checkpoint as 1."""

    server: Server
    folder: Path
    manifest: Path
    checkpoints: dict[int, Path]

    @property
    def tracking(self) -> TrackingConfig:
        return self.server.config(username_env="MLFLOW_TRACKING_USERNAME", password_env="MLFLOW_TRACKING_PASSWORD")

    def promote(self, version: int, config: PromoteConfig = LOOSE) -> Any:
        return promote(
            str(version), data=self.manifest, report=self.folder / f"report-{version}", tracking=self.tracking,
            runs_dir=self.folder, config=config,
        )  # fmt: skip

    def serving(self) -> str | None:
        found = client(self.server.uri).get_registered_model(NAME).aliases.get("serving")
        return None if found is None else str(found)

    def tags(self, version: int) -> dict[str, str]:
        found = client(self.server.uri).get_model_version(NAME, str(version)).tags
        return {key.removeprefix("promotion."): text for key, text in found.items() if key.startswith("promotion.")}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("promotion")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_USERNAME", USER)
        patch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        server = Server(folder / "server")
        server.start()
        try:
            found = Registry(server, folder, write_manifest(folder, train=16, val=12), {})
            found.checkpoints[1] = _train(found, "long", epochs=25, lr=0.004)
            found.checkpoints[2] = _train(found, "short", epochs=1, lr=1e-7)
            found.checkpoints[3] = found.checkpoints[1]
            log = client(server.uri)
            run = log.create_run("0", run_name="again")
            log_checkpoint(log, run.info.run_id, found.checkpoints[1], found.tracking)
            yield found
        finally:
            server.kill()


def _train(registry: Registry, name: str, *, epochs: int, lr: float) -> Path:
    out = registry.manifest.parents[1] / "model_trainer"
    stage.run(
        model=tiny(), train=tiny_train(epochs=epochs, lr=lr), tracking=registry.tracking,
        training_manifest=registry.manifest, out=out,
    )  # fmt: skip
    kept = out.rename(out.with_name(name))
    return kept / "fasterrcnn_best.pt"


def test_the_first_version_serves_and_the_service_gets_its_file(registry: Registry) -> None:
    with pytest.raises(UsageError, match="no version of this alias"):
        fetch_served(REFERENCE, registry.server.uri, registry.folder / "served")
    verdict = registry.promote(1)
    assert verdict.passed and verdict.serving is None and verdict.ap > 0.1
    assert registry.serving() == "1"
    assert registry.tags(1)["verdict"] == "passed" and registry.tags(1)["against"] == "none"
    path = fetch_served(REFERENCE, registry.server.uri, registry.folder / "served")
    assert sha256_file(path) == sha256_file(registry.checkpoints[1])


def test_a_worse_version_is_refused_and_told_by_how_much(registry: Registry) -> None:
    with pytest.raises(PromotionRefused, match=r"min_ap_difference.*missed by") as refused:
        registry.promote(2)
    assert refused.value.exit_code == 3
    assert registry.serving() == "1", "the alias has not moved"
    content = json.loads((registry.folder / "report-2/promotion.json").read_text())
    gate = next(gate for gate in content["gates"] if gate["name"] == "min_ap_difference")
    assert content["verdict"] == "refused" and content["against"] == "1"
    assert gate["missing"] == pytest.approx(LOOSE.min_ap_difference - content["comparison"]["ap_interval"][0])
    assert content["comparison"]["ap_interval"][1] < 0, "worse beyond chance"
    assert (registry.folder / "report-2/evaluation.html").is_file()
    tags = registry.tags(2)
    assert tags["verdict"] == "refused" and "min_ap_difference" in tags["failed"] and tags["against"] == "1"
    assert float(tags["ap_difference_low"]) == pytest.approx(content["comparison"]["ap_interval"][0], abs=1e-4)


def test_the_same_checkpoint_passes_as_another_version(registry: Registry) -> None:
    verdict = registry.promote(3)
    assert verdict.comparison is not None
    assert verdict.comparison.ap_interval == (0.0, 0.0) and verdict.comparison.ap_difference == 0.0
    assert verdict.comparison.class_mix_distance == verdict.comparison.confidence_distance == 0.0
    assert registry.serving() == "3"


def test_the_command_ends_with_3_and_names_the_gate(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    before = registry.serving()
    settings = {
        "tracking.kind": "mlflow",
        "tracking.uri": registry.server.uri,
        "promote.latency_images": 3,
        "promote.resamples": 100,
    }
    overrides = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
    report = registry.folder / "report-command"
    arguments = ["models", "promote", "2", "--data", str(registry.manifest), "--report", str(report)]
    assert run_app(app, [*arguments, *overrides, "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "PROMOTION-REFUSED" and "missed by" in error["found"]
    assert registry.serving() == before
    assert run_app(app, [*arguments[:2], "9", *arguments[3:], *overrides, "--json"]) == 2


def test_figures_only_has_no_registry(registry: Registry) -> None:
    tracking = registry.tracking.model_copy(update={"figures_only": True})
    with pytest.raises(UsageError, match="no model registry"):
        promote("1", data=registry.manifest, report=registry.folder / "none", tracking=tracking, runs_dir=".")


def test_a_service_starts_without_the_registry_but_not_with_another_file(registry: Registry) -> None:
    """Runs last: the server goes away."""
    folder = registry.folder / "kept"
    first = fetch_served(REFERENCE, registry.server.uri, folder)
    registry.server.kill()
    assert fetch_served(REFERENCE, registry.server.uri, folder) == first
    with pytest.raises(ServiceError, match="cannot be asked"):
        fetch_served(REFERENCE, registry.server.uri, registry.folder / "empty")
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)
    with pytest.raises(CheckpointError, match="not the one that was registered"):
        fetch_served(REFERENCE, registry.server.uri, folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("reference", ["models:/visionllm-detector", "models:/a/3", "models:/@serving", "x@serving"])
def test_a_reference_that_is_none_says_how_to_write_one(reference: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be found"):
        fetch_served(reference, "http://127.0.0.1:9", tmp_path)
