"""Whether two detectors detect the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.runtimes.detector_interface import Detector

SAME_IOU = 0.9
SAME_CONFIDENCE = 0.05
MIN_CONFIDENCE = 0.1
"""Only detections at least this confident must have a partner; any detection may be one."""


@dataclass(frozen=True)
class Parity:
    """How far two detectors agree.

    Attributes:
        images: compared.
        detections: of both that needed a partner.
        matched: share of them with a partner of the same label, IoU ≥ 0.9, confidence within 0.05.
        confidence_difference: largest among partners.
    """

    images: int
    detections: int
    matched: float
    confidence_difference: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the number of images is under the key ``pictures``."""
        values = asdict(self)
        return {"pictures": values.pop("images"), **values}


def compare_detectors(reference: Detector, other: Detector, images: Sequence[NDArray[np.uint8]]) -> Parity:
    """Detect with both and match each detection with one of the other.

    Args:
        reference: a detector.
        other: another, with the same categories.
        images: (H, W, 3) uint8 RGB each.

    Returns:
        How far they agree.
    """
    differences: list[float] = []
    for image in images:
        [a], [b] = (detector.detect([image], min_confidence=0.01) for detector in (reference, other))
        differences += [*_differences(a, b), *_differences(b, a)]
    matched = [each for each in differences if each <= SAME_CONFIDENCE]
    share = len(matched) / len(differences) if differences else 1.0
    return Parity(len(images), len(differences), share, max(matched, default=0.0))


def _differences(own: Detections, others: Detections) -> list[float]:
    """Per confident detection the difference in confidence to its nearest partner; infinite if it has none."""
    rows = np.flatnonzero(own.confidences >= MIN_CONFIDENCE)
    if not len(others):
        return [np.inf] * len(rows)
    same = (own.labels[rows, None] == others.labels) & (
        box_iou(own.boxes_xyxy[rows, None], others.boxes_xyxy[None]) >= SAME_IOU
    )
    difference = np.where(same, np.abs(own.confidences[rows, None] - others.confidences), np.inf)
    return [float(value) for value in difference.min(axis=1)]
