"""Do two detectors detect the same?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.runtimes.base import Detector

SAME_IOU = 0.9
SAME_CONFIDENCE = 0.05
CERTAIN = 0.1
"""Only detections at least this confident must have a partner; partners are looked for among all."""


@dataclass(frozen=True)
class Parity:
    """How far two detectors agree.

    Attributes:
        images: compared.
        detections: of both that needed a partner.
        matched: share of them with a partner of the same label, IoU ≥ 0.9, confidence within 0.05.
        confidence_difference: largest among partners.
    """

    pictures: int
    detections: int
    matched: float
    confidence_difference: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare_detectors(reference: Detector, other: Detector, pictures: Sequence[NDArray[np.uint8]]) -> Parity:
    """Detect with both and look for a partner of each detection in the other's."""
    gaps: list[float] = []
    for picture in pictures:
        [a], [b] = (detector.detect([picture], min_confidence=0.01) for detector in (reference, other))
        gaps += [*_gaps(a, b), *_gaps(b, a)]
    found = [gap for gap in gaps if gap <= SAME_CONFIDENCE]
    share = len(found) / len(gaps) if gaps else 1.0
    return Parity(len(pictures), len(gaps), share, max(found, default=0.0))


def _gaps(mine: Detections, theirs: Detections) -> list[float]:
    """Per certain detection the difference in confidence to its nearest partner; infinite if it has none."""
    rows = np.flatnonzero(mine.confidences >= CERTAIN)
    if not len(theirs):
        return [np.inf] * len(rows)
    same = (mine.labels[rows, None] == theirs.labels) & (
        box_iou(mine.boxes_xyxy[rows, None], theirs.boxes_xyxy[None]) >= SAME_IOU
    )
    gap = np.where(same, np.abs(mine.confidences[rows, None] - theirs.confidences), np.inf)
    return [float(value) for value in gap.min(axis=1)]
