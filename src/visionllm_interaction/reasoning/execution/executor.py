"""Run a plan: every value in an answer is computed here, by queries over the store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from visionllm_interaction.core.interactions import Evidence
from visionllm_interaction.measures.api import BOUT_GAP_S, MEASURES
from visionllm_interaction.measures.missing_inputs import NOT_PROCESSED
from visionllm_interaction.measures.query import QueryRunner
from visionllm_interaction.reasoning.execution.intervals import (
    Held,
    Scope,
    Stretch,
    common,
    frames_between,
    looked_at,
    merged,
    outside,
    stretches_of,
)
from visionllm_interaction.reasoning.planning.capabilities import DEFAULT_PREDICATE, LOOKED, PREDICATE_OF, SHAPES
from visionllm_interaction.reasoning.planning.plan import Atom, Condition, Moment, Plan, Step
from visionllm_interaction.store.reader import Store

_DECIMALS = 6
_COUNTED_IN_BOUTS = frozenset({"bout_count", "longest_bout", "mean_bout", "first_onset", "last_offset"})


@dataclass(frozen=True)
class StepResult:
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
    found = [(part, step, [item for item in _run(runner, step) if _is_told(item)]) for part, step in steps]
    return tuple(
        StepResult(step, tuple(_settled(item, f"e{next(numbers)}") for item in items), part)
        for part, step, items in found
    )


def _is_told(item: Evidence) -> bool:
    """Whether there is something to say: frames that were processed, or an input that is not there."""
    return item.frames is not None or item.missing not in (None, NOT_PROCESSED)


def all_evidence(results: Sequence[StepResult]) -> dict[str, Evidence]:
    """Evidence of all steps by id."""
    return {item.id: item for result in results for item in result.evidence}


def _settled(item: Evidence, identifier: str) -> Evidence:
    """``item`` under a short id, its times rounded: parallel sums differ in the last digits from run to run."""
    value = round(item.value, _DECIMALS) if isinstance(item.value, float) else item.value
    begin_s, end_s = (None if time is None else round(time, _DECIMALS) for time in (item.begin_s, item.end_s))
    return replace(item, id=identifier, value=value, begin_s=begin_s, end_s=end_s)


def _run(runner: QueryRunner, step: Step) -> list[Evidence]:
    if not step.atoms and step.measure in MEASURES:
        return runner.run(step.to_query())
    return [item for scope in _scopes(runner, step) for item in _within(runner, step, scope)]


def _within(runner: QueryRunner, step: Step, scope: Scope) -> Iterator[Evidence]:
    """The evidence of one video, whose window is known."""
    video_id = scope.video_id or ""
    missing = missing_of(runner, step.atoms, video_id)
    if missing:
        yield _without_input(step, video_id, missing)
    elif step.during is None and step.measure in MEASURES:
        query = replace(step.to_query(), video_id=video_id, begin_s=scope.begin_s, end_s=scope.end_s)
        yield from runner.run(query)
    else:
        looked = looked_at(runner.store, scope).get(video_id, [])
        if looked:
            yield _one_video(runner, step, scope, looked=looked)


def missing_of(runner: QueryRunner, atoms: Sequence[Atom | Held], video_id: str) -> str | None:
    """Why it cannot be told in a video when the ``atoms`` hold; None where it can."""
    reasons = (runner.inputs.of_predicate(a.predicate, a.subject, a.object, video_id=video_id) for a in atoms)
    return next((reason for reason in reasons if reason), None)


def _without_input(step: Step, video_id: str, missing: str) -> Evidence:
    measure = MEASURES.get(step.measure)
    return Evidence(
        id="",
        measure=step.measure,
        value=None,
        unit=SHAPES[step.measure].unit,
        video_id=video_id,
        track_ids=(),
        begin_s=None,
        end_s=None,
        frames=None,
        missing=missing,
        definition_version=measure.version if measure else 1,
    )


def _scopes(runner: QueryRunner, step: Step) -> Iterator[Scope]:
    """Per video the window that the step's own times and its moments leave; none where a moment is missing."""
    videos = [step.video_id] if step.video_id else runner.store.video_ids()
    if len(videos) > 1 and step.atoms:
        runner.inputs.read_all()
    after = _moments(runner.store, step.after, step) if step.after else None
    before = _moments(runner.store, step.before, step) if step.before else None
    for video_id in videos:
        if missing_of(runner, step.atoms, video_id):
            yield Scope(video_id)
            continue
        if (after is not None and video_id not in after) or (before is not None and video_id not in before):
            continue
        begins = [time for time in (step.begin_s, (after or {}).get(video_id)) if time is not None]
        ends = [time for time in (step.end_s, (before or {}).get(video_id)) if time is not None]
        begin_s, end_s = max(begins, default=None), min(ends, default=None)
        if begin_s is None or end_s is None or begin_s < end_s:
            yield Scope(video_id, begin_s, end_s)


