"""Detectors that find the same ball everywhere, and raise what a test asks them to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.models import Runtime

RUNTIME = Runtime("test", 1, libraries=("torch",))
Images = Sequence[NDArray[np.uint8]]


class BallDetector:
    """Sees one ball per image; ``before`` is called with the images first, and may raise."""

    categories = Categories.from_pairs([(5, "ball")])
    digest = "d" * 64
    name = "ball"

    def __init__(self, before: Callable[[Images], None] = lambda images: None) -> None:
        self.before = before
        self.runtime = RUNTIME
        self.batches: list[int] = []

    def detect(self, images_rgb: Images, *, min_confidence: float = 0.05) -> list[Detections]:
        self.batches.append(len(images_rgb))
        self.before(images_rgb)
        one = Detections(np.array([[10, 10, 30, 30]], np.float32), np.array([0.9], np.float32), np.array([1]))
        return [one for _ in images_rgb]

    def raise_algorithm_version(self) -> None:
        self.runtime = replace(self.runtime, algorithm_version=self.runtime.algorithm_version + 1)
