"""What is told while an answer is made: stages in order, and no sentence before it is proven."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scripted import last_text, scripted

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.reasoning import EndpointConfig, ReasonConfig, ask, ask_async, pipeline
from visionllm_interaction.reasoning.answers import AnswerStage, Claim
from visionllm_interaction.reasoning.dialogue.conversation import follow_up
from visionllm_interaction.reasoning.execution.executor import StepResult
from visionllm_interaction.reasoning.wording import verify_expression_claims

Told = list[AnswerStage | Claim]
VISIBLE = "How long is the child visible?"
HELD_MORE = "Did the child hold the cup for longer than the book in room_s7_000?"


def stages(told: Told) -> list[str]:
    return [one.stage for one in told if isinstance(one, AnswerStage)]


def claims(told: Told) -> tuple[Claim, ...]:
    return tuple(one for one in told if isinstance(one, Claim))


@pytest.mark.parametrize(
    "question",
    [VISIBLE, "How long do the child and the caregiver look at each other after the child held the cup?", HELD_MORE],
)
def test_the_claims_of_an_answer_are_told_after_their_proof(two_videos: Path, question: str) -> None:
    told: Told = []
    answer = ask(question, two_videos, planner="rules", tell=told.append)
    if answer.status == "abstained":
        assert claims(told) == ()
        return
    assert stages(told) == ["planning", "evidence", "proof"]
    assert claims(told) == answer.claims
    assert all(isinstance(one, AnswerStage) for one in told[:3]), "nothing is said before it is proven"
    assert told[1].expressions == answer.plan.expression_texts  # type: ignore[union-attr]

    async def told_in_a_loop() -> Told:
        again: Told = []
        assert await ask_async(question, two_videos, planner="rules", tell=again.append) == answer
        return again

    assert asyncio.run(told_in_a_loop()) == told


def test_what_does_not_hold_when_it_is_computed_again_is_never_told(
    two_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Sequence[StepResult]] = []
    run = pipeline.run_plan

    def changing(*given: Any) -> tuple[StepResult, ...]:
        """The second run gives another value for the first video."""
        found = run(*given)
        runs.append(found)
        return found if len(runs) == 1 else tuple(_with_more(result) for result in found)

    monkeypatch.setattr(pipeline, "run_plan", changing)
    told: Told = []
    answer = ask(VISIBLE, two_videos, planner="rules", tell=told.append)
    assert answer.dropped_claims
    assert claims(told) == answer.claims
    assert not {one.claim.text for one in answer.dropped_claims} & {one.text for one in claims(told)}


def _with_more(result: StepResult) -> StepResult:
    from dataclasses import replace

    def more(item: Evidence) -> Evidence:
        return replace(item, value=float(item.value or 0) + 1)

    first, *others = result.evidence
    return StepResult(result.step, (more(first), *others), result.part)


def test_an_expression_that_changes_is_never_told(two_videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose, count = verify_expression_claims.compose, iter(range(10))

    def changing(*given: Any, **more: Any) -> Any:
        found = compose(*given, **more)
        if next(count) == 0:
            return found
        from msgspec.structs import replace

        return replace(found, evidence=())

    monkeypatch.setattr(verify_expression_claims, "compose", changing)
    told: Told = []
    answer = ask(HELD_MORE, two_videos, planner="rules", tell=told.append)
    assert answer.status == "abstained", "nothing held"
    assert stages(told)[-1] == "proof" and claims(told) == ()


def test_a_refusal_tells_no_stage_that_was_not_reached(two_videos: Path) -> None:
    told: Told = []
    answer = ask("Is the child happy?", two_videos, planner="rules", tell=told.append)
    assert answer.status == "abstained"
    assert stages(told) == ["planning"] and claims(told) == ()


def test_a_follow_up_tells_its_claims(two_videos: Path) -> None:
    last = ask(VISIBLE, two_videos, planner="rules")
    told: Told = []
    reply = follow_up("And the caregiver?", last, two_videos, tell=told.append)
    assert reply is not None and reply.answer.status == "answered"
    assert (stages(told), claims(told)) == (["evidence", "proof"], reply.answer.claims)


def test_a_question_for_evidence_tells_of_no_proof_as_there_is_none(two_videos: Path) -> None:
    last = ask(VISIBLE, two_videos, planner="rules")
    told: Told = []
    reply = follow_up("How do you know?", last, two_videos, tell=told.append)
    assert reply is not None and reply.answer == last and last.claims
    assert told == []


def test_with_a_language_model_proven_claims_come_before_its_words(two_videos: Path) -> None:
    def script(body: dict[str, Any]) -> str:
        facts = json.loads(last_text(body))
        return json.dumps(
            {"claims": [{**one, "text": one["text"].replace(" s", " seconds")} for one in facts["claims"]]}
        )

    with scripted(script) as endpoint:
        config = ReasonConfig(endpoint=EndpointConfig(base_url=endpoint.url, model="scripted"), wording="llm")
        told: Told = []
        answer = ask(VISIBLE, two_videos, config=config, planner="rules", tell=told.append)
    assert stages(told) == ["planning", "evidence", "proof", "wording"]
    assert told[-1] == AnswerStage(stage="wording", model="scripted")
    assert [one.model_copy(update={"text": ""}) for one in claims(told)] == [
        one.model_copy(update={"text": ""}) for one in answer.claims
    ], "the same claims, perhaps in other words"


def test_planning_says_which_model_reads(two_videos: Path) -> None:
    with scripted(lambda _: "{}") as endpoint:
        config = ReasonConfig(endpoint=EndpointConfig(base_url=endpoint.url, model="scripted"))
        told: Told = []
        ask(VISIBLE, two_videos, config=config, planner="llm", tell=told.append)
    assert told[0] == AnswerStage(stage="planning", model="scripted")
