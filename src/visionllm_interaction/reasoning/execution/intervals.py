"""Intervals of time in which something holds, and their arithmetic: the ground of *while*, *after* and *before*.

Intervals are half-open, in seconds, sorted and apart from each other within one video.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.core.intervals import (
    TOLERANCE_S,
    Intervals,
    as_intervals,
    complement,
    neighbours,
    overlapping,
)
from visionllm_interaction.measures.api import MIN_TOGETHER_S
from visionllm_interaction.measures.catalogue import CODED_PREDICATES
from visionllm_interaction.measures.sql_intervals import MERGED, STRETCHES
from visionllm_interaction.reasoning.planning.capabilities import AskedPredicate
from visionllm_interaction.reasoning.planning.plan import Atom
from visionllm_interaction.store.reader import Store

_FOREVER_S = 1e15

_SELECT_BOUTS = "\nSELECT video_id, b, e, list_sort(list_distinct(ids)) AS ids FROM bouts ORDER BY video_id, b"
LOOKED_SQL = """
WITH looked AS (
    SELECT video_id, greatest(timestamp_s, $begin_s) AS b, least(timestamp_s + duration_s, $end_s) AS e FROM frames
    WHERE processed AND timestamp_s + duration_s > $begin_s AND timestamp_s < $end_s
      AND ($video_id IS NULL OR video_id = $video_id)
),
fresh AS (SELECT *, b > 1e-6 + lag(e) OVER (PARTITION BY video_id ORDER BY b) AS is_new FROM looked),
numbered AS (
    SELECT *, sum(CASE WHEN is_new THEN 1 ELSE 0 END) OVER (PARTITION BY video_id ORDER BY b) AS interval FROM fresh
)
SELECT video_id, min(b) AS b, max(e) AS e, []::BIGINT[] AS ids
FROM numbered GROUP BY video_id, interval ORDER BY video_id, b"""
"""The intervals that were looked at, per video."""
_FRAMES = """
SELECT min(frame_index) AS first, max(frame_index) AS last FROM frames
WHERE processed AND video_id = $video_id AND timestamp_s + duration_s > $begin_s + 1e-6 AND timestamp_s < $end_s - 1e-6
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """``[begin_s, end_s)`` and the tracks that make it."""

    begin_s: float
    end_s: float
    track_ids: tuple[int, ...] = ()

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class Held:
    """What a step is about, like an :class:`Atom`, but also of predicates that people code."""

    predicate: AskedPredicate
    subject: str
    object: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """One video (None: all) and a window of time, ``None`` open."""

    video_id: str | None = None
    begin_s: float | None = None
    end_s: float | None = None


def stretches_of(store: Store, atom: Atom | Held, scope: Scope, *, gap_s: float = 0.0) -> dict[str, list[Stretch]]:
    """When ``atom`` holds, per video; intervals closer than ``gap_s`` are one."""
    sql = sql_of(atom)
    parameters = {
        **_window(scope),
        "subject": atom.subject,
        "object": atom.object,
        "predicate": CODED_PREDICATES.get(atom.predicate, atom.predicate),
        "gap_s": gap_s,
        "min_together_s": MIN_TOGETHER_S,
        "person_categories": sorted(PERSON_CATEGORIES),
        "body_categories": sorted(BODY_CATEGORIES),
    }
    return _grouped(store, sql, parameters)


def sql_of(atom: Atom | Held) -> str:
    """The query behind :func:`stretches_of`."""
    return STRETCHES[_kind(atom)] + MERGED + _SELECT_BOUTS


def looked_at(store: Store, scope: Scope) -> dict[str, list[Stretch]]:
    """The intervals that were looked at, per video."""
    return _grouped(store, LOOKED_SQL, _window(scope))


def frames_between(store: Store, video_id: str, begin_s: float, end_s: float) -> tuple[int, int] | None:
    """First and last processed frame that has a part in ``[begin_s, end_s)``."""
    (row,) = store.rows(_FRAMES, {"video_id": video_id, "begin_s": begin_s, "end_s": end_s})
    return None if row["first"] is None else (row["first"], row["last"])


def merged(stretches: Iterable[Stretch], *, gap_s: float) -> list[Stretch]:
    """Intervals that meet, overlap or are closer than ``gap_s`` become one."""
    given = list(stretches)
    order, starts = neighbours(_times(given), max_gap_s=gap_s)
    groups = np.split(order, starts[1:]) if len(order) else []
    return [_joined([given[place] for place in group]) for group in groups]


def common(first: Sequence[Stretch], second: Sequence[Stretch]) -> list[Stretch]:
    """The time in which both hold."""
    out: list[Stretch] = []
    for i, j in np.stack(overlapping(_times(first), _times(second)), axis=1).tolist():
        begin, end = max(first[i].begin_s, second[j].begin_s), min(first[i].end_s, second[j].end_s)
        if end - begin > TOLERANCE_S:
            out.append(Stretch(begin, end, _all_ids((first[i], second[j]))))
    return out


def outside(stretches: Sequence[Stretch], within: Sequence[Stretch]) -> list[Stretch]:
    """The time of ``within`` in which none of ``stretches`` holds."""
    found = complement(_times(stretches), within=_times(within))
    return [Stretch(begin_s, end_s) for begin_s, end_s in found.tolist()]


def _times(stretches: Sequence[Stretch]) -> Intervals:
    return as_intervals((stretch.begin_s, stretch.end_s) for stretch in stretches)


def _joined(stretches: Sequence[Stretch]) -> Stretch:
    """One interval from the first begin to the last end; ``stretches`` are sorted by begin, one at least."""
    if len(stretches) == 1:
        return stretches[0]
    return Stretch(stretches[0].begin_s, max(s.end_s for s in stretches), _all_ids(stretches))


def _all_ids(stretches: Sequence[Stretch]) -> tuple[int, ...]:
    return tuple(sorted({track_id for stretch in stretches for track_id in stretch.track_ids}))


def _kind(atom: Atom | Held) -> str:
    if atom.predicate in CODED_PREDICATES:
        return "coded"
    if atom.predicate != "visible":
        return "relation"
    return "together" if atom.object else "visible"


def _window(scope: Scope) -> dict[str, Any]:
    return {
        "video_id": scope.video_id,
        "begin_s": -_FOREVER_S if scope.begin_s is None else scope.begin_s,
        "end_s": _FOREVER_S if scope.end_s is None else scope.end_s,
    }


def _grouped(store: Store, sql: str, parameters: Mapping[str, Any]) -> dict[str, list[Stretch]]:
    # DuckDB refuses parameters that a query does not name.
    named = {name: parameters[name] for name in set(re.findall(r"\$(\w+)", sql))}
    found: dict[str, list[Stretch]] = defaultdict(list)
    for row in store.rows(sql, named):
        found[row["video_id"]].append(Stretch(row["b"], row["e"], tuple(row["ids"])))
    return found
