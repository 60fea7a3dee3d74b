"""A result that changes needs a new ALGORITHM_VERSION: small results of every stage and of the analysis are kept.

What decides whether a run or an analysed video is up to date is that version, not the text of the source; so whoever
changes what comes out has to raise it, and this is where it shows if that was forgotten.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from pinned_results import check_result

from visionllm_interaction.analysis import analyze, provenance
from visionllm_interaction.artifacts.algorithm_versions import library_versions
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, Manifest
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest
from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.datasets import ingestion as ingest
from visionllm_interaction.datasets import transformation as transform
from visionllm_interaction.datasets import validation as validate
from visionllm_interaction.detection import training as train
from visionllm_interaction.detection.models import ModelConfig, build_model
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.data.samplers import EpochPlan, EpochSampler
from visionllm_interaction.detection.training.data.transforms import Augmentation, Sample
from visionllm_interaction.detection.training.optimizers import build_optimizer, build_schedule
from visionllm_interaction.pipeline import PipelineSettings, run_pipeline

HERE = Path("/proc/self/cwd")
ABOUT_THE_CALL = {
    "algorithm_version", "code_version", "config", "content_sha256", "created_at", "duration_s", "inputs", "libraries",
    "outputs", "package_version", "schema_version",
}  # fmt: skip

FOR_MONITORING = {"annotations_per_category", "brightness"}
"""What only the service's metrics read: a run from before they were written is complete without them."""


@pytest.fixture
def run(before: Path) -> Path:
    """Stages 1-3 of ToyRoom images whose annotations have a few faults, divided anew."""
    file = before / "raw/annotations/instances_train2017.json"
    content = json.loads(file.read_text())
    first, second, third, *_ = content["annotations"]
    first["bbox"][2] = -1.0  # dropped
    second["bbox"][0], second["bbox"][2] = -3.0, second["bbox"][2] + 3.0  # beyond the edge
    content["annotations"].append({**third, "id": 10_000})  # twice
    content["annotations"].append({**third, "id": 10_001, "image_id": 10_000})  # of no image
    file.write_text(json.dumps(content))
    overrides = [f"validation.actions.{code}={{action: drop}}" for code in ("ANN-DANGLING-IMAGE", "BOX-DUPLICATE")]
    places = [f"data.root={HERE / 'raw'}", f"data.work_dir={HERE / 'data'}", f"artifacts_dir={HERE / 'new'}"]
    more = ["transform.splits.val_share=0.3", "transform.taxonomy.merge.toy=[ball, block]"]
    settings = load_settings(PipelineSettings, [], [*places, *overrides, *more])
    return run_pipeline(settings, until="transform").run


def about_the_result(path: Path) -> dict[str, Any]:
    text = Manifest.load(path).model_dump_json()
    content = json.loads(text.replace(str(Path.cwd()), str(HERE)))  # stage 3 follows links to find common folders
    return {key: value for key, value in content.items() if key not in ABOUT_THE_CALL | FOR_MONITORING}


def table(path: Path, *, without: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    return columns(pq.read_table(path).drop_columns(list(without)))


def columns(content: pa.Table, *, digits: int = 4) -> dict[str, list[Any]]:
    return {
        name: [round(value, digits) if isinstance(value, float) else value for value in content[name].to_pylist()]
        for name in content.column_names
    }


_PACKAGES = {
    "ingest": "datasets/ingestion",
    "validate": "datasets/validation",
    "transform": "datasets/transformation",
    "train": "detection/training",
}


def check_stage(name: str, room: Any, result: Any) -> None:
    versions = library_versions(room.LIBRARIES)
    where = f"src/visionllm_interaction/{_PACKAGES[name]}/__init__.py"
    check_result(name, result, version=room.ALGORITHM_VERSION, libraries=versions, where=where)


def test_stages_1_to_3(run: Path) -> None:
    index = table(run / "data_ingestion/files.parquet", without=("mtime_ns",))
    check_stage("ingest", ingest, {"manifest": about_the_result(run / STAGE_MANIFESTS["ingest"]), "files": index})
    faults = table(run / "data_validation/faults.parquet")
    assert len(faults["code"]) >= 4
    report = about_the_result(run / STAGE_MANIFESTS["validate"])
    check_stage("validate", validate, {"report": report, "faults": faults})
    manifest = TrainingManifest.load(run / STAGE_MANIFESTS["transform"])
    assert manifest.changes and any(manifest.dropped.values())
    annotations = {split: _boxes(run / path) for split, path in manifest.annotations.items()}
    about = about_the_result(run / STAGE_MANIFESTS["transform"])
    changes = table(run / "data_transformation/changes.parquet")
    check_stage("transform", transform, {"manifest": about, "annotations": annotations, "changes": changes})


def _boxes(path: Path) -> list[list[float]]:
    content = json.loads(path.read_text())
    return [[a["id"], a["image_id"], a["category_id"], *a["bbox"]] for a in content["annotations"]]


def test_training() -> None:
    result = {
        "layers": _layers(),
        "optimizers": {kind: _optimizer(kind) for kind in ("adamw", "sgd")},
        "learning_rates": {kind: _rates(kind) for kind in ("one_cycle", "cosine", "steps", "constant")},
        "order": _order(),
        "augmentation": _augmented(),
    }
    check_stage("train", train, result)


def _model() -> torch.nn.Module:
    narrow = {"fpn_channels": 16, "box_head_width": 32, "min_size": 64, "max_size": 96, "weights": "none"}
    config = ModelConfig.model_validate({"architecture": "fasterrcnn_resnet18_fpn", **narrow})
    with torch.device("meta"):
        return build_model(config, num_classes=4)


def _layers() -> dict[str, Any]:
    return {name: [*value.shape, str(value.dtype)] for name, value in _model().state_dict().items()}


def _optimizer(kind: str) -> Any:
    config = TrainConfig.model_validate({"optimizer": kind, "lr": 0.01})
    optimizer = build_optimizer(torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)), config)
    wanted = ("lr", "weight_decay", "momentum", "betas", "eps")
    return [
        {"shapes": [list(p.shape) for p in group["params"]], **{key: group[key] for key in wanted if key in group}}
        for group in optimizer.param_groups
    ]


