"""Questions in plain words → answers in which every number was computed by code and cites its evidence.

Names load on first use, so that a command imports only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from visionllm_interaction.utils.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from visionllm_interaction.reasoning.answers import Answer, Claim
    from visionllm_interaction.reasoning.config import EndpointConfig, ReasonConfig
    from visionllm_interaction.reasoning.describing.api import describe
    from visionllm_interaction.reasoning.pipeline import ask, ask_async
    from visionllm_interaction.reasoning.planning.plan import Plan, Step

__all__ = [
    "Answer",
    "Claim",
    "EndpointConfig",
    "Plan",
    "ReasonConfig",
    "Step",
    "ask",
    "ask_async",
    "describe",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        "Answer": "answers",
        "Claim": "answers",
        "EndpointConfig": "config",
        "Plan": "planning.plan",
        "ReasonConfig": "config",
        "Step": "planning.plan",
        "ask": "pipeline",
        "ask_async": "pipeline",
        "describe": "describing.api",
    },
)
