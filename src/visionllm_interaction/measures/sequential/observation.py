"""What was observed: cutting to it, counting over it, and time that runs on only while it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, intersection, total_s, union
from visionllm_interaction.measures.sequential.value_or_reason import (
    NOTHING_OBSERVED,
    Statistic,
    count_of,
    mean_of,
    per_minute,
    ratio,
    undefined,
)

Times = NDArray[np.float64]
"""(N,) moments in seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class BoutSummary:
    """Bouts, and what is said about them.

    Attributes:
        intervals: (N, 2) the bouts in order, seconds.
        count: how many there are.
        rate: bouts per observed minute.
        total: seconds in bouts.
        share: share of the observed time in bouts.
        mean: mean length in seconds; undefined without a bout.
        longest: length of the longest in seconds; undefined without a bout.
    """

    intervals: Intervals
    count: Statistic
    rate: Statistic
    total: Statistic
    share: Statistic
    mean: Statistic
    longest: Statistic


def observed_parts(intervals: Intervals, observed: Intervals, *, max_gap_s: float = 0.0) -> Intervals:
    """The union of ``intervals`` within what was observed.

    Args:
        intervals: (N, 2) seconds, in any order.
        observed: (M, 2) seconds, in any order.
        max_gap_s: pauses up to this length are covered too, unless they were not observed.

    Returns:
        (P, 2), disjoint; the end of an observation ends an interval.
    """
    seen = union(observed)
    return intersection(union(intersection(union(intervals), seen), max_gap_s=max_gap_s), seen)


def at_least(intervals: Intervals, min_s: float) -> Intervals:
    """Those of ``intervals`` (N, 2) that last at least ``min_s`` seconds, but for rounding errors."""
    return np.asarray(intervals[intervals[:, 1] - intervals[:, 0] >= min_s - TOLERANCE_S])


def in_order(parts: Mapping[str, Intervals]) -> tuple[Intervals, tuple[str, ...]]:
    """The intervals of all names, by begin, then end, then name.

    Args:
        parts: name → (N, 2) seconds.

    Returns:
        (M, 2) seconds, and the name of each.
    """
    found = sorted((*interval, name) for name, rows in parts.items() for interval in rows.tolist())
    return np.array([interval[:2] for interval in found]).reshape(-1, 2), tuple(name for *_, name in found)


def summarise(bouts: Intervals, observed: Intervals) -> BoutSummary:
    """Count, rate, total, share, mean and longest of bouts.

    Args:
        bouts: (N, 2) within what was observed.
        observed: (M, 2) seconds.

    Returns:
        The summary; shares and rates are over the observed time.
    """
    observed_s, lengths = total_s(observed), bouts[:, 1] - bouts[:, 0]
    no_bout = "there is no bout"
    return BoutSummary(
        intervals=bouts[np.lexsort((bouts[:, 1], bouts[:, 0]))],
        count=count_of(bouts) if observed_s else undefined("count", NOTHING_OBSERVED),
        rate=per_minute(len(bouts), observed_s),
        total=Statistic(total_s(bouts), "s") if observed_s else undefined("s", NOTHING_OBSERVED),
        share=ratio(total_s(bouts), observed_s, reason=NOTHING_OBSERVED),
        mean=mean_of(lengths, "s", reason=no_bout),
        longest=Statistic(float(lengths.max()), "s") if len(bouts) else undefined("s", no_bout),
    )


def observed_times(times_s: Times, observed: Intervals) -> Times:
    """Those of ``times_s`` (N,) that lie in ``observed`` (M, 2), sorted."""
    times = np.sort(np.asarray(times_s, dtype=np.float64))
    return np.asarray(times[observation_of(times, observed) >= 0])


def event_rate(times_s: Times, observed: Intervals) -> Statistic:
    """Events per minute of observed time.

    Args:
        times_s: (N,) moments in seconds; those outside what was observed do not count.
        observed: (M, 2) seconds; overlaps count once.

    Returns:
        The rate per minute; undefined where nothing was observed.
    """
    return per_minute(len(observed_times(times_s, observed)), total_s(observed))


def observation_of(times_s: Times, observed: Intervals) -> NDArray[np.int64]:
    """Which observation each of ``times_s`` (N,) lies in: its place in ``union(observed)``, or -1."""
    seen = union(observed)
    place = np.searchsorted(seen[:, 0], np.asarray(times_s) + TOLERANCE_S, side="right") - 1
    inside = place >= 0
    inside[inside] = np.asarray(times_s)[inside] < seen[place[inside], 1]
    return np.where(inside, place, -1)


def running_time(times_s: Times, observed: Intervals) -> Times:
    """Moments on a clock that stands still while nothing is observed.

    Args:
        times_s: (N,) moments within what was observed, seconds.
        observed: (M, 2) seconds.

    Returns:
        (N,) seconds of observed time before each moment.
    """
    seen = union(observed)
    lengths = seen[:, 1] - seen[:, 0]
    place = np.maximum(observation_of(times_s, observed), 0)
    return np.asarray((np.cumsum(lengths) - lengths)[place] + times_s - seen[place, 0])
