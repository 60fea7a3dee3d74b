"""Claims from results: each one sentence by code, with its value, unit and the evidence it cites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from visionllm_interaction.core.interactions import Evidence
from visionllm_interaction.reasoning.execution.aggregation import (
    OPERATION_OF,
    UNITS,
    Number,
    amounts,
    conclusion,
    total,
)
from visionllm_interaction.reasoning.execution.executor import StepResult
from visionllm_interaction.reasoning.models import Claim
from visionllm_interaction.reasoning.planning.capabilities import TOTALS
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.wording.sentences import conclude, describe, sentence


def compose(plan: Plan, results: Sequence[StepResult]) -> tuple[Claim, ...]:
    """Every claim the results support: per part of the plan the conclusion, then totals over videos, then videos."""
    claims: list[Claim] = []
    for number, part in enumerate(plan.parts):
        own = [result for result in results if result.part == number]
        claims += _conclusions(part, own)
        for result in own:
            claims += _totals(result)
        for result in own:
            claims += _single(result)
    return tuple(claims)


def answer_text(claims: Sequence[Claim], results: Sequence[StepResult], *, max_listed: int) -> str:
    """The claims as one text: of each part of the plan its conclusions, else its totals and single results.

    More than ``max_listed`` single results are left to the claims themselves.
    """
    part_of = {item.id: result.part for result in results for item in result.evidence}
    parts = dict.fromkeys(part_of[claim.evidence[0]] for claim in claims)
    groups = [[claim for claim in claims if part_of[claim.evidence[0]] == part] for part in parts]
    return " ".join(_part_text(group, max_listed=max_listed) for group in groups)


def _part_text(claims: Sequence[Claim], *, max_listed: int) -> str:
    concluded = [claim.text for claim in claims if claim.operation not in ("value", "sum", "largest")]
    if concluded:
        return " ".join(concluded[:max_listed])
    summaries = [claim for claim in claims if claim.operation != "value"]
    singles = [claim for claim in claims if claim.operation == "value"]
    if len(singles) > max_listed:
        singles = [] if summaries else singles[:max_listed]
    return " ".join(claim.text for claim in (*summaries, *singles))


def scopes(plan: Plan, items: Sequence[Evidence]) -> list[tuple[Evidence, ...]]:
    """The evidence that each conclusion of ``plan`` rests on: all of it, or per video where results do not add up."""
    if all(TOTALS[step.measure] != "none" for step in plan.steps) or plan.combine in ("mean", "videos"):
        return [tuple(items)] if items else []
    videos = dict.fromkeys(item.video_id for item in items)
    return [tuple(item for item in items if item.video_id == video_id) for video_id in videos]


def _single(result: StepResult) -> Iterator[Claim]:
    for item in result.evidence:
        place = f"in {item.video_id}, " if len(result.evidence) > 1 else ""
        text = sentence(describe(result.step, _number(item)), place=place, step=result.step)
        yield Claim(text=text, value=item.value, unit=item.unit, evidence=(item.id,))


def _totals(result: StepResult) -> Iterator[Claim]:
    how = TOTALS[result.step.measure]
    if how == "none" or len(result.evidence) < 2:
        return
    value = total(result.evidence, how)
    body = describe(result.step, value)
    text = sentence(body, place=f"in {len(result.evidence)} videos together, ", step=result.step)
    ids = tuple(item.id for item in result.evidence)
    yield Claim(text=text, value=value, unit=result.evidence[0].unit, evidence=ids, operation=how)


def _conclusions(plan: Plan, results: Sequence[StepResult]) -> Iterator[Claim]:
    if plan.combine == "each":
        return
    items = [item for result in results for item in result.evidence]
    steps = {item.id: result.step for result in results for item in result.evidence}
    several = len({item.video_id for item in items}) > 1
    groups = scopes(plan, items)
    for group in groups:
        values = amounts(steps, group, plan=plan)
        value = conclusion(plan, values, group)
        if value is None:
            continue
        place = f"in {group[0].video_id}, " if several and len(groups) > 1 else ""
        operation = OPERATION_OF[plan.combine]
        unit = UNITS.get(operation, group[0].unit)
        text = conclude(plan, value, values=values, n_videos=len({item.video_id for item in group}), place=place)
        ids = tuple(item.id for item in group)
        yield Claim(text=text, value=value, unit=unit, evidence=ids, operation=operation)


def _number(item: Evidence) -> Number | None:
    return item.value if isinstance(item.value, (int, float)) else None
