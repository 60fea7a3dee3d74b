"""The documented catalogue is the one in the code."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.validation import catalogue_text as explain
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.errors import UsageError

REPO = Path(__file__).resolve().parents[3]


def test_every_code_is_documented() -> None:
    assert (REPO / "docs/faults.md").read_text() == explain.page()
    assert len(CATALOGUE) >= 40
    for issue in CATALOGUE.values():
        texts = (issue.meaning, issue.example, issue.harm, issue.remedy)
        assert all(texts) and issue.code in explain.entry_text(issue.code)


def test_unknown_code_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="BOX-OUT-OF-BOUNDS"):
        explain.entry("BOX-OUT-OF-BOUND")


def test_shipped_files_say_the_defaults() -> None:
    data = yaml.safe_load((REPO / "config/data.yaml").read_text())
    schema = yaml.safe_load((REPO / "config/schema.yaml").read_text())
    assert data == {"data": IngestConfig().model_dump(mode="json")}
    assert schema == {
        "validation": ValidateConfig().model_dump(mode="json"),
        "transform": TransformConfig().model_dump(mode="json"),
    }
