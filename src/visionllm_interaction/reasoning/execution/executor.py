"""Run a plan: every value of an answer is computed here, by queries over the store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from msgspec import Struct

from visionllm_interaction.core.evidence import Basis, Evidence, joined_basis
from visionllm_interaction.measures.api import BOUT_GAP_S, MEASURES
from visionllm_interaction.measures.catalogue import CODED_PREDICATES
from visionllm_interaction.measures.catalogue_query import QueryRunner, measure_basis
from visionllm_interaction.measures.missing_inputs import NOT_PROCESSED
from visionllm_interaction.reasoning.execution.intervals import (
    Proposition,
    TrackInterval,
    VideoWindow,
    complement_within,
    frames_between,
    intersect_intervals,
    intervals_of,
    merge_intervals,
    processed_intervals,
)
from visionllm_interaction.reasoning.planning.capabilities import (
    DEFAULT_PREDICATE,
    PREDICATE_OF,
    PROCESSED_DURATION,
    SIGNATURES,
)
from visionllm_interaction.reasoning.planning.plan import Atom, Condition, Moment, Plan, Step
from visionllm_interaction.store.reader import Store

_DECIMALS = 6
_COUNTED_IN_BOUTS = frozenset({"bout_count", "longest_bout", "mean_bout", "first_onset", "last_offset"})


class StepResult(Struct, frozen=True):
    """One step and its evidence, one per video; ``part`` is the part of the plan it belongs to."""

    step: Step
    evidence: tuple[Evidence, ...]
    part: int = 0


def run_plan(store: Store, plan: Plan) -> tuple[StepResult, ...]:
    """Compute every step; evidence ids are e1, e2, … in order of steps and videos, the same at every run.

    A video of which nothing was processed within the window, or in which a moment that the step refers to does not
    occur, gives no evidence: that is not the same as *nothing seen*. A video that lacks an input of the measure gives
    evidence without a value, whose ``missing`` says what it lacks.
    """
    numbers = count(1)
    runner = QueryRunner(store)
    steps = [(part, step) for part, member in enumerate(plan.parts) for step in member.steps]
    found = [(part, step, [item for item in _run(runner, step) if _is_reported(item)]) for part, step in steps]
    return tuple(
        StepResult(step, tuple(_with_id(item, f"e{next(numbers)}") for item in items), part)
        for part, step, items in found
    )


def _is_reported(item: Evidence) -> bool:
    """Whether the evidence is reported: frames were processed, or an input is missing."""
    return item.frames is not None or item.missing not in (None, NOT_PROCESSED)


def all_evidence(results: Sequence[StepResult]) -> dict[str, Evidence]:
    """Evidence of all steps by id."""
    return {item.id: item for result in results for item in result.evidence}


def _with_id(item: Evidence, identifier: str) -> Evidence:
    """``item`` under a short id, its numbers rounded: parallel sums differ in the last digits from run to run."""
    value = round(item.value, _DECIMALS) if isinstance(item.value, float) else item.value
    begin_s, end_s = (None if time is None else round(time, _DECIMALS) for time in (item.begin_s, item.end_s))
    return replace(item, id=identifier, value=value, begin_s=begin_s, end_s=end_s)


def _run(runner: QueryRunner, step: Step) -> list[Evidence]:
    if not step.atoms and step.measure in MEASURES:
        return runner.run(step.to_query())
    basis = _basis(step)
    return [replace(item, basis=basis) for window in _windows(runner, step) for item in _within(runner, step, window)]


def _basis(step: Step) -> Basis:
    """What the values of a step rest on that depends on conditions or moments."""
    return joined_basis([_own_basis(step), *(_predicate_basis(atom.predicate) for atom in step.atoms)])


def _own_basis(step: Step) -> Basis:
    if step.measure == PROCESSED_DURATION:
        return "processed time"
    if step.measure in MEASURES:
        return measure_basis(MEASURES[step.measure], step.predicate, has_object=step.object is not None)
    return _predicate_basis(step.predicate or DEFAULT_PREDICATE)


def _predicate_basis(predicate: str) -> Basis:
    return "coded" if predicate in CODED_PREDICATES else "as detected"


def _within(runner: QueryRunner, step: Step, window: VideoWindow) -> Iterator[Evidence]:
    """The evidence of one video within a known window."""
    video_id = window.video_id or ""
    missing = missing_of(runner, step.atoms, video_id)
    if missing:
        yield _without_input(step, video_id, missing)
    elif step.during is None and step.measure in MEASURES:
        query = replace(step.to_query(), video_id=video_id, begin_s=window.begin_s, end_s=window.end_s)
        yield from runner.run(query)
    else:
        processed = processed_intervals(runner.store, window).get(video_id, [])
        if processed:
            yield _one_video(runner, step, window, processed=processed)


def missing_of(runner: QueryRunner, atoms: Sequence[Atom | Proposition], video_id: str) -> str | None:
    """Why it is not known when the ``atoms`` hold in a video; None where it is."""
    reasons = (runner.inputs.of_predicate(a.predicate, a.subject, a.object, video_id=video_id) for a in atoms)
    return next((reason for reason in reasons if reason), None)


def _without_input(step: Step, video_id: str, missing: str) -> Evidence:
    measure = MEASURES.get(step.measure)
    return Evidence(
        id="",
        measure=step.measure,
        value=None,
        unit=SIGNATURES[step.measure].unit,
        video_id=video_id,
        track_ids=(),
        begin_s=None,
        end_s=None,
        frames=None,
        missing=missing,
        definition_version=measure.version if measure else 1,
    )


def _windows(runner: QueryRunner, step: Step) -> Iterator[VideoWindow]:
    """The window of each video that the step's times and moments leave; no window where a moment never occurs."""
    videos = [step.video_id] if step.video_id else runner.store.video_ids()
    if len(videos) > 1 and step.atoms:
        runner.inputs.read_all()
    after = _moments(runner.store, step.after, step) if step.after else None
    before = _moments(runner.store, step.before, step) if step.before else None
    for video_id in videos:
        if missing_of(runner, step.atoms, video_id):
            yield VideoWindow(video_id)
            continue
        if (after is not None and video_id not in after) or (before is not None and video_id not in before):
            continue
        begins = [time for time in (step.begin_s, (after or {}).get(video_id)) if time is not None]
        ends = [time for time in (step.end_s, (before or {}).get(video_id)) if time is not None]
        begin_s, end_s = max(begins, default=None), min(ends, default=None)
        if begin_s is None or end_s is None or begin_s < end_s:
            yield VideoWindow(video_id, begin_s, end_s)


