"""Sentences for expressions: what they say is what was computed, also of denials, lengths and overlaps."""

from __future__ import annotations

import pytest

from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.reasoning.grammar.lexicon import Language
from visionllm_interaction.reasoning.wording.expression_words import load_words
from visionllm_interaction.reasoning.wording.value_sentences import (
    Value,
    core,
    nth_clause,
    value_sentence,
    yes_no_sentence,
)

NOT_HELD = "merged(!holding(person, thing), 0.5s)"
EMPTY = "merged(!holding(child, thing), 0.5s)"


@pytest.mark.parametrize(
    ("expression", "yes", "no"),
    [
        (
            f"exists(longer_than({NOT_HELD}, 5s))",
            "yes: for longer than 5 s it was so that nobody held anything",
            "no: it was never so for longer than 5 s that nobody held anything",
        ),
        (
            f"exists(({EMPTY} & !shorter_than({EMPTY}, 10s)))",
            "yes: for at least 10 s it was so that the child did not hold anything",
            "no: it was never so for at least 10 s that the child did not hold anything",
        ),
        (
            "exists(longer_than(merged(holding(child, ball), 0.5s), 5s))",
            "yes: the child held the ball for longer than 5 s",
            "no: the child never held the ball for longer than 5 s",
        ),
    ],
)
def test_what_is_not_so_for_some_time(expression: str, yes: str, no: str) -> None:
    node = core(parse(expression))
    said = [yes_no_sentence(node, holds, load_words("en")) for holds in (True, False)]
    assert said == [yes, no]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "the child held the ball while the caregiver was near the child for 25 % of all the time"),
        ("nb", "barnet holdt ballen mens den voksne var nær barnet i 25 % av hele tiden"),
        ("nn", "barnet heldt ballen medan den vaksne var nær barnet i 25 % av heile tida"),
    ],
)
def test_a_share_of_all_the_time_is_said_to_be_one(language: Language, said: str) -> None:
    expression = parse("share(holding(child, ball) & near(caregiver, child))")
    assert value_sentence(expression, Value(0.25, "share"), load_words(language)) == said


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ("overlapping(holding(child, ball), visible(caregiver))", ", during some of which the caregiver was in view"),
        ("during(holding(child, ball), visible(caregiver))", ", all of it while the caregiver was in view"),
        ("holding(child, ball) & !shorter_than(holding(child, ball), 3s)", " for at least 3 s"),
        ("holding(child, ball) & !longer_than(holding(child, ball), 3s)", " for at most 3 s"),
        ("holding(child, ball) & padded(ends(between(0%, 100%)), 10s, 0s)", " in the last 10 s"),
    ],
)  # fmt: skip
def test_no_limit_is_left_unsaid(stream: str, said: str) -> None:
    text = value_sentence(parse(f"count({stream})"), Value(2, "count"), load_words("en"))
    assert text == f"the child held the ball 2 times{said}"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (
            "first_time(picks_up(child, $o) & since(nth(picks_up(child, thing), 2))) by $o",
            ("the child picked up …", "2"),
        ),
        # What comes after the second hand-over is not the second of its kind.
        ("first_time(picks_up(child, $o) & since(nth(hands_over(person, child, thing), 2))) by $o", None),
        ("first_time(picks_up(child, $o) & since(nth(picks_up(caregiver, thing), 2))) by $o", None),
        ("first_time(picks_up(child, $o) & since(first(picks_up(child, ball)))) by $o", None),
    ],
)
def test_the_second_of_all_is_told_from_what_comes_after(expression: str, said: tuple[str, str] | None) -> None:
    assert nth_clause(core(parse(expression)), load_words("en")) == said


def test_what_never_fails_to_hold_is_not_said_to_hold_somewhere() -> None:
    text = value_sentence(parse("total(!near(child, caregiver) & between(0s, 5s))"), Value(0.0, "s"), load_words("en"))
    assert text == "it was never so that the child was not near the caregiver before 5 s"
