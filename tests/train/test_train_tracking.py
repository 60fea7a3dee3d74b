"""Tracking: a real local store, and a server that is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionllm_interaction.errors import TrackingUnreachable
from visionllm_interaction.train.config import TrackingConfig
from visionllm_interaction.train.tracking import NoTracker, flatten, open_tracker, tracking_uri

pytestmark = pytest.mark.filterwarnings("ignore")  # what MLflow and its dependencies deprecate is not ours
AWAY = TrackingConfig(kind="mlflow", uri="http://127.0.0.1:9", timeout_s=1.0)


@pytest.mark.slow
def test_local_store_holds_parameters_curves_and_files(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    (tmp_path / "metrics.csv").write_text("epoch\n1\n")
    with open_tracker(
        TrackingConfig(), runs_dir=tmp_path / "runs", name="r1", parameters={"train": {"lr": 0.1}}, tags={"code": "c"}
    ) as tracker:
        for step, value in enumerate((0.25, 0.5), start=1):
            tracker.metrics({"AP": value}, step=step)
        tracker.finish("FINISHED", artifacts=[tmp_path / "metrics.csv"])
    with (
        pytest.raises(KeyError),
        open_tracker(TrackingConfig(), runs_dir=tmp_path / "runs", name="r2", parameters={}, tags={}),
    ):
        raise KeyError
    client = MlflowClient(f"sqlite:///{tmp_path}/runs/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "visionllm-interaction"]
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {"r1": "FINISHED", "r2": "FAILED"}
    first = runs["r1"]
    assert first.data.params == {"train.lr": "0.1"} and first.data.tags["code"] == "c"
    curve = client.get_metric_history(first.info.run_id, "AP")
    assert [(m.step, m.value) for m in curve] == [(1, 0.25), (2, 0.5)]
    assert [f.path for f in client.list_artifacts(first.info.run_id)] == ["metrics.csv"]
    assert [p.name for p in (tmp_path / "runs").iterdir() if p.is_dir() and not p.name.startswith(".")] == []


@pytest.mark.slow
def test_a_server_that_is_away_is_warned_about_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_tracker(AWAY, runs_dir=tmp_path, name="r", parameters={}, tags={}) as tracker:
        assert isinstance(tracker, NoTracker)
        tracker.metrics({"AP": 0.5}, step=1)
    with (
        pytest.raises(TrackingUnreachable, match="required=false") as caught,
        open_tracker(AWAY.model_copy(update={"required": True}), runs_dir=tmp_path, name="r", parameters={}, tags={}),
    ):
        pass
    assert caught.value.exit_code == 4


def test_addresses(tmp_path: Path) -> None:
    assert tracking_uri(AWAY, tmp_path) == "http://127.0.0.1:9"
    assert tracking_uri(TrackingConfig(), tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    dagshub = TrackingConfig(kind="dagshub", repository="lab/toys")
    assert tracking_uri(dagshub, tmp_path) == "https://dagshub.com/lab/toys.mlflow"


@pytest.mark.parametrize("values", [{"kind": "mlflow"}, {"kind": "dagshub"}, {"kind": "dagshub", "repository": "toys"}])
def test_incomplete_addresses_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"needs uri|needs repository|should match pattern"):
        TrackingConfig.model_validate(values)


def test_flatten() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": None}) == {"a.b": 1, "a.c.d": 2, "e": None}
