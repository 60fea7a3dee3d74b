"""A language model writes the plan as one expression of the language of quantities; code checks it, and computes it.

The reply is an object with one text, so that every endpoint that honours a JSON schema can be asked. What does not
parse, does not fit together or is not what the words of the question say goes back to the model with the mistake.
"""

from __future__ import annotations

import json

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.syntax_tree import Grouped
from visionllm_interaction.reasoning.answers import Usage
from visionllm_interaction.reasoning.config import EndpointConfig
from visionllm_interaction.reasoning.grammar.planner import Understood, tag_text
from visionllm_interaction.reasoning.grammar.refusals import unknown_names
from visionllm_interaction.reasoning.language.patterns import normalise
from visionllm_interaction.reasoning.language.references import extract_video, unknown_video
from visionllm_interaction.reasoning.language.subordinate_clauses import move_clause_to_end
from visionllm_interaction.reasoning.language.time_expressions import Window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.llm_client import Request, RequestRecord, ask_model
from visionllm_interaction.reasoning.planning.expressions.checks import (
    ExpressionQuestion,
    expression_objections,
    unexplained_words,
)
from visionllm_interaction.reasoning.planning.expressions.expression_as_answer import checked_expression, step_of
from visionllm_interaction.reasoning.planning.expressions.prompt import (
    NO_EXPRESSION,
    expression_examples,
    expression_instructions,
    expression_request,
)
from visionllm_interaction.reasoning.planning.lexical_evidence import unknown_object
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.planning.rule_planner import explain_unknown
from visionllm_interaction.reasoning.planning.unanswerable import outside_without_codes

NOTHING_WRITTEN = "the model found nothing in the language of quantities that the question asks for"
_LONGEST_REPLY = 400
_UNSUPPORTED_HEADS = frozenset({"describe", "video"})


class WrittenExpression(BaseModel):
    """What the model replies: an expression, or ``none``."""

    model_config = ConfigDict(extra="forbid")

    expression: str = Field(min_length=1, max_length=_LONGEST_REPLY)


class _Asked(Struct, frozen=True):
    """A question without its video, and what is known of it."""

    question: ExpressionQuestion
    sent: str
    video_id: str | None


async def plan_expression_by_llm(
    question: str, vocabulary: Vocabulary, *, config: EndpointConfig
) -> tuple[Plan | None, Usage]:
    """Plan with an expression that a language model writes.

    Args:
        question: one question in plain words.
        vocabulary: the names the question may be about.
        config: the endpoint.

    Returns:
        The plan, or a refusal with its reason, or None where the model is not asked because another reason to refuse
        is known to the caller; and what it cost.

    Raises:
        LLMUnreachable: the endpoint cannot be reached, refuses, does not answer in time or speaks another protocol.
    """
    asked = _asked(question, vocabulary)
    if asked is None:
        return None, Usage()
    refusal = _refusal_without_model(question, asked, vocabulary)
    if refusal is not None:
        return Plan.refuse(refusal), Usage()
    spent = RequestRecord()
    reply = await ask_model(
        _request(asked, vocabulary),
        WrittenExpression,
        config=config,
        spent=spent,
        check=lambda written: _check(written, asked),
    )
    if reply is None or _is_none(reply):
        return Plan.refuse(spent.refusal or NOTHING_WRITTEN), spent.total
    step = step_of(_parsed(reply), video_id=asked.video_id, language=asked.question.tagged.language)
    return Plan(expressions=(step,)), spent.total


def _asked(question: str, vocabulary: Vocabulary) -> _Asked | None:
    """The question in parts; None where it asks for something that is no single value of the language."""
    text = normalise(move_clause_to_end(question))
    rest, video_id = extract_video(text, vocabulary.video_ids)
    if video_id is None and unknown_video(text, vocabulary.video_ids):
        return None
    tagged, scope, at = tag_text(rest, video_id, vocabulary)
    if any(tag.is_("head", *_UNSUPPORTED_HEADS) for tag in tagged.tags):
        return None
    window = Window(scope.begin_s, scope.end_s)
    return _Asked(ExpressionQuestion(rest, tagged, window, vocabulary, at), rest, video_id)


def _refusal_without_model(question: str, asked: _Asked, vocabulary: Vocabulary) -> str | None:
    """Why the model is not asked: the question is about what is nowhere in the store; None if it is asked."""
    understood = Understood(None, asked.question.tagged)
    names = unknown_names(question, understood, vocabulary)
    unknown = names[0] if names else unknown_object(asked.question.text, vocabulary)
    outside = outside_without_codes(asked.question.text, vocabulary.coded)
    unread = next(unexplained_words(asked.question.tagged.unknown), None)
    if outside is None and unknown is None and unread is not None:
        return f"the word {unread!r} is not understood"
    return outside or (explain_unknown(unknown, vocabulary) if unknown else None)


def _request(asked: _Asked, vocabulary: Vocabulary) -> Request:
    worked = [
        (expression_request(example.question, vocabulary), _reply_text(example.expression))
        for example in expression_examples(vocabulary)
    ]
    return Request(expression_instructions(vocabulary), expression_request(asked.sent, vocabulary), worked)


def _reply_text(expression: str) -> str:
    """An example's reply: compact, as models write it when a schema guides them."""
    return json.dumps({"expression": expression}, separators=(",", ":"), ensure_ascii=False)


def _is_none(reply: WrittenExpression) -> bool:
    return reply.expression.strip().casefold() == NO_EXPRESSION


def _parsed(reply: WrittenExpression) -> Grouped:
    return parse(reply.expression.strip())


def _check(reply: WrittenExpression, asked: _Asked) -> None:
    """Raise ValueError, in words a model can act on, for an expression that must be corrected."""
    if _is_none(reply):
        return
    try:
        expression = _parsed(reply)
        checked_expression(expression)
    except ExpressionError as error:
        raise ValueError(_in_one_line(error)) from error
    objections = list(expression_objections(asked.question, expression))
    if objections:
        raise ValueError("; ".join(dict.fromkeys(objections)))


def _in_one_line(error: ExpressionError) -> str:
    parts = [error.message, f"column {error.column}"]
    parts += [f"expected {error.expected}"] if error.expected else []
    parts += [f"found {error.found}"] if error.found else []
    parts += [f"fix: {error.fix}"] if error.fix else []
    return "; ".join(parts)
