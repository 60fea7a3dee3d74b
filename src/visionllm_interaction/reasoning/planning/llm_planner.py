"""The llm planner: a language model behind an OpenAI-compatible endpoint chooses the query; it computes nothing.

The model reads the question, the catalogue and the names of the store, but no images and no results. Its reply is
constrained to a JSON schema and then checked against the words of the question (:mod:`.plan_against_words`). Code
removes clauses, time windows and videos from the question before, and decides how the values are combined.
"""

from __future__ import annotations

import json

from msgspec.structs import replace

from visionllm_interaction.reasoning.answers import Usage
from visionllm_interaction.reasoning.async_bridge import run_sync
from visionllm_interaction.reasoning.config import EndpointConfig
from visionllm_interaction.reasoning.language.references import resolve_it
from visionllm_interaction.reasoning.language.time_expressions import Window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.llm_client import REPLIES_FAILED, Request, RequestRecord, ask_model, sum_usage
from visionllm_interaction.reasoning.planning.capabilities import DEFAULT_PREDICATE
from visionllm_interaction.reasoning.planning.intent import Intent, read_intent
from visionllm_interaction.reasoning.planning.lexical_evidence import (
    leaves_object_open,
    supported_measures,
    supported_predicates,
    unknown_object,
)
from visionllm_interaction.reasoning.planning.llm_output_schema import (
    NO_MEASURE,
    LLMQuery,
    llm_query_model,
    llm_query_to_plan,
)
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.planning.plan_against_words import (
    ONE_NAME_ONLY,
    RELATIONAL,
    UNSUPPORTED,
    compared_measures,
    fitting_measures,
    has_numbers,
    measures_of,
    objections,
    said_predicates,
)
from visionllm_interaction.reasoning.planning.plan_builder import QuestionScope
from visionllm_interaction.reasoning.planning.prompts import examples, instructions, user_prompt
from visionllm_interaction.reasoning.planning.rule_planner import (
    TrimmedQuestion,
    explain_unknown,
    extract_clauses,
    extract_scope,
    plan_by_rules,
    plan_of_codes,
    split_at_and,
    unreadable_clause,
    why_unanswerable,
)
from visionllm_interaction.reasoning.planning.unanswerable import THRESHOLD, outside_model


def plan_by_llm(question: str, vocabulary: Vocabulary, *, config: EndpointConfig) -> tuple[Plan, Usage]:
    """As :func:`plan_by_llm_async`; blocks, also where an event loop runs."""
    return run_sync(plan_by_llm_async(question, vocabulary, config=config))


async def plan_by_llm_async(question: str, vocabulary: Vocabulary, *, config: EndpointConfig) -> tuple[Plan, Usage]:
    """Plan with a language model; the plan must also be one that the question's own words allow.

    Args:
        question: one question in plain words.
        vocabulary: the names the question may be about.
        config: the endpoint.

    Returns:
        The plan, or a refusal with its reason; and what it cost.

    Raises:
        LLMUnreachable: the endpoint cannot be reached, refuses, does not answer in time or speaks another protocol.
    """
    if not vocabulary.names:
        return Plan.refuse("the store holds no detected objects to ask about"), Usage()
    by_words = plan_by_rules(question, vocabulary)
    if by_words.expressions:
        # What the words of the question say without doubt needs no model, and no model says it better.
        return by_words, Usage()
    of_codes = plan_of_codes(question, vocabulary)
    if of_codes:
        return of_codes, Usage()
    before, after = next(split_at_and(question), (question, ""))
    plan, cost = await _one_part(before, vocabulary, config=config)
    if plan.unanswerable:
        if cost.requests and plan.unanswerable.startswith(REPLIES_FAILED):
            # A model whose corrected replies still fail is not asked for more.
            return plan, cost
        return await _or_expression(question, plan, cost, vocabulary, config=config)
    if not after:
        return plan, cost
    second, more = await plan_by_llm_async(resolve_it(plan, after), vocabulary, config=config)
    if second.unanswerable or second.expressions:
        # An expression is a plan of its own, and no part of a chain of steps.
        reason = second.unanswerable or "of its two questions ask each one alone"
        return await _or_expression(question, Plan.refuse(reason), sum_usage(cost, more), vocabulary, config=config)
    return plan.model_copy(update={"also": second}), sum_usage(cost, more)


async def _or_expression(
    question: str, refused: Plan, cost: Usage, vocabulary: Vocabulary, *, config: EndpointConfig
) -> tuple[Plan, Usage]:
    """An expression that the model writes for a question which no plan of steps can say; else the first refusal."""
    # Imported here: a question of a fixed form needs neither the grammar's word lists nor the parser.
    from visionllm_interaction.reasoning.planning.expressions.planner import plan_expression_by_llm

    plan, more = await plan_expression_by_llm(question, vocabulary, config=config)
    return (plan if plan is not None and plan.expressions else refused), sum_usage(cost, more)


