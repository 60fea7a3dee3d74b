"""config/analysis.yaml shows every key with its default."""

from __future__ import annotations

import yaml

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.config_loading import shipped_config_dir


def test_the_shipped_file_shows_every_default() -> None:
    content = yaml.safe_load((shipped_config_dir() / "analysis.yaml").read_text(encoding="utf-8"))
    assert content == {"analysis": AnalysisConfig().model_dump()}
