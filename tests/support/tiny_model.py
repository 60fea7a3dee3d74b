"""The smallest useful detector, for tests."""

from __future__ import annotations

from typing import Any

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models.config import ModelConfig

TINY: dict[str, Any] = {
    "architecture": "fasterrcnn_resnet18_fpn",
    "weights": "none",
    "min_size": 64,
    "max_size": 96,
    "fpn_channels": 16,
    "fpn_strides": (8, 16),
    "fpn_extra_level": False,
    "anchor_sizes": ((12,), (24,)),
    "proposals_train": (50, 50),
    "proposals_test": (50, 50),
    "rpn_samples": 32,
    "box_samples": 16,
    "box_head_width": 32,
}
TOYS = Categories.from_pairs([(3, "ball"), (7, "cup"), (90, "child")])


def tiny(**changes: Any) -> ModelConfig:
    return ModelConfig.model_validate({**TINY, **changes})
