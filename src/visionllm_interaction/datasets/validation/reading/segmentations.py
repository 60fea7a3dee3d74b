"""Segmentations → columns: areas, extents, and what is wrong with their form.

Polygons are COCO's flat lists x1, y1, x2, y2, …; run lengths are COCO's, column by column, starting with background,
as a list of numbers or in cocoapi's compressed text (``maskApi.c``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from visionllm_interaction.core.run_lengths import find_runs
from visionllm_interaction.datasets.validation.reading.columns import POLYGONS, RUNS, Floats, Ints, MaskColumns
from visionllm_interaction.datasets.validation.reading.schema import Rle

Polygons = list[list[float]]


def summarise(segmentations: Sequence[Polygons | Rle | None]) -> MaskColumns:
    """One row per annotation; ``None`` and ``[]`` are no mask."""
    columns = MaskColumns.empty(len(segmentations))
    polygons = [(row, s) for row, s in enumerate(segmentations) if s and isinstance(s, list)]
    if polygons:
        _fill_polygons(columns, np.array([row for row, _ in polygons]), [mask for _, mask in polygons])
    fill_runs(columns, {row: mask for row, mask in enumerate(segmentations) if isinstance(mask, Rle)})
    return columns


def _fill_polygons(columns: MaskColumns, rows: Ints, masks: Sequence[Polygons]) -> None:
    rings = list(chain.from_iterable(masks))
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    numbers = np.fromiter(chain.from_iterable(rings), np.float64, int(lengths.sum()))
    rings_of = np.fromiter(map(len, masks), np.int64, len(masks))
    fill_shapes(columns, rows, numbers, lengths=lengths, rings_of=rings_of)


def fill_shapes(columns: MaskColumns, rows: Ints, numbers: Floats, *, lengths: Ints, rings_of: Ints) -> None:
    """Polygons as one run of ``numbers``: ``lengths`` (r,) of the rings, ``rings_of`` (k,) ≥ 1 for each of ``rows``."""
    if not len(rows):
        return
    owner = np.repeat(np.arange(len(rows)), rings_of)
    first_ring = np.cumsum(rings_of) - rings_of
    odd = lengths % 2 == 1
    columns.kinds[rows] = POLYGONS
    columns.fewest[rows] = np.minimum.reduceat(lengths, first_ring)
    columns.odd[rows] = np.logical_or.reduceat(odd, first_ring)
    if odd.any():
        numbers = np.delete(numbers, np.cumsum(lengths)[odd] - 1)
    _fill_geometry(columns, rows, numbers.reshape(-1, 2), points=lengths // 2, owner=owner)


def _fill_geometry(columns: MaskColumns, rows: Ints, xy: Floats, *, points: Ints, owner: Ints) -> None:
    """Areas (shoelace formula) and extents of rings of ``points`` points each, one after another in ``xy``."""
    owner, points = owner[points > 0], points[points > 0]
    if not len(points):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        _fill_rings(columns, rows, xy, points=points, owner=owner)


def _fill_rings(columns: MaskColumns, rows: Ints, xy: Floats, *, points: Ints, owner: Ints) -> None:
    first = np.cumsum(points) - points
    x, y = np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1])
    last = first + points - 1
    cross = np.empty(len(x))
    np.multiply(x[:-1], y[1:], out=cross[:-1])
    cross[:-1] -= x[1:] * y[:-1]
    cross[last] = x[last] * y[first] - x[first] * y[last]
    areas = np.abs(np.add.reduceat(cross, first)) / 2
    columns.areas_px[rows] = np.bincount(owner, weights=areas, minlength=len(rows))
    new_mask = find_runs(owner).starts
    start, target = first[new_mask], rows[owner[new_mask]]
    for column, (least_or_most, values) in enumerate(
        ((np.minimum, x), (np.minimum, y), (np.maximum, x), (np.maximum, y))
    ):
        columns.bounds_xyxy[target, column] = least_or_most.reduceat(values, start)


def fill_runs(columns: MaskColumns, masks: Mapping[int, Rle]) -> None:
    """Masks of run lengths, by row."""
    sound: dict[int, Ints] = {}
    for row, mask in masks.items():
        height, width = mask.size
        columns.kinds[row] = RUNS
        columns.rle_sizes[row] = mask.size
        counts = _runs(mask.counts)
        if counts is None or not len(counts) or int(counts.min()) < 0 or int(counts.sum()) != height * width:
            columns.rle_broken[row] = True
        else:
            sound[row] = counts
            columns.areas_px[row] = 0.0
    if sound:
        _fill_covered(columns, np.array(list(sound)), list(sound.values()))


def _fill_covered(columns: MaskColumns, rows: Ints, runs: Sequence[Ints]) -> None:
    """Areas and extents of masks whose runs add up: all of them at once, as there are many with few runs each."""
    lengths = np.fromiter(map(len, runs), np.int64, len(runs))
    counts, owner = np.concatenate(runs), np.repeat(np.arange(len(runs)), lengths)
    first = np.cumsum(lengths) - lengths
    ends = np.cumsum(counts)
    ends -= (ends[first] - counts[first])[owner]  # pixels are numbered anew in each mask
    covered = ((np.arange(len(counts)) - first[owner]) % 2 == 1) & (counts > 0)
    owner, counts, lasts = owner[covered], counts[covered], ends[covered] - 1
    if not len(owner):
        return
    begin = find_runs(owner).starts
    masks = owner[begin]
    heights = columns.rle_sizes[rows[masks], 0].astype(np.int64)
    columns.areas_px[rows[masks]] = np.add.reduceat(counts, begin)
    columns.bounds_xyxy[rows[masks]] = _extents(lasts - counts + 1, lasts, begin, heights)


def _extents(starts: Ints, lasts: Ints, begin: Ints, heights: Ints) -> Floats:
    """x1, y1, x2, y2 (k, 4) of masks whose runs start at ``begin`` (k,); pixels are numbered down the columns."""
    height = np.repeat(heights, np.diff(np.r_[begin, len(starts)]))
    (left, top), (right, bottom) = np.divmod(starts, height), np.divmod(lasts, height)
    several = np.logical_or.reduceat(left != right, begin)  # a run over a column's end reaches both edges
    upper = np.where(several, 0, np.minimum.reduceat(top, begin))
    lower = np.where(several, heights, np.maximum.reduceat(bottom, begin) + 1)
    final = np.r_[begin[1:], len(starts)] - 1
    return np.stack([left[begin], upper, right[final] + 1, lower], axis=1).astype(np.float64)


def _runs(counts: list[int] | str) -> Ints | None:
    if isinstance(counts, list):
        return np.array(counts, np.int64)
    return _uncompress(counts)


def _uncompress(text: str) -> Ints | None:
    """Cocoapi's text form: 5 bits per character from ``0``, bit 6 = more follows, differences from the third run on."""
    if not text.isascii():
        return None
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not len(codes) or (codes < 0).any() or (codes > 63).any() or codes[-1] & 32:
        return None
    last = np.flatnonzero(codes & 32 == 0)
    first = np.r_[0, last[:-1] + 1]
    digit = np.arange(len(codes)) - np.repeat(first, last - first + 1)
    if digit.max() > 11:
        return None
    values = np.add.reduceat((codes & 31) << (5 * digit), first)
    values -= np.where(codes[last] & 16, np.int64(1) << (5 * (last - first + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