def _moments(store: Store, moment: Moment, step: Step) -> dict[str, float]:
    bouts = intervals_of(store, moment, VideoWindow(step.video_id), gap_s=BOUT_GAP_S)
    chosen = {video_id: found[0 if moment.occurrence == "first" else -1] for video_id, found in bouts.items()}
    return {video_id: bout.begin_s if moment.edge == "begin" else bout.end_s for video_id, bout in chosen.items()}


def _one_video(runner: QueryRunner, step: Step, window: VideoWindow, *, processed: Sequence[TrackInterval]) -> Evidence:
    store, video_id = runner.store, window.video_id or ""
    proposition = _proposition(step)
    missing = missing_of(runner, [proposition] if proposition else [], video_id)
    if missing:
        return _without_input(step, video_id, missing)
    holds = list(processed) if proposition is None else intervals_of(store, proposition, window).get(video_id, [])
    if step.during:
        holds = intersect_intervals(holds, _condition(store, step.during, window, processed=processed))
    if step.measure in _COUNTED_IN_BOUTS:
        holds = merge_intervals(holds, gap_s=BOUT_GAP_S)
    shown = _evidence_intervals(step.measure, holds) or list(processed)
    begin_s, end_s = shown[0].begin_s, max(interval.end_s for interval in shown)
    return Evidence(
        id="",
        measure=step.measure,
        value=_value(step.measure, holds),
        unit=SIGNATURES[step.measure].unit,
        video_id=video_id,
        track_ids=tuple(sorted({track for interval in shown for track in interval.track_ids})),
        begin_s=begin_s,
        end_s=end_s,
        frames=frames_between(store, video_id, begin_s, end_s),
    )


def _proposition(step: Step) -> Proposition | None:
    """What the step's measure is computed from; None for the video itself."""
    if step.measure == PROCESSED_DURATION:
        return None
    predicate = step.predicate or PREDICATE_OF.get(step.measure, DEFAULT_PREDICATE)
    return Proposition(predicate, step.subject, step.object)


def _condition(
    store: Store, condition: Condition, window: VideoWindow, *, processed: Sequence[TrackInterval]
) -> list[TrackInterval]:
    holds = intervals_of(store, condition, window).get(window.video_id or "", [])
    return complement_within(holds, processed) if condition.negated else holds


def _evidence_intervals(measure: str, holds: Sequence[TrackInterval]) -> list[TrackInterval]:
    """The intervals that the value comes from."""
    if not holds:
        return []
    chosen: Mapping[str, TrackInterval] = {
        "first_onset": holds[0],
        "last_offset": holds[-1],
        "longest_bout": max(holds, key=lambda interval: (round(interval.length_s, _DECIMALS), -interval.begin_s)),
    }
    return [chosen[measure]] if measure in chosen else list(holds)


def _value(measure: str, holds: Sequence[TrackInterval]) -> float | int | None:
    if measure == "bout_count":
        return len(holds)
    if not holds:
        return None if measure in ("first_onset", "last_offset", "mean_bout") else 0.0
    total = math.fsum(interval.length_s for interval in holds)
    values = {
        "first_onset": holds[0].begin_s,
        "last_offset": holds[-1].end_s,
        "longest_bout": max(interval.length_s for interval in holds),
        "mean_bout": total / len(holds),
    }
    return values.get(measure, total)
