"""Questions in plain words → answers in which every number was computed by code and cites its evidence."""

from visionllm_interaction.reasoning.config import EndpointConfig, ReasonConfig
from visionllm_interaction.reasoning.models import Answer, Claim
from visionllm_interaction.reasoning.pipeline import ask, ask_async
from visionllm_interaction.reasoning.planning.plan import Plan, Step

__all__ = ["Answer", "Claim", "EndpointConfig", "Plan", "ReasonConfig", "Step", "ask", "ask_async"]
