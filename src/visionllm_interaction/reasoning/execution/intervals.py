"""Intervals of time in which a predicate holds, and their arithmetic: the basis of *while*, *after* and *before*.

Intervals are half-open, in seconds, sorted and apart from each other within one video.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.measures.api import MIN_TOGETHER_S
from visionllm_interaction.measures.catalogue import CODED_PREDICATES
from visionllm_interaction.measures.sql_intervals import INTERVALS, MERGED
from visionllm_interaction.reasoning.planning.capabilities import StepPredicate
from visionllm_interaction.reasoning.planning.plan import Atom
from visionllm_interaction.store.reader import Store

if TYPE_CHECKING:
    from visionllm_interaction.core.intervals import Intervals

# `core.intervals` is imported where it is used: most questions need no arithmetic of intervals, and numpy takes longer
# to load than they take to answer.

_FOREVER_S = 1e15

_SELECT_BOUTS = "\nSELECT video_id, b, e, list_sort(list_distinct(ids)) AS ids FROM bouts ORDER BY video_id, b"
PROCESSED_SQL = """
WITH processed_frames AS (
    SELECT video_id, greatest(timestamp_s, $begin_s) AS b, least(timestamp_s + duration_s, $end_s) AS e FROM frames
    WHERE processed AND timestamp_s + duration_s > $begin_s AND timestamp_s < $end_s
      AND ($video_id IS NULL OR video_id = $video_id)
),
fresh AS (SELECT *, b > 1e-6 + lag(e) OVER (PARTITION BY video_id ORDER BY b) AS is_new FROM processed_frames),
numbered AS (
    SELECT *, sum(CASE WHEN is_new THEN 1 ELSE 0 END) OVER (PARTITION BY video_id ORDER BY b) AS interval FROM fresh
)
SELECT video_id, min(b) AS b, max(e) AS e, []::BIGINT[] AS ids
FROM numbered GROUP BY video_id, interval ORDER BY video_id, b"""
"""The intervals of processed frames, per video."""
_FRAMES = """
SELECT min(frame_index) AS first, max(frame_index) AS last FROM frames
WHERE processed AND video_id = $video_id AND timestamp_s + duration_s > $begin_s + 1e-6 AND timestamp_s < $end_s - 1e-6
"""


@dataclass(frozen=True, slots=True)
class TrackInterval:
    """An interval ``[begin_s, end_s)`` in seconds, and the tracks it comes from."""

    begin_s: float
    end_s: float
    track_ids: tuple[int, ...] = ()

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class Proposition:
    """A predicate between names as in :class:`Atom`, or one that people code (*speaks*, *looks_at*, *names*)."""

    predicate: StepPredicate
    subject: str
    object: str | None = None


@dataclass(frozen=True, slots=True)
class VideoWindow:
    """A time window in seconds of one video; None: all videos, or no limit on that side."""

    video_id: str | None = None
    begin_s: float | None = None
    end_s: float | None = None


def intervals_of(
    store: Store, atom: Atom | Proposition, window: VideoWindow, *, gap_s: float = 0.0
) -> dict[str, list[TrackInterval]]:
    """When ``atom`` holds, per video; intervals at most ``gap_s`` seconds apart are merged."""
    sql = intervals_sql(atom)
    parameters = {
        **_window(window),
        "subject": atom.subject,
        "object": atom.object,
        "predicate": CODED_PREDICATES.get(atom.predicate, atom.predicate),
        "gap_s": gap_s,
        "min_together_s": MIN_TOGETHER_S,
        "person_categories": sorted(PERSON_CATEGORIES),
        "body_categories": sorted(BODY_CATEGORIES),
    }
    return _grouped(store, sql, parameters)


def intervals_sql(atom: Atom | Proposition) -> str:
    """The query behind :func:`intervals_of`."""
    return INTERVALS[_kind(atom)] + MERGED + _SELECT_BOUTS


def processed_intervals(store: Store, window: VideoWindow) -> dict[str, list[TrackInterval]]:
    """The intervals of processed frames, per video."""
    return _grouped(store, PROCESSED_SQL, _window(window))


def frames_between(store: Store, video_id: str, begin_s: float, end_s: float) -> tuple[int, int] | None:
    """First and last processed frame that has a part in ``[begin_s, end_s)``."""
    (row,) = store.rows(_FRAMES, {"video_id": video_id, "begin_s": begin_s, "end_s": end_s})
    return None if row["first"] is None else (row["first"], row["last"])


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


def _kind(atom: Atom | Proposition) -> str:
    if atom.predicate in CODED_PREDICATES:
        return "coded"
    if atom.predicate != "visible":
        return "relation"
    return "together" if atom.object else "visible"


def _window(window: VideoWindow) -> dict[str, Any]:
    return {
        "video_id": window.video_id,
        "begin_s": -_FOREVER_S if window.begin_s is None else window.begin_s,
        "end_s": _FOREVER_S if window.end_s is None else window.end_s,
    }


def _grouped(store: Store, sql: str, parameters: Mapping[str, Any]) -> dict[str, list[TrackInterval]]:
    # DuckDB refuses parameters that a query does not name.
    named = {name: parameters[name] for name in set(re.findall(r"\$(\w+)", sql))}
    found: dict[str, list[TrackInterval]] = defaultdict(list)
    for row in store.rows(sql, named):
        found[row["video_id"]].append(TrackInterval(row["b"], row["e"], tuple(row["ids"])))
    return found
