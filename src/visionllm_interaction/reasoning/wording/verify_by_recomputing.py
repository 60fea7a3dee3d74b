"""Verification: compare claims with the results of running their queries again."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from msgspec import Struct

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.measures.turn_limits import STANDARD
from visionllm_interaction.reasoning.answers import Claim, DroppedClaim
from visionllm_interaction.reasoning.execution.evidence_aggregation import (
    OPERATION_OF,
    UNITS,
    Value,
    amounts,
    conclusion,
    counted,
    total,
)
from visionllm_interaction.reasoning.execution.executor import StepResult, all_evidence
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.capabilities import TOTALS
from visionllm_interaction.reasoning.planning.plan import Plan, Step
from visionllm_interaction.reasoning.wording.compose_claims import scopes, summed
from visionllm_interaction.reasoning.wording.sentences import DECIMALS, said_unit

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_ROUNDING = 0.5 * 10**-DECIMALS + 1e-9


class Verified(Struct, frozen=True):
    """The result of verification: claims that hold, claims that do not, and the evidence that is cited."""

    claims: tuple[Claim, ...]
    dropped: tuple[DroppedClaim, ...]
    evidence: tuple[Evidence, ...]


class _Context(Struct, frozen=True):
    """What a claim is compared with; ``fresh`` is computed again, ``shown`` is what the answer would carry."""

    plan: Plan
    fresh: Mapping[str, Evidence]
    shown: Mapping[str, Evidence]
    results: Mapping[str, StepResult]
    vocabulary: Vocabulary

    def step(self, identifier: str) -> Step:
        return self.results[identifier].step

    def part(self, items: Sequence[Evidence]) -> Plan:
        """The part of the plan that the first of ``items`` belongs to."""
        return self.plan.parts[self.results[items[0].id].part]


def verify(
    claims: Sequence[Claim],
    shown: Sequence[Evidence],
    *,
    plan: Plan,
    fresh: Sequence[StepResult],
    vocabulary: Vocabulary,
) -> Verified:
    """Keep the claims that hold.

    A claim is dropped if it cites unknown evidence, or evidence that the fresh run does not give. It is dropped if its
    value or unit does not follow from the fresh evidence. It is dropped if its words hold a number, a name or a video
    that the cited evidence does not explain.

    Args:
        claims: what the answer would say.
        shown: the evidence the answer would carry.
        plan: the plan behind both.
        fresh: the results of running the plan *again*.
        vocabulary: names of the store, to find names in the claims' words.

    Returns:
        The claims that hold, those that do not, and the evidence that the former cite.
    """
    results = {item.id: result for result in fresh for item in result.evidence}
    context = _Context(plan, all_evidence(fresh), {item.id: item for item in shown}, results, vocabulary)
    checked = [(claim, next(_problems(claim, context), None)) for claim in claims]
    kept = tuple(claim for claim, problem in checked if problem is None)
    dropped = tuple(DroppedClaim(claim=claim, reason=problem) for claim, problem in checked if problem is not None)
    cited = {identifier for claim in kept for identifier in claim.evidence}
    return Verified(kept, dropped, tuple(item for item in context.fresh.values() if item.id in cited))


def _problems(claim: Claim, context: _Context) -> Iterator[str]:
    unknown = [i for i in claim.evidence if i not in context.fresh or i not in context.shown]
    if unknown or not claim.evidence:
        yield f"cites evidence that does not exist: {', '.join(unknown) or 'none at all'}"
        return
    changed = [i for i in claim.evidence if not _same_evidence(context.fresh[i], context.shown[i])]
    if changed:
        yield f"evidence {', '.join(changed)} is not what the query gives"
        return
    items = [context.fresh[i] for i in claim.evidence]
    yield from _value_problems(claim, items, context)
    yield from _wording_problems(claim, items, context)


def _same_evidence(fresh: Evidence, shown: Evidence) -> bool:
    numbers = ("value", "begin_s", "end_s")
    alike = all(_same(getattr(fresh, name), getattr(shown, name)) for name in numbers)
    return alike and replace(shown, **{name: getattr(fresh, name) for name in numbers}) == fresh


def _value_problems(claim: Claim, items: Sequence[Evidence], context: _Context) -> Iterator[str]:
    unit = UNITS.get(claim.operation, items[0].unit)
    if claim.unit != unit:
        yield f"the unit is {unit!r}, the claim says {claim.unit!r}"
    if claim.operation == "value" and len(items) != 1:
        yield "a single value cites more than one evidence"
        return
    if claim.operation in ("sum", "largest") and {TOTALS[item.measure] for item in items} != {claim.operation}:
        yield f"results of {items[0].measure} do not add up by {claim.operation}"
        return
    if claim.operation not in ("value", "sum", "largest"):
        allowed = OPERATION_OF.get(context.part(items).combine)
        if claim.operation != allowed:
            yield f"the plan asks for {allowed or 'values'}, the claim is {claim.operation}"
            return
    if claim.operation != "value" and not _covers(claim, items, context):
        yield "a summary does not cite exactly the evidence it summarises"
        return
    expected = _expected(claim, items, context)
    if not _same(expected, claim.value):
        yield f"computed again the value is {expected!r}, the claim says {claim.value!r}"


def _covers(claim: Claim, items: Sequence[Evidence], context: _Context) -> bool:
    """A total cites all evidence of one step; a conclusion all evidence, or all of one video where times don't add."""
    cited = {item.id for item in items}
    result = context.results[items[0].id]
    if claim.operation in ("sum", "largest"):
        return cited == {item.id for item in summed(result.evidence)}
    of_part = [item for i, item in context.fresh.items() if context.results[i].part == result.part]
    return cited in [{item.id for item in group} for group in scopes(context.part(items), of_part)]


