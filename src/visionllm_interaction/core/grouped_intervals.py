"""Arithmetic of many sets of time intervals at once: one group per video, per pair of objects, per time bin.

Rows are three arrays of equal length: ``group`` (N,) int64, ``begin_s`` and ``end_s`` (N,) float64, *sorted* by group,
then begin, then end. Everything here is exact to the last digit: times are compared, never shifted. Intervals are
half-open; ``core.intervals`` says the same of one set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def expand(first: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """The members of consecutive ranges.

    Args:
        first: (R,) first member of each range.
        counts: (R,) number of its members.

    Returns:
        ``item`` (K,), the range that each member belongs to, and ``member`` (K,).
    """
    item = np.repeat(np.arange(len(first)), counts)
    return item, first[item] + np.arange(len(item)) - (np.cumsum(counts) - counts)[item]


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """The values that occur, sorted; as ``numpy.unique``, which imports ``numpy.ma`` for it."""
    return ranked(values)[0]


def ranked(values: NDArray[Any]) -> tuple[NDArray[Any], Ints]:
    """The values that occur, sorted, and the place of each of ``values`` (N,) among them, (N,)."""
    order = np.argsort(values, kind="stable")
    sorted_ = values[order]
    new = np.ones(len(values), np.bool_)
    new[1:] = sorted_[1:] != sorted_[:-1]
    place = np.empty(len(values), np.int64)
    place[order] = np.cumsum(new) - 1
    return sorted_[new], place


def ranked_rows(*columns: Ints) -> tuple[Ints, Ints]:
    """The combinations (M, C) that occur in C columns (N,), sorted, and the place of each row among them, (N,)."""
    rows = np.stack(columns, axis=1)
    order = np.lexsort(tuple(reversed(columns)))
    sorted_ = rows[order]
    new = np.ones(len(rows), np.bool_)
    new[1:] = (sorted_[1:] != sorted_[:-1]).any(axis=1)
    place = np.empty(len(rows), np.int64)
    place[order] = np.cumsum(new) - 1
    return sorted_[new], place


def sums(group: Ints, weight: Floats | None, groups: int) -> Floats:
    """The sum of ``weight`` (N,) in each group, (groups,); None: the number of rows."""
    return np.bincount(group, weight, groups).astype(np.float64)


def bisect(values: Floats, low: Ints, high: Ints, wanted: Floats, side: Literal["left", "right"]) -> Ints:
    """``searchsorted`` in many sorted parts of one array at once.

    Args:
        values: (N,), rising within each part.
        low: (Q,) begin of the part that each query is about.
        high: (Q,) end of that part.
        wanted: (Q,) the value looked for.
        side: as in ``numpy.searchsorted``.

    Returns:
        (Q,) the place in ``values``, between ``low`` and ``high``.
    """
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        found = values[np.where(open_, middle, 0)] if len(values) else wanted
        right = open_ & ((found < wanted) if side == "left" else (found <= wanted))
        low = np.where(right, middle + 1, low)
        high = np.where(open_ & ~right, middle, high)
    return low


def row_order(group: Ints, begin_s: Floats, end_s: Floats) -> Ints:
    """The order (N,) that sorts rows by group, begin and end."""
    return np.lexsort((end_s, begin_s, group))


def running_max(group: Ints, values: Floats) -> Floats:
    """The largest value so far within each group; ``group`` (N,) rises, result (N,)."""
    same = group[1:] == group[:-1]
    if (values[1:] >= values[:-1])[same].all():
        return values
    steps, rank = ranked(values)
    dense = np.cumsum(np.concatenate([[0], ~same])) if len(group) else group
    reached = np.maximum.accumulate(dense * len(steps) + rank)
    return np.asarray(steps[reached % len(steps)])


def bout_starts(
    group: Ints, begin_s: Floats, end_s: Floats, *, max_gap_s: float = 0.0, tolerance_s: float = TOLERANCE_S
) -> Ints:
    """The rows with which a new bout begins: one that is further than ``max_gap_s`` from all before it in its group."""
    if not len(group):
        return np.zeros(0, np.int64)
    reached = running_max(group, end_s)
    apart = (group[1:] != group[:-1]) | (begin_s[1:] > max_gap_s + tolerance_s + reached[:-1])
    return np.flatnonzero(np.concatenate([[True], apart]))


@dataclass(frozen=True, eq=False)
class IntervalIndex:
    """Sorted rows in which those that overlap a window are found quickly; intervals of a group may overlap.

    Attributes:
        group: (N,) rising.
        begin_s: (N,) rising within a group.
        end_s: (N,).
    """

    group: Ints
    begin_s: Floats
    end_s: Floats

    @cached_property
    def reached_s(self) -> Floats:
        """(N,) the latest end so far within the group."""
        return running_max(self.group, self.end_s)

    def overlapping(self, group: Ints, begin_s: Floats, end_s: Floats, *, touching: bool = False) -> tuple[Ints, Ints]:
        """Pairs of query and row that have time in common.

        Args:
            group: (Q,) the group that each query is about, in any order.
            begin_s: (Q,) begin of the window; −inf: open.
            end_s: (Q,) end of the window; inf: open.
            touching: rows that end where the window begins count too.

        Returns:
            ``query`` (P,) rising, and ``row`` (P,), rising for each query.
        """
        if np.isneginf(begin_s).all() and np.isposinf(end_s).all():
            return self.of_group(group)
        low = np.searchsorted(self.group, group, side="left")
        high = np.searchsorted(self.group, group, side="right")
        after = bisect(self.begin_s, low, high, end_s, "left")
        first = bisect(self.reached_s, low, high, begin_s, "left" if touching else "right")
        query, row = expand(first, np.maximum(after - first, 0))
        begins = begin_s[query]
        inside = (self.end_s[row] >= begins) if touching else (self.end_s[row] > begins)
        return query[inside], row[inside]

    def beginning(self, group: Ints, begin_s: Floats, end_s: Floats) -> tuple[Ints, Ints]:
        """Pairs of query and row that begins within the query's window ``[begin_s, end_s)``."""
        if np.isneginf(begin_s).all() and np.isposinf(end_s).all():
            return self.of_group(group)
        low = np.searchsorted(self.group, group, side="left")
        high = np.searchsorted(self.group, group, side="right")
        first = bisect(self.begin_s, low, high, begin_s, "left")
        return expand(first, np.maximum(bisect(self.begin_s, first, high, end_s, "left") - first, 0))

    def of_group(self, group: Ints) -> tuple[Ints, Ints]:
        """Pairs of query and row for all rows of each query's group (Q,)."""
        low = np.searchsorted(self.group, group, side="left")
        return expand(low, np.searchsorted(self.group, group, side="right") - low)


def covered_s(group: Ints, begin_s: Floats, end_s: Floats, *, groups: int) -> Floats:
    """Seconds covered by at least one row of each group, (groups,); overlaps count once."""
    starts = bout_starts(group, begin_s, end_s, tolerance_s=0.0)
    if not len(starts):
        return np.zeros(groups)
    lengths = np.maximum.reduceat(end_s, starts) - begin_s[starts]
    return sums(group[starts], lengths, groups)
