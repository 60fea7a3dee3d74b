"""The llm planner: a language model behind an OpenAI-compatible endpoint chooses the query; it computes nothing.

The model reads the question, the catalogue and the names of the store — no pictures, no results. Its reply is
constrained to a JSON schema and then held against the words of the question (:mod:`.reading`).
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

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
from visionllm_interaction.reason.config import EndpointConfig
from visionllm_interaction.reason.draft import Draft, draft_model, draft_to_plan
from visionllm_interaction.reason.grammar import normalise
from visionllm_interaction.reason.plan import Plan
from visionllm_interaction.reason.prompts import examples, instructions, user_prompt
from visionllm_interaction.reason.reading import objections, spoken_window
from visionllm_interaction.reason.rules import why_unanswerable
from visionllm_interaction.reason.videos import take_video, unknown_video
from visionllm_interaction.reason.vocabulary import Vocabulary

_NO_KEY = "none"
"""Sent as the key to endpoints that ask for none; the client insists on a value."""


@dataclass
class _Attempt:
    """What one question carries through the agent; ``plan`` and ``rejected`` are filled as replies come in."""

    question: str
    vocabulary: Vocabulary
    video_id: str | None
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
    text = normalise(question)
    rest, video_id = take_video(text, vocabulary.video_ids)
    missing = None if video_id else unknown_video(text, vocabulary.video_ids)
    if missing:
        return Plan.refuse(missing), Usage()
    attempt = _Attempt(rest if video_id else question, vocabulary, video_id)
    return asyncio.run(_plan(attempt, config)), _usage(attempt.usage)


async def _plan(attempt: _Attempt, config: EndpointConfig) -> Plan:
    try:
        async with AsyncOpenAI(base_url=config.base_url, api_key=_api_key(config), max_retries=0) as client:
            await _agent(client, attempt, config).run(
                user_prompt(attempt.question, attempt.vocabulary),
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
        output_type=NativeOutput(draft_model(attempt.vocabulary), template=False),
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
            draft.model_dump(), video_id=attempt.video_id, window=spoken_window(attempt.question, attempt.vocabulary)
        )
        problems = list(objections(attempt.question, plan, attempt.vocabulary))
        if plan.unanswerable:
            plan = Plan.refuse(why_unanswerable(attempt.question, attempt.vocabulary) or plan.unanswerable)
    except ValueError as error:
        problems = [str(error)]
    if problems:
        attempt.rejected = "; ".join(problems)
        raise ModelRetry(attempt.rejected)
    attempt.plan = plan
    return draft


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
    model = draft_model(vocabulary)
    messages: list[ModelMessage] = []
    for example in examples(vocabulary):
        reply = model.model_validate(example.fields).model_dump_json()
        messages.append(ModelRequest(parts=[UserPromptPart(content=user_prompt(example.question, vocabulary))]))
        messages.append(ModelResponse(parts=[TextPart(content=reply)]))
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
