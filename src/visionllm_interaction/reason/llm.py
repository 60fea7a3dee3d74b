"""The llm planner: a language model behind an OpenAI-compatible endpoint chooses the query; it computes nothing.

The model reads the question, the catalogue and the names of the store — no pictures, no results. Its reply is
constrained to a JSON schema and then held against the words of the question (:mod:`.reading`).
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field, replace

from openai import AsyncOpenAI
from pydantic_ai import Agent, ModelRetry, NativeOutput, RunContext
from pydantic_ai.exceptions import ModelAPIError, OutputTokenLimitExceeded, RunTimedOut, UnexpectedModelBehavior
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RunUsage

from visionllm_interaction.errors import LLMUnreachable
from visionllm_interaction.reason.answer import Usage
from visionllm_interaction.reason.building import Scope
from visionllm_interaction.reason.config import EndpointConfig
from visionllm_interaction.reason.draft import NO_MEASURE, Draft, draft_model, draft_to_plan
from visionllm_interaction.reason.intent import Intent, read_intent
from visionllm_interaction.reason.limits import THRESHOLD, outside_catalogue
from visionllm_interaction.reason.plan import Plan
from visionllm_interaction.reason.prompts import examples, instructions, user_prompt
from visionllm_interaction.reason.reading import has_numbers, objections
from visionllm_interaction.reason.rules import Cut, cut_clauses, cut_scope, unread_clause, why_unanswerable
from visionllm_interaction.reason.vocabulary import Vocabulary
from visionllm_interaction.reason.windows import Window

_NO_KEY = "none"
"""Sent as the key to endpoints that ask for none; the client insists on a value."""


@dataclass
class _Attempt:
    """What one question carries through the agent; ``plan`` and ``rejected`` are filled as replies come in."""

    question: str
    vocabulary: Vocabulary
    intent: Intent
    scope: Scope
    plan: Plan | None = None
    rejected: str | None = None
    usage: RunUsage = field(default_factory=RunUsage)


def plan_by_llm(question: str, vocabulary: Vocabulary, *, config: EndpointConfig) -> tuple[Plan, Usage]:
    """The plan that the model at ``config.base_url`` proposes and the question's own words allow, and its cost.

    Raises:
        LLMUnreachable: the endpoint cannot be reached, refuses, does not answer in time or speaks another protocol.
    """
    if not vocabulary.names:
        return Plan.refuse("the store holds no detected things to ask about"), Usage()
    cut = cut_scope(question, vocabulary)
    if cut.refusal:
        return Plan.refuse(cut.refusal), Usage()
    shorter = _without_clauses(cut, vocabulary)
    unread = unread_clause(shorter.text, vocabulary)
    if unread:
        return Plan.refuse(unread), Usage()
    text, intent = read_intent(shorter.text, vocabulary)
    reason = outside_catalogue(text)
    if reason:
        return Plan.refuse(reason), Usage()
    if intent.threshold is not None and intent.combine != "exceeds":
        return Plan.refuse(THRESHOLD), Usage()
    if not intent.subjects:
        return Plan.refuse(why_unanswerable(question, vocabulary) or NO_MEASURE), Usage()
    attempt = _Attempt(text, vocabulary, intent, shorter.scope)
    return asyncio.run(_plan(attempt, config)), _usage(attempt.usage)


def _without_clauses(cut: Cut, vocabulary: Vocabulary) -> Cut:
    """The question without the clauses that code can read; the model gets what is left."""
    shorter = next(cut_clauses(cut, vocabulary), None)
    return cut if shorter is None else _without_clauses(shorter, vocabulary)


async def _plan(attempt: _Attempt, config: EndpointConfig) -> Plan:
    try:
        async with AsyncOpenAI(base_url=config.base_url, api_key=_api_key(config), max_retries=0) as client:
            await _agent(client, attempt, config).run(
                user_prompt(attempt.question, attempt.vocabulary, wants=attempt.intent.words),
                deps=attempt,
                message_history=_history(attempt.vocabulary),
                usage=attempt.usage,
                timeout=config.timeout_s,
            )
    except (ModelAPIError, RunTimedOut) as error:
        raise _unreachable(config, str(error)) from error
    except OutputTokenLimitExceeded:
        return Plan.refuse(f"the model's reply did not end within {config.max_tokens} tokens")
    except UnexpectedModelBehavior as error:
        if not attempt.usage.requests:
            raise _unreachable(config, str(error)) from error
        return Plan.refuse(_why_rejected(attempt))
    return attempt.plan or Plan.refuse(_why_rejected(attempt))


def _agent(client: AsyncOpenAI, attempt: _Attempt, config: EndpointConfig) -> Agent[_Attempt, Draft]:
    profile = OpenAIModelProfile(
        supports_json_schema_output=True,
        openai_chat_supports_max_completion_tokens=config.max_completion_tokens,
    )
    provider = OpenAICompatibleProvider("endpoint", openai_client=client, profile=profile)
    agent = Agent(
        OpenAIChatModel(config.model or "", provider=provider),
        deps_type=_Attempt,
        output_type=NativeOutput(draft_model(attempt.intent), template=False),
        instructions=instructions(attempt.vocabulary),
        retries={"output": config.retries, "tools": 0},
        model_settings=_settings(config),
    )
    agent.output_validator(_check)
    return agent


def _check(context: RunContext[_Attempt], draft: Draft) -> Draft:
    """Take the draft as the plan, or send it back with what is wrong with it."""
    attempt = context.deps
    try:
        plan = draft_to_plan(
            draft.model_dump(),
            intent=attempt.intent,
            scope=_scope(attempt, draft),
            vocabulary=attempt.vocabulary,
        )
        problems = list(objections(attempt.question, plan, attempt.vocabulary, window=attempt.scope.window))
        if plan.unanswerable:
            plan = Plan.refuse(why_unanswerable(attempt.question, attempt.vocabulary) or plan.unanswerable)
    except ValueError as error:
        problems = [str(error)]
    if problems:
        attempt.rejected = "; ".join(problems)
        raise ModelRetry(attempt.rejected)
    attempt.plan = plan
    return draft


def _scope(attempt: _Attempt, draft: Draft) -> Scope:
    """The scope that code has read; times in a form that code does not know are the model's to read."""
    if attempt.scope.window != Window() or not has_numbers(attempt.question, attempt.vocabulary):
        return attempt.scope
    fields = draft.model_dump()
    return replace(attempt.scope, window=Window(fields["begin_s"] or None, fields["end_s"]))


