"""Shares of events, ratios, means over videos, numbers of times and times between: from words to values by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionllm_interaction.measures.language.run import query
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import ask
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules

HANDED = "count(hands_over(person, person, thing))"
BY_CAREGIVER = f"count(hands_over(caregiver, person, thing)) / {HANDED}"

# question, how the result is read, expression
READ: tuple[tuple[str, str, str], ...] = (
    ("What share of the hand-overs were initiated by the caregiver?", "portion", BY_CAREGIVER),
    ("Of all hand-overs, what proportion were made by the caregiver?", "portion", BY_CAREGIVER),
    (
        "Hvor stor andel av overrekkelsene gikk fra den voksne til barnet?",
        "portion",
        f"count(hands_over(caregiver, child, thing)) / {HANDED}",
    ),
    (
        "Kor stor del av overrekkingane gjaldt ballen?",
        "portion",
        f"count(hands_over(person, person, ball)) / {HANDED}",
    ),
    (
        "What percentage of the child's pick-ups happened while the caregiver was near?",
        "portion",
        "count(picks_up(child, thing) & near(caregiver, child)) / count(picks_up(child, thing))",
    ),
    (
        "What is the ratio of pick-ups to put-downs for the child?",
        "ratio",
        "count(picks_up(child, thing)) / count(puts_down(child, thing))",
    ),
    (
        "What is the ratio of the child's holding time to the caregiver's?",
        "ratio",
        "total(holding(child, thing)) / total(holding(caregiver, thing))",
    ),
    ("On average per video, how long was the ball visible?", "mean", "total(visible(ball)) by video"),
    ("Hvor lenge var ballen synlig i gjennomsnitt per video?", "mean", "total(visible(ball)) by video"),
    (
        "Kor ofte rørte barnet ballen i snitt per video?",
        "mean",
        "count(merged(in_contact(child, ball), 0.5s)) by video",
    ),
    ("What is the mean number of pick-ups per video?", "mean", "count(picks_up(person, thing)) by video"),
    (
        "How often did the child pick something up on average per child?",
        "mean",
        "count(picks_up(child, thing)) by child",
    ),
    ("Which toys did the child pick up more than once?", "list", "count(picks_up(child, $o)) > 1 by $o"),
    ("How many toys did the child pick up at least three times?", "number", "count(picks_up(child, $o)) > 2 by $o"),
    ("Hvilke leker tok barnet opp mer enn én gang?", "list", "count(picks_up(child, $o)) > 1 by $o"),
    ("Kva leiker tok barnet opp meir enn ein gong?", "list", "count(picks_up(child, $o)) > 1 by $o"),
    ("What was the shortest time between two pick-ups by the child?", "value", "min(pauses(picks_up(child, thing)))"),
    (
        "What is the standard deviation of the child's holding times?",
        "value",
        "sd(merged(holding(child, $o), 0.5s)) over $o",
    ),
    (
        "Was the child ever alone for more than 5 seconds?",
        "yes_no",
        "exists(longer_than(merged((visible(child) & !at_least(2, visible(person))), 0.5s), 5s))",
    ),
    (
        "How many objects were held by the child but not by the caregiver?",
        "number",
        "exists(holding(child, $o)) & !exists(holding(caregiver, $o)) by $o",
    ),
    (
        "Hvor lang tid gikk det fra den voksne forlot rommet til hun kom tilbake?",
        "value",
        "median(latency(leaves(caregiver) -> (enters(caregiver) & since(first(leaves(caregiver))))))",
    ),
    (
        "How many seconds did the child spend within reach of the caregiver without touching her?",
        "value",
        "total(near(child, caregiver) & !in_contact(child, caregiver))",
    ),
    (
        "does the kid hold anything when mom isn't there?",
        "yes_no",
        "exists(holding(child, thing) & !visible(caregiver))",
    ),
    ("How many hand-overs from caregiver to child were there?", "value", "count(hands_over(caregiver, child, thing))"),
    (
        "Who picked up the ball while mom was there?",
        "list",
        "exists(picks_up($p, ball) & visible(caregiver)) by $p in person",
    ),
    ("is there a video where the kid never holds the ball?", "none", "exists(holding(child, ball)) by video"),
    ("Hvor mye av tiden var det noen som holdt boka?", "value", "share(holding(person, book))"),
    (
        "How often did the child hand a toy to the caregiver within 10 seconds of receiving one?",
        "value",
        "count(hands_over(child, caregiver, thing) & padded(hands_over(person, child, thing), 0s, 10s))",
    ),
    ("Until what time can the cup be seen?", "value", "last_seen(cup)"),
    ("Til når holdt barnet ballen?", "value", "last_time(merged(holding(child, ball), 0.5s))"),
    (
        "How many different toys did the child hold on average per video?",
        "mean",
        "how_many(exists(holding(child, $o)) by $o) by video",
    ),
    (
        "Hvor mange ulike leker holdt barnet i gjennomsnitt per video?",
        "mean",
        "how_many(exists(holding(child, $o)) by $o) by video",
    ),
    # each time: the mean of the times, and not of videos
    (
        "On average, how long did the child hold the ball each time?",
        "value",
        "mean(merged(holding(child, ball), 0.5s))",
    ),
    (
        "Hvor lenge holdt barnet ballen i gjennomsnitt hver gang?",
        "value",
        "mean(merged(holding(child, ball), 0.5s))",
    ),
    (
        "Without the caregiver near, how often did the child pick something up?",
        "value",
        "count(picks_up(child, thing) & !near(caregiver, child))",
    ),
    (
        "What share of the child's holding time was spent on the ball?",
        "value",
        "share(holding(child, ball), of=holding(child, thing))",
    ),
    # "last" is of the holding, and not of the leaving
    (
        "What was the last toy the child held before the caregiver left?",
        "last",
        "last_time(merged(holding(child, $o) & before(first(leaves(caregiver))), 0.5s)) by $o in thing",
    ),
    (
        "What was the first toy that the child held after the caregiver came in?",
        "first",
        "first_time(merged(holding(child, $o) & since(first(enters(caregiver))), 0.5s)) by $o in thing",
    ),
    # in a video there is always a moment without
    ("In which videos did the caregiver not hold the book?", "none", "exists(holding(caregiver, book)) by video"),
    ("I hvilke videoer holdt ikke den voksne boka?", "none", "exists(holding(caregiver, book)) by video"),
    ("In which video did the child not hold anything the longest?", "most", "total(!holding(child, thing)) by video"),
    # one bout, and not all of them together
    (
        "Which video has the longest holding bout?",
        "most",
        "longest(merged(holding(person, $o), 0.5s)) over $o by video",
    ),
    # it may be the ball again
    (
        "What did the child pick up right after putting down the ball?",
        "next",
        "first_time(picks_up(child, $o) & since(first(puts_down(child, ball)))) by $o in thing",
    ),
    # who comes back was there before: a first entry is no return
    ("When did the caregiver come back?", "value", "first_time((enters(caregiver) & since(first(leaves(caregiver)))))"),
    ("How often did the child return?", "value", "count((enters(child) & since(first(leaves(child)))))"),
)


@pytest.mark.parametrize(("question", "reading", "expression"), READ, ids=[row[0] for row in READ])
def test_what_is_asked(vocabulary: Vocabulary, question: str, reading: str, expression: str) -> None:
    plan = plan_by_rules(question, vocabulary)
    assert [(step.reading, step.expression) for step in plan.expressions] == [(reading, expression)], plan


@pytest.mark.parametrize(
    "question",
    [
        "In the first half, what share of the pick-ups were by the child?",  # of both, or of the part?
        "What share of the toys did the child hold?",
        "How many toys did the child hold on average per video?",  # different ones, or each time?
        "How often did the child pick something up per child?",  # on average?
        "What is the ratio of the child to the caregiver?",
        "What is the ratio of pick-ups to the child's holding time?",
    ],
)
def test_what_may_mean_two_things_is_not_guessed(vocabulary: Vocabulary, question: str) -> None:
    assert plan_by_rules(question, vocabulary).unanswerable, question


def _said(answer: Answer) -> list[tuple[object, str]]:
    return [(claim.value, claim.unit) for claim in answer.claims]


class TestValues:
    """On the videos that were made by hand: the ball is visible for 10 s and for 2 s."""

    def test_a_mean_over_videos_stands_before_its_values(self, two_videos: Path) -> None:
        answer = ask("On average per video, how long was the ball visible?", two_videos)
        assert _said(answer) == [(6.0, "s"), (10.0, "s"), (2.0, "s")]
        assert answer.claims[0].text.startswith("On average over 2 of 2 videos, the ball was in view for 6 s")
        assert len(answer.claims[0].evidence) == 2

    def test_until_when_is_said_in_words(self, two_videos: Path) -> None:
        answer = ask("Until when can the ball be seen?", two_videos)
        assert "the ball was last seen at 11.9 s" in str(answer)
        assert "`" not in str(answer)

    def test_a_ratio_says_both_numbers(self, two_videos: Path) -> None:
        """Held for 4.2 s, and in contact with the ball for 1.9 s."""
        answer = ask(
            "What is the ratio of the time that the child held something to the time that the child touched the ball?",
            two_videos,
        )
        assert answer.claims[0].value == pytest.approx(4.2 / 1.9)
        assert "4.2 s" in answer.claims[0].text
        assert "1.9 s" in answer.claims[0].text

    def test_no_child_is_set(self, two_videos: Path) -> None:
        answer = ask("How often did the child pick something up on average per child?", two_videos)
        assert answer.status == "abstained"
        assert "child" in (answer.reason or "")

    def test_a_share_of_nothing_is_no_number(self, two_videos: Path) -> None:
        answer = ask("What share of the hand-overs were initiated by the caregiver?", two_videos)
        assert all(claim.value is None for claim in answer.claims)

    def test_before_what_never_happens_nothing_is_counted(self, two_videos: Path) -> None:
        question = (
            "Before the caregiver first had the cup in hand, on how many occasions was the caregiver close to the cup?"
        )
        answer = ask(question, two_videos)
        assert answer.status == "abstained"
        assert "never" in (answer.reason or "")

    def test_at_a_moment_that_never_comes_there_is_no_no(self, two_videos: Path) -> None:
        answer = ask("Var den voksne synlig da barnet la ned boka?", two_videos)
        assert answer.status == "abstained", answer
        assert "aldri" in (answer.reason or "")

    def test_bouts_of_holding_anything_are_of_one_object(self, two_videos: Path) -> None:
        """Three bouts: 0.7 s of the book, 1 s and 2.5 s of the cup."""
        for question in (
            "What's the average time the child holds a toy?",
            "How long does the child hold a toy on average?",
        ):
            assert ask(question, two_videos).claims[0].value == pytest.approx(1.4), question


def test_times_between_moments(two_videos: Path) -> None:
    assert query("count(pauses(starts(merged(holding(child, cup), 0.5s))))", two_videos).rows[0].value == 1
    assert query("min(pauses(starts(merged(holding(child, cup), 0.5s))))", two_videos).rows[0].value == pytest.approx(
        2.0
    )
