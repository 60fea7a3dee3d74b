"""The common form of coding tools: a timeline has tiers, a tier has labelled intervals of time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

POINT_S = 0.001
"""Length in seconds of a moment in formats that have intervals only."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A labelled interval ``[begin_s, end_s)`` in seconds; begin and end are equal for a moment.

    Attributes:
        begin_s: first moment.
        end_s: first moment after it.
        label: the coded value.
        where: its place in the file, for messages; not compared.
    """

    begin_s: float
    end_s: float
    label: str = ""
    where: str = field(default="", compare=False)

    @property
    def is_point(self) -> bool:
        """Whether it is a moment."""
        return self.end_s <= self.begin_s


@dataclass(frozen=True)
class Tier:
    """Intervals of one kind.

    Attributes:
        name: the tier's name.
        intervals: its intervals, sorted by begin.
        participant: whom they are about; ``""`` if unknown.
        vocabulary: the labels that may be used; empty if any may.
        is_point_tier: whether formats that have moments should write moments.
        kind: how measures read it, where the format says so (``"speech"``, ``"word"`` …); ``""`` otherwise.
    """

    name: str
    intervals: tuple[Interval, ...]
    participant: str = ""
    vocabulary: tuple[str, ...] = ()
    is_point_tier: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row, cell or annotation that cannot be used.

    Attributes:
        where: its place in the file, for example ``row 3``.
        reason: what is wrong with it.
        content: what it holds, shortened.
    """

    where: str
    reason: str
    content: str = ""


@dataclass(frozen=True, slots=True)
class Medium:
    """A recording that a coded file names.

    Attributes:
        name: its path or name as the file has it.
        offset_s: what has to be added to a time of the file to get the time in the recording.
        begin_s: time of the file at which the recording begins; None where the file does not limit it.
        end_s: time of the file at which it ends; None where the file does not limit it.
    """

    name: str
    offset_s: float = 0.0
    begin_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class Timeline:
    """All tiers of one coded file, on the file's own clock.

    Attributes:
        tiers: the tiers.
        media: path or name of the video; None if unknown.
        duration_s: its length in seconds; None if unknown.
        created_at: ISO time; None if unknown.
        linked: the recordings that the file names, and where they lie on its clock.
        refused: rows that cannot be used.
        coded: intervals of time that were coded, where the file says so; empty: not known.
        notes: what a reader of the import should know.
    """

    tiers: tuple[Tier, ...]
    media: str | None = None
    duration_s: float | None = None
    created_at: str | None = None
    linked: tuple[Medium, ...] = ()
    refused: tuple[RefusedRow, ...] = ()
    coded: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def end_s(self) -> float:
        """Length of the video in seconds; the end of the last interval where that is later or the length is unknown."""
        last = max((i.end_s for tier in self.tiers for i in tier.intervals), default=0.0)
        return max(last, self.duration_s or 0.0)

    def count(self) -> int:
        """How many intervals there are."""
        return sum(len(tier.intervals) for tier in self.tiers)


def milliseconds(seconds: float) -> int:
    """Nearest whole millisecond, half ones up; times that differ by rounding errors only become the same one."""
    return math.floor(round(seconds * 1000, 6) + 0.5)


def sort_intervals(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Intervals sorted by begin, then by end; the sort is stable."""
    return tuple(sorted(intervals, key=lambda i: (i.begin_s, i.end_s)))


def split_overlaps(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """Prepare tiers for formats without overlaps and without fractions of a millisecond.

    Times become whole milliseconds, moments one millisecond long. Overlaps go to further tiers: ``name``, ``name (2)``,
    … Names are unique afterwards.
    """
    taken: set[str] = set()
    spread_out: list[Tier] = []
    for tier in tiers:
        is_point_tier = bool(tier.intervals) and all(i.is_point for i in tier.intervals)
        lanes = _without_overlaps([_to_milliseconds(i) for i in sort_intervals(tier.intervals)]) or [[]]
        for number, lane in enumerate(lanes, start=1):
            name = _free_name(tier.name if number == 1 else f"{tier.name} ({number})", taken)
            spread_out.append(replace(tier, name=name, intervals=tuple(lane), is_point_tier=is_point_tier))
    return tuple(spread_out)


def _to_milliseconds(interval: Interval) -> Interval:
    """Round to whole milliseconds; an interval that would vanish becomes the millisecond that it lies in."""
    begin, end = max(milliseconds(interval.begin_s), 0), milliseconds(interval.end_s)
    if end <= begin:
        begin = max(math.floor(interval.begin_s * 1000 + 1e-6), 0)
        end = begin + milliseconds(POINT_S)
    return Interval(begin / 1000, end / 1000, interval.label)


def _without_overlaps(intervals: Sequence[Interval]) -> list[list[Interval]]:
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
