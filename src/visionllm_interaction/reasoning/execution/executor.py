"""Run a plan: every value in an answer is computed here, by queries over the store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from visionllm_interaction.core.interactions import Evidence
from visionllm_interaction.measures.api import BOUT_GAP_S, MEASURES, run_query
from visionllm_interaction.reasoning.execution.intervals import (
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

    A video of which nothing was looked at within the window, or in which a moment that the step refers to does not
    occur, gives no evidence: that is not the same as *nothing seen*.
    """
    numbers = count(1)
    steps = [(part, step) for part, member in enumerate(plan.parts) for step in member.steps]
    found = [(part, step, [item for item in _run(store, step) if item.frames]) for part, step in steps]
    return tuple(
        StepResult(step, tuple(_settled(item, f"e{next(numbers)}") for item in items), part)
        for part, step, items in found
    )


def all_evidence(results: Sequence[StepResult]) -> dict[str, Evidence]:
    """Evidence of all steps by id."""
    return {item.id: item for result in results for item in result.evidence}


def _settled(item: Evidence, identifier: str) -> Evidence:
    """``item`` under a short id, its times rounded: parallel sums differ in the last digits from run to run."""
    value = round(item.value, _DECIMALS) if isinstance(item.value, float) else item.value
    begin_s, end_s = (None if time is None else round(time, _DECIMALS) for time in (item.begin_s, item.end_s))
    return replace(item, id=identifier, value=value, begin_s=begin_s, end_s=end_s)


def _run(store: Store, step: Step) -> list[Evidence]:
    if not step.atoms and step.measure in MEASURES:
        return run_query(store, step.to_query())
    scopes = list(_scopes(store, step))
    if step.during is None and step.measure in MEASURES:
        queries = [
            replace(step.to_query(), video_id=scope.video_id, begin_s=scope.begin_s, end_s=scope.end_s)
            for scope in scopes
        ]
        return [item for query in queries for item in run_query(store, query)]
    return list(_over_stretches(store, step, scopes))


def _scopes(store: Store, step: Step) -> Iterator[Scope]:
    """Per video the window that the step's own times and its moments leave; none where a moment is missing."""
    videos = [step.video_id] if step.video_id else store.video_ids()
    after = _moments(store, step.after, step) if step.after else None
    before = _moments(store, step.before, step) if step.before else None
    for video_id in videos:
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


def _over_stretches(store: Store, step: Step, scopes: Sequence[Scope]) -> Iterator[Evidence]:
    for scope in scopes:
        looked = looked_at(store, scope).get(scope.video_id or "", [])
        if looked:
            yield _one_video(store, step, scope, looked=looked)


def _one_video(store: Store, step: Step, scope: Scope, *, looked: Sequence[Stretch]) -> Evidence:
    video_id = scope.video_id or ""
    atom = _atom_of(step)
    holds = list(looked) if atom is None else stretches_of(store, atom, scope).get(video_id, [])
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


def _atom_of(step: Step) -> Atom | None:
    """What the step's measure is measured of; None for the video itself."""
    if step.measure == LOOKED:
        return None
    predicate = step.predicate or PREDICATE_OF.get(step.measure, DEFAULT_PREDICATE)
    return Atom(predicate=predicate, subject=step.subject, object=step.object)


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
