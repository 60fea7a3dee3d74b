"""Client of an OpenAI-compatible endpoint: one request, one schema, one reply; every failure has a named error."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, NativeOutput, RunContext
from pydantic_ai.exceptions import ModelAPIError, OutputTokenLimitExceeded, RunTimedOut, UnexpectedModelBehavior
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RunUsage

from visionllm_interaction.errors import LLMUnreachable
from visionllm_interaction.reasoning.answers import Usage
from visionllm_interaction.reasoning.config import EndpointConfig
from visionllm_interaction.utils.atomic_files import write_file

_NO_KEY = "none"
"""Sent as the key to endpoints that ask for none; the client insists on a value."""

REPLIES_FAILED = "the model's repl"
"""How the reasons begin where no reply passed the checks."""

Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True)
class Request:
    """What a model is asked.

    Attributes:
        instructions: the system prompt.
        content: the question, as text or as text and images.
        examples: worked examples as (question, reply).
        max_tokens: longest reply in tokens; None: ``max_tokens`` of the endpoint's settings.
    """

    instructions: str
    content: str | Sequence[UserContent]
    examples: Sequence[tuple[str, str]] = ()
    max_tokens: int | None = None


@dataclass
class RequestRecord:
    """What a request has cost so far, and why it has no reply; updated while it runs.

    Attributes:
        usage: requests and tokens.
        refusal: why there is no reply; None while there may be one.
    """

    usage: RunUsage = field(default_factory=RunUsage)
    refusal: str | None = None

    @property
    def total(self) -> Usage:
        """The cost in the form that answers carry."""
        return Usage(
            requests=self.usage.requests,
            input_tokens=self.usage.input_tokens,
            output_tokens=self.usage.output_tokens,
        )


async def ask_model(
    request: Request,
    output: type[Reply],
    *,
    config: EndpointConfig,
    spent: RequestRecord,
    check: Callable[[Reply], None] = lambda _: None,
) -> Reply | None:
    """Send one request and validate the reply.

    A busy or failing endpoint (429, 5xx, a cut connection) is tried again as long as ``config.timeout_s`` allows.

    Args:
        request: instructions, examples and the question.
        output: model whose JSON schema the reply must follow.
        config: the endpoint.
        spent: updated with the cost, and with the reason where there is no reply.
        check: raises ValueError, in words a model can act on, for a reply that must be corrected. It is sent back at
            most ``config.retries`` times.

    Returns:
        The reply, or None with the reason in ``spent.refusal``.

    Raises:
        LLMUnreachable: the endpoint cannot be reached, refuses, does not answer in time or speaks another protocol.
    """
    cache = _ReplyCache.of(request, output, config)
    reply = cache.read(output, check)
    if reply is None:
        reply = await _ask(request, output, config, spent, check)
        cache.write(reply)
    return reply


@dataclass(frozen=True)
class _ReplyCache:
    """The file with the reply to exactly this request; ``path`` is None where replies are not cached."""

    path: Path | None

    @classmethod
    def of(cls, request: Request, output: type[BaseModel], config: EndpointConfig) -> _ReplyCache:
        if config.cache_dir is None:
            return cls(None)
        content = request.content if isinstance(request.content, str) else [_content_digest(c) for c in request.content]
        sent = [
            request.instructions,
            [list(example) for example in request.examples],
            content,
            output.model_json_schema(),
            [config.base_url, config.model, config.temperature, config.seed],
        ]
        digest = hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()
        return cls(config.cache_dir / f"{digest}.json")

    def read(self, output: type[Reply], check: Callable[[Reply], None]) -> Reply | None:
        """The cached reply if it is there and passes ``check``, else None."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            reply = output.model_validate_json(self.path.read_text(encoding="utf-8"))
            check(reply)
        except (OSError, ValueError):
            return None
        return reply

    def write(self, reply: BaseModel | None) -> None:
        if self.path is None or reply is None:
            return
        write_file(self.path, reply.model_dump_json().encode())


def _content_digest(content: UserContent) -> str:
    if isinstance(content, BinaryContent):
        return hashlib.sha256(content.data).hexdigest()
    return str(content)


async def _ask(
    request: Request,
    output: type[Reply],
    config: EndpointConfig,
    spent: RequestRecord,
    check: Callable[[Reply], None],
) -> Reply | None:
    rejected: list[str] = []

    def checked(_: RunContext[None], reply: Reply) -> Reply:
        try:
            check(reply)
        except ValueError as error:
            rejected.append(str(error))
            raise ModelRetry(str(error)) from error
        return reply

    try:
        async with AsyncOpenAI(
            base_url=config.base_url, api_key=_api_key(config), max_retries=config.connection_retries
        ) as client:
            agent = _agent(client, request, output, config)
            agent.output_validator(checked)
            result = await agent.run(
                request.content,
                message_history=_history(request.examples),
                usage=spent.usage,
                timeout=config.timeout_s,
            )
            return result.output
    except (ModelAPIError, RunTimedOut) as error:
        raise _unreachable(config, str(error)) from error
    except OutputTokenLimitExceeded:
        spent.refusal = f"the model's reply did not end within {request.max_tokens or config.max_tokens} tokens"
    except UnexpectedModelBehavior as error:
        if not spent.usage.requests:
            raise _unreachable(config, str(error)) from error
        spent.refusal = (
            f"the model's replies contradict the question: {rejected[-1]}"
            if rejected
            else "the model's replies do not fit the schema"
        )
    return None


def _agent(client: AsyncOpenAI, request: Request, output: type[Reply], config: EndpointConfig) -> Agent[None, Reply]:
    profile = OpenAIModelProfile(
        supports_json_schema_output=True,
        openai_chat_supports_max_completion_tokens=config.max_completion_tokens,
    )
    provider = OpenAICompatibleProvider("endpoint", openai_client=client, profile=profile)
    settings = ModelSettings(
        temperature=config.temperature,
        seed=config.seed,
        max_tokens=request.max_tokens or config.max_tokens,
        timeout=config.timeout_s,
        framing_announcement="never",
    )
    agent: Agent[None, Reply] = Agent(
        OpenAIChatModel(config.model or "", provider=provider),
        output_type=NativeOutput(output, template=False),
        instructions=request.instructions,
        retries={"output": config.retries, "tools": 0},
        model_settings=settings,
    )
    return agent


def _history(examples: Sequence[tuple[str, str]]) -> list[ModelMessage]:
    """The worked examples as a conversation, so that an endpoint can keep the whole prefix in its cache."""
    messages: list[ModelMessage] = []
    for question, reply in examples:
        messages.append(ModelRequest(parts=[UserPromptPart(content=question)]))
        messages.append(ModelResponse(parts=[TextPart(content=reply)]))
    return messages


def _api_key(config: EndpointConfig) -> str:
    return os.environ.get(config.api_key_env, _NO_KEY) if config.api_key_env else _NO_KEY


def _unreachable(config: EndpointConfig, found: str) -> LLMUnreachable:
    return LLMUnreachable(
        "The language model endpoint does not answer",
        expected=f"an OpenAI-compatible endpoint that answers within {config.timeout_s:g} s",
        found=" ".join(found.split())[:300],
        where=f"{config.base_url} (reason.endpoint.base_url), model {config.model}",
        fix="start the endpoint or correct reason.endpoint in config/reason.yaml, or ask with --planner rules",
    )


def sum_usage(*parts: Usage) -> Usage:
    """The sum of several costs."""
    totals: dict[str, Any] = {
        name: sum(getattr(part, name) for part in parts) for name in ("requests", "input_tokens", "output_tokens")
    }
    return Usage(**totals)
