"""A checkpoint behind MLflow's ``pyfunc`` interface. MLflow imports this module by name; nothing is pickled.

It imports no MLflow, so that loading takes the package and its ``models`` extra only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.detection.runtimes.factory import load_detector

INPUT = "images"
MIN_CONFIDENCE = "min_confidence"
DEFAULT_MIN_CONFIDENCE = 0.05


@dataclass(frozen=True)
class ServedDetector:
    """What ``predict`` of the loaded model calls."""

    detector: Detector

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> dict[str, NDArray[Any]]:
        """Detections in images.

        Args:
            model_input: (n, H, W, 3) uint8 RGB, alone or under the key ``images``.
            params: ``min_confidence``, 0.05 by default.

        Returns:
            One row per detection in any image: ``picture`` (m,) int64 is the index of the image (from 0),
            ``boxes_xyxy`` (m, 4) float32 pixels, ``confidences`` (m,) float32, ``labels`` (m,) int64 (names are in the
            model's metadata).
        """
        images = np.asarray(model_input[INPUT] if isinstance(model_input, Mapping) else model_input)
        min_confidence = float((params or {}).get(MIN_CONFIDENCE, DEFAULT_MIN_CONFIDENCE))
        # one by one: memory stays that of one image however many are asked for
        found = [self.detector.detect([image], min_confidence=min_confidence)[0] for image in images]
        counts = [len(one) for one in found]
        return {
            "picture": np.repeat(np.arange(len(found), dtype=np.int64), counts),
            "boxes_xyxy": np.concatenate([np.zeros((0, 4), np.float32), *(one.boxes_xyxy for one in found)]),
            "confidences": np.concatenate([np.zeros(0, np.float32), *(one.confidences for one in found)]),
            "labels": np.concatenate([np.zeros(0, np.int64), *(one.labels for one in found)]),
        }


def _load_pyfunc(data_path: str) -> ServedDetector:
    """MLflow's entry point; the checkpoint is read with ``weights_only``.

    Args:
        data_path: of the checkpoint.

    Returns:
        The detector behind ``predict``.

    Raises:
        CheckpointError: if it is damaged or none of this program.
    """
    return ServedDetector(load_detector(Path(data_path)))
