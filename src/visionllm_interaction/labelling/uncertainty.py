"""How unsure a detector is of an image, from its detections alone: any detector will do.

Sources: entropy of the predicted category, Settles, Active Learning, 2012; consistency under mirroring, Yu et al.,
Consistency-based Active Learning for Object Detection, 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.detections import Detections

SAME_OBJECT_IOU = 0.5
"""Detections that overlap so much are taken for one object."""
MOST_OBJECTS = 20
"""Only so many of the least certain objects of an image count: a poor detector sees a hundred in every image."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ObjectBelief:
    """What the detector takes one object for.

    Attributes:
        best: index of the most confident detection of the object.
        confidences: label → confidence, for every label with a detection there.
    """

    best: int
    confidences: Mapping[int, float]

    @property
    def entropy_bits(self) -> float:
        """Entropy over the labels and *nothing there*, in bits: 0 when sure, 1 for one label at confidence 0.5."""
        values = np.array(list(self.confidences.values()), np.float64)
        values = np.append(values, max(1.0 - values.sum(), 0.0))
        shares = values[values > 0] / values.sum()
        return float(-(shares * np.log2(shares)).sum())

    def mean_weight(self, weights: Mapping[int, float]) -> float:
        """Mean of the labels' weights (1 where none is given), by confidence."""
        total = sum(self.confidences.values())
        return sum(weights.get(label, 1.0) * value for label, value in self.confidences.items()) / total


def objects_of(found: Detections) -> list[ObjectBelief]:
    """Group detections into objects, most confident first.

    Args:
        found: detections of one image; boxes are xyxy pixels.

    Returns:
        The objects. A detection belongs to the most confident one that it overlaps by :data:`SAME_OBJECT_IOU`.
    """
    order = np.argsort(-found.confidences, kind="stable")
    boxes = found.boxes_xyxy.astype(np.float64)
    overlaps = box_iou(boxes[:, None], boxes[None, :])
    free = found.confidences > 0
    objects = []
    for best in order.tolist():
        if not free[best]:
            continue
        members = np.flatnonzero(free & (overlaps[best] >= SAME_OBJECT_IOU))
        free[members] = False
        confidences: dict[int, float] = {}
        for member in sorted(members.tolist(), key=lambda n: float(found.confidences[n])):
            confidences[int(found.labels[member])] = float(found.confidences[member])
        objects.append(ObjectBelief(best, confidences))
    return objects


def uncertainty(objects: list[ObjectBelief], weights: Mapping[int, float]) -> float:
    """Sum of the objects' entropies, weighted by label.

    Args:
        objects: what is seen in the image.
        weights: label → weight; 1 where none is given.

    Returns:
        The sum over the :data:`MOST_OBJECTS` least certain objects, in bits.
    """
    values = sorted((one.entropy_bits * one.mean_weight(weights) for one in objects), reverse=True)
    return sum(values[:MOST_OBJECTS])


def disagreement(found: Detections, mirrored: Detections, *, width: int) -> float:
    """How much detections change when the image is mirrored.

    Args:
        found: detections in the image; boxes are xyxy pixels.
        mirrored: detections in the mirrored image.
        width: of the image, in pixels.

    Returns:
        Sum of the confidences of detections without the same in the other image, and of the differences of those
        with one; 0 if both are the same.
    """
    back = mirrored.boxes_xyxy[:, [2, 1, 0, 3]].astype(np.float64)
    back[:, [0, 2]] = width - back[:, [0, 2]]
    overlaps = box_iou(found.boxes_xyxy.astype(np.float64)[:, None], back[None, :])
    overlaps = np.where(found.labels[:, None] == mirrored.labels[None, :], overlaps, 0.0)
    return _one_way(found, mirrored, overlaps) + _one_way(mirrored, found, overlaps.T)


def _one_way(here: Detections, there: Detections, overlaps: Floats) -> float:
    """For each detection here: its confidence less that of the best match there, as far as the boxes agree."""
    if not len(here):
        return 0.0
    agreed = overlaps * np.minimum(here.confidences[:, None], there.confidences[None, :])
    matched = agreed.max(axis=1) if len(there) else np.zeros(len(here))
    return float((here.confidences - matched).sum())


def rarity_weights(counts: Mapping[int, int], *, power: float) -> dict[int, float]:
    """How much an object of each label counts: more, the fewer are annotated.

    Args:
        counts: label → number of annotated objects.
        power: 0: all the same; 1: in proportion to the mean count by the label's count.

    Returns:
        Label → weight; 1 for a label of mean count.
    """
    if not counts:
        return {}
    mean = sum(counts.values()) / len(counts) + 1.0
    return {label: float((mean / (count + 1.0)) ** power) for label, count in counts.items()}
