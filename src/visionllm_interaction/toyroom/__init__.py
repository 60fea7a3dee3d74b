"""A simulated play room: pictures and videos with exact truth, to test everything that follows."""

from visionllm_interaction.toyroom.config import ToyRoomConfig
from visionllm_interaction.toyroom.make import make_toyroom

__all__ = ["ToyRoomConfig", "make_toyroom"]
