from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from running_service import REPO

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.metrics import Metrics
from visionllm_interaction.server.service import Service

MONITORING = REPO / "deploy" / "monitoring"


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules/visionllm.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
)
def test_prometheus_accepts_what_is_shipped(arguments: tuple[str, ...]) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_speak_of_figures_that_exist(tmp_path: Path) -> None:
    """A renamed figure would leave an alert that never fires."""
    service = Service(ServeConfig(data_dir=tmp_path), analysis=AnalysisConfig(), reason=ReasonConfig())
    registry = Metrics(service).registry
    families = {family.name for family in registry.collect()}
    rules = yaml.safe_load((MONITORING / "rules" / "visionllm.yml").read_text())["groups"][0]["rules"]
    used = {name for rule in rules for name in re.findall(r"visionllm_\w+", rule["expr"])}
    assert used
    for name in used:
        assert re.sub(r"_(total|bucket|sum|count)$", "", name) in families, name


def test_the_shipped_settings_are_the_defaults() -> None:
    content = yaml.safe_load((REPO / "config" / "serve.yaml").read_text())["serve"]
    assert ServeConfig.model_validate(content) == ServeConfig()
