"""A refusal of stage 2 says what to type."""

from __future__ import annotations

import pytest

from visionllm_interaction.artifacts.stage_manifests import Finding
from visionllm_interaction.datasets.validation.advice import advice


def finding(code: str, *ids: str) -> Finding:
    return Finding(code=code, split="val", action="error", count=len(ids) or 1, meaning="", ids=ids)


@pytest.mark.parametrize(
    ("code", "typed"),
    [
        ("SPLIT-MISSING", "-o data.val_share=0.2"),
        ("CAT-ABSENT", "-o 'validation.actions={CAT-ABSENT: warn}'"),
        ("IMG-EXIF-FRAME", "-o 'validation.actions={IMG-EXIF-FRAME: repair}'"),
        ("FILE-EMPTY", "visionllm faults CODE"),
    ],
)
def test_each_reason_has_a_remedy_to_type(code: str, typed: str) -> None:
    assert typed in advice([f"{code}: 1 in val (…)"], [finding(code)])


def test_absent_categories_are_named_once() -> None:
    text = advice(["CAT-ABSENT: 2 in val (…)"], [finding("CAT-ABSENT", "cup", "spoon"), finding("CAT-ABSENT", "cup")])
    assert "leave cup, spoon out" in text and text.count("transform.taxonomy.keep") == 1


def test_what_the_advice_names_exists() -> None:
    from visionllm_interaction.datasets.validation import advice as module
    from visionllm_interaction.datasets.validation.catalogue import CATALOGUE
    from visionllm_interaction.datasets.validation.config import ValidateConfig

    assert module._ADVICE.keys() <= CATALOGUE.keys() | set(ValidateConfig.model_fields)
