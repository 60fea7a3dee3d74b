"""Verification: a claim that is wrong in any way is dropped, a right one passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.reasoning.answers import Claim
from visionllm_interaction.reasoning.execution.executor import StepResult, all_evidence, run_plan
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules
from visionllm_interaction.reasoning.wording.compose_claims import compose_claims
from visionllm_interaction.reasoning.wording.verify_by_recomputing import Verified, verify
from visionllm_interaction.store.reader import open_store

QUESTIONS = (
    "How long was the ball visible?",
    "How many cars are there?",
    "When was the caregiver first seen?",
    "How long was the child near the caregiver between 6 and 11.5 seconds?",
    "How many times did the child hold anything?",
    "What was the longest time the child held the cup?",
    "Who was visible longer, the child or the caregiver?",
    "Who came in first, the child or the caregiver?",
)


@dataclass(frozen=True)
class Case:
    """One question with everything its claims are held against, the second run included."""

    vocabulary: Vocabulary
    plan: Plan
    results: tuple[StepResult, ...]
    fresh: tuple[StepResult, ...]

    @property
    def written(self) -> tuple[Claim, ...]:
        return compose_claims(self.plan, self.results)

    @property
    def shown(self) -> list[Evidence]:
        return list(all_evidence(self.results).values())

    def verify(self, claims: Sequence[Claim], shown: Sequence[Evidence] | None = None) -> Verified:
        return verify(
            claims,
            self.shown if shown is None else shown,
            plan=self.plan,
            fresh=self.fresh,
            vocabulary=self.vocabulary,
        )


@pytest.fixture(scope="session")
def cases(two_videos: Path) -> dict[str, Case]:
    with open_store(two_videos) as store:
        vocabulary = Vocabulary.build(store.names(), store.video_ids())
        plans = {question: plan_by_rules(question, vocabulary) for question in QUESTIONS}
        return {q: Case(vocabulary, plan, run_plan(store, plan), run_plan(store, plan)) for q, plan in plans.items()}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_code_wrote_holds(cases: dict[str, Case], question: str) -> None:
    case = cases[question]
    verified = case.verify(case.written)
    assert verified.claims == case.written
    assert verified.dropped == ()
    assert verified.evidence == tuple(case.shown)


def _more(value: float | int | str | None) -> float | int | str:
    return value + 1 if isinstance(value, (int, float)) else "nobody"


CORRUPTIONS: dict[str, tuple[Callable[[Claim], Claim], str]] = {
    "value": (lambda c: c.model_copy(update={"value": _more(c.value)}), "computed again the value is"),
    "value missing": (lambda c: c.model_copy(update={"value": None}), "computed again the value is"),
    "unit": (lambda c: c.model_copy(update={"unit": "min"}), "the unit is"),
    "number in the words": (lambda c: c.model_copy(update={"text": c.text + " That is 77.7 s."}), "77.7"),
    "invented citation": (lambda c: c.model_copy(update={"evidence": ("e99",)}), "does not exist: e99"),
    "no citation": (lambda c: c.model_copy(update={"evidence": ()}), "none at all"),
    "one citation too many": (lambda c: c.model_copy(update={"evidence": (*c.evidence, "e99")}), "e99"),
    "another name": (lambda c: c.model_copy(update={"text": c.text + " So was the teddy bear."}), "teddy bear"),
    "no name": (lambda c: c.model_copy(update={"text": "It was so."}), "speaks of nothing"),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corrupted_claims_are_dropped(cases: dict[str, Case], question: str, kind: str) -> None:
    corrupt, reason = CORRUPTIONS[kind]
    case = cases[question]
    for index, claim in enumerate(case.written):
        claims = [*case.written[:index], corrupt(claim), *case.written[index + 1 :]]
        verified = case.verify(claims)
        assert verified.claims == (*case.written[:index], *case.written[index + 1 :])
        assert reason in verified.dropped[0].reason


# a claim of the first question, changed; the reason
SUBTLE: tuple[tuple[int, dict[str, object], str], ...] = (
    # the evidence of the other video
    (1, {"evidence": ("e2",)}, "computed again the value is 2.0"),
    # the words name a video that is not cited
    (1, {"text": "In room_s7_001, the ball was visible for 10 s."}, "names a video it does not cite: room_s7_001"),
    # a total over half of its evidence
    (0, {"evidence": ("e1",), "value": 10.0, "text": "The ball was visible for 10 s."}, "exactly the evidence"),
    # durations add up by their sum
    (0, {"operation": "largest", "value": 10.0}, "do not add up by largest"),
    # a plausible number, but in the words only
    (0, {"text": "In 2 videos together, the ball was visible for 21 s."}, "the number 21 "),
    (0, {"text": "In 3 videos together, the ball was visible for 12 s."}, "the number 3 "),
    # a single value that cites two
    (1, {"evidence": ("e1", "e2")}, "more than one evidence"),
)


@pytest.mark.parametrize(("index", "change", "reason"), SUBTLE)
def test_subtle_corruptions_are_dropped(
    cases: dict[str, Case], index: int, change: dict[str, object], reason: str
) -> None:
    case = cases[QUESTIONS[0]]
    verified = case.verify([case.written[index].model_copy(update=change)])
    assert verified.claims == ()
    assert verified.evidence == ()
    assert reason in verified.dropped[0].reason


@pytest.mark.parametrize(
    "change",
    [
        {"value": 99.0},
        {"unit": "frames"},
        {"video_id": "room_s7_001"},
        {"track_ids": (1, 2)},
        {"begin_s": 0.5},
        {"frames": (0, 1)},
        {"measure": "near_duration"},
    ],
)
def test_shown_evidence_must_be_what_the_query_gives(cases: dict[str, Case], change: dict[str, object]) -> None:
    case = cases[QUESTIONS[0]]
    changed = [replace(item, **change) if item.id == "e1" else item for item in case.shown]  # type: ignore[arg-type]
    verified = case.verify(case.written, changed)
    assert [claim.evidence for claim in verified.claims] == [("e2",)]
    assert [item.id for item in verified.evidence] == ["e2"]
    assert all("evidence e1 is not what the query gives" in dropped.reason for dropped in verified.dropped)
