"""Arithmetic of many sets of time intervals at once: one group per video, per pair of objects, per time bin.

Rows are three arrays of equal length: ``group`` (N,) int64, ``begin_s`` and ``end_s`` (N,) float64, *sorted* by group,
then begin, then end. Everything here is exact to the last digit: times are compared, never shifted. Intervals are
half-open; ``core.intervals`` says the same of one set.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from msgspec import Struct

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect, expand, running_max, sums
from visionllm_interaction.core.intervals import TOLERANCE_S


def row_order(group: Ints, begin_s: Floats, end_s: Floats) -> Ints:
    """The order (N,) that sorts rows by group, begin and end."""
    return np.lexsort((end_s, begin_s, group))


def bout_starts(
    group: Ints, begin_s: Floats, end_s: Floats, *, max_gap_s: float = 0.0, tolerance_s: float = TOLERANCE_S
) -> Ints:
    """The rows with which a new bout begins: one that is further than ``max_gap_s`` from all before it in its group."""
    if not len(group):
        return np.zeros(0, np.int64)
    reached = running_max(group, end_s)
    apart = (group[1:] != group[:-1]) | (begin_s[1:] > max_gap_s + tolerance_s + reached[:-1])
    return np.flatnonzero(np.concatenate([[True], apart]))


class IntervalIndex(Struct, frozen=True, eq=False, dict=True):
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
        first, after = self.between(group, begin_s, end_s, touching=touching)
        query, row = expand(first, np.maximum(after - first, 0))
        begins = begin_s[query]
        inside = (self.end_s[row] >= begins) if touching else (self.end_s[row] > begins)
        return query[inside], row[inside]

    def between(self, group: Ints, begin_s: Floats, end_s: Floats, *, touching: bool = False) -> tuple[Ints, Ints]:
        """The first row of each query that can have time in common with its window, and the one after the last.

        Args:
            group: (Q,) the group that each query is about, in any order.
            begin_s: (Q,) begin of the window; −inf: open.
            end_s: (Q,) end of the window; inf: open.
            touching: rows that end where the window begins count too.

        Returns:
            ``first`` (Q,) and ``after`` (Q,), which may be smaller. Where intervals of a group overlap, rows between
            them may end before the window begins.
        """
        low = np.searchsorted(self.group, group, side="left")
        high = np.searchsorted(self.group, group, side="right")
        after = bisect(self.begin_s, low, high, end_s, "left")
        return bisect(self.reached_s, low, high, begin_s, "left" if touching else "right"), after

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
