"""Questions in plain words → answers in which every number was computed by code and cites its evidence.

Names load on first use, so that a command imports only what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionllm_interaction.reasoning.config import EndpointConfig, ReasonConfig
    from visionllm_interaction.reasoning.models import Answer, Claim
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
]

_HOME = {
    "Answer": "models",
    "Claim": "models",
    "EndpointConfig": "config",
    "Plan": "planning.plan",
    "ReasonConfig": "config",
    "Step": "planning.plan",
    "ask": "pipeline",
    "ask_async": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