async def _one_part(question: str, vocabulary: Vocabulary, *, config: EndpointConfig) -> tuple[Plan, Usage]:
    cut = extract_scope(question, vocabulary)
    if cut.refusal:
        return Plan.refuse(cut.refusal), Usage()
    shorter = _without_clauses(cut, vocabulary)
    text, intent = read_intent(shorter.text, vocabulary)
    intent = _narrow_intent(text, intent, vocabulary)
    refusal = _refusal_without_model(question, shorter, text, intent, vocabulary=vocabulary)
    if refusal:
        return Plan.refuse(refusal), Usage()
    spent = RequestRecord()
    query = await ask_model(
        _request(text, intent, vocabulary),
        llm_query_model(intent),
        config=config,
        spent=spent,
        check=lambda reply: _check(reply, text, intent, shorter.scope, vocabulary=vocabulary),
    )
    if query is None:
        return Plan.refuse(spent.refusal or NO_MEASURE), spent.total
    plan = _plan_of(query, text, intent, shorter.scope, vocabulary=vocabulary)
    if plan.unanswerable:
        plan = Plan.refuse(why_unanswerable(question, vocabulary) or plan.unanswerable)
    return plan, spent.total


def _narrow_intent(text: str, intent: Intent, vocabulary: Vocabulary) -> Intent:
    """``intent`` with only those measures and predicates that the words of the question allow."""
    measures = intent.measures
    if intent.combine == "each":
        measures = fitting_measures(text, measures)
    elif intent.combine in ("largest", "smallest", "precedes"):
        measures = compared_measures(text, measures)
    said = said_predicates(text)
    measures = supported_measures(text, measures_of(said, measures), vocabulary)
    return replace(intent, measures=measures, predicates=said or supported_predicates(text, vocabulary))


def _without_clauses(cut: TrimmedQuestion, vocabulary: Vocabulary) -> TrimmedQuestion:
    """The question without the clauses that code understands; the model reads what is left."""
    shorter = next(extract_clauses(cut, vocabulary), None)
    return cut if shorter is None else _without_clauses(shorter, vocabulary)


def _refusal_without_model(
    question: str, cut: TrimmedQuestion, text: str, intent: Intent, *, vocabulary: Vocabulary
) -> str | None:
    """Why the model is not asked: something in the question is in no plan; None if it is asked."""
    if intent.threshold is not None and intent.combine != "exceeds":
        return THRESHOLD
    refusal = unreadable_clause(cut.text, vocabulary) or outside_model(text, vocabulary.coded)
    if refusal is None and not intent.subjects:
        refusal = why_unanswerable(question, vocabulary) or NO_MEASURE
    if refusal is None:
        refusal = _unsupported(question, text, intent, vocabulary)
    return refusal


def _unsupported(question: str, text: str, intent: Intent, vocabulary: Vocabulary) -> str | None:
    """Why every plan that the schema allows would contradict the words of the question; None if one may not."""
    unknown = unknown_object(text, vocabulary)
    if unknown:
        return why_unanswerable(question, vocabulary) or explain_unknown(unknown, vocabulary)
    if not intent.measures:
        return why_unanswerable(question, vocabulary) or UNSUPPORTED
    alone = len({*intent.subjects, *intent.objects}) == 1 and not intent.over and not leaves_object_open(text)
    if alone and intent.measures <= RELATIONAL and DEFAULT_PREDICATE not in (intent.predicates or (DEFAULT_PREDICATE,)):
        return why_unanswerable(question, vocabulary) or ONE_NAME_ONLY
    return None


def _request(text: str, intent: Intent, vocabulary: Vocabulary) -> Request:
    worked = [
        # Compact, as models write it when a schema guides them.
        (user_prompt(e.question, vocabulary, wants=e.wants), json.dumps(dict(e.fields), separators=(",", ":")))
        for e in examples(vocabulary)
    ]
    return Request(instructions(vocabulary), user_prompt(text, vocabulary, wants=intent.words), worked)


def _check(query: LLMQuery, text: str, intent: Intent, scope: QuestionScope, *, vocabulary: Vocabulary) -> None:
    plan = _plan_of(query, text, intent, scope, vocabulary=vocabulary)
    problems = list(objections(text, plan, vocabulary, window=scope.window))
    if problems:
        raise ValueError("; ".join(problems))


def _plan_of(query: LLMQuery, text: str, intent: Intent, scope: QuestionScope, *, vocabulary: Vocabulary) -> Plan:
    fields = query.model_dump()
    if scope.window == Window() and has_numbers(text, vocabulary):
        # Times in a form that code does not know are the model's to read; the checks hold them against the question.
        scope = replace(scope, window=Window(fields["begin_s"] or None, fields["end_s"]))
    return llm_query_to_plan(fields, intent=intent, scope=scope, vocabulary=vocabulary)
