"""One split's annotations as columns, so that checks are a few array operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]

NO_MASK, POLYGONS, RUNS = 0, 1, 2
"""Values of :attr:`MaskColumns.kinds`."""
_SPARSE = 32
"""Ids that are spread no thinner than this over their range (COCO's image ids: 5) are looked up in a table."""


@dataclass(frozen=True, eq=False)
class ImageColumns:
    """Images of a split, one row each.

    Attributes:
        ids: (n,) COCO image ids; may repeat.
        sizes_px: (n, 2) width and height; NaN where the record's value is unusable.
        file_names: n names; ``None`` where unusable.
        positions: (n,) place in the file's list.
    """

    ids: Ints
    sizes_px: Floats
    file_names: tuple[str | None, ...]
    positions: Ints


@dataclass(frozen=True, eq=False)
class MaskColumns:
    """What the checks need to know of the segmentations, one row per annotation.

    Attributes:
        kinds: (m,) ``NO_MASK``, ``POLYGONS`` or ``RUNS``.
        areas_px: (m,) covered area, px²; NaN without a readable mask. Polygons of one object are added up.
        bounds_xyxy: (m, 4) extent in pixels; NaN without a readable mask.
        fewest: (m,) numbers (not points) in the shortest polygon; -1 without polygons.
        odd: (m,) whether a polygon has an odd number of coordinates.
        rle_sizes: (m, 2) height and width a run-length mask says it has; -1 without one.
        rle_broken: (m,) whether its runs cannot be read or do not add up to its size.
    """

    kinds: Codes
    areas_px: Floats
    bounds_xyxy: Floats
    fewest: Ints
    odd: Bools
    rle_sizes: Ints
    rle_broken: Bools

    @classmethod
    def empty(cls, count: int) -> MaskColumns:
        """``count`` rows without a mask, to be filled in by :mod:`masks`."""
        return cls(
            kinds=np.zeros(count, np.int8),
            areas_px=np.full(count, np.nan),
            bounds_xyxy=np.full((count, 4), np.nan),
            fewest=np.full(count, -1, np.int64),
            odd=np.zeros(count, np.bool_),
            rle_sizes=np.full((count, 2), -1, np.int64),
            rle_broken=np.zeros(count, np.bool_),
        )


@dataclass(frozen=True, eq=False)
class AnnotationColumns:
    """Annotations of a split, one row each.

    Attributes:
        ids, image_ids, category_ids: (m,) COCO ids.
        boxes_xywh: (m, 4) pixels; NaN where malformed.
        areas_px: (m,) px²; NaN where there is none.
        crowd: (m,) the flag ``iscrowd``.
        positions: (m,) place in the file's list.
        masks: what the segmentations are like.
        malformed: row → what stood in place of a box.
        outside: rows whose attributes say that the object is not in the image.
    """

    ids: Ints
    image_ids: Ints
    category_ids: Ints
    boxes_xywh: Floats
    areas_px: Floats
    crowd: Bools
    positions: Ints
    masks: MaskColumns
    malformed: Mapping[int, str] = field(default_factory=dict)
    outside: Sequence[int] = ()


@dataclass(frozen=True, eq=False)
class SplitTable:
    """One split: images, annotations, and the ``(category_id, name)`` pairs in the file's order."""

    split: str
    images: ImageColumns
    annotations: AnnotationColumns
    categories: tuple[tuple[int, str], ...]


def every(columns: Bools) -> Bools:
    """Rows (m,) of ``columns`` (m, k) where all hold; numpy's ``all(axis=1)`` takes ten times as long for a small k."""
    return np.asarray(reduce(np.logical_and, columns.T))


def some(columns: Bools) -> Bools:
    """Rows (m,) of ``columns`` (m, k) where at least one holds."""
    return np.asarray(reduce(np.logical_or, columns.T))


def join_annotations(
    parts: Sequence[AnnotationColumns], counts: Sequence[int], *, workers: int = 1
) -> AnnotationColumns:
    """Parts of one list behind each other; ``counts``: how many records of the list each part was read from."""
    before = [0, *accumulate(counts)][:-1]
    rows = [0, *accumulate(len(part.ids) for part in parts)][:-1]
    plain = ("ids", "image_ids", "category_ids", "boxes_xywh", "areas_px", "crowd")
    with ThreadPoolExecutor(workers) as pool:
        joined = dict(zip(plain, pool.map(lambda name: _column(parts, name), plain), strict=True))
        names = [f.name for f in fields(MaskColumns)]
        kinds = [part.masks for part in parts]
        masks = dict(zip(names, pool.map(lambda name: _column(kinds, name), names), strict=True))
    return AnnotationColumns(
        **joined,
        positions=np.concatenate([part.positions + first for part, first in zip(parts, before, strict=True)]),
        masks=MaskColumns(**masks),
        malformed={
            first + row: text for part, first in zip(parts, rows, strict=True) for row, text in part.malformed.items()
        },
        outside=[first + row for part, first in zip(parts, rows, strict=True) for row in part.outside],
    )


def _column(parts: Sequence[AnnotationColumns] | Sequence[MaskColumns], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(part, name) for part in parts])


def count_values(values: Ints) -> tuple[Ints, Ints]:
    """The distinct values (k,), rising, and how often each occurs (k,); several times as fast as numpy's ``unique``."""
    ordered = np.sort(values)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)])
    return ordered[starts], np.diff(np.r_[starts, len(ordered)])


def first_rows(wanted: Ints, ids: Ints) -> Ints:
    """For each of ``wanted`` (m,) the first row of ``ids`` (n,) that equals it, or -1; output (m,)."""
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    low, high = int(ids.min()), int(ids.max())
    if high - low < _SPARSE * len(ids):
        return _looked_up(wanted, ids, low, high)
    order = np.argsort(ids, kind="stable")
    place = np.searchsorted(ids[order], wanted)
    rows = order[np.minimum(place, len(ids) - 1)]
    return np.where(ids[rows] == wanted, rows, -1)


def _looked_up(wanted: Ints, ids: Ints, low: int, high: int) -> Ints:
    """The same by a table of all numbers from ``low`` to ``high``; several times as fast as sorting."""
    row_of = np.full(high - low + 2, -1, dtype=np.int64)  # the last place is for what is not in the range
    row_of[ids[::-1] - low] = np.arange(len(ids))[::-1]
    inside = (wanted >= low) & (wanted <= high)
    return np.asarray(row_of[np.where(inside, wanted, high + 1) - low])
