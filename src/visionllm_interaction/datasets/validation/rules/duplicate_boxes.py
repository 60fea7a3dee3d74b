"""Boxes of one image that cover the same pixels: pasted twice, marked twice, or marked as two things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import Bools, Floats, Ints, SplitTable, every
from visionllm_interaction.datasets.validation.rules._issue_builders import annotation_issues

_STEP_PX = 2.0**-8
_FARTHEST_PX = 2.0**22


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows of one image: ``first`` (k,) stands before ``second`` (k,) in the file; ``iou`` (k,)."""

    first: Ints
    second: Ints
    iou: Floats


def check_duplicates(table: SplitTable, *, min_iou: float) -> list[Issue]:
    """BOX-DUPLICATE, BOX-NEAR-DUPLICATE and BOX-TWO-CATEGORIES; the later annotation is the one at fault.

    Crowd regions are left alone: they overlap what is inside them by design.
    """
    columns = table.annotations
    pairs = overlapping_pairs(columns.boxes_xywh, columns.image_ids, usable=~columns.crowd, min_iou=min_iou)
    same = columns.category_ids[pairs.first] == columns.category_ids[pairs.second]
    equal = every(columns.boxes_xywh[pairs.first] == columns.boxes_xywh[pairs.second])
    kinds = {
        "BOX-DUPLICATE": same & equal,
        "BOX-NEAR-DUPLICATE": same & ~equal,
        "BOX-TWO-CATEGORIES": ~same,
    }
    return [issue for code, chosen in kinds.items() for issue in _issues(table, code, pairs, chosen)]


def overlapping_pairs(boxes_xywh: Floats, image_ids: Ints, *, usable: Bools, min_iou: float) -> Pairs:
    """All pairs of one image with IoU ≥ ``min_iou``, found by sweeping over the left edges.

    Two boxes that overlap so much have left edges closer than ``(1 - min_iou)`` of the width of the left one, so
    each box is compared with few others: no more than some dozens per image in crowded scenes.
    """
    valid = usable & every(np.isfinite(boxes_xywh)) & every(boxes_xywh[:, 2:] > 0)
    rows = np.flatnonzero(valid)
    rows = rows[_sweep_order(image_ids[rows], boxes_xywh[rows, 0])]
    left, images = boxes_xywh[rows, 0], image_ids[rows]
    reach = left + (1 - min_iou) * boxes_xywh[rows, 2] + _STEP_PX
    found: list[tuple[Ints, Ints, Floats]] = []
    active = np.arange(max(len(rows) - 1, 0))
    step = 1
    while len(active):
        active = active[active + step < len(rows)]
        near = (images[active] == images[active + step]) & (left[active + step] <= reach[active])
        active = active[near]
        a, b = rows[active], rows[active + step]
        overlap = iou_xywh(boxes_xywh[a], boxes_xywh[b])
        good = overlap >= min_iou
        found.append((np.minimum(a, b)[good], np.maximum(a, b)[good], overlap[good]))
        step += 1
    if not found:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    first, second, iou = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((first, second))
    return Pairs(first[order], second[order], iou[order])


def _sweep_order(images: Ints, left: Floats) -> Ints:
    """Order by image, then by left edge (k,), the latter to within ``_STEP_PX``; one whole key sorts far faster."""
    if not len(images):
        return np.zeros(0, np.int64)
    images = images - images.min()
    if images.max() >= 1 << 30 or np.abs(left).max() >= _FARTHEST_PX:
        return np.asarray(np.lexsort((left, images)))
    return np.argsort((images << 32) + ((left + _FARTHEST_PX) / _STEP_PX).astype(np.int64))


def iou_xywh(a: Floats, b: Floats) -> Floats:
    """Intersection over union of boxes (k, 4) with boxes (k, 4), row by row; output (k,)."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        low = np.maximum(a[:, :2], b[:, :2])
        high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
        shared = np.maximum(high[:, 0] - low[:, 0], 0) * np.maximum(high[:, 1] - low[:, 1], 0)
        return np.asarray(shared / (a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3] - shared))


def _issues(table: SplitTable, code: str, pairs: Pairs, chosen: Bools) -> Iterator[Issue]:
    columns = table.annotations
    partner: dict[int, tuple[int, float]] = {}
    for first, second, iou in zip(pairs.first[chosen], pairs.second[chosen], pairs.iou[chosen], strict=True):
        partner.setdefault(int(second), (int(first), float(iou)))
    bad = np.zeros(len(columns.ids), np.bool_)
    bad[list(partner)] = True

    def found(row: int) -> str:
        other, iou = partner[row]
        what = "the box and category" if code == "BOX-DUPLICATE" else f"IoU {iou:.3f} with the box"
        return f"{what} of annotation {columns.ids[other]} (category {columns.category_ids[other]})"

    return annotation_issues(table, bad, code, field="bbox", found=found, expected="one annotation per object")
