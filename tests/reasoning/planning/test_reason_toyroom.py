"""Rule-planned answers over a ToyRoom store agree with truth.json; the twelve free-word questions are kept apart."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import toyroom_truth
import yaml

from visionllm_interaction.measures.api import CATALOGUE
from visionllm_interaction.reasoning import Answer, Plan, Step, ask
from visionllm_interaction.reasoning.language.time_expressions import Window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.capabilities import LLM_MEASURES, PROCESSED_DURATION
from visionllm_interaction.reasoning.planning.plan_against_words import objections
from visionllm_interaction.reasoning.planning.prompts import examples, instructions, prompt_digest
from visionllm_interaction.reasoning.planning.rule_planner import extract_scope, is_unread, plan_by_rules

DEVELOPMENT = Path(__file__).resolve().parents[3] / "benchmarks" / "reasoning" / "questions_dev.yaml"
HERE = Path(__file__).resolve().parent
TWELVE = yaml.safe_load((HERE / "questions_llm.yaml").read_text(encoding="utf-8"))["questions"]
NAMES = ("ball", "block", "book", "car", "caregiver", "child", "cup", "person", "teddy bear")

QUESTIONS: tuple[tuple[str, dict[str, str | float]], ...] = (
    ("How long was the ball visible?", {"measure": "visible_duration", "subject": "ball"}),
    (
        "How long was the ball visible between 5 and 12 seconds?",
        {"measure": "visible_duration", "subject": "ball", "begin_s": 5, "end_s": 12},
    ),
    ("How many children are there?", {"measure": "instance_count", "subject": "child"}),
    ("When was the caregiver first seen?", {"measure": "first_seen", "subject": "caregiver"}),
    ("When was the book last seen?", {"measure": "last_seen", "subject": "book"}),
    (
        "How long were the child and the caregiver visible together?",
        {"measure": "co_presence_duration", "subject": "child", "object": "caregiver"},
    ),
    (
        "How long was the child near the caregiver?",
        {"measure": "near_duration", "subject": "child", "object": "caregiver"},
    ),
    (
        "How long was the child in contact with the ball?",
        {"measure": "contact_duration", "subject": "child", "object": "ball"},
    ),
    (
        "How many times did the child hold the cup?",
        {"measure": "bout_count", "subject": "child", "object": "cup", "predicate": "holding"},
    ),
    ("How many times was the car visible?", {"measure": "bout_count", "subject": "car", "predicate": "visible"}),
    (
        "What was the longest time the child held the book?",
        {"measure": "longest_bout", "subject": "child", "object": "book", "predicate": "holding"},
    ),
)


def assert_true(answer: Answer, truths: list[toyroom_truth.Truth], expect: dict[str, str | float]) -> None:
    """Every claim of ``answer`` has the value that truth.json gives for ``expect``."""
    true = {truth.video_id: toyroom_truth.true_value(truth, **expect) for truth in truths}  # type: ignore[arg-type]
    video_of = {item.id: item.video_id for item in answer.evidence}
    assert answer.claims
    for claim in answer.claims:
        values = [true[video_of[identifier]] for identifier in claim.evidence]
        numbers = [value for value in values if value is not None]
        expected = {"value": values[0], "sum": sum(numbers), "largest": max(numbers, default=None)}[claim.operation]
        assert claim.value == (None if expected is None else pytest.approx(expected, abs=1e-3)), claim


@pytest.mark.slow
def test_rule_planned_answers_agree_with_truth(tmp_path: Path) -> None:
    store, truths = toyroom_truth.make_store(tmp_path)
    for question, expect in QUESTIONS:
        answer = ask(question, store)
        assert answer.status == "answered", question
        assert_true(answer, truths, expect)


ANSWERABLE = [
    # Expressions that say the same as the step are for comparing plans; the checks here are of steps.
    (question["question"], {key: value for key, value in question["expect"].items() if key != "expressions"})
    for question in (*TWELVE, *yaml.safe_load(DEVELOPMENT.read_text(encoding="utf-8"))["questions"])
    if not question["expect"].get("unanswerable")
]


@pytest.mark.parametrize(("question", "expect"), ANSWERABLE)
def test_checks_let_right_plans_through(question: str, expect: dict[str, str | float]) -> None:
    vocabulary = Vocabulary.build(NAMES, [])
    step = Step.model_validate(expect)
    assert list(objections(question, Plan(steps=(step,)), vocabulary)) == []
    window = extract_scope(question, vocabulary).scope.window
    assert window in (Window(), Window(step.begin_s, step.end_s))


@pytest.mark.parametrize(("question", "expect"), ANSWERABLE)
def test_checks_stop_plans_about_something_else(question: str, expect: dict[str, str | float]) -> None:
    vocabulary = Vocabulary.build(NAMES, [])
    for name in set(NAMES) - {expect["subject"], expect.get("object")}:
        swapped = Step.model_validate({**expect, "subject": name})
        assert list(objections(question, Plan(steps=(swapped,)), vocabulary))
    shifted = Step.model_validate({**expect, "begin_s": 3.25, "end_s": 99.0})
    assert list(objections(question, Plan(steps=(shifted,)), vocabulary))


@pytest.mark.parametrize("question", [question for question in TWELVE if "expressions" in question["expect"]])
def test_the_rules_read_what_the_twelve_mean(question: dict[str, Any]) -> None:
    plan = plan_by_rules(question["question"], Vocabulary.build(NAMES, []))
    assert is_unread(plan) or plan.expressions[0].expression in question["expect"]["expressions"]


def test_examples_are_not_the_questions_of_the_test() -> None:
    for example in examples(Vocabulary.build(NAMES, [])):
        for question in TWELVE:
            likeness = difflib.SequenceMatcher(None, example.question.casefold(), question["question"].casefold())
            assert likeness.ratio() < 0.75, (example.question, question["question"])


def test_examples_and_catalogue_in_words_cover_every_measure() -> None:
    vocabulary = Vocabulary.build(NAMES, [])
    text = instructions(vocabulary)
    assert all(f"- {measure}: " in text for measure in LLM_MEASURES if measure != PROCESSED_DURATION)
    assert {e.fields["measure"] for e in examples(vocabulary)} >= {*CATALOGUE, "unanswerable"}


@pytest.mark.parametrize("names", [(), ("ball",), ("child", "ball"), ("person",), ("dog", "cat"), NAMES])
def test_examples_fit_any_store(names: tuple[str, ...]) -> None:
    vocabulary = Vocabulary.build(names, [])
    for example in examples(vocabulary):
        assert {example.fields["subject"], example.fields["object"]} <= {*names, "none", "each"}
    assert len(prompt_digest(vocabulary)) == 64


def test_prompt_does_not_grow_with_the_number_of_videos() -> None:
    few, many = (Vocabulary.build(NAMES, [f"video_{n}" for n in range(count)]) for count in (1, 10_000))
    assert prompt_digest(few) == prompt_digest(many)
