"""Claims from results: each one sentence by code, with its value, unit and the evidence it cites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from visionllm_interaction.core.symbols import Evidence
from visionllm_interaction.reason.answer import Claim
from visionllm_interaction.reason.arithmetic import TIE, Number, amounts, total, winner
from visionllm_interaction.reason.plan import Plan
from visionllm_interaction.reason.run import StepResult
from visionllm_interaction.reason.shapes import TOTALS
from visionllm_interaction.reason.words import describe, describe_winner, format_number, sentence


def compose(plan: Plan, results: Sequence[StepResult]) -> tuple[Claim, ...]:
    """Every claim the results support: comparisons first, then totals over videos, then single videos."""
    claims = [*_comparisons(plan, results)]
    for result in results:
        claims += _totals(result)
    for result in results:
        claims += _single(result)
    return tuple(claims)


def answer_text(claims: Sequence[Claim], *, max_listed: int) -> str:
    """The claims as one text: comparisons alone if there are any, else totals and single results.

    More than ``max_listed`` single results are left to the claims themselves.
    """
    winners = [claim.text for claim in claims if claim.operation == "winner"]
    if winners:
        return " ".join(winners[:max_listed])
    summaries = [claim for claim in claims if claim.operation != "value"]
    singles = [claim for claim in claims if claim.operation == "value"]
    if len(singles) > max_listed:
        singles = [] if summaries else singles[:max_listed]
    return " ".join(claim.text for claim in (*summaries, *singles))


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


def _comparisons(plan: Plan, results: Sequence[StepResult]) -> Iterator[Claim]:
    if plan.combine == "each":
        return
    if TOTALS[plan.steps[0].measure] != "none":
        yield from _comparison(plan.combine, results, video_id=None)
        return
    for video_id in dict.fromkeys(item.video_id for result in results for item in result.evidence):
        yield from _comparison(plan.combine, results, video_id=video_id)


def _comparison(
    combine: Literal["largest", "smallest"], results: Sequence[StepResult], *, video_id: str | None
) -> Iterator[Claim]:
    items = [item for result in results for item in result.evidence if video_id in (None, item.video_id)]
    steps = {item.id: result.step for result in results for item in result.evidence}
    values = amounts(steps, items)
    best = winner(values, combine)
    if best is None:
        return
    step = results[0].step
    shown = {subject: _shown(values[subject], items[0].unit) for subject in values}
    body = describe_winner(step.measure, combine, name=None if best == TIE else best, values=shown)
    several = len({item.video_id for result in results for item in result.evidence}) > 1
    place = f"in {video_id}, " if video_id and several else ""
    ids = tuple(item.id for item in items)
    text = sentence(body, place=place, step=step)
    yield Claim(text=text, value=best, unit="name", evidence=ids, operation="winner")


def _shown(value: Number, unit: str) -> str:
    return f"{format_number(value)} s" if unit == "s" else format_number(value)


def _number(item: Evidence) -> Number | None:
    return item.value if isinstance(item.value, (int, float)) else None
