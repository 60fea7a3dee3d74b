"""What coding tools have in common: a video's tiers of labelled intervals of time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

POINT_S = 0.001
"""How long a moment is written where a format has intervals only."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One labelled interval ``[begin_s, end_s)``; begin and end are the same for a moment."""

    begin_s: float
    end_s: float
    label: str = ""

    @property
    def is_point(self) -> bool:
        """Whether it is a moment."""
        return self.end_s <= self.begin_s


@dataclass(frozen=True)
class Tier:
    """Intervals of one kind by begin; ``participant`` is who they are about (``""`` if not said).

    ``vocabulary`` are the labels that may be used, where they are fixed. ``of_moments``: whether a format that knows
    moments should write them.
    """

    name: str
    intervals: tuple[Interval, ...]
    participant: str = ""
    vocabulary: tuple[str, ...] = ()
    of_moments: bool = False


@dataclass(frozen=True)
class Timeline:
    """All tiers of one video. ``media`` is its path or name, ``created_at`` an ISO time; both may be unknown."""

    tiers: tuple[Tier, ...]
    media: str | None = None
    duration_s: float | None = None
    created_at: str | None = None

    @property
    def end_s(self) -> float:
        """Length of the video, or the last end where that is not known or shorter."""
        last = max((i.end_s for tier in self.tiers for i in tier.intervals), default=0.0)
        return max(last, self.duration_s or 0.0)

    def count(self) -> int:
        """How many intervals there are."""
        return sum(len(tier.intervals) for tier in self.tiers)


def milliseconds(seconds: float) -> int:
    """Nearest whole millisecond."""
    return round(seconds * 1000)


def in_order(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """By begin, then end; others keep their order."""
    return tuple(sorted(intervals, key=lambda i: (i.begin_s, i.end_s)))


def spread(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """Whole milliseconds, moments one millisecond long, and overlaps on further tiers: ``name``, ``name (2)``, …

    Names are made different where two tiers have the same.
    """
    taken: set[str] = set()
    spread_out: list[Tier] = []
    for tier in tiers:
        of_moments = bool(tier.intervals) and all(i.is_point for i in tier.intervals)
        lanes = _lanes([_to_milliseconds(i) for i in in_order(tier.intervals)]) or [[]]
        for number, lane in enumerate(lanes, start=1):
            name = _free_name(tier.name if number == 1 else f"{tier.name} ({number})", taken)
            spread_out.append(replace(tier, name=name, intervals=tuple(lane), of_moments=of_moments))
    return tuple(spread_out)


def _to_milliseconds(interval: Interval) -> Interval:
    """Rounded to whole milliseconds; what would vanish is the millisecond that it lies in."""
    begin, end = max(milliseconds(interval.begin_s), 0), milliseconds(interval.end_s)
    if end <= begin:
        begin = max(math.floor(interval.begin_s * 1000 + 1e-6), 0)
        end = begin + milliseconds(POINT_S)
    return Interval(begin / 1000, end / 1000, interval.label)


def _lanes(intervals: Sequence[Interval]) -> list[list[Interval]]:
    lanes: list[list[Interval]] = []
    for interval in intervals:
        free = next((lane for lane in lanes if lane[-1].end_s <= interval.begin_s), None)
        if free is None:
            lanes.append([interval])
        else:
            free.append(interval)
    return lanes


def _free_name(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    taken.add(candidate)
    return candidate
