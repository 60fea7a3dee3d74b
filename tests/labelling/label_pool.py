"""A data set, images nobody has annotated, and a detector whose confidence is written in the image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from small_coco import HEIGHT, WIDTH, make_coco

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
from visionllm_interaction.config import load
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.runtimes.detector_interface import Runtime
from visionllm_interaction.pipeline import run_pipeline

LABELS = {"ball": 1, "cup": 2, "child": 3, "zebra": 4}
BOX = (10.0, 8.0, 30.0, 28.0)


class WrittenDetector:
    """Finds one object in each image, at :data:`BOX`; the first pixel's red is its label, the green its confidence."""

    categories = Categories.from_pairs([(3, "ball"), (7, "cup"), (90, "child"), (200, "zebra")])
    digest = "d" * 64
    name = "written"
    runtime = Runtime("written", 1, ())

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        return [self._one(image, min_confidence) for image in images_rgb]

    def _one(self, image: NDArray[np.uint8], min_confidence: float) -> Detections:
        mirrored = image[0, 0, 2] != 7
        label, green = (int(value) for value in (image[0, -1] if mirrored else image[0, 0])[:2])
        width = image.shape[1]
        box = (width - BOX[2], BOX[1], width - BOX[0], BOX[3]) if mirrored else BOX
        confidence, label = min(green / 100, 1.0), min(max(label, 1), len(LABELS))  # of frames of videos, anything
        found = Detections(np.array([box], np.float32), np.array([confidence], np.float32), np.array([label]))
        return found.select(found.confidences >= min_confidence)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector that `label suggest` loads."""
    monkeypatch.setattr(
        "visionllm_interaction.labelling.suggest.load_detector", lambda _path: WrittenDetector(), raising=True
    )


def write_image(path: Path, label: str, confidence: float, *, seed: int = 0) -> Path:
    """Noise whose first pixel holds what is to be detected."""
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    pixels[0, 0] = (LABELS[label], round(100 * confidence), 7)
    pixels[0, -1] = 200
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_manifest(folder: Path, *overrides: str) -> Path:
    """Stages 1-3 of :func:`small_coco.make_coco`; the training manifest."""
    root = folder / "coco"
    if not root.exists():
        make_coco(root)
    return run_stages(folder, f"data.root={root}", *overrides)


def run_stages(folder: Path, *overrides: str) -> Path:
    """Stages 1-3; the training manifest."""
    settings = load(
        [], [f"artifacts_dir={folder / 'artifacts'}", "validation.images.near_duplicates=false", *overrides]
    )
    return run_pipeline(settings, until="transform").run / STAGE_MANIFESTS["transform"]
