"""Questions in plain words → answers in which every number was computed by code and cites its evidence."""

from visionllm_interaction.reason.answer import Answer, Claim
from visionllm_interaction.reason.asking import ask
from visionllm_interaction.reason.config import EndpointConfig, ReasonConfig
from visionllm_interaction.reason.plan import Plan, Step

__all__ = ["Answer", "Claim", "EndpointConfig", "Plan", "ReasonConfig", "Step", "ask"]
