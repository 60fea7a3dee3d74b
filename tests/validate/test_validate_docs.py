"""The documented catalogue is the one in the code."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from visionllm_interaction.ingest.config import IngestConfig
from visionllm_interaction.validate.codes import CATALOGUE
from visionllm_interaction.validate.config import ValidateConfig

REPO = Path(__file__).resolve().parents[2]


def test_every_code_is_documented_with_its_policy() -> None:
    text = (REPO / "docs/data.md").read_text()
    rows = re.findall(r"^\| `([A-Z-]+)` \| (.+?) \| (.+?) \| (.+?) \| (\w+) \|$", text, re.MULTILINE)
    assert rows == [(f.code, f.meaning, f.harm, f.remedy, f.action or "drop") for f in CATALOGUE.values()]


def test_shipped_files_say_the_defaults() -> None:
    data = yaml.safe_load((REPO / "config/data.yaml").read_text())
    schema = yaml.safe_load((REPO / "config/schema.yaml").read_text())
    assert data == {"data": IngestConfig().model_dump(mode="json")}
    assert schema == {"validation": ValidateConfig().model_dump(mode="json")}
