"""Arrays that hold many groups of rows at once: consecutive ranges, distinct values, sums, sorted search, maxima.

numpy has each of these for one array; here they work in every group of one array, without a loop over the groups.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_MAX_PARTS = 16
"""Up to this many searches one after the other are faster than halving all parts together, step by step."""


def expand(first: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """The members of consecutive ranges.

    Args:
        first: (R,) first member of each range.
        counts: (R,) number of its members.

    Returns:
        ``item`` (K,), the range that each member belongs to, and ``member`` (K,).
    """
    item = np.repeat(np.arange(len(first)), counts)
    return item, np.arange(len(item)) + np.repeat(first - (np.cumsum(counts) - counts), counts)


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


def bisect(values: NDArray[Any], low: Ints, high: Ints, wanted: NDArray[Any], side: Literal["left", "right"]) -> Ints:
    """``searchsorted`` in many sorted parts of one array at once.

    Args:
        values: (N,), rising within each part.
        low: (Q,) begin of the part that each query is about.
        high: (Q,) end of that part.
        wanted: (Q,) the value looked for; NaN stands before all.
        side: as in ``numpy.searchsorted``.

    Returns:
        (Q,) the place in ``values``, between ``low`` and ``high``.
    """
    # Neighbours that are about the same part are searched for together; where there are many parts, all at once.
    begins = np.flatnonzero(np.concatenate([[True], (low[1:] != low[:-1]) | (high[1:] != high[:-1])]))
    if len(begins) <= _MAX_PARTS and len(low):
        found = np.empty(len(low), np.int64)
        for begin, end in pairwise([*begins.tolist(), len(low)]):
            part = values[low[begin] : max(low[begin], high[begin])]
            found[begin:end] = low[begin] + np.searchsorted(part, _nan_first(wanted[begin:end]), side)
        return found
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        found = values[np.where(open_, middle, 0)] if len(values) else wanted
        right = open_ & ((found < wanted) if side == "left" else (found <= wanted))
        low = np.where(right, middle + 1, low)
        high = np.where(open_ & ~right, middle, high)
    return low


def _nan_first(values: NDArray[Any]) -> NDArray[Any]:
    is_nan = values != values
    return np.where(is_nan, -np.inf, values) if is_nan.any() else values


def running_max(group: Ints, values: Floats) -> Floats:
    """The largest value so far within each group; ``group`` (N,) rises, result (N,)."""
    same = group[1:] == group[:-1]
    if (values[1:] >= values[:-1])[same].all():
        return values
    steps, rank = ranked(values)
    dense = np.cumsum(np.concatenate([[0], ~same])) if len(group) else group
    reached = np.maximum.accumulate(dense * len(steps) + rank)
    return np.asarray(steps[reached % len(steps)])
