"""Intervals of time in which a predicate holds, and their arithmetic: the basis of *while*, *after* and *before*.

Intervals are half-open, in seconds, sorted and apart from each other within one video.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from visionllm_interaction.measures.language.syntax_tree import Call, NameTerm, Node, Quantity
from visionllm_interaction.reasoning.planning.capabilities import StepPredicate
from visionllm_interaction.reasoning.planning.plan import Atom
from visionllm_interaction.store.reader import Store

if TYPE_CHECKING:
    from visionllm_interaction.core.intervals import Intervals

# `core.intervals` is imported where it is used: most questions need no arithmetic of intervals, and numpy takes longer
# to load than they take to answer.


class TrackInterval(Struct, frozen=True):
    """An interval ``[begin_s, end_s)`` in seconds, and the tracks it comes from."""

    begin_s: float
    end_s: float
    track_ids: tuple[int, ...] = ()

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.begin_s


class Proposition(Struct, frozen=True):
    """A predicate between names as in :class:`Atom`, or one that people code (*speaks*, *looks_at*, *names*)."""

    predicate: StepPredicate
    subject: str
    object: str | None = None


class VideoWindow(Struct, frozen=True):
    """A time window in seconds of one video; None: all videos, or no limit on that side."""

    video_id: str | None = None
    begin_s: float | None = None
    end_s: float | None = None


def intervals_of(
    store: Store, atom: Atom | Proposition, window: VideoWindow, *, gap_s: float = 0.0
) -> dict[str, list[TrackInterval]]:
    """When ``atom`` holds, per video; intervals at most ``gap_s`` seconds apart are merged."""
    return _grouped(store, expression_of_atom(atom, gap_s=gap_s), window)


def expression_of_atom(atom: Atom | Proposition, *, gap_s: float = 0.0) -> Node:
    """The expression behind :func:`intervals_of`."""
    names = [NameTerm(name) for name in (atom.subject, atom.object) if name is not None]
    holds = Call(atom.predicate, tuple(names))
    return Call("merged", (holds, Quantity(gap_s, "s"))) if gap_s else holds


def processed_intervals(store: Store, window: VideoWindow) -> dict[str, list[TrackInterval]]:
    """The intervals of processed frames, per video."""
    return _grouped(store, Call("processed"), window)


def frames_between(store: Store, video_id: str, begin_s: float, end_s: float) -> tuple[int, int] | None:
    """First and last processed frame that has a part in ``[begin_s, end_s)``."""
    from visionllm_interaction.measures.engine import MeasureEngine

    return MeasureEngine(store, [video_id]).frames_between(0, begin_s, end_s)


def merge_intervals(intervals: Iterable[TrackInterval], *, gap_s: float) -> list[TrackInterval]:
    """Merge intervals that touch, overlap or are at most ``gap_s`` seconds apart."""
    import numpy as np

    from visionllm_interaction.core.intervals import neighbours

    given = list(intervals)
    order, starts = neighbours(_times(given), max_gap_s=gap_s)
    groups = np.split(order, starts[1:]) if len(order) else []
    return [_joined([given[place] for place in group]) for group in groups]


def intersect_intervals(first: Sequence[TrackInterval], second: Sequence[TrackInterval]) -> list[TrackInterval]:
    """The time in which both hold."""
    import numpy as np

    from visionllm_interaction.core.intervals import TOLERANCE_S, overlapping

    out: list[TrackInterval] = []
    for i, j in np.stack(overlapping(_times(first), _times(second)), axis=1).tolist():
        begin, end = max(first[i].begin_s, second[j].begin_s), min(first[i].end_s, second[j].end_s)
        if end - begin > TOLERANCE_S:
            out.append(TrackInterval(begin, end, _all_ids((first[i], second[j]))))
    return out


def complement_within(intervals: Sequence[TrackInterval], within: Sequence[TrackInterval]) -> list[TrackInterval]:
    """The time of ``within`` in which none of ``intervals`` holds."""
    from visionllm_interaction.core.intervals import complement

    found = complement(_times(intervals), within=_times(within))
    return [TrackInterval(begin_s, end_s) for begin_s, end_s in found.tolist()]


def _times(intervals: Sequence[TrackInterval]) -> Intervals:
    from visionllm_interaction.core.intervals import as_intervals

    return as_intervals((interval.begin_s, interval.end_s) for interval in intervals)


def _joined(intervals: Sequence[TrackInterval]) -> TrackInterval:
    """One interval from the first begin to the last end; ``intervals`` are sorted by begin, one at least."""
    if len(intervals) == 1:
        return intervals[0]
    return TrackInterval(intervals[0].begin_s, max(s.end_s for s in intervals), _all_ids(intervals))


def _all_ids(intervals: Sequence[TrackInterval]) -> tuple[int, ...]:
    return tuple(sorted({track_id for interval in intervals for track_id in interval.track_ids}))


def _grouped(store: Store, expression: Node, window: VideoWindow) -> dict[str, list[TrackInterval]]:
    from visionllm_interaction.measures.engine import MeasureEngine

    engine = MeasureEngine(store, store.video_ids() if window.video_id is None else [window.video_id])
    found: dict[str, list[TrackInterval]] = defaultdict(list)
    for video_id, begin_s, end_s, track_ids in engine.intervals(expression, window.begin_s, window.end_s):
        found[video_id].append(TrackInterval(begin_s, end_s, track_ids))
    return found
