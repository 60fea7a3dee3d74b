"""Run one typed query of the measure catalogue over a store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.core.evidence import Basis, Evidence
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, EVENT_KINDS, PREDICATES
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.catalogue import CODED_PREDICATES, Measure, expression_of
from visionllm_interaction.measures.catalogue_sequential import ALL_MEASURES
from visionllm_interaction.measures.engine import Measured, MeasureEngine
from visionllm_interaction.measures.language.basis import expression_basis
from visionllm_interaction.measures.language.syntax_tree import Call, Prefix
from visionllm_interaction.measures.streams.stream_scopes import Scopes, frame_spans
from visionllm_interaction.measures.turn_limits import STANDARD, TurnLimits
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING, Store

if TYPE_CHECKING:
    from visionllm_interaction.measures.plugins import MeasuredValue, MissingValue, PluginMeasure

# Plug-ins are imported when a measure is asked for that is not built in.

Predicate = Literal["visible", "near", "in_contact", "holding"]
"""Predicates that a question in plain words may be about; queries know all of :data:`BOUT_PREDICATES`."""
BOUT_PREDICATES: tuple[str, ...] = ("visible", *PREDICATES, *DIRECTED_PREDICATES, *CODED_PREDICATES)


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
        self._engines: dict[str | None, MeasureEngine] = {}
        self.inputs = Inputs(self.engine)

    def run(self, query: Query) -> list[Evidence]:
        """As :func:`run_query`."""
        measure = _checked(self.store, query, self._known)
        engine = self.engine(query.video_id)
        scopes = engine.scopes(query.begin_s, query.end_s)
        plugin = _as_plugin(measure)
        if plugin is not None:
            return self._computed(plugin, query, engine, scopes)
        predicate = query.predicate or measure.predicate or "visible"
        pairs = [(query.subject, query.object)]
        found = engine.compute(measure, predicate, scopes, pairs, turns=query.turns or STANDARD)
        return [self._evidence(measure, query, engine, found, place) for place in range(len(scopes))]

    def engine(self, video_id: str | None) -> MeasureEngine:
        """What computes measures of one video, or of all."""
        if video_id not in self._engines:
            ids = self.store.video_ids() if video_id is None else [video_id]
            self._engines[video_id] = MeasureEngine(self.store, ids)
        return self._engines[video_id]

    def _evidence(self, measure: Measure, query: Query, engine: MeasureEngine, found: Measured, place: int) -> Evidence:
        value = float(found.value[place])
        begin_s, end_s = float(found.begin_s[place]), float(found.end_s[place])
        first, last = int(found.first_frame[place]), int(found.last_frame[place])
        rows = np.searchsorted(found.proof.group, [place, place + 1])
        return Evidence(
            id=f"{measure.name}:{engine.batch.video_ids[place]}",
            measure=measure.name,
            value=None if math.isnan(value) else round(value) if isinstance(measure.nothing, int) else value,
            unit=measure.unit,
            video_id=engine.batch.video_ids[place],
            track_ids=found.proof.tracks.of_rows(*rows.tolist()) if found.found[place] else (),
            begin_s=None if math.isnan(begin_s) else begin_s,
            end_s=None if math.isnan(end_s) else end_s,
            frames=(first, last) if first >= 0 else None,
            missing=engine.missing.text(int(found.missing[place])),
            definition_version=measure.version,
            settings=settings_of(measure, query),
            basis=measure_basis(measure, query.predicate, has_object=query.object is not None),
        )

    def _computed(self, measure: PluginMeasure, query: Query, engine: MeasureEngine, scopes: Scopes) -> list[Evidence]:
        """The evidence of a measure that a plug-in computes, video by video."""
        found = engine.compute(_NOTHING[measure.inputs], "visible", scopes, [(query.subject, query.object)])
        return [
            self._of_plugin(measure, query, engine, scopes, found=found, place=place) for place in range(len(scopes))
        ]

    def _of_plugin(
        self,
        measure: PluginMeasure,
        query: Query,
        engine: MeasureEngine,
        scopes: Scopes,
        *,
        found: Measured,
        place: int,
    ) -> Evidence:
        video = self.store[engine.batch.video_ids[place]]
        done = scopes.processed_in(engine.batch)
        begin_s, end_s = _window_within(query, video.duration_s, float(done.begin_s[place]), float(done.end_s[place]))
        result: MeasuredValue | MissingValue | None = None
        if begin_s < end_s:
            result = measure.compute(video, subject=query.subject, object=query.object, begin_s=begin_s, end_s=end_s)
        nothing = replace(
            self._evidence(measure, query, engine, found, place),
            value=measure.nothing,
            track_ids=(),
            begin_s=None if done.first_frame[place] < 0 else float(done.begin_s[place]),
            end_s=None if done.first_frame[place] < 0 else float(done.end_s[place]),
            frames=None if done.first_frame[place] < 0 else (int(done.first_frame[place]), int(done.last_frame[place])),
        )
        if result is None:
            return replace(nothing, value=None) if nothing.missing else nothing
        from visionllm_interaction.measures.plugins import MissingValue

        if isinstance(result, MissingValue):
            return replace(nothing, value=None, missing=result.reason)
        at = (np.array([scopes.video[place]]), np.array([result.begin_s]), np.array([result.end_s]))
        first, last = (int(frame[0]) for frame in frame_spans(engine.batch, *at))
        return replace(
            nothing,
            value=result.value,
            missing=None,
            track_ids=result.track_ids,
            begin_s=result.begin_s,
            end_s=result.end_s,
            frames=(first, last) if first >= 0 else None,
        )

    def _known(self, video_id: str | None) -> list[str]:
        if video_id not in self._names:
            self._names[video_id] = [*self.store.names(video_id), ANY_THING]
        return self._names[video_id]


@dataclass(frozen=True)
class Inputs:
    """Which inputs the videos of a store have.

    Attributes:
        engine: gives what computes measures of one video, or of all.
    """

    engine: Callable[[str | None], MeasureEngine]

    def of_predicate(self, predicate: str, subject: str, object_: str | None, *, video_id: str) -> str | None:
        """Why it is not known when ``predicate`` holds between two names in a video; None where it is."""
        engine = self.engine(video_id)
        groups = engine.groups(engine.scopes(None, None), [(subject, object_)])
        names = (groups.bindings["$subject"], groups.bindings.get("$object"))
        if predicate in CODED_PREDICATES:
            reasons = engine.missing.uncoded(CODED_PREDICATES[predicate], (names[0],), groups.video)
        else:
            reasons = engine.missing.of_predicate(predicate, *names, groups.windows)
        return engine.missing.text(int(reasons[0]))

    def read_all(self) -> None:
        """Kept for callers that read the inputs of many videos; each is read when it is needed."""


_NOTHING: Mapping[str, Measure] = {
    inputs: Measure("", "", "", "", inputs, None, Call("count", (Prefix("!", Call("processed")),)))
    for inputs in ("one", "pair")
}
"""What is never found: gives the reason why a measure of one or two names has no value."""


def _window_within(query: Query, duration_s: float, begin_s: float, end_s: float) -> tuple[float, float]:
    """The window of a query in one video, with the ends of the video where the query leaves it open.

    ``begin_s`` and ``end_s`` are those of the processed time, NaN without any.
    """
    begin_s = 0.0 if math.isnan(begin_s) else min(0.0, begin_s)
    end_s = duration_s if math.isnan(end_s) else max(duration_s, end_s)
    return (
        begin_s if query.begin_s is None else max(begin_s, float(query.begin_s)),
        end_s if query.end_s is None else min(end_s, float(query.end_s)),
    )


def measure_basis(measure: Measure, predicate: str | None, *, has_object: bool) -> Basis:
    """What the values of a measure rest on; nobody knows what a plug-in reads.

    Args:
        measure: the measure.
        predicate: of measures of bouts, or the kind of event; None: the measure's own.
        has_object: whether there is an object.

    Returns:
        What they rest on.
    """
    if _as_plugin(measure) is not None:
        return "plug-in"
    named = predicate or measure.predicate or "visible"
    return expression_basis(expression_of(measure, predicate=named, has_object=has_object))


def settings_of(measure: Measure, query: Query) -> str | None:
    """The settings that a value was computed with, for measures that have any."""
    plugin = _as_plugin(measure)
    if plugin is not None:
        return f"plug-in {plugin.computed_by}"
    return str(query.turns or STANDARD) if measure.is_of_turns else None


def _as_plugin(measure: Measure) -> PluginMeasure | None:
    """The measure, if a plug-in computes it; the names of those that are built in are reserved."""
    if measure.name in ALL_MEASURES:
        return None
    from visionllm_interaction.measures.plugins import PluginMeasure

    return measure if isinstance(measure, PluginMeasure) else None


def _find_measure(name: str) -> Measure:
    if name in ALL_MEASURES:
        return ALL_MEASURES[name]
    from visionllm_interaction.measures.plugins import MEASURE_PLUGINS, find_measure

    measure = find_measure(name)
    if measure is None:
        raise _unknown_name("measure", name, (*ALL_MEASURES, *MEASURE_PLUGINS.names()))
    return measure


def _checked(store: Store, query: Query, known: Callable[[str | None], Sequence[str]]) -> Measure:
    """The measure of ``query``; ``known`` gives the names in one video or in all."""
    measure = _find_measure(query.measure)
    if query.video_id is not None and query.video_id not in store.video_ids():
        raise _unknown_name("video", query.video_id, store.video_ids())
    for name in (query.subject, query.object):
        if name is None or name in known(query.video_id) or name.lower() in _coded_names(store, query, measure):
            continue
        # Not in this video, but perhaps in another one, or searched for and not found.
        if name not in known(None):
            _check_searched(store, name, known(None))
    _check_inputs(query, measure)
    return measure


def _coded_names(store: Store, query: Query, measure: Measure) -> set[str]:
    """Names that people used in what they coded: known to the measures of coded intervals, and to no other."""
    coded = query.predicate in CODED_PREDICATES or measure.name.startswith("turn_")
    if not coded and measure.of not in ("gazers", "speakers", "named"):
        return set()
    videos = [query.video_id] if query.video_id else store.video_ids()
    found: set[str] = set()
    for video_id in videos:
        found |= store.coded_names(video_id)
    return found


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
