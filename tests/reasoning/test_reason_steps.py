"""Plans of several steps: values worked out by hand on the small store (conftest), and in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.reasoning import Plan, Step, ask
from visionllm_interaction.reasoning.answer_expressions import step_expression
from visionllm_interaction.reasoning.execution.executor import run_plan
from visionllm_interaction.reasoning.planning.capabilities import PROCESSED_DURATION
from visionllm_interaction.reasoning.planning.plan import Condition, Moment
from visionllm_interaction.store.reader import open_store

# question, value of the first claim, unit, a part of the answer
ASKED: tuple[tuple[str, object, str, str], ...] = (
    # child 1-15; caregiver 5-18; ball 0-4, 6-12; near child-caregiver 6-9, 11-12; holding cup 9-10, 11-13.5
    ("How long was the child visible while the caregiver was out of view?", 4.0, "s", "while the caregiver was not in"),
    ("While the ball was visible, how long was the child near the caregiver?", 4.0, "s", "while the ball was in view"),
    ("How long did the child hold the cup while the child was near the caregiver?", 1.0, "s", "was near the caregiver"),
    ("How long did the child hold the cup?", 3.5, "s", "The child held the cup for 3.5 s."),
    ("How long was the child out of view?", 6.0, "s", "while the child was not in view"),
    (
        "How long was the ball visible after the caregiver was first seen?",
        6.0,
        "s",
        "after the first time the caregiver",
    ),
    ("How long was the ball visible before the child first held the cup?", 7.0, "s", "before the first time the child"),
    ("How many times did the child touch the ball while the caregiver was visible?", 1, "count", "1 time"),
    ("When did the child first hold the cup?", 9.0, "s", "began at 9 s"),
    ("When did the child last hold the cup?", 13.5, "s", "ended at 13.5 s"),
    ("What was the average length of the child holding the cup?", 1.75, "s", "was 1.75 s"),
    ("How much longer was the child visible than the caregiver?", 1.0, "s", "child minus caregiver: 1 s"),
    ("What share of the time was the child visible?", 70.0, "%", "70 % of that time"),
    ("How often per minute did the child hold the cup?", 6.0, "per min", "6 per min"),
    ("Which toys did the child hold?", "book, cup", "names", "The child held: book, cup"),
    ("Who held the cup?", "child", "names", "Held the cup: child"),
    ("Which toy was visible longest?", "tie", "name", "a tie"),
    ("Was the child ever near the caregiver?", "yes", "yes/no", "Yes: "),
    ("Did the caregiver hold the ball?", "no", "yes/no", "No: "),
    ("Was the cup visible for more than 5 seconds?", "yes", "yes/no", "more than 5 s"),
    ("Was the ball seen before the cup?", "yes", "yes/no", "Yes: "),
    ("In what order were the toys first seen?", "ball, block, car, teddy bear, book, cup", "names", "order of time"),
    ("In how many videos was the ball visible?", 1, "count", "In 1 of 1 videos"),
    ("What was the object size of the ball?", 0.000326, "share", ""),
    ("What was the joint handling duration of the child and the ball?", 0.0, "s", ""),
    ("How long was the video?", 20.0, "s", "20 s of video were looked at"),
    ("Hvor lenge var barnet synlig mens mamma ikke var synlig?", 4.0, "s", "mens den voksne ikke var synlig"),
    ("Hvilke leker holdt barnet?", "book, cup", "names", "boka og koppen"),
    ("Hvor mye lenger var barnet synlig enn mamma?", 1.0, "s", "1 s"),
)


@pytest.mark.parametrize(("question", "value", "unit", "words"), ASKED)
def test_values_of_many_steps(one_video: Path, question: str, value: object, unit: str, words: str) -> None:
    answer = ask(question, one_video, planner="rules")
    assert answer.status == "answered", answer.reason
    assert answer.dropped_claims == ()
    claim = answer.claims[0]
    assert (claim.value, claim.unit) == (pytest.approx(value) if isinstance(value, float) else value, unit)
    assert words in (answer.answer or "")


def test_a_question_in_two_parts_has_two_answers(one_video: Path) -> None:
    answer = ask("How long did the child hold the cup, and who held the cup?", one_video, planner="rules")
    assert answer.plan.also is not None
    concluded = [claim for claim in answer.claims if claim.operation == "which"]
    assert [claim.value for claim in concluded] == ["child"]
    assert any(claim.value == pytest.approx(3.5) for claim in answer.claims)
    assert answer.dropped_claims == ()


def test_they_both_and_let_go_without_a_thing(one_video: Path) -> None:
    answer = ask("How long did they both handle the cup, and who let go first?", one_video, planner="rules")
    assert answer.status == "answered", answer.reason
    first = "The caregiver never held the cup while the child held the cup."
    # The first time that either let go, not who was done with it first.
    second = "Who let go of the cup first: the child (10 s)."
    assert answer.answer == f"{first} {second}"
    assert answer.dropped_claims == ()


def test_what_is_taken_for_granted_must_happen(one_video: Path) -> None:
    answer = ask("How long was the child visible after the caregiver first held the ball?", one_video, planner="rules")
    assert answer.status == "abstained"
    assert "moment when the first time the caregiver held the ball" in (answer.reason or "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"combine": "largest"}, "two steps or more"),
        ({"combine": "difference"}, "takes two steps"),
        ({"threshold": 3.0}, "threshold belongs"),
        ({"combine": "exceeds"}, "threshold belongs"),
    ],
)
def test_plans_that_cannot_be(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan.model_validate({"steps": [{"measure": "visible_duration", "subject": "ball"}], **fields})


def test_conditions_only_where_they_have_a_meaning() -> None:
    with pytest.raises(ValueError, match="cannot be limited"):
        Step(measure="instance_count", subject="ball", during=Condition(subject="child"))


def test_explain_shows_an_expression_that_can_be_run(one_video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = "How long was the child visible while the caregiver was away?"
    assert run_app(app, ["ask", question, "--store", str(one_video), "--explain", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (explained,) = answer["explain"]
    assert explained["query"]["during"]["negated"] is True
    assert explained["expression"] == "total(visible(child) & !visible(caregiver)) by video"
    (row,) = query(explained["expression"], one_video).rows
    assert row.value == pytest.approx(answer["claims"][0]["value"])
    assert run_app(app, ["ask", question, "--store", str(one_video), "--explain"]) == 0
    assert explained["expression"] in capsys.readouterr().out


SAME_VALUE: tuple[Step, ...] = (
    Step(measure="visible_duration", subject="ball", begin_s=2, end_s=9),
    Step(measure="instance_count", subject="block"),
    Step(measure="first_seen", subject="ball", begin_s=5),
    Step(measure="co_presence_duration", subject="child", object="ball"),
    Step(measure=PROCESSED_DURATION, during=Condition(subject="ball", negated=True)),
    Step(measure="holding_duration", subject="child", object="cup", begin_s=9.5),
    Step(measure="bout_count", subject="child", object="cup", predicate="holding"),
    Step(measure="longest_bout", subject="child", object="caregiver", predicate="near", end_s=8),
    Step(
        measure="visible_duration",
        subject="ball",
        during=Condition(subject="child", predicate="near", object="caregiver"),
    ),
    Step(
        measure="near_duration",
        subject="child",
        object="caregiver",
        after=Moment(subject="child", predicate="holding", object="cup"),
    ),
    Step(
        measure="visible_duration",
        subject="ball",
        before=Moment(subject="child", predicate="holding", object="cup", occurrence="last", edge="end"),
    ),
)


@pytest.mark.parametrize("step", SAME_VALUE, ids=lambda step: step.measure)
def test_the_expression_of_a_step_gives_the_values_of_the_step(one_video: Path, step: Step) -> None:
    with open_store(one_video) as store:
        (result,) = run_plan(store, Plan(steps=(step,)))
    expression = step_expression(step)
    assert expression is not None
    (row,) = query(expression, one_video).rows
    assert row.value == pytest.approx(result.evidence[0].value)


def test_evaluation_with_rules_from_the_command_line(
    two_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.json"
    command = ["eval-reasoning", "--questions", "70", "--store", str(two_videos), "--out", str(out), "--json"]
    assert run_app(app, command) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["planner"], result["questions"], result["wrong_answers"]) == ("rules", 70, 0)
    assert min(result["plan_accuracy"], result["answer_accuracy"], result["refusal_accuracy"]) == 1.0
    assert len(json.loads(out.read_text(encoding="utf-8"))["scores"]) == 70


def test_evaluation_with_questions_of_a_file(
    two_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "mine.yaml"
    texts.write_text('visible:\n  - "How long was the {a} visible?"\ncount:\n  - "How many {a+} are there?"\n')
    command = ["eval-reasoning", "--questions", "6", "--questions-file", str(texts), "--store", str(two_videos)]
    assert run_app(app, [*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["wording"], result["questions"], result["plan_accuracy"]) == ("mine", 6, 1.0)
    assert set(result["forms"]) == {"visible", "count"}
    assert run_app(app, command) == 0
    shown = capsys.readouterr().out
    assert "rules planner, mine, 6 questions: plans 1.000" in shown
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["form", *result["forms"]]
