"""Tracking: a real local store, and a server that is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow_server import PASSWORD, USER, Server, all_runs, curve, files

from visionllm_interaction.detection.experiment_tracking import tracker as tracking
from visionllm_interaction.detection.experiment_tracking.mlflow_client import deliver
from visionllm_interaction.detection.experiment_tracking.spool import CURSOR_NAME, SPOOL_NAME, Spool
from visionllm_interaction.detection.experiment_tracking.tracker import (
    flatten,
    open_tracker,
    sync_tracking,
    tracking_uri,
)
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.errors import Interrupted, TrackingUnreachable

pytestmark = pytest.mark.filterwarnings("ignore")  # what MLflow and its dependencies deprecate is not ours
AWAY = TrackingConfig(kind="mlflow", uri="http://127.0.0.1:9", timeout_s=1.0)


def opened(config: TrackingConfig, folder: Path, name: str = "r1") -> Any:
    """A training in ``folder``; runs are kept in the folder above it."""
    folder.mkdir(parents=True, exist_ok=True)
    parameters, tags = {"train": {"lr": 0.1}}, {"code": "c"}
    return open_tracker(config, folder=folder, runs_dir=folder.parent, name=name, parameters=parameters, tags=tags)


@pytest.mark.slow
def test_local_store_holds_parameters_curves_and_files(tmp_path: Path) -> None:
    runs, uri = tmp_path / "runs", f"sqlite:///{tmp_path}/runs/mlflow.db"
    (runs / "a").mkdir(parents=True)
    (runs / "a" / "metrics.csv").write_text("epoch\n1\n")
    with opened(TrackingConfig(), runs / "a") as tracker:
        for step, value in enumerate((0.25, 0.5), start=1):
            tracker.metrics({"AP": value}, step=step)
        tracker.finish("FINISHED", artifacts=[runs / "a" / "metrics.csv"])
    with pytest.raises(KeyError), opened(TrackingConfig(), runs / "b", "r2"):
        raise KeyError
    found = all_runs(uri)
    assert {name: run.info.status for name, run in found.items()} == {"r1": "FINISHED", "r2": "FAILED"}
    first = found["r1"]
    assert first.data.params == {"train.lr": "0.1"} and first.data.tags["code"] == "c"
    assert curve(uri, first, "AP") == [(1, 0.25), (2, 0.5)]
    assert files(uri, first) == ["metrics.csv"]
    assert not (runs / "a" / SPOOL_NAME).exists()
    # the failed one goes on as the same run
    with opened(TrackingConfig(), runs / "b", "r2") as tracker:
        tracker.metrics({"AP": 0.1}, step=1)
        tracker.finish("FINISHED")
    found = all_runs(uri)
    assert len(found) == 2 and found["r2"].info.status == "FINISHED"


@pytest.mark.slow
def test_a_stopped_training_goes_on_as_one_run_without_doubled_points(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(Interrupted), opened(TrackingConfig(), tmp_path / "a") as tracker:
        tracker.metrics({"AP": 0.1}, step=1)
        raise Interrupted("stopped")
    assert all_runs(uri)["r1"].info.status == "RUNNING"
    with opened(TrackingConfig(), tmp_path / "a") as tracker:
        tracker.metrics({"AP": 0.1}, step=1)  # the epoch is done again
        tracker.metrics({"AP": 0.2}, step=2)
        # a reply that got lost: everything is sent once more
        Spool(tmp_path / "a" / SPOOL_NAME).cursor_path.unlink()
        deliver(Spool(tmp_path / "a" / SPOOL_NAME))
        tracker.finish("FINISHED")
    (run,) = all_runs(uri).values()
    assert curve(uri, run, "AP") == [(1, 0.1), (2, 0.2)]


@pytest.mark.slow
def test_a_server_that_is_away_loses_nothing_unless_it_is_required(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(AWAY, tmp_path / "a") as tracker:
        tracker.metrics({"AP": 0.5}, step=1)
        tracker.finish("FINISHED")
    kinds = [message["kind"] for message in Spool(tmp_path / "a" / SPOOL_NAME).pending()]
    assert kinds == ["start", "metrics", "status"]
    with pytest.raises(TrackingUnreachable) as caught:
        sync_tracking(tmp_path)
    assert caught.value.exit_code == 4
    with (
        pytest.raises(TrackingUnreachable, match="required=false"),
        opened(AWAY.model_copy(update={"required": True}), tmp_path / "b"),
    ):
        pass


def test_a_line_cut_by_a_power_loss_is_not_a_message(tmp_path: Path) -> None:
    spool = Spool(tmp_path / SPOOL_NAME)
    spool.append({"kind": "start"})
    with spool.path.open("a") as stream:
        stream.write('{"kind": "metr')
    assert [m["kind"] for m in spool.pending()] == ["start"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "server")
    running.start()
    yield running
    running.kill()


@pytest.mark.crash
def test_a_server_killed_and_restarted_midway_gets_every_point_in_one_run(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "RETRY_EVERY_S", 0.0)
    monkeypatch.setenv("LAB_USER", USER)
    monkeypatch.setenv("LAB_PASSWORD", PASSWORD)
    config = server.config()
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("epoch\n")
    steps = 12
    with opened(config, folder) as tracker:
        for step in range(1, steps + 1):
            if step == 4:
                server.kill()
            if step == 8:
                server.start()
            if step == 11:
                server.kill()
            tracker.metrics({"AP": step / 100, "train_loss": 1 / step}, step=step)
        tracker.finish("FINISHED", artifacts=[folder / "metrics.csv"])
    assert len(Spool(folder / SPOOL_NAME).pending()) == 4  # two epochs, the file, the end
    server.start()
    assert sync_tracking(tmp_path / "runs").delivered == 4
    assert not (folder / SPOOL_NAME).exists() and not (folder / CURSOR_NAME).exists()
    (run,) = all_runs(server.uri).values()
    assert run.info.status == "FINISHED"
    assert curve(server.uri, run, "AP") == [(n, n / 100) for n in range(1, steps + 1)]
    assert curve(server.uri, run, "train_loss") == [(n, 1 / n) for n in range(1, steps + 1)]
    assert files(server.uri, run) == ["metrics.csv"]


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
