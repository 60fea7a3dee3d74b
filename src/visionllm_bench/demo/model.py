"""What the demo asked and was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visionllm_interaction.config import DemoQuestion


@dataclass(frozen=True)
class AskedQuestion:
    """A question of the demo with its answer (`ask` JSON) and the truth."""

    question: DemoQuestion
    answer: Mapping[str, Any]
    truth: float
    agrees: bool
