"""A refusal of stage 2 says what to type."""

from __future__ import annotations

import pytest

from visionllm_interaction.datasets.validation import advice as module
from visionllm_interaction.datasets.validation.advice import advice
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE
from visionllm_interaction.datasets.validation.config import ValidateConfig


@pytest.mark.parametrize(
    ("code", "typed"),
    [
        ("SPLIT-MISSING", "-o data.val_share=0.2"),
        ("CAT-ABSENT", "-o 'validation.actions={CAT-ABSENT: warn}'"),
        ("IMG-EXIF-FRAME", "-o 'validation.actions={IMG-EXIF-FRAME: repair}'"),
        ("JSON-SCHEMA", "image_id and category_id as whole numbers"),
        ("FILE-EMPTY", "visionllm faults CODE"),
    ],
)
def test_each_reason_has_a_remedy_to_type(code: str, typed: str) -> None:
    assert advice([f"{code}: 1 in train (…)", f"{code}: 2 in val (…)"]).count(typed) == 1


def test_what_the_advice_names_exists() -> None:
    assert module._ADVICE.keys() <= CATALOGUE.keys() | set(ValidateConfig.model_fields)
