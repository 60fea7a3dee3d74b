"""Means, medians, spreads and extremes of many outputs at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect, sums
from visionllm_interaction.core.intervals import TOLERANCE_S


def divided(one: Floats | Ints, other: Floats | Ints) -> Floats:
    """One over the other, (O,); NaN where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = one / other
    return np.where(np.isfinite(found), found, np.nan)


def cumulated(group: Ints, values: Floats) -> Floats:
    """Sums so far within each group; ``group`` rises."""
    found = values.copy()
    edges = [0, *(np.flatnonzero(group[1:] != group[:-1]) + 1).tolist(), len(group)]
    for first, after in pairwise(edges):
        found[first:after] = np.cumsum(values[first:after])
    return found


def _mean(output: Ints, value: Floats, weight: Floats | None, count: int) -> Floats:
    total_ = sums(output, value if weight is None else value * weight, count)
    return divided(total_, sums(output, weight, count))


def _median(output: Ints, value: Floats, weight: Floats | None, count: int) -> Floats:
    order = np.lexsort((value, output))
    at, sorted_ = output[order], value[order]
    low, high = (np.searchsorted(at, np.arange(count), side=side) for side in ("left", "right"))
    found = np.full(count, np.nan)
    some = high > low
    if weight is None:
        middle = (low + high - 1) // 2, (low + high) // 2
        found[some] = (sorted_[middle[0][some]] + sorted_[middle[1][some]]) / 2
        return found
    reached = cumulated(at, weight[order])
    half = sums(at, weight[order], count) / 2
    place = bisect(reached, low, np.maximum(high - 1, low), half - TOLERANCE_S * 1e-3, "left")
    found[some] = sorted_[place[some]]
    return found


def _sd(output: Ints, value: Floats, weight: Floats | None, count: int) -> Floats:
    mean = _mean(output, value, weight, count)
    squares = np.bincount(output, (value - mean[output]) ** 2 * (1.0 if weight is None else weight), count)
    n = sums(output, weight, count)
    return np.sqrt(divided(squares, n - 1 if weight is None else n))


def _least(output: Ints, value: Floats, weight: Floats | None, count: int) -> Floats:
    del weight  # however long it lasts
    found = np.full(count, np.inf)
    np.minimum.at(found, output, value)
    return np.where(np.isfinite(found), found, np.nan)


def _greatest(output: Ints, value: Floats, weight: Floats | None, count: int) -> Floats:
    return -_least(output, -value, weight, count)


SPREADS: dict[str, Callable[[Ints, Floats, Floats | None, int], Floats]] = {
    "mean": _mean,
    "median": _median,
    "sd": _sd,
    "min": _least,
    "max": _greatest,
}
"""Function → what computes it: from the output of each value (N,), values (N,), their weights (N,) or None: each counts
once, and the number of outputs. NaN where an output has no value."""
