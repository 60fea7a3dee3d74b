"""Numbers, boxes, polygons and run lengths as COCO writes them: read, clipped, measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

Numbers = Sequence[float]

DECIMALS = 4
"""Computed pixels are rounded to this many decimals, so that sums do not end in …0000001."""


def numbers(value: Any, *, count: int | None = None) -> list[float] | None:
    """``value`` as finite numbers (``count`` of them), else ``None``. Truth values and texts are none."""
    if not isinstance(value, list) or (count is not None and len(value) != count):
        return None
    good = all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in value)
    return value if good else None


def clip_box(box_xywh: Numbers, *, width: float, height: float) -> list[float] | None:
    """The part of a COCO box (x, y, width, height; pixels) inside the image; ``None`` if there is none."""
    x, y, w, h = box_xywh
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + w, width), min(y + h, height)
    if right <= left or bottom <= top:
        return None
    # A side that was inside keeps its very number.
    sides = [w if (left, right) == (x, x + w) else _round(right - left), _round(bottom - top)]
    sides[1] = h if (top, bottom) == (y, y + h) else sides[1]
    return [left, top, *sides] if min(sides) > 0 else None


def _round(value: float) -> float:
    return round(value, DECIMALS)


def mask_area(segmentation: Any) -> float | None:
    """Area in px² of a COCO segmentation; ``None`` if there is none or it cannot be read.

    Polygons by the shoelace formula, summed (parts of one object do not overlap); run lengths by their odd runs.
    """
    if isinstance(segmentation, dict):
        runs = run_lengths(segmentation.get("counts"))
        return None if runs is None else float(sum(runs[1::2]))
    if not isinstance(segmentation, list) or not segmentation:
        return None
    parts = [numbers(part) for part in segmentation]
    if any(part is None or len(part) < 6 or len(part) % 2 for part in parts):
        return None
    area = sum(_shoelace(part) for part in parts if part is not None)
    return round(area, DECIMALS) if area > 0 else None


def _shoelace(part: Numbers) -> float:
    points = list(zip(part[::2], part[1::2], strict=True))
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise([*points, points[0]]))) / 2


def run_lengths(counts: Any) -> list[int] | None:
    """COCO run lengths, background first, from a list or from COCO's text form; ``None`` if they cannot be read.

    The text form packs each number into 6-bit characters (5 bits of value, one "more follows"), and from the third
    number on stores the difference to the number two before (pycocotools, ``rleToString``).
    """
    if isinstance(counts, list):
        whole = all(isinstance(run, int) and not isinstance(run, bool) and run >= 0 for run in counts)
        return counts if whole else None
    if not isinstance(counts, str):
        return None
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs if shift == 0 and all(run >= 0 for run in runs) else None
