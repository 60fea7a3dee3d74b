from __future__ import annotations

import json
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


def _dashboard_queries() -> list[str]:
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / "visionllm.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_rules_and_dashboard_speak_of_figures_that_exist(tmp_path: Path) -> None:
    """A renamed figure would leave an alert that never fires, or an empty panel."""
    service = Service(ServeConfig(data_dir=tmp_path), analysis=AnalysisConfig(), reason=ReasonConfig())
    registry = Metrics(service).registry
    families = {family.name for family in registry.collect()}
    rules = yaml.safe_load((MONITORING / "rules" / "visionllm.yml").read_text())["groups"][0]["rules"]
    for queries in ([rule["expr"] for rule in rules], _dashboard_queries()):
        used = {name for query in queries for name in re.findall(r"(?:visionllm|process)_\w+", query)}
        assert used
        for name in used:
            assert {name, re.sub(r"_(total|bucket|sum|count)$", "", name)} & families, name


def test_prometheus_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(_dashboard_queries())]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_shipped_settings_are_the_defaults() -> None:
    content = yaml.safe_load((REPO / "config" / "serve.yaml").read_text())["serve"]
    assert ServeConfig.model_validate(content) == ServeConfig()
