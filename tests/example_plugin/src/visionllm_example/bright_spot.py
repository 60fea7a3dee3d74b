"""A detector: the smallest box around all pixels that are brighter than a threshold, read from ``*.spot.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.plugins import Categories, Detections, Detector, DetectorPlugin, Runtime

RUNTIME = Runtime("bright_spot", algorithm_version=1, libraries=("numpy", "visionllm-example-plugin"))


@dataclass(frozen=True)
class BrightSpot:
    """Finds one object per image, or none where nothing is bright enough."""

    categories: Categories
    digest: str
    threshold: float
    name: str = "bright_spot"
    runtime: Runtime = RUNTIME

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See Detector."""
        return [self._detect_one(image, min_confidence) for image in images_rgb]

    def _detect_one(self, image_rgb: NDArray[np.uint8], min_confidence: float) -> Detections:
        grey = image_rgb.mean(axis=2)
        rows, columns = np.nonzero(grey > self.threshold)
        confidence = float(grey.max()) / 255
        if not len(rows) or confidence < min_confidence:
            return Detections.empty()
        box = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
        return Detections(np.array(box, np.float32), np.array([confidence], np.float32), np.array([1]))


@dataclass(frozen=True)
class SpotLoader:
    """Opens ``{"category": "lamp", "threshold": 200}``."""

    name: str = "bright_spot"

    def opens(self, path: Path) -> bool:
        """See DetectorPlugin."""
        return path.name.endswith(".spot.json")

    def load(self, path: Path, *, device: str | None) -> Detector:
        """See DetectorPlugin."""
        content = path.read_bytes()
        settings = json.loads(content)
        categories = Categories.from_pairs([(1, settings["category"])])
        return BrightSpot(categories, sha256(content).hexdigest(), float(settings["threshold"]))


LOADER: DetectorPlugin = SpotLoader()
