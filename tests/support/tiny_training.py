"""A data set and a detector so small that a training takes a second or two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.artifacts.stage_manifests import SplitCounts, TrainingCategory, TrainingManifest
from visionllm_interaction.detection.training.config import TrainConfig

CATEGORIES = ((3, "red"), (8, "blue"))
WIDTH, HEIGHT = 80, 60
TRAIN: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 4,
    "lr": 0.001,
    "workers": 0,
    "device": "cpu",
    "precision": "float32",
}


def tiny_train(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate({**TRAIN, **changes})


def write_split(root: Path, split: str, *, images: int, seed: int) -> Path:
    """Images of red and blue boxes on noise; the first image is empty, the last has a crowd region."""
    rng = np.random.default_rng(seed)
    folder = root / f"{split}2017"
    folder.mkdir(parents=True)
    records, annotations = [], []
    for number in range(images):
        pixels = rng.integers(90, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        for _ in range(0 if number == 0 else 2):
            kind = int(rng.integers(0, 2))
            x, y = int(rng.integers(0, 50)), int(rng.integers(0, 36))
            pixels[y : y + 20, x : x + 24] = (230, 20, 20) if kind == 0 else (20, 20, 230)
            box = {"bbox": [x, y, 24, 20], "area": 480, "iscrowd": 0, "category_id": CATEGORIES[kind][0]}
            annotations.append({"id": len(annotations) + 1, "image_id": 10 + number, **box})
        name = f"{split}_{number:03d}.png"
        Image.fromarray(pixels).save(folder / name)
        records.append({"id": 10 + number, "file_name": name, "width": WIDTH, "height": HEIGHT})
    annotations[-1]["iscrowd"] = 1
    content = {
        "images": records,
        "annotations": annotations,
        "categories": [{"id": cid, "name": name} for cid, name in CATEGORIES],
    }
    target = root / "annotations" / f"instances_{split}2017.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(content))
    return target


def write_manifest(root: Path, *, train: int = 8, val: int = 6) -> Path:
    """A training manifest as stage 3 writes it, inside a run folder; images are outside."""
    raw, run = root / "raw", root / "artifacts" / "run1"
    files = {
        "train": write_split(raw, "train", images=train, seed=1),
        "val": write_split(raw, "val", images=val, seed=2),
    }
    folder = run / "data_transformation" / "annotations"
    folder.mkdir(parents=True)
    for split, file in files.items():
        (folder / f"{split}.json").write_bytes(file.read_bytes())
    manifest = TrainingManifest(
        stage="transform",
        created_at=utc_now(),
        duration_s=0.0,
        code_version="test",
        config={},
        inputs=(),
        outputs=(),
        images={split: str(raw / f"{split}2017") for split in files},
        annotations={split: f"data_transformation/annotations/{split}.json" for split in files},
        categories=tuple(
            TrainingCategory(category_id=cid, name=name, label=label)
            for label, (cid, name) in enumerate(CATEGORIES, start=1)
        ),
        counts={"train": SplitCounts(images=train, annotations=0), "val": SplitCounts(images=val, annotations=0)},
        dropped={"train": (), "val": ()},
    )
    manifest.save(run / "data_transformation" / "training_manifest.yaml")
    return run / "data_transformation" / "training_manifest.yaml"