def _rates(kind: str) -> list[float]:
    config = TrainConfig.model_validate({"schedule": kind, "lr": 0.01, "optimizer": "sgd"})
    optimizer = build_optimizer(torch.nn.Linear(3, 2), config)
    schedule, rates = build_schedule(optimizer, config, steps=30), []
    for _ in range(30):
        rates.append(round(optimizer.param_groups[0]["lr"], 8))
        optimizer.step()
        schedule.step()
    return rates


def _order() -> list[Any]:
    repeats = torch.tensor([1.0, 1.5, 2.0, 1.0, 1.0, 1.2])
    plans = (
        EpochPlan(6, 6, groups=[0, 1, 0, 1, 1, 0], batch_size=2),
        EpochPlan(6, 8, repeats=repeats, groups=None, batch_size=2),
    )
    orders = []
    for plan in plans:
        sampler = EpochSampler(plan, seed=3)
        for epoch in range(3):
            sampler.set_epoch(epoch)
            orders.append([number for _, number in sampler])
    return orders


def _augmented() -> list[Any]:
    ramp = torch.arange(3 * 40 * 60).remainder(256).reshape(3, 40, 60).to(torch.uint8)
    boxes = torch.tensor([[5.0, 5.0, 30.0, 30.0], [40.0, 10.0, 58.0, 38.0]])
    change = Augmentation(hflip=0.5, zoom=(0.8, 1.25), photometric=0.2)
    found = []
    for seed in range(4):
        made = change(Sample(ramp, boxes, torch.tensor([1, 2])), torch.Generator().manual_seed(seed))
        mean = round(made.image.float().mean().item(), 1)
        found.append([list(made.image.shape), made.boxes_xyxy.tolist(), made.labels.tolist(), mean])
    return found


def test_analysis(before: Path) -> None:
    folder = HERE / "films/videos/room_s7_000"
    analyze([folder / "room_s7_000.mp4"], before / "new", detections=folder / "found.json", video_ids=["from-file"])
    made = before / "new/videos/from-file"
    names = ("frames", "detections", "tracks", "relations", "events", "sightings")
    result = {name: columns(pq.read_table(made / f"{name}.parquet"), digits=3) for name in names}
    assert len(result["relations"]["predicate"]) > 20 and result["events"]["kind"]
    check_result(
        "analysis",
        result,
        version=provenance.ALGORITHM_VERSION,
        libraries=library_versions(("av", "trackers", "opencv")),
        where="src/visionllm_interaction/analysis/provenance.py",
    )


def test_a_changed_result_is_refused_until_the_version_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(result: object, *, version: int = 1, pin: bool = False) -> None:
        monkeypatch.setenv("PIN_RESULTS", "1" if pin else "")
        check_result("x", result, version=version, libraries={}, where="x/__init__.py", folder=tmp_path)

    check({"counts": [1, 2]}, pin=True)
    check({"counts": [1, 2]})
    for pin in (False, True):
        with pytest.raises(
            AssertionError, match=r"counts\[1\] was 2 and is 3.*[Bb]ump ALGORITHM_VERSION in x/__init__"
        ):
            check({"counts": [1, 3]}, pin=pin)
    with pytest.raises(AssertionError, match="PIN_RESULTS=1"):
        check({"counts": [1, 3]}, version=2)
    check({"counts": [1, 3]}, version=2, pin=True)
    check({"counts": [1, 3]}, version=2)
