"""Arithmetic of time intervals: union, intersection, complement, gaps.

A set of intervals is an array of shape (N, 2), float64: begin and end in seconds, half-open ``[begin, end)``. Functions
take sets in any order and with overlaps unless they say *disjoint*: sorted by begin and apart from each other, as
:func:`union` returns them. Empty intervals (begin = end) cover nothing.

Time stamps are sums of floating point numbers, so intervals that should meet miss each other by rounding errors.
``tolerance_s`` says up to which distance two ends count as equal; 0 compares exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Intervals = NDArray[np.float64]
"""(N, 2) begins and ends in seconds."""
TOLERANCE_S = 1e-6


def as_intervals(pairs: Iterable[Sequence[float]] | Intervals) -> Intervals:
    """Pairs of begin and end as a checked array.

    Args:
        pairs: N pairs of seconds, or an array (N, 2).

    Returns:
        (N, 2), float64, in the order given.

    Raises:
        ValueError: if the shape differs, a time is NaN, or an interval ends before it begins.
    """
    found = np.asarray(pairs if isinstance(pairs, np.ndarray) else list(pairs), dtype=np.float64)
    if not found.size:
        return np.zeros((0, 2))
    if found.ndim != 2 or found.shape[1] != 2:
        raise ValueError(f"intervals have shape (N, 2), not {found.shape}")
    if not (found[:, 0] <= found[:, 1]).all():  # false for NaN as well
        raise ValueError("an interval ends before it begins, or one of its times is not a number")
    return found


def neighbours(
    intervals: Intervals, *, max_gap_s: float = 0.0, tolerance_s: float = TOLERANCE_S
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which intervals meet, overlap, or lie at most ``max_gap_s`` apart.

    Args:
        intervals: (N, 2), in any order.
        max_gap_s: longest pause that does not part two intervals.
        tolerance_s: how much longer, by rounding, that pause may be.

    Returns:
        ``order`` (N,), the rows of ``intervals`` sorted by begin, then end; and ``starts`` (M,), the places in
        ``order`` at which each of the M groups of neighbours starts.
    """
    found = as_intervals(intervals)
    order = np.lexsort((found[:, 1], found[:, 0]))
    if not len(found):
        return order, order
    begins, ends = found[order].T
    reached = np.maximum.accumulate(ends)
    apart = begins[1:] > reached[:-1] + max_gap_s + tolerance_s
    return order, np.flatnonzero(np.concatenate([[True], apart]))


def union(intervals: Intervals, *, max_gap_s: float = 0.0, tolerance_s: float = TOLERANCE_S) -> Intervals:
    """The time covered by at least one interval, and the short pauses between them.

    Args:
        intervals: (N, 2), in any order.
        max_gap_s: longest pause in seconds that is covered too.
        tolerance_s: how much longer, by rounding, that pause may be.

    Returns:
        (M, 2), disjoint.
    """
    found = as_intervals(intervals)
    order, starts = neighbours(found, max_gap_s=max_gap_s, tolerance_s=tolerance_s)
    if not len(found):
        return found
    begins, ends = found[order].T
    return np.stack([begins[starts], np.maximum.reduceat(ends, starts)], axis=1)


def overlapping(intervals: Intervals, disjoint: Intervals) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows (i, j) for which ``intervals[i]`` and ``disjoint[j]`` have time in common.

    Args:
        intervals: (N, 2), in any order.
        disjoint: (M, 2), disjoint; ends may be infinite.

    Returns:
        ``i`` (P,) in rising order, and ``j`` (P,), rising for each ``i``.
    """
    first = np.searchsorted(disjoint[:, 1], intervals[:, 0], side="right")
    after = np.searchsorted(disjoint[:, 0], intervals[:, 1], side="left")
    counts = np.maximum(after - first, 0)
    i = np.repeat(np.arange(len(intervals)), counts)
    within = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
    return i, first[i] + within


def intersection(intervals: Intervals, disjoint: Intervals, *, tolerance_s: float = TOLERANCE_S) -> Intervals:
    """The parts of ``intervals`` that lie in ``disjoint``; those of at most ``tolerance_s`` are left out.

    Args:
        intervals: (N, 2), in any order; each is cut by itself, so overlaps stay overlaps.
        disjoint: (M, 2), disjoint.
        tolerance_s: parts up to this length are rounding errors.

    Returns:
        (P, 2), in the order of ``intervals``; disjoint if ``intervals`` is.
    """
    first, second = as_intervals(intervals), as_intervals(disjoint)
    i, j = overlapping(first, second)
    parts = np.stack([np.maximum(first[i, 0], second[j, 0]), np.minimum(first[i, 1], second[j, 1])], axis=1)
    return np.asarray(parts[parts[:, 1] - parts[:, 0] > tolerance_s])


def complement(intervals: Intervals, *, within: Intervals, tolerance_s: float = TOLERANCE_S) -> Intervals:
    """The parts of ``within`` that no interval covers; those of at most ``tolerance_s`` are left out.

    Args:
        intervals: (N, 2), in any order.
        within: (M, 2), in any order; each is cut by itself.
        tolerance_s: parts up to this length are rounding errors.

    Returns:
        (P, 2), in the order of ``within``; disjoint if ``within`` is.
    """
    covered = union(intervals, tolerance_s=0.0)
    edges = np.concatenate([[-np.inf], covered.ravel(), [np.inf]])
    return intersection(within, edges.reshape(-1, 2), tolerance_s=tolerance_s)


def gaps(intervals: Intervals, *, tolerance_s: float = TOLERANCE_S) -> Intervals:
    """The pauses between the first begin and the last end that no interval covers.

    Args:
        intervals: (N, 2), in any order.
        tolerance_s: pauses up to this length are rounding errors.

    Returns:
        (P, 2), disjoint.
    """
    covered = union(intervals, tolerance_s=tolerance_s)
    return np.stack([covered[:-1, 1], covered[1:, 0]], axis=1)


def clip(intervals: Intervals, *, begin_s: float, end_s: float) -> Intervals:
    """The parts of ``intervals`` within ``[begin_s, end_s)``, in the order given; empty ones are left out."""
    clipped = np.clip(as_intervals(intervals), begin_s, end_s)
    return clipped[clipped[:, 0] < clipped[:, 1]]


def total_s(intervals: Intervals) -> float:
    """Seconds covered by at least one interval; overlaps count once."""
    covered = union(intervals, tolerance_s=0.0)
    return float((covered[:, 1] - covered[:, 0]).sum())


def contains(disjoint: Intervals, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each of ``times_s`` (K,) lies in an interval of ``disjoint`` (M, 2); shape (K,)."""
    place = np.searchsorted(disjoint[:, 0], times_s, side="right") - 1
    inside = place >= 0
    inside[inside] = times_s[inside] < disjoint[place[inside], 1]
    return np.asarray(inside)
