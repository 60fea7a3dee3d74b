"""Follow-ups: each changes one part of the last expression, or is refused because it may mean several things."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.reasoning.dialogue.conversation import Conversation
from visionllm_interaction.reasoning.dialogue.followups import read_follow_up
from visionllm_interaction.reasoning.dialogue.rewriting import Ambiguous, rewritten
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules

HELD = "total(holding(child, ball))"
# the last expression, the follow-up, what it becomes
REWRITTEN = (
    (HELD, "and the book?", "total(holding(child, book))"),
    (HELD, "What about the caregiver?", "total(holding(caregiver, ball))"),
    (HELD, "og boka?", "total(holding(child, book))"),
    (HELD, "Hva med den voksne?", "total(holding(caregiver, ball))"),
    (HELD, "kva med koppen?", "total(holding(child, cup))"),
    (HELD, "in the second video?", 'total(holding(child, ball)) in video room_s7_001'),
    (HELD, "og i den andre videoen?", 'total(holding(child, ball)) in video room_s7_001'),
    (HELD, "og i den andre?", 'total(holding(child, ball)) in video room_s7_001'),
    (HELD, "and in the first one?", 'total(holding(child, ball)) in video room_s7_000'),
    (HELD, "how often?", "count(merged(holding(child, ball), 0.5s))"),
    (HELD, "And how many times per minute?", "rate(merged(holding(child, ball), 0.5s))"),
    (HELD, "kor ofte?", "count(merged(holding(child, ball), 0.5s))"),
    (HELD, "hvor stor del av tiden?", "share(holding(child, ball))"),
    (HELD, "when first?", "first_time(merged(holding(child, ball), 0.5s))"),
    (HELD, "on average?", "mean(merged(holding(child, ball), 0.5s))"),
    (HELD, "and in the first half?", "total(holding(child, ball) & between(0%, 50%))"),
    (HELD, "between 5 and 10 seconds?", "total(holding(child, ball) & between(5s, 10s))"),
    (HELD, "and how often the book in the second video?", None),
    ("total(holding(child, ball) & between(0%, 50%))", "and in the second half?",
     "total(holding(child, ball) & between(50%, 100%))"),
    ("count(merged(holding(child, ball), 0.5s))", "how long?", HELD),
    ("count(merged(holding(child, ball) & near(child, caregiver), 0.5s))", "in the first half?",
     "count(merged(holding(child, ball) & near(child, caregiver) & between(0%, 50%), 0.5s))"),
    ("share(visible(ball), of=visible(child))", "in the first half?",
     "share(visible(ball) & between(0%, 50%), of=visible(child) & between(0%, 50%))"),
    ("mean(gap(child, caregiver))", "in the second half?", "mean(gap(child, caregiver), during=between(50%, 100%))"),
    ("rate(picks_up(child))", "and the caregiver?", "rate(picks_up(caregiver))"),
    ("count(picks_up(child, thing))", "and the ball?", "count(picks_up(child, ball))"),
)  # fmt: skip

# the last expression, the follow-up, a word of the reason
AMBIGUOUS = (
    ("total(near(child, caregiver))", "and the caregiver?", "which of child and caregiver"),
    ("total(near(child, caregiver))", "and the book?", "no place for book"),
    ("total(visible(ball) & visible(book))", "and the cup?", "which of ball and book"),
    (HELD, "and the ball?", "was about ball already"),
    ("count(picks_up(child, ball))", "how long?", "moments have no length"),
    ("mean(gap(child, caregiver))", "how often?", "no length or number"),
)

OWN = (
    "How long was the book visible?",
    "What happens in the second video?",
    "and who held the ball?",
    "How often did the child hold the ball?",
    "Did the caregiver leave?",
)


@pytest.mark.parametrize(("last", "said", "wanted"), REWRITTEN)
def test_one_part_is_replaced(vocabulary: Vocabulary, last: str, said: str, wanted: str | None) -> None:
    change = read_follow_up(said, vocabulary)
    assert change is not None
    assert change.refusal is None
    plan = rewritten(Plan(expressions=(ExpressionStep(expression=last),)), change)
    found = plan.expressions[0].expression
    wanted = wanted or "count(merged(holding(child, book), 0.5s)) in video room_s7_001"
    assert found == wanted


@pytest.mark.parametrize(("last", "said", "reason"), AMBIGUOUS)
def test_what_may_mean_several_things_is_refused(vocabulary: Vocabulary, last: str, said: str, reason: str) -> None:
    change = read_follow_up(said, vocabulary)
    assert change is not None
    with pytest.raises(Ambiguous, match=reason):
        rewritten(Plan(expressions=(ExpressionStep(expression=last),)), change)


@pytest.mark.parametrize("question", OWN)
def test_a_question_of_its_own_is_no_follow_up(vocabulary: Vocabulary, question: str) -> None:
    assert read_follow_up(question, vocabulary) is None


def test_one_name_for_several_is_said(vocabulary: Vocabulary) -> None:
    change = read_follow_up("and the second child?", vocabulary)
    assert change is not None
    assert "by one name" in (change.refusal or "")
    unknown = read_follow_up("and the piano?", vocabulary)
    assert unknown is not None
    assert "'piano' is not in the store" in (unknown.refusal or "")


def test_plans_of_steps_can_be_changed_too(vocabulary: Vocabulary) -> None:
    plan = plan_by_rules("How long did the child hold the ball?", vocabulary)
    change = read_follow_up("and the book?", vocabulary)
    assert plan.steps
    assert change is not None
    assert rewritten(plan, change).expressions[0].expression == "total(holding(child, book))"


def test_a_choice_among_several_is_not_summed_up_otherwise(vocabulary: Vocabulary) -> None:
    step = ExpressionStep(expression="total(holding(child, $o)) by $o", reading="most")
    change = read_follow_up("how often?", vocabulary)
    assert change is not None
    with pytest.raises(Ambiguous, match="chose among several"):
        rewritten(Plan(expressions=(step,)), change)


def test_a_conversation(two_videos: Path) -> None:
    chat = Conversation(two_videos)
    first = chat.say("How long did the child hold the ball?")
    assert first.answer.status == "answered"
    assert first.expressions == ()
    other = chat.say("og den voksne?")
    assert other.expressions == ("total(holding(caregiver, ball))",)
    assert other.answer.claims[0].value == query(other.expressions[0], two_videos).rows[0].value
    assert "holdt" in (other.answer.answer or "")
    refused = chat.say("and the second child?")
    assert refused.answer.status == "abstained"
    assert chat.say("how often?").expressions == ("count(merged(holding(caregiver, ball), 0.5s))",)
    why = chat.say("why?")
    assert why.shows_evidence
    assert why.answer.evidence


def test_a_follow_up_to_nothing_is_refused(two_videos: Path) -> None:
    chat = Conversation(two_videos)
    assert "no answer yet" in (chat.say("why?").answer.reason or "")
    assert chat.say("and the book?").answer.status == "abstained"


def test_the_command_reads_lines_and_shows_what_a_follow_up_became(
    two_videos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("How long did the child hold the ball?\n\nand the book?\nwhy?\n"))
    assert run_app(app, ["chat", "--store", str(two_videos), "--planner", "rules"]) == 0
    out = capsys.readouterr().out
    assert "= total(holding(child, book))" in out
    assert "[e1] " in out