def _settings(config: EndpointConfig) -> ModelSettings:
    return ModelSettings(
        temperature=config.temperature,
        seed=config.seed,
        max_tokens=config.max_tokens,
        timeout=config.timeout_s,
        framing_announcement="never",
    )


def _history(vocabulary: Vocabulary) -> list[ModelMessage]:
    """The worked examples as a conversation, so that an endpoint can keep the whole prefix in its cache."""
    messages: list[ModelMessage] = []
    for example in examples(vocabulary):
        prompt = user_prompt(example.question, vocabulary, wants=example.wants)
        messages.append(ModelRequest(parts=[UserPromptPart(content=prompt)]))
        # Compact, as models write it when a schema guides them.
        messages.append(
            ModelResponse(parts=[TextPart(content=json.dumps(dict(example.fields), separators=(",", ":")))])
        )
    return messages


def _api_key(config: EndpointConfig) -> str:
    return os.environ.get(config.api_key_env, _NO_KEY) if config.api_key_env else _NO_KEY


def _why_rejected(attempt: _Attempt) -> str:
    if attempt.rejected:
        return f"the model's plans contradict the question: {attempt.rejected}"
    return "the model's replies do not fit the schema of a plan"


def _usage(usage: RunUsage) -> Usage:
    return Usage(requests=usage.requests, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


def _unreachable(config: EndpointConfig, found: str) -> LLMUnreachable:
    return LLMUnreachable(
        "The language model endpoint does not answer",
        expected=f"an OpenAI-compatible endpoint that answers within {config.timeout_s:g} s",
        found=" ".join(found.split())[:300],
        where=f"{config.base_url} (reason.endpoint.base_url), model {config.model}",
        fix="start the endpoint or correct reason.endpoint in config/reason.yaml, or ask with --planner rules",
    )
