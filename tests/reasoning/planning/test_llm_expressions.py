"""A language model writes expressions: what it writes is checked, sent back, computed and replayed like any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted import last_text, scripted

from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.reasoning import Answer, EndpointConfig, ReasonConfig, ask
from visionllm_interaction.reasoning.answer_expressions import explain
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.expressions.expression_as_answer import checked_expression, step_of
from visionllm_interaction.reasoning.planning.expressions.prompt import (
    NO_EXPRESSION,
    expression_examples,
    expression_instructions,
    expression_request,
)
from visionllm_interaction.reasoning.recheck_answer import replay

# Neither a fixed form nor read word by word.
UNREAD = "Seconds with the ball on screen but not the book?"
RIGHT = "total(visible(ball) & !visible(book))"
MOST_CHARACTERS = 7500
"""Of instructions and examples: about 2,300 tokens."""


def _asks_for_expression(body: dict[str, Any]) -> bool:
    return "expression" in json.dumps(body.get("response_format", {}))


def _ask(
    store: Path, question: str, write: Callable[[dict[str, Any]], str], planner: Any = "llm"
) -> tuple[Answer, list[dict[str, Any]]]:
    def script(body: dict[str, Any]) -> str:
        if _asks_for_expression(body):
            return json.dumps({"expression": write(body)})
        none = {"subject": "none", "predicate": "none", "object": "none", "begin_s": None, "end_s": None}
        return json.dumps({"measure": "unanswerable", **none})

    with scripted(script) as endpoint:
        config = ReasonConfig(endpoint=EndpointConfig(base_url=endpoint.url, model="m", timeout_s=20.0))
        answer = ask(question, store, config=config, planner=planner)
    return answer, [body for body in endpoint.requests if _asks_for_expression(body)]


def test_what_the_model_writes_is_computed_explained_and_replayed(one_video: Path) -> None:
    answer, requests = _ask(one_video, UNREAD, lambda _: RIGHT)
    assert answer.status == "answered"
    assert (answer.planner, answer.model) == ("llm", "m")
    assert len(requests) == 1
    assert [step.expression for step in explain(answer.plan)] == [RIGHT]
    assert replay(answer, one_video).status == "holds"


def test_mistakes_of_syntax_and_type_go_back_to_the_model(one_video: Path) -> None:
    written = iter(("total(visible(ball", "total(visible(ball)) & !visible(book)", RIGHT))
    answer, requests = _ask(one_video, UNREAD, lambda _: next(written))
    assert answer.plan.expressions[0].expression == RIGHT
    assert len(requests) == 3
    assert "column" in last_text(requests[1])
    assert "does not fit" in last_text(requests[2])


# question, what a lying model writes
LIES = (
    (UNREAD, "total(visible(ball))"),
    (UNREAD, "total(visible(book) & !visible(child))"),
    (UNREAD, "count(visible(ball) & !visible(book))"),
    ("Time during which the child carried the ball upside down?", "total(holding(child, ball))"),
    ("Seconds of the caregiver lugging the cup while the child, near, held the ball?",
     "total(holding(child, cup) & holding(caregiver, ball))"),
    ("Tell me the share of the video in which the child and the ball are side by side, but only the first half",
     "share(near(child, ball))"),
    ("Seconds with the ball on screen but not the book after 5 s?", RIGHT),
)  # fmt: skip


@pytest.mark.parametrize(("question", "lie"), LIES)
def test_what_the_question_does_not_say_is_refused(one_video: Path, question: str, lie: str) -> None:
    answer, _ = _ask(one_video, question, lambda _: lie)
    assert lie not in [step.expression for step in answer.plan.expressions]


@pytest.mark.parametrize("question", ["Was the child glad of the ball?", "Seconds with the piano on screen?"])
def test_what_is_nowhere_in_the_store_is_not_asked(one_video: Path, question: str) -> None:
    answer, requests = _ask(one_video, question, lambda _: "total(visible(child))")
    assert answer.status == "abstained"
    assert requests == []


def test_by_default_the_model_is_asked_only_what_the_rules_do_not_read(one_video: Path) -> None:
    read, requests = _ask(one_video, "How long did the child hold the ball?", lambda _: RIGHT, planner=None)
    assert (read.planner, requests) == ("rules", [])
    unread, requests = _ask(one_video, UNREAD, lambda _: RIGHT, planner=None)
    assert unread.planner == "llm"
    assert len(requests) == 1


def test_every_example_is_an_expression_that_gives_a_value(vocabulary: Vocabulary) -> None:
    examples = expression_examples(vocabulary)
    for example in examples:
        if example.expression != NO_EXPRESSION:
            checked_expression(parse(example.expression))
    prompt = expression_instructions(vocabulary)
    prompt += "".join(expression_request(e.question, vocabulary) + e.expression for e in examples)
    assert len(prompt) < MOST_CHARACTERS


@pytest.mark.parametrize(
    ("expression", "reading", "core"),
    [
        ("top(2, total(holding(child, $o)) by $o)", "most", "total(holding(child, $o)) by $o"),
        ("bottom(1, first_time(picks_up(child, $o)) by $o)", "first", "first_time(picks_up(child, $o)) by $o"),
        ("which(!exists(holding(child, $o)) by $o)", "none", "exists(holding(child, $o)) by $o"),
        ("how_many(exists(holding(child, $o)) by $o)", "number", "exists(holding(child, $o)) by $o"),
        ("total(visible(ball)) > total(visible(cup))", "more", "total(visible(ball))"),
        ("total(visible(ball)) > 3s", "exceeds", "total(visible(ball))"),
        ("holds(visible(ball), at=3s)", "holds", "holds(visible(ball), at=3s)"),
        ("exists(visible(ball))", "yes_no", "exists(visible(ball))"),
    ],
)
def test_the_form_of_an_expression_says_how_it_is_read(expression: str, reading: str, core: str) -> None:
    step = step_of(parse(expression), video_id=None, language="en")
    assert (step.reading, step.expression) == (reading, core)
