"""Anchors of single-shot detectors, the decoding of their outputs, and weighted non-maximum suppression.

The detectors of faces, palms and people have one layout. On each of a few grids over a square input, every cell
predicts boxes of no fixed size, each given by its centre's distance from the cell's centre, with key points beside it.

Source: Liu et al., SSD: Single Shot MultiBox Detector, 2016; Bazarevsky et al., BlazeFace, 2019, for the suppression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.video.bodies.crop_regions import Region

Floats = NDArray[np.float32]

ANCHORS_PER_LAYER = 2
"""Anchors of a cell for each layer of its grid: one of the layer's scale, one between it and the next layer's."""
_MOST_LOGIT = 80.0


@dataclass(frozen=True)
class Anchors:
    """The grids of one detector.

    Attributes:
        side_px: side of its square input.
        strides: input pixels per cell, a number for each layer; layers of one stride in a row share a grid.
    """

    side_px: int
    strides: tuple[int, ...]

    @cached_property
    def centres(self) -> Floats:
        """(n, 2) x and y of the anchors' centres, in shares of the input, in the order of the detector's outputs."""
        parts = []
        for stride, layers in groupby(self.strides):
            cells = self.side_px // stride
            y, x = np.mgrid[:cells, :cells]
            centres = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) / cells
            parts.append(np.repeat(centres, ANCHORS_PER_LAYER * len([*layers]), axis=0))
        return np.concatenate(parts).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a single-shot detector finds in one input, best first.

    Attributes:
        boxes_xyxy: (n, 4) in shares of the input.
        scores: (n,) in [0, 1].
        points_xy: (n, K, 2) key points, in shares of the input.
    """

    boxes_xyxy: Floats
    scores: Floats
    points_xy: Floats

    def __len__(self) -> int:
        return len(self.scores)


def decode(raw: Floats, logits: Floats, anchors: Anchors, *, min_score: float) -> Candidates:
    """Decode the outputs of a detector for one input.

    Args:
        raw: (n, 4 + 2K) for each anchor: x and y of the box's centre from the anchor's, width, height, and x and y of
            each key point from the anchor's centre, all in input pixels.
        logits: (n,) logits of the scores.
        anchors: the detector's grids, with n anchors.
        min_score: candidates below it are left out.

    Returns:
        The candidates, before suppression.
    """
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits.reshape(-1), -_MOST_LOGIT, _MOST_LOGIT)))
    kept = np.flatnonzero(scores >= min_score)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    rows, origin = raw[kept] / anchors.side_px, anchors.centres[kept]
    centre, half = rows[:, :2] + origin, np.abs(rows[:, 2:4]) / 2
    points = rows[:, 4:].reshape(len(kept), raw.shape[1] // 2 - 2, 2) + origin[:, None]
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    return Candidates(boxes.astype(np.float32), scores[kept].astype(np.float32), points.astype(np.float32))


def suppress(found: Candidates, *, max_iou: float) -> Candidates:
    """Weighted non-maximum suppression: candidates that overlap become their mean, weighted by the scores.

    Args:
        found: candidates, best first.
        max_iou: candidates that overlap the best one by more are taken for the same thing.

    Returns:
        One candidate for each thing, with the best score of those it is made of; best first.
    """
    left = np.arange(len(found))
    points = found.points_xy.reshape(len(found), 2 * found.points_xy.shape[1])
    values = np.concatenate([found.boxes_xyxy, points], axis=1)
    means, scores = [], []
    while len(left):
        overlap = box_iou(found.boxes_xyxy[left[0]], found.boxes_xyxy[left])
        same = overlap > max_iou
        same[0] = True
        weights = found.scores[left[same]]
        means.append((values[left[same]] * weights[:, None]).sum(axis=0) / weights.sum())
        scores.append(found.scores[left[0]])
        left = left[~same]
    rows = np.array(means, np.float32).reshape(len(means), values.shape[1])
    return Candidates(
        rows[:, :4], np.array(scores, np.float32), rows[:, 4:].reshape(len(means), *found.points_xy.shape[1:])
    )


_SAME_IOU = 0.5
"""Candidates of two regions of one image that overlap by more are the same thing."""


def distinct(
    seen: Sequence[Candidates], images_rgb: Sequence[NDArray[np.uint8]], regions: Sequence[Region]
) -> list[tuple[int, int]]:
    """What was seen in regions that overlap, each thing once.

    Args:
        seen: for each region its candidates.
        images_rgb: for each region its image; the same object for regions of one image.
        regions: where the candidates were found.

    Returns:
        (region, row) of the best candidate of each thing, by region and row.
    """
    by_image: dict[int, list[tuple[int, int]]] = {}
    for n, (one, image) in enumerate(zip(seen, images_rgb, strict=True)):
        by_image.setdefault(id(image), []).extend((n, row) for row in range(len(one)))
    kept: list[tuple[int, int]] = []
    for rows in by_image.values():
        ranked = sorted(rows, key=lambda at: -float(seen[at[0]].scores[at[1]]))
        corners = [regions[n].to_image(seen[n].boxes_xyxy[row].reshape(2, 2)).reshape(4) for n, row in ranked]
        taken: list[int] = []
        for place, box in enumerate(corners):
            if not taken or box_iou(box, np.array([corners[t] for t in taken])).max() <= _SAME_IOU:
                taken.append(place)
        kept += [ranked[place] for place in taken]
    return sorted(kept)
