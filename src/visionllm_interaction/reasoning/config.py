"""Settings of question answering."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from visionllm_interaction.config_loading import Section


class EndpointConfig(Section):
    """An OpenAI-compatible language model endpoint; none is assumed."""

    base_url: str | None = None
    """Address of the endpoint, for example `http://127.0.0.1:8081/v1`; null means that no model is used."""
    model: str | None = None
    """Name of the model as the endpoint knows it; needed when `base_url` is set."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the API key; null for endpoints that need none."""
    timeout_s: float = Field(default=120.0, gt=0, le=3600)
    """Longest wait for one question in seconds, retries included."""
    max_tokens: int = Field(default=200, ge=32, le=4096)
    """Longest reply in tokens; a plan needs about 60."""
    max_words_tokens: int = Field(default=1200, ge=64, le=8192)
    """Longest reply in tokens where the model words the claims (`reason.wording: llm`)."""
    max_completion_tokens: bool = False
    """Send the limit as `max_completion_tokens`, as some cloud models insist, and not as `max_tokens`."""
    retries: int = Field(default=2, ge=0, le=5)
    """How often a reply that breaks the schema or contradicts the question is sent back for correction."""
    cache_dir: Path | None = None
    """Folder in which replies are kept by the digest of everything the model was sent; null keeps none."""
    connection_retries: int = Field(default=2, ge=0, le=10)
    """How often a busy or failing endpoint (429, 5xx, a cut connection) is tried again, within `timeout_s`."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """Sampling temperature; 0 gives the same plan for the same question."""
    seed: int = 7
    """Sampling seed, sent to endpoints that honour one."""

    @model_validator(mode="after")
    def _model_is_named(self) -> Self:
        if self.base_url and not self.model:
            raise ValueError("`model` must be set when `base_url` is")
        return self


class VisionConfig(Section):
    """Closed questions to a vision model about marked objects; off by default."""

    enabled: bool = False
    """Whether images may be sent to the endpoint at all."""
    blur: Literal["people", "none"] = "people"
    """What is made unrecognisable before an image is sent: every detected person, or nothing."""
    max_marks: int = Field(default=6, ge=1, le=30)
    """Most objects marked in one image."""
    endpoint: EndpointConfig = EndpointConfig()
    """The vision model; without a `base_url` here the one of `reason.endpoint`."""


class ReasonConfig(Section):
    """How questions are turned into plans."""

    planner: Literal["auto", "rules", "llm"] = "auto"
    """`auto`: the rules, and for what they cannot read the language model if an endpoint is configured."""
    on_unreachable: Literal["fail", "rules"] = "fail"
    """When the endpoint does not answer: end with exit code 4, or plan by rules (the answer says which did)."""
    max_question_chars: int = Field(default=500, ge=20, le=10_000)
    """Longest question accepted, in characters; it bounds the tokens that one question can cost."""
    max_listed_videos: int = Field(default=5, ge=1, le=1000)
    """Answers over more videos than this name the total in the sentence and leave single videos to the claims."""
    wording: Literal["code", "llm"] = "code"
    """Who words the claims: code, or the language model; what it writes is proven word for word or replaced."""
    aliases: dict[str, list[str]] = Field(default_factory=dict)
    """More words for names of the store, for example `caregiver: [nan, grandpa]`; added to the built-in ones."""
    endpoint: EndpointConfig = EndpointConfig()
    """The language model endpoint."""
    look: VisionConfig = VisionConfig()
    """Questions about images (`visionllm look`)."""