def _expected(claim: Claim, items: Sequence[Evidence], context: _Context) -> Value:
    if claim.operation == "value":
        return items[0].value
    if claim.operation in ("sum", "largest"):
        return total(items, "sum" if claim.operation == "sum" else "largest")
    plan = context.part(items)
    return conclusion(plan, _amounts(items, context), items)


def _amounts(items: Sequence[Evidence], context: _Context) -> dict[str, float | int | None]:
    steps = {item.id: context.step(item.id) for item in items}
    return amounts(steps, items, plan=context.part(items))


def _same(expected: Value, found: Value) -> bool:
    if isinstance(expected, (int, float)) and isinstance(found, (int, float)):
        return math.isclose(expected, found, rel_tol=1e-9, abs_tol=2e-6)
    return expected == found


def _wording_problems(claim: Claim, items: Sequence[Evidence], context: _Context) -> Iterator[str]:
    steps = [context.step(item.id) for item in items]
    text = claim.text
    # First of all: words of the reasons may be called like videos.
    for item in items:
        if item.missing and item.missing not in claim.text:
            yield f"does not say that there is no value: {item.missing}"
        text = text.replace(item.missing, " ") if item.missing else text
    text, videos = _without_videos(text, context.vocabulary.video_ids)
    if strange := videos - {item.video_id for item in items}:
        yield f"names a video it does not cite: {', '.join(sorted(strange))}"
    allowed_names = {name for step in steps for name in step.names}
    named = context.vocabulary.names_in(text, and_of=allowed_names)
    if named != allowed_names:
        yield f"speaks of {_listed(named)}, the evidence is about {_listed(allowed_names)}"
    explained = _explained_numbers(claim, items, context)
    for number in _NUMBER.findall(context.vocabulary.without_names(text)):
        if not any(abs(float(number) - value) <= _ROUNDING for value in explained):
            yield f"the number {number} in its words has no evidence"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _explained_numbers(claim: Claim, items: Sequence[Evidence], context: _Context) -> list[float]:
    steps = [context.step(item.id) for item in items]
    windows = [bound for step in steps for bound in (step.begin_s, step.end_s)]
    turns = [step.turns or STANDARD for step in steps if step.is_of_turns]
    limits = [limit for turn in turns for limit in (turn.max_gap_s, turn.max_overlap_s)]
    numbers: list[object] = [*windows, *limits, _expected(claim, items, context)]
    if claim.operation not in ("value", "sum", "largest"):
        numbers += [*_amounts(items, context).values(), context.part(items).threshold]
    if claim.operation != "value":
        numbers.append(len({item.video_id for item in items}))
        numbers.append(len({item.video_id for item in counted(context.part(items), items)}))
    explained = [float(number) for number in numbers if isinstance(number, (int, float))]
    if any(said_unit(step.measure) == "share" for step in steps):
        # Shares are said in per cent.
        explained += [100 * number for number in explained]
    return explained


def _without_videos(text: str, video_ids: Sequence[str]) -> tuple[str, set[str]]:
    named: set[str] = set()
    for video_id in sorted(video_ids, key=len, reverse=True):
        pattern = re.compile(rf"(?<![\w-]){re.escape(video_id)}(?![\w-])", re.IGNORECASE)
        text, hits = pattern.subn(" ", text)
        if hits:
            named.add(video_id)
    return text, named
