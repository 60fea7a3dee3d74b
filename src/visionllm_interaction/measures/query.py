"""Run one typed query of the measure catalogue over a store."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES, nearest_names
from visionllm_interaction.core.interactions import Evidence
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, EVENT_KINDS, PREDICATES
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.catalogue import (
    BOUT_GAP_S,
    CODED_PREDICATES,
    MEASURES,
    MIN_TOGETHER_S,
    NAMING_S,
    Measure,
    sql_for,
)
from visionllm_interaction.measures.missing_inputs import NOT_CODED, Inputs
from visionllm_interaction.measures.plugins import (
    MEASURE_PLUGINS,
    MeasuredValue,
    MissingValue,
    PluginMeasure,
    find_measure,
)
from visionllm_interaction.measures.sql_intervals import CODED_TIME, PROCESSED_TIME
from visionllm_interaction.measures.turns import STANDARD, TurnLimits
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING, Store

Predicate = Literal["visible", "near", "in_contact", "holding"]
"""Predicates that a question in plain words may be about; queries know all of :data:`BOUT_PREDICATES`."""
BOUT_PREDICATES: tuple[str, ...] = ("visible", *PREDICATES, *DIRECTED_PREDICATES, *CODED_PREDICATES)

_FOREVER_S = 1e15


@dataclass(frozen=True)
class Query:
    """One query: a measure of a subject (and an object).

    Attributes:
        measure: name of the measure.
        subject: a category, a role (``child``, ``caregiver``), ``person`` for people of any category, or ``thing`` for
            whatever is neither a person nor a body part.
        object: another such name, where the measure takes one.
        predicate: of measures of bouts (default ``visible``), or the kind of event.
        video_id: one video; None: all.
        begin_s: begin of the window ``[begin_s, end_s)`` in seconds; None: the video's.
        end_s: end of the window in seconds; None: the video's.
        turns: limits of a turn, for measures of turns only; None: :data:`.turns.STANDARD`.
    """

    measure: str
    subject: str
    object: str | None = None
    predicate: str | None = None
    video_id: str | None = None
    begin_s: float | None = None
    end_s: float | None = None
    turns: TurnLimits | None = None


def run_query(store: Store, query: Query) -> list[Evidence]:
    """Run one query.

    Args:
        store: the open store.
        query: the query.

    Returns:
        One piece of evidence per video, by id, also where nothing was found. What was found names its tracks and spans
        its first to its last frame; *nothing found* spans the processed time and names no track. Where an input is
        missing the value is None, and ``missing`` says why.

    Raises:
        UsageError: for an unknown measure, name or video, or parts that do not fit the measure.
        PluginError: if the measure is a plug-in's that cannot be used.
        StoreError: if the store is damaged.
    """
    return QueryRunner(store).run(query)


class QueryRunner:
    """Runs many queries over one store and reads what they share once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._names: dict[str | None, list[str]] = {}
        self._processed: dict[tuple[str | None, float, float], dict[str, dict[str, Any]]] = {}
        self._coded: dict[tuple[Any, ...], dict[str, float]] = {}
        self.inputs = Inputs(store)

    def run(self, query: Query) -> list[Evidence]:
        """As :func:`run_query`."""
        measure = _checked(self.store, query, self._known)
        predicate = query.predicate or measure.predicate or "visible"
        parameters = _parameters(query, measure, CODED_PREDICATES.get(predicate, predicate))
        processed = self._processed_time(parameters)
        wanted = [query.video_id] if query.video_id else self.store.video_ids()
        reasons: dict[str, str] = {}
        if isinstance(measure, PluginMeasure):
            found, reasons = self._computed(measure, query, wanted, processed)
        else:
            sql = sql_for(measure, predicate=predicate, has_object=query.object is not None)
            found = {row["video_id"]: row for row in _rows(self.store, sql, parameters)}
        spans = _frame_spans(self.store, found, query.video_id)
        if len(wanted) > 1 and len(found) < len(wanted):
            self.inputs.read_all()
        return [
            _found(measure, query, id_, row=found[id_], frames=spans.get(id_))
            if id_ in found
            else self._not_found(
                measure,
                query,
                id_,
                predicate=predicate,
                processed=processed.get(id_),
                reason=reasons.get(id_) or self._not_coded(parameters, predicate, id_),
            )
            for id_ in wanted
        ]

    def _computed(
        self,
        measure: PluginMeasure,
        query: Query,
        wanted: Sequence[str],
        processed: Mapping[str, Mapping[str, Any]],
    ) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
        """Video id → the row that a plug-in computed, and video id → why it cannot compute one."""
        rows: dict[str, dict[str, Any]] = {}
        reasons: dict[str, str] = {}
        for video_id in wanted:
            video = self.store[video_id]
            begin_s, end_s = _window_within(query, video.duration_s, processed.get(video_id))
            if begin_s >= end_s:
                continue
            result = measure.compute(video, subject=query.subject, object=query.object, begin_s=begin_s, end_s=end_s)
            if isinstance(result, MeasuredValue):
                rows[video_id] = asdict(result)
            elif isinstance(result, MissingValue):
                reasons[video_id] = result.reason
        return rows, reasons

    def _not_found(
        self,
        measure: Measure,
        query: Query,
        video_id: str,
        *,
        predicate: str,
        processed: Mapping[str, Any] | None,
        reason: str | None,
    ) -> Evidence:
        """Evidence of nothing found in a video, or of a missing input."""
        missing = reason or self.inputs.missing(
            measure, query.subject, query.object, predicate, video_id=video_id, processed=processed is not None
        )
        row: dict[str, Any] = {"value": None if missing else measure.nothing, "track_ids": []}
        span = (
            {"begin_s": processed["begin_s"], "end_s": processed["end_s"]}
            if processed
            else {"begin_s": None, "end_s": None}
        )
        frames = (processed["first_frame"], processed["last_frame"]) if processed else None
        return replace(_found(measure, query, video_id, row={**row, **span}, frames=frames), missing=missing)

    def _not_coded(self, parameters: Mapping[str, Any], predicate: str, video_id: str) -> str | None:
        """Why nothing coded is found in a window that nobody coded; None where it was coded or that is not known."""
        if predicate not in CODED_PREDICATES:
            return None
        key = tuple(parameters[name] for name in ("predicate", "subject", "video_id", "begin_s", "end_s"))
        if key not in self._coded:
            rows = _rows(self.store, CODED_TIME, parameters)
            self._coded[key] = {row["video_id"]: row["coded_s"] for row in rows}
        return NOT_CODED if self._coded[key].get(video_id) == 0.0 else None

    def processed_s(self, begin_s: float | None, end_s: float | None) -> dict[str, float]:
        """Video id → processed seconds within the window; videos without processed frames are left out."""
        processed = self._processed_time({"video_id": None, **_window(begin_s, end_s)})
        return {video_id: row["processed_s"] for video_id, row in processed.items()}

    def _known(self, video_id: str | None) -> list[str]:
        if video_id not in self._names:
            self._names[video_id] = [*self.store.names(video_id), ANY_THING]
        return self._names[video_id]

    def _processed_time(self, parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        key = (parameters["video_id"], parameters["begin_s"], parameters["end_s"])
        if key not in self._processed:
            self._processed[key] = {row["video_id"]: row for row in _rows(self.store, PROCESSED_TIME, parameters)}
        return self._processed[key]


def _parameters(query: Query, measure: Measure, predicate: str) -> dict[str, Any]:
    return {
        "video_id": query.video_id,
        "subject": query.subject,
        "object": query.object,
        "predicate": predicate,
        **_window(query.begin_s, query.end_s),
        "gap_s": BOUT_GAP_S if measure.inputs == "bout" else 0.0,
        "min_together_s": MIN_TOGETHER_S,
        "max_gap_s": (query.turns or STANDARD).max_gap_s,
        "max_overlap_s": (query.turns or STANDARD).max_overlap_s,
        "naming_s": NAMING_S,
        "person_categories": sorted(PERSON_CATEGORIES),
        "body_categories": sorted(BODY_CATEGORIES),
    }


def _window(begin_s: float | None, end_s: float | None) -> dict[str, float]:
    return {
        "begin_s": -_FOREVER_S if begin_s is None else float(begin_s),
        "end_s": _FOREVER_S if end_s is None else float(end_s),
    }


def _window_within(query: Query, duration_s: float, processed: Mapping[str, Any] | None) -> tuple[float, float]:
    """The window of a query in one video, with the ends of the video where the query leaves it open."""
    begin_s = min(0.0, processed["begin_s"]) if processed else 0.0
    end_s = max(duration_s, processed["end_s"]) if processed else duration_s
    return (
        begin_s if query.begin_s is None else max(begin_s, float(query.begin_s)),
        end_s if query.end_s is None else min(end_s, float(query.end_s)),
    )


def _rows(store: Store, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    # DuckDB refuses parameters that a query does not name.
    named = {name: parameters[name] for name in set(re.findall(r"\$(\w+)", sql))}
    return store.rows(sql, named)


def _frame_spans(
    store: Store, found: Mapping[str, Mapping[str, Any]], video_id: str | None
) -> dict[str, tuple[int, int]]:
    """First and last processed frame of each result."""
    if not found:
        return {}
    sql = """
        SELECT f.video_id, min(frame_index) AS first, max(frame_index) AS last
        FROM frames f JOIN (SELECT unnest($ids) AS video_id, unnest($begins) AS b, unnest($ends) AS e) r
          ON f.video_id = r.video_id
        WHERE processed AND timestamp_s + duration_s > r.b + 1e-6 AND timestamp_s < r.e - 1e-6
          AND ($video_id IS NULL OR f.video_id = $video_id)
        GROUP BY f.video_id"""
    parameters = {
        "ids": list(found),
        "begins": [row["begin_s"] for row in found.values()],
        "ends": [row["end_s"] for row in found.values()],
        "video_id": video_id,
    }
    return {row["video_id"]: (row["first"], row["last"]) for row in _rows(store, sql, parameters)}


def _found(
    measure: Measure, query: Query, video_id: str, *, row: Mapping[str, Any], frames: tuple[int, int] | None
) -> Evidence:
    return Evidence(
        id=f"{measure.name}:{video_id}",
        measure=measure.name,
        value=row["value"],
        unit=measure.unit,
        video_id=video_id,
        track_ids=tuple(row["track_ids"]),
        begin_s=row["begin_s"],
        end_s=row["end_s"],
        frames=frames,
        definition_version=measure.version,
        settings=_settings(measure, query),
    )


def _settings(measure: Measure, query: Query) -> str | None:
    if isinstance(measure, PluginMeasure):
        return f"plug-in {measure.computed_by}"
    return str(query.turns or STANDARD) if measure.is_of_turns else None


def _checked(store: Store, query: Query, known: Callable[[str | None], Sequence[str]]) -> Measure:
    """The measure of ``query``; ``known`` gives the names in one video or in all."""
    measure = find_measure(query.measure)
    if measure is None:
        raise _unknown_name("measure", query.measure, (*MEASURES, *MEASURE_PLUGINS.names()))
    if query.video_id is not None and query.video_id not in store.video_ids():
        raise _unknown_name("video", query.video_id, store.video_ids())
    for name in (query.subject, query.object):
        if name is None or name in known(query.video_id) or name in _coded_names(store, query, measure):
            continue
        # Not in this video, but perhaps in another one, or searched for and not found.
        if name not in known(None):
            _check_searched(store, name, known(None))
    _check_inputs(query, measure)
    return measure


def _coded_names(store: Store, query: Query, measure: Measure) -> set[str]:
    """Names that people used in what they coded: known to the measures of coded intervals, and to no other."""
    if query.predicate not in CODED_PREDICATES and not measure.name.startswith("turn_"):
        return set()
    sql = """SELECT DISTINCT unnest([participant, lower(participant), lower(trim(label))]) AS name FROM codes
             WHERE ($video_id IS NULL OR video_id = $video_id)"""
    rows = store.rows(sql, {"video_id": query.video_id})
    return {row["name"] for row in rows if row["name"]}


def _check_searched(store: Store, name: str, present: Sequence[str]) -> None:
    searched = store.known_names()
    if name not in searched:
        raise _unknown_name("name", name, dict.fromkeys([*present, *searched]))


def _check_inputs(query: Query, measure: Measure) -> None:
    problem = None
    predicates = EVENT_KINDS if measure.inputs == "event" else BOUT_PREDICATES
    if query.predicate is not None and query.predicate not in predicates:
        raise _unknown_name("predicate", query.predicate, predicates)
    if measure.inputs == "one" and query.object is not None:
        problem = f"{measure.name} is about one thing", f"object {query.object!r}"
    elif measure.inputs == "pair" and query.object is None:
        problem = f"{measure.name} is about two things", "no object"
    elif measure.inputs in ("one", "pair") and query.predicate is not None:
        problem = f"{measure.name} takes no predicate", f"predicate {query.predicate!r}"
    elif measure.inputs == "event" and query.predicate is None:
        problem = f"{measure.name} is about one kind of event", "no predicate"
    elif query.turns is not None and not measure.is_of_turns:
        problem = f"{measure.name} knows no turns", f"limits {query.turns}"
    elif query.begin_s is not None and query.end_s is not None and query.begin_s >= query.end_s:
        problem = "a window that ends after it begins", f"{query.begin_s} to {query.end_s} s"
    if problem:
        raise UsageError("The query does not fit its measure.", expected=problem[0], found=problem[1])


def _unknown_name(kind: str, name: str, known: Mapping[str, Any] | Sequence[str]) -> UsageError:
    near = nearest_names(name, known)
    listing = ", ".join(sorted(known)[:20]) or "nothing yet"
    return UsageError(
        f"The {kind} {name!r} is not known here.",
        expected=f"one of: {listing}",
        found=name,
        fix=f"did you mean {' or '.join(map(repr, near))}?" if near else None,
    )


__all__ = ["ANY_PERSON", "ANY_THING", "BOUT_PREDICATES", "Predicate", "Query", "QueryRunner", "run_query"]
