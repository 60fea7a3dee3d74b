"""Claims composed from results: each is one sentence with its value, its unit and the evidence it cites."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.reasoning.answers import Claim
from visionllm_interaction.reasoning.execution.evidence_aggregation import (
    OPERATION_OF,
    UNITS,
    Number,
    amounts,
    conclusion,
    counted,
    total,
)
from visionllm_interaction.reasoning.execution.executor import StepResult
from visionllm_interaction.reasoning.planning.capabilities import TOTALS
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.wording.sentences import conclude, describe, sentence, unknown


def compose_claims(plan: Plan, results: Sequence[StepResult]) -> tuple[Claim, ...]:
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

    More than ``max_listed`` single results are left to the claims themselves. What a conclusion leaves out because an
    input is missing is said after it.
    """
    part_of = {item.id: result.part for result in results for item in result.evidence}
    lacking = {item.id for result in results for item in result.evidence if item.missing}
    parts = dict.fromkeys(part_of[claim.evidence[0]] for claim in claims)
    groups = [[claim for claim in claims if part_of[claim.evidence[0]] == part] for part in parts]
    return " ".join(_part_text(group, lacking, max_listed=max_listed) for group in groups)


def _part_text(claims: Sequence[Claim], lacking: Collection[str], *, max_listed: int) -> str:
    left_out = [claim for claim in claims if claim.evidence[0] in lacking]
    known = [claim for claim in claims if claim.evidence[0] not in lacking]
    said = [*_known_text(known, max_listed=max_listed), *left_out[:max_listed]]
    return " ".join(claim.text for claim in said)


def _known_text(claims: Sequence[Claim], *, max_listed: int) -> list[Claim]:
    concluded = [claim for claim in claims if claim.operation not in ("value", "sum", "largest")]
    if concluded:
        return concluded[:max_listed]
    summaries = [claim for claim in claims if claim.operation != "value"]
    singles = [claim for claim in claims if claim.operation == "value"]
    if len(singles) > max_listed:
        singles = [] if summaries else singles[:max_listed]
    return [*summaries, *singles]


def scopes(plan: Plan, items: Sequence[Evidence]) -> list[tuple[Evidence, ...]]:
    """The evidence that each conclusion of ``plan`` rests on: all of it, or per video where results do not add up.

    A video that lacks an input of any step is left out: nothing can be concluded about it.
    """
    lacking = {item.video_id for item in items if item.missing}
    known = [item for item in items if item.video_id not in lacking]
    if all(TOTALS[step.measure] != "none" for step in plan.steps) or plan.combine in ("mean", "videos"):
        return [tuple(known)] if known else []
    videos = dict.fromkeys(item.video_id for item in known)
    return [tuple(item for item in known if item.video_id == video_id) for video_id in videos]


def _single(result: StepResult) -> Iterator[Claim]:
    for item in result.evidence:
        place = f"in {item.video_id}, " if len(result.evidence) > 1 else ""
        body = unknown(result.step, item.missing) if item.missing else describe(result.step, _number(item))
        text = sentence(body, place=place, step=result.step)
        yield Claim(text=text, value=item.value, unit=item.unit, evidence=(item.id,))


def _totals(result: StepResult) -> Iterator[Claim]:
    how = TOTALS[result.step.measure]
    known = summed(result.evidence)
    if how == "none" or len(known) < 2:
        return
    value = total(known, how)
    body = describe(result.step, value)
    text = sentence(body, place=f"in {len(known)} videos together, ", step=result.step)
    ids = tuple(item.id for item in known)
    yield Claim(text=text, value=value, unit=known[0].unit, evidence=ids, operation=how)


def summed(items: Sequence[Evidence]) -> list[Evidence]:
    """The evidence that a total rests on: that of the videos which have the inputs of the measure."""
    return [item for item in items if not item.missing]


def _conclusions(plan: Plan, results: Sequence[StepResult]) -> Iterator[Claim]:
    if plan.combine == "each":
        return
    items = [item for result in results for item in result.evidence]
    steps = {item.id: result.step for result in results for item in result.evidence}
    several = len({item.video_id for item in items}) > 1
    for group in scopes(plan, items):
        values = amounts(steps, group, plan=plan)
        value = conclusion(plan, values, group)
        if value is None:
            continue
        n_videos = len({item.video_id for item in counted(plan, group)})
        place = f"in {group[0].video_id}, " if several and n_videos == 1 else ""
        operation = OPERATION_OF[plan.combine]
        unit = UNITS.get(operation, group[0].unit)
        text = conclude(plan, value, values=values, n_videos=n_videos, place=place)
        ids = tuple(item.id for item in group)
        yield Claim(text=text, value=value, unit=unit, evidence=ids, operation=operation)


def _number(item: Evidence) -> Number | None:
    return item.value if isinstance(item.value, (int, float)) else None
