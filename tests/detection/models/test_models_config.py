"""The section ``model``: what is refused, and that reading it needs no torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from visionllm_interaction.detection.models.config import ModelConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_size": 800, "max_size": 640}, "max_size must be at least min_size"),
        ({"weights": "https://example.org/a.pt"}, "need weights_sha256"),
        ({"fpn_strides": (16, 8)}, "must increase"),
        ({"fpn_strides": (8, 12)}, "Input should be 4, 8, 16 or 32"),
        ({"anchor_sizes": ((8,), (16, 32))}, "same number of sizes"),
        ({"num_classes": 1}, "greater than or equal to 2"),  # the background is one of them
        ({"clases": 5}, "Extra inputs"),
        ({"weights_sha256": "12"}, "should match pattern"),
    ],
)
def test_contradictions_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate(values)


@pytest.mark.parametrize(
    ("values", "frozen"),
    [
        ({"weights": "default"}, True),
        ({"weights": "none"}, False),
        ({"weights": "none", "normalization": "frozen_batch"}, True),
        ({"weights": "default", "normalization": "group"}, False),
    ],
)
def test_auto_normalisation_freezes_pretrained_statistics_only(values: dict[str, Any], frozen: bool) -> None:
    assert ModelConfig.model_validate(values).frozen_norm is frozen


def test_reading_the_configuration_imports_neither_torch_nor_lightning() -> None:
    code = (
        "import sys, visionllm_interaction.detection.models.config, visionllm_interaction.detection.training.config;"
        "print([m for m in ('torch', 'lightning', 'mlflow', 'optuna') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
