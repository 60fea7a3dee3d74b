"""A simulated play room: images and videos with exact truth, to test everything that follows."""

from visionllm_bench.toyroom.config import ToyRoomConfig
from visionllm_bench.toyroom.generate import ToyRoom, make_toyroom

__all__ = ["ToyRoom", "ToyRoomConfig", "make_toyroom"]