def _moments(store: Store, moment: Moment, step: Step) -> dict[str, float]:
    bouts = stretches_of(store, moment, Scope(step.video_id), gap_s=BOUT_GAP_S)
    chosen = {video_id: found[0 if moment.occurrence == "first" else -1] for video_id, found in bouts.items()}
    return {video_id: bout.begin_s if moment.edge == "begin" else bout.end_s for video_id, bout in chosen.items()}


def _one_video(runner: QueryRunner, step: Step, scope: Scope, *, looked: Sequence[Stretch]) -> Evidence:
    store, video_id = runner.store, scope.video_id or ""
    held = _held(step)
    missing = missing_of(runner, [held] if held else [], video_id)
    if missing:
        return _without_input(step, video_id, missing)
    holds = list(looked) if held is None else stretches_of(store, held, scope).get(video_id, [])
    if step.during:
        holds = common(holds, _condition(store, step.during, scope, looked=looked))
    if step.measure in _COUNTED_IN_BOUTS:
        holds = merged(holds, gap_s=BOUT_GAP_S)
    shown = _shown(step.measure, holds) or list(looked)
    begin_s, end_s = shown[0].begin_s, max(stretch.end_s for stretch in shown)
    return Evidence(
        id="",
        measure=step.measure,
        value=_value(step.measure, holds),
        unit=SHAPES[step.measure].unit,
        video_id=video_id,
        track_ids=tuple(sorted({track for stretch in shown for track in stretch.track_ids})),
        begin_s=begin_s,
        end_s=end_s,
        frames=frames_between(store, video_id, begin_s, end_s),
    )


def _held(step: Step) -> Held | None:
    """What the step's measure is measured of; None for the video itself."""
    if step.measure == LOOKED:
        return None
    predicate = step.predicate or PREDICATE_OF.get(step.measure, DEFAULT_PREDICATE)
    return Held(predicate, step.subject, step.object)


def _condition(store: Store, condition: Condition, scope: Scope, *, looked: Sequence[Stretch]) -> list[Stretch]:
    holds = stretches_of(store, condition, scope).get(scope.video_id or "", [])
    return outside(holds, looked) if condition.negated else holds


def _shown(measure: str, holds: Sequence[Stretch]) -> list[Stretch]:
    """The intervals that the value comes from."""
    if not holds:
        return []
    chosen: Mapping[str, Stretch] = {
        "first_onset": holds[0],
        "last_offset": holds[-1],
        "longest_bout": max(holds, key=lambda stretch: (round(stretch.length_s, _DECIMALS), -stretch.begin_s)),
    }
    return [chosen[measure]] if measure in chosen else list(holds)


def _value(measure: str, holds: Sequence[Stretch]) -> float | int | None:
    if measure == "bout_count":
        return len(holds)
    if not holds:
        return None if measure in ("first_onset", "last_offset", "mean_bout") else 0.0
    total = math.fsum(stretch.length_s for stretch in holds)
    values = {
        "first_onset": holds[0].begin_s,
        "last_offset": holds[-1].end_s,
        "longest_bout": max(stretch.length_s for stretch in holds),
        "mean_bout": total / len(holds),
    }
    return values.get(measure, total)
