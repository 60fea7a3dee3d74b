"""Greedy non-maximum suppression, as torchvision's ``nms`` and ``batched_nms`` do it, without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou

Floats = NDArray[np.float32]


def non_maximum_suppression(
    boxes_xyxy: Floats,
    scores: Floats,
    threshold: float,
    *,
    labels: NDArray[np.int64] | None = None,
    limit: int | None = None,
) -> NDArray[np.int64]:
    """Keep the boxes that no box with a higher score overlaps too much.

    Args:
        boxes_xyxy: (n, 4) pixels.
        scores: (n,) of equal scores the one that comes first is the higher.
        threshold: intersection over union above which the weaker of two boxes is dropped.
        labels: (n,) only boxes of one label suppress each other; by default all do.
        limit: how many boxes to keep at most.

    Returns:
        Indices of the boxes that are kept, by falling score.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes_xyxy[order]
    groups = np.zeros(len(order), np.int64) if labels is None else labels[order]
    left = np.arange(len(order))
    kept: list[int] = []
    while len(left) and (limit is None or len(kept) < limit):
        best, rest = left[0], left[1:]
        kept.append(int(best))
        suppressed = (groups[rest] == groups[best]) & (box_iou(boxes[best], boxes[rest]) > threshold)
        left = rest[~suppressed]
    return order[kept]
