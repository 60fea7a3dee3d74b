"""Mistakes in expressions: each error names the column and how to write it."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes_crowded import make_crowded_store

from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.parser import MAX_DEPTH, MAX_LENGTH, parse
from visionllm_interaction.measures.language.run import query

MISTAKES = [
    ("", 1, "write an expression, such as total(visible(child))"),
    ("child", 1, "write visible(child)"),
    ('"child" in video a', 1, "write visible(child)"),
    ("$x by $x", 1, "write visible($x)"),
    ("processed", 1, "write processed()"),
    ("top(3, child by $o)", 8, "write visible(child)"),
    ("total(visible(child)", 21, "add ) at the end"),
    ("total(visible(child)))", 22, "remove the bracket that closes nothing"),
    ("total(visible child)", 15, "put what visible is about in brackets: visible(…)"),
    ("total(visble(child))", 7, "did you mean visible?"),
    ("totl(visible(child))", 1, "did you mean total?"),
    ("total visible(child)", 7, "put what total is about in brackets: total(…)"),
    ("total()", 1, "write total(a)"),
    ("total(visible(child), near(child))", 1, "write total(a)"),
    ("total(child)", 7, "write visible(child)"),
    ("total(processed)", 7, "write processed()"),
    ("total(3)", 7, "write a stream, such as visible(child)"),
    ("total(3s)", 7, "write a stream, such as visible(child)"),
    ('count("child")', 7, "write visible(child)"),
    ("share(visible(child), off=visible(caregiver))", 27, "write share(a, of=processed())"),
    ("share(visible(child), of=3s)", 26, "write a stream, such as visible(child)"),
    ("visible(child) &", 17, "write what is missing after the last sign"),
    ("visible(child) & & visible(ball)", 18, "write an expression before '&', or remove it"),
    ("& visible(child)", 1, "write an expression before '&', or remove it"),
    ("visible(child) | total(visible(child))", 18, "write a stream, such as visible(child)"),
    ("total(visible(child)) + count(visible(child))", 1, "compare or add values of one unit"),
    ("total(visible(child)) > 3", 1, "write 3s for seconds"),
    ("total(visible(child)) > visible(child)", 25, "write total(visible(child)) or count(visible(child))"),
    ("picks_up(child) & puts_down(child)", 1, "write within(a, b, 1s): those of a that are near one of b"),
    ("picks_up(child) | visible(child)", 1, "write starts(…) around intervals, or padded(…, 1s) around moments"),
    ("merged(visible(child), 3)", 24, "write 3s"),
    ("merged(visible(child), 50%)", 24, "write a time in seconds, such as 3s"),
    ("merged(picks_up(child), 1s)", 8, "write padded(picks_up(child), 1s) for the time around them"),
    ("longer_than(visible(child))", 1, "write longer_than(a, length)"),
    ("mean(picks_up(child))", 1, "write mean(pauses(a)) for the times between moments"),
    ("mean(visible(child), during=near(child))", 1, "write mean(during(a, b))"),
    ("latency(picks_up(child), puts_down(child))", 1, "write latency(puts_down(caregiver) -> picks_up(child))"),
    ("latency(picks_up(child) -> )", 28, "write an argument before ')', or remove it"),
    (
        "latency(picks_up(child) -> picks_up(child))",
        9,
        "for the time between one and the next of the same stream write pauses(a)",
    ),
    ("prob(near(child), within=3s)", 1, "write prob(b, within=3s, after=a)"),
    ("prob(near(child), after=picks_up(child), within=3)", 49, "write 3s"),
    ("holds(visible(child))", 1, "write holds(near(child, caregiver), at=12.5s)"),
    ("holds(visible(child), at=near(child))", 26, "write a time, such as 12.5s or 50% here"),
    ("top(3, total(holding(child, $o)))", 8, "write top(3, total(holding(child, $o)) by $o)"),
    ("top(total(holding(child, $o)) by $o)", 1, "write top(3, total(holding(child, $o)) by $o)"),
    ("top(2.5, total(holding(child, $o)) by $o)", 5, "write a whole number, such as 2"),
    ("total(holding(child, $o))", 22, "add by $o (a value for each name) or over $o (all names together)"),
    ("total(holding(child, $o)) by $p", 1, "write $p in the expression, or leave it out of by and over"),
    ("total(holding(child, ball)) by bin(0s)", 36, "write by bin(60s)"),
    ("total(holding(child, ball)) by bin(10)", 36, "write by bin(60s)"),
    ("total(holding(child, ball)) by vidoe", 32, "did you mean video?"),
    ("total(holding(child, ball)) in vidoe 2", 32, "did you mean video?"),
    ("total(holding(chld, ball))", 15, "did you mean 'child'?"),
    (
        "total(holding(child, teddy bear))",
        28,
        'put a sign (&, |, a comma) between the two, or quotes around a name of two words: "teddy bear"',
    ),
    ("total(holding(child, 'ball'))", 22, 'write texts in double quotes: "teddy bear"'),
    ('total(holding(child, "ball))', 22, "close the quotes"),
    (
        "total(holding(child, ball)) = 3s",
        29,
        "compare with == ; a single = names an argument inside the brackets of a function",
    ),
    ("at_least(2, visible(child) & near(child))", 13, "write at_least(2, visible(person)) & … instead"),
    ("nth(visible(child), 1.5)", 21, "write a whole number, such as 2"),
    ("total(visible(child)) * total(visible(child))", 1, "multiply by a number, or divide one by the other"),
    ("!total(visible(child))", 2, "write a stream, such as visible(child)"),
    ("total(visible(child)) by video by", 34, "write what is missing after the last sign"),
    ("total(holding(child, $))", 22, "a variable is a $ and a word: $o"),
    ("near_duration(child)", 1, "write near_duration(subject, object)"),
    ("bout_count(child)", 12, "write bout_count(holding(child, child))"),
    ("1 + which(exists(holding(child, $o)) by $o)", 5, "compute which(…) as an expression of its own"),
    ('event("pick_up", child)', 7, "did you mean 'picks_up'?"),
    ("total(visible(child) # near)", 22, "replace '#' by & or ) or * or + or , or - or -> or /"),
    ("total(visible(child),)", 22, "write an argument before ')', or remove it"),
    ("rate(picks_up(child, $o), of=visible(child)) over $o", 30, "write thing or person in place of $o, or by $o"),
    ("share(holding(child, $o)) over $o", 1, "write by $o, or total(…)"),
    (
        "padded(visible(child), 1s 2s)",
        27,
        'put a sign (&, |, a comma) between the two, or quotes around a name of two words: "1s 2"',
    ),
    ("between(10s)", 1, "write between(begin, end)"),
    ("total(holding(child, ball) by $o)", 7, "move by, over and in video to the end of the expression"),
]


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_crowded_store(tmp_path_factory.mktemp("mistakes") / "store")


@pytest.mark.parametrize(("expression", "column", "fix"), MISTAKES, ids=[text or "empty" for text, _, _ in MISTAKES])
def test_a_mistake_is_refused_with_its_column_and_a_remedy(
    crowded: Path, expression: str, column: int, fix: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        query(expression, crowded)
    error = caught.value
    assert (error.column, error.fix) == (column, fix)
    assert error.where == f"column {column}" and error.to_dict()["code"] == "EXPRESSION" and error.exit_code == 2
    assert error.message.endswith(".") and (error.expected or error.found)


def test_there_are_fifty_of_them() -> None:
    assert len({text for text, _, _ in MISTAKES}) >= 50


@pytest.mark.parametrize("text", ["(" * (MAX_DEPTH + 1), "total(visible(child)) " * MAX_LENGTH])
def test_endless_expressions_are_refused_at_once(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"too (deeply|long)"):
        parse(text)
