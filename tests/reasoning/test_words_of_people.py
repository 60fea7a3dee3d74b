"""Kinds of wordings that people used: what they mean, and what must not be left unread."""

from __future__ import annotations

import pytest

from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules

NAMES = ("child", "caregiver", "person", "ball", "book", "cup", "car", "block", "teddy bear")
RELEASED = "(ends(merged(holding({}), 0.5s)) & between(0%, 100%))"

READ: tuple[tuple[str, str, str], ...] = (
    # Words for events are answered by events: what is handed over is held, and was not picked up.
    ("When did the child first pick up the ball?", "value", "first_time(picks_up(child, ball))"),
    ("Did the child pick up the ball?", "yes_no", "exists(picks_up(child, ball))"),
    ("Who left last, the child or the caregiver?", "last", "last_time(leaves($p)) by $p in (child, caregiver)"),
    ("When did the child let go of the ball?", "value", f"first_time({RELEASED.format('child, ball')})"),
    # Each release is of one toy, and is not hidden by another one that is still held.
    ("How many times did the child let go of a toy?", "value", f"count({RELEASED.format('child, $o')}) over $o"),
    ("Who let go of something first?", "first", f"first_time({RELEASED.format('$p, $o')}) over $o by $p"),
    ("Did anyone hold two toys at once?", "yes_no", "exists(at_least(2, holding($p, thing))) over $p"),
    ("Were two toys held at once?", "yes_no", "exists(at_least(2, holding(person, thing)))"),
    # Never is denied of the name, not of some moment.
    ("How many toys did nobody hold?", "number", "!exists(holding(person, $o)) by $o"),
    ("In how many videos did the child never hold the ball?", "number", "!exists(holding(child, ball)) by video"),
    ("Did everyone hold the ball?", "yes_no", "exists(holding(child, ball)) & exists(holding(caregiver, ball))"),
    (
        "What were the objects that only the caregiver held?",
        "list",
        "exists(holding(caregiver, $o)) & !exists(holding(child, $o)) by $o",
    ),
    (
        "Which object did the child hold in the last 5 seconds?",
        "list",
        "exists(holding(child, $o) & padded(ends(between(0%, 100%)), 5s, 0s)) by $o",
    ),
    ("In the second half, who held the ball longest?", "most", "total(holding($p, ball) & between(50%, 100%)) by $p"),
    ("At the end of the session, which toy was the child holding?", "list", "holds(holding(child, $o), at=100%) by $o"),
    ("How many objects were visible at the beginning?", "number", "holds(visible($o), at=0%) by $o in thing"),
    (
        "What was the child holding when the caregiver came in?",
        "list",
        "exists(holding(child, $o) & enters(caregiver)) by $o in thing",
    ),
    ("Is mom near the kid most of the time?", "exceeds", "share(near(caregiver, child))"),
    ("Hvilken gjenstand ble holdt lengst av begge til sammen?", "most", "total(holding(person, $o)) by $o"),
    ("Når gikk den voksne ut av rommet?", "value", "first_time(leaves(caregiver))"),
    ("Kva var det siste barnet heldt?", "last", "last_time(merged(holding(child, $o), 0.5s)) by $o"),
    (
        "Kor mange gonger plukka barnet opp noko dei fyrste ti sekunda?",
        "value",
        "count(picks_up(child, thing) & between(0s, 10s))",
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.build(NAMES, ["visit1", "visit2"])


@pytest.mark.parametrize(("question", "reading", "expression"), READ)
def test_wordings_of_people(vocabulary: Vocabulary, question: str, reading: str, expression: str) -> None:
    plan = plan_by_rules(question, vocabulary)
    (step, *_) = plan.expressions or (pytest.fail(plan.unanswerable or f"{plan.steps}"),)
    assert (step.expression, step.reading) == (expression, reading)


@pytest.mark.parametrize(
    "question",
    [
        "How often did the child pick up two toys?",
        "How long did the other child hold the ball?",
        "How many bouts of holding lasted between 2 and 4 seconds?",
        "Did the child hold all toys?",
        "Who held everything?",
        "When did the child not hold the ball?",
        "How long was the ball nearer the child than the caregiver?",
        "What share of the toys did the child hold?",
        "Which toy did the child hold the second longest?",
        "Did the child hold the toy which the caregiver gave it?",
        "Hvor lenge holdt bare barnet ballen?",
        "Holdt barnet alt?",
        "Did anyone come back?",  # another one who comes in does not come back
        "How often was the ball returned?",  # handed back
    ],
)
def test_a_word_that_changes_the_meaning_is_not_left_unread(vocabulary: Vocabulary, question: str) -> None:
    plan = plan_by_rules(question, vocabulary)
    assert plan.unanswerable, plan


def test_the_kinds_of_what_is_compared_are_the_same(vocabulary: Vocabulary) -> None:
    plan = plan_by_rules("How much longer does the kid hold the ball than the book?", vocabulary)
    assert [(step.subject, step.object) for step in plan.steps] == [("child", "ball"), ("child", "book")]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What does the man above hold onto while climbing up?", "query"),
        ("How did the person on the right signal to the pilot?", "query"),
        ("How long did the child hold the ball, who?", "the word 'who' is not understood;"),
        ("Which toys other than the ball did the child hold?", "'other' is not in the store"),
        ("What did the child do after the caregiver turns right?", "speech"),
        ("In how many of the videos did the child whirl?", "'videos' is not in the store"),
    ],
)
def test_refusals_say_nothing_untrue(vocabulary: Vocabulary, question: str, reason: str) -> None:
    plan = plan_by_rules(question, vocabulary)
    assert plan.unanswerable and reason not in plan.unanswerable


def test_many_videos_do_not_slow_a_question_down(vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns are made for the videos that a question names, not for all that the store holds."""
    import re

    from visionllm_interaction.reasoning.language import references

    made: list[str] = []
    search = re.search
    monkeypatch.setattr(
        references.re, "search", lambda pattern, *rest: made.append(str(pattern)) or search(pattern, *rest)
    )
    references.extract_video(
        "how long was the ball visible in video visit_0007", [f"visit_{n:04d}" for n in range(600)]
    )
    assert sum("visit" in pattern for pattern in made) <= 3


@pytest.mark.parametrize(
    "question", ["How long are the sheeps visible?", "What did the child hold after the middle part?"]
)
def test_no_name_of_the_store_and_no_part_of_a_video_is_said_to_be_missing(question: str) -> None:
    vocabulary = Vocabulary.build(["child", "sheep"], ["clip"])
    assert "is not in the store" not in (plan_by_rules(question, vocabulary).unanswerable or "")
