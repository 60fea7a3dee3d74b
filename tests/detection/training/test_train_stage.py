"""Stage 4 from manifest to report; the figures of its report are those `evaluate` finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.artifacts.stage_manifests import TrainingReport
from visionllm_interaction.detection.evaluation.coco_metrics import METRICS
from visionllm_interaction.detection.evaluation.evaluate import evaluate_checkpoint
from visionllm_interaction.detection.models import load_checkpoint, save_checkpoint
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo
from visionllm_interaction.detection.training import stage
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.hashing import sha256_file, sha256_tree


def train(manifest: Path) -> TrainingReport:
    return stage.run(
        model=tiny(),
        train=tiny_train(epochs=2),
        tracking=TrackingConfig(kind="none"),
        training_manifest=manifest,
        out=manifest.parents[1] / "model_trainer",
    )


def test_the_stage_publishes_checkpoints_curves_and_report(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    raw = sha256_tree(tmp_path / "raw")
    report = train(manifest)
    run = manifest.parents[1]
    assert sorted(p.name for p in (run / "model_trainer").iterdir()) == [
        "curves.png",
        "fasterrcnn_best.pt",
        "fasterrcnn_best.pt.json",
        "fasterrcnn_last.pt",
        "fasterrcnn_last.pt.json",
        "metrics.csv",
        "training_report.yaml",
    ]
    assert not list(run.glob(".partial*"))
    loaded = TrainingReport.load(run / "model_trainer" / "training_report.yaml")
    assert loaded.AP == report.AP == loaded.metrics["AP"] and set(loaded.metrics) == set(METRICS)
    assert [row["epoch"] for row in loaded.curves["epochs"]] == [1, 2]
    assert all("train_loss" in row and "AP" in row for row in loaded.curves["epochs"])
    names = [p.name for p in (run / "model_trainer").iterdir() if p.name != "training_report.yaml"]
    assert {ref.path: ref.sha256 for ref in loaded.outputs} == {
        f"model_trainer/{name}": sha256_file(run / "model_trainer" / name) for name in names
    }
    assert [ref.path for ref in loaded.inputs] == [
        "data_transformation/training_manifest.yaml",
        "data_transformation/annotations/train.json",
        "data_transformation/annotations/val.json",
    ]
    _, info = load_checkpoint(run / "model_trainer" / "fasterrcnn_best.pt")
    assert info.training_manifest_sha256 == sha256_file(manifest)
    assert sha256_tree(tmp_path / "raw") == raw


def test_evaluate_finds_the_figures_of_the_report(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    report = train(manifest)
    checkpoint = manifest.parents[1] / "model_trainer" / "fasterrcnn_best.pt"
    by_manifest = evaluate_checkpoint(checkpoint, manifest)
    assert by_manifest["AP"] == pytest.approx(report.AP, abs=1e-6)
    by_file = evaluate_checkpoint(checkpoint, tmp_path / "raw" / "annotations" / "instances_val2017.json")
    assert by_file == by_manifest
    assert by_manifest["per_category"].keys() == {"red", "blue"}


def test_category_ids_of_other_data_are_matched_by_name(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    train(manifest)
    checkpoint = manifest.parents[1] / "model_trainer" / "fasterrcnn_best.pt"
    file = tmp_path / "raw" / "annotations" / "instances_val2017.json"
    expected = evaluate_checkpoint(checkpoint, file)
    text = file.read_text().replace('"category_id": 3', '"category_id": 30').replace('"id": 3, "name": "red"', "RED")
    file.write_text(text.replace("RED", '"id": 30, "name": "red"'))
    assert evaluate_checkpoint(checkpoint, file) == expected


def test_a_checkpoint_for_other_categories_is_refused(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    train(manifest)
    checkpoint = manifest.parents[1] / "model_trainer" / "fasterrcnn_best.pt"
    model, info = load_checkpoint(checkpoint)
    content = json.loads(json.dumps(info.to_dict()))["categories"]
    for category, name in zip(content, ("green", "yellow"), strict=True):
        category["name"] = name
    other = type(info.categories).from_pairs((c["category_id"], c["name"]) for c in content)
    save_checkpoint(tmp_path / "other.pt", model.state_dict(), info=CheckpointInfo(info.model, other))
    with pytest.raises(InputDataError, match="green"):
        evaluate_checkpoint(tmp_path / "other.pt", manifest)


@pytest.mark.slow
def test_untracked_training_never_imports_mlflow() -> None:
    code = (
        "import sys, visionllm_interaction.detection.training.stage;"
        "print('mlflow' in sys.modules, 'optuna' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
