"""Stages 1-4 with a tiny detector: what is skipped, shared and continued."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_run import TINY

from visionllm_bench.toyroom import make_toyroom
from visionllm_interaction.artifacts.lineage import trace
from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.pipeline import PipelineSettings, run_pipeline

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def go(folder: Path, *overrides: str) -> dict[str, Any]:
    base = [f"data.root={folder / 'toyroom'}", f"artifacts_dir={folder / 'artifacts'}", *TINY]
    return run_pipeline(load_settings(PipelineSettings, [], [*base, *overrides])).to_dict()


def statuses(result: dict[str, Any]) -> list[str]:
    return [stage["status"] for stage in result["stages"].values()]


def test_four_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_toyroom(tmp_path / "toyroom", images=10, videos=0, seed=3)
    first = go(tmp_path)
    assert statuses(first) == ["done"] * 4
    folder = Path(first["run"]) / "model_trainer"
    assert {"fasterrcnn_best.pt", "fasterrcnn_last.pt", "training_report.yaml"} <= {
        path.name for path in folder.iterdir()
    }
    report = yaml.safe_load((folder / "training_report.yaml").read_text())
    assert first["AP"] == report["AP"] and first["AP50"] == report["AP50"] and report["AP"] is not None
    assert trace(Path(first["checkpoint"])).to_dict()["chain"] == [
        "train",
        "transform",
        "validate",
        "ingest",
        "raw data",
    ]

    again = go(tmp_path)
    assert statuses(again) == ["up_to_date"] * 4 and again["AP"] == first["AP"] and again["run"] == first["run"]
    assert go(tmp_path, "tracking.experiment=other")["run"] == first["run"], "where curves go changes nothing"

    # A training that dies leaves its workspace; another learning rate must not continue it, the same one must.
    from visionllm_interaction.detection.training import stage

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "_report", die)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path, "train.lr=0.001")
    killed = list_runs(tmp_path / "artifacts")[-1]
    assert (killed / ".partial-model_trainer").is_dir() and not (killed / "model_trainer").exists()
    other = go(tmp_path, "train.lr=0.002")
    assert Path(other["run"]) not in (killed, Path(first["run"])) and statuses(other)[:3] == ["up_to_date"] * 3
    assert (killed / ".partial-model_trainer").is_dir()
    resumed = go(tmp_path, "train.lr=0.001")
    assert Path(resumed["run"]) == killed and statuses(resumed) == ["up_to_date"] * 3 + ["done"]
    assert yaml.safe_load((killed / "model_trainer/training_report.yaml").read_text())["resumed"] is True
    assert not (killed / ".partial-model_trainer").exists()
