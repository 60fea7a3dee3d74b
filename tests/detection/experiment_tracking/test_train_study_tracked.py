"""A real small study on a real tracking server: one run for it, one below for each trial; plots and importances."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from mlflow_server import PASSWORD, USER, Server, all_runs, client, curve, files
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.detection.experiment_tracking.mlflow_client import deliver
from visionllm_interaction.detection.experiment_tracking.mlflow_runs import PARENT_TAG, SPOOL_TAG, STUDY_TAG, TRIAL_TAG
from visionllm_interaction.detection.experiment_tracking.spool import SPOOL_NAME, Spool
from visionllm_interaction.detection.experiment_tracking.tracker import sync_tracking
from visionllm_interaction.detection.training.config import TrackingConfig, TuneConfig
from visionllm_interaction.detection.training.plots import history_png, importances_png
from visionllm_interaction.detection.tuning import mlflow_study as study_tracking
from visionllm_interaction.detection.tuning import runner as tune
from visionllm_interaction.detection.tuning.mlflow_study import open_study_tracker, tracking_id
from visionllm_interaction.detection.tuning.results import MIN_COMPLETE, study_result
from visionllm_interaction.errors import Interrupted, TrackingUnreachable

pytestmark = pytest.mark.filterwarnings("ignore")  # what MLflow and its dependencies deprecate is not ours
SPACE = {"train.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "train.batch_size": {"choices": [2, 4]}}
WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_train_study_tracked as t
from visionllm_interaction.detection.training.config import TrackingConfig
t.study(Path(sys.argv[2]), TrackingConfig.model_validate_json(sys.argv[3]), trials=4)
"""


def study(manifest: Path, config: TrackingConfig, **changes: Any) -> dict[str, Any]:
    settings = TuneConfig.model_validate({"space": SPACE, "epochs": 1, "prune": False, **changes})
    out = manifest.parents[1] / "tuning"
    return tune.run_study(
        tune=settings,
        model=tiny(),
        train=tiny_train(epochs=2),
        tracking=config,
        training_manifest=manifest,
        out=out,
    ).to_dict()


def parent_and_trials(uri: str) -> tuple[Any, list[Any]]:
    """The one run of the study, and those of its trials in order."""
    runs = all_runs(uri)
    (parent,) = [run for name, run in runs.items() if name.startswith("study ")]
    trials = [run for run in runs.values() if TRIAL_TAG in run.data.tags]
    assert all(run.data.tags[PARENT_TAG] == parent.info.run_id for run in trials)
    return parent, sorted(trials, key=lambda run: int(run.data.tags[TRIAL_TAG]))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_is_one_run_with_one_below_for_each_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, uri = write_manifest(tmp_path), f"sqlite:///{tmp_path}/artifacts/mlflow.db"
    config = TrackingConfig(log_model=False)
    first = study(manifest, config, trials=2)
    parent, trials = parent_and_trials(uri)
    assert [run.info.status for run in (parent, *trials)] == ["FINISHED"] * 3
    for row, run in zip(first["trials"], trials, strict=True):
        assert run.data.params == {key: str(value) for key, value in row["params"].items()}
        assert curve(uri, run, "AP") == [(1, row["value"])] and curve(uri, run, "train_loss")
    assert curve(uri, parent, "AP") == [(row["number"], row["value"]) for row in first["trials"]]
    assert "importances need" in first["importances_left_out"] and set(first["plots"]) == {"history"}

    # a third trial is stopped by a signal, a fourth diverges, a fifth is pruned; then the study goes on
    outcomes = iter([Interrupted("stopped"), tune.TrainingDiverged("no"), optuna.TrialPruned()])
    fit = tune.fit

    def ending(**arguments: Any) -> Any:
        arguments["on_epoch"]({"epoch": 1, "AP": 0.5, "train_loss": 1.0})
        raise next(outcomes)

    monkeypatch.setattr(tune, "fit", ending)
    with pytest.raises(Interrupted):
        study(manifest, config, trials=3)
    assert parent_and_trials(uri)[0].info.status == "RUNNING"
    result = study(manifest, config, trials=5)
    monkeypatch.setattr(tune, "fit", fit)
    result = study(manifest, config, trials=10, train_best=True)
    parent, trials = parent_and_trials(uri)
    statuses = {"complete": "FINISHED", "pruned": "KILLED", "fail": "FAILED"}
    assert [run.info.status for run in trials] == [statuses[row["state"]] for row in result["trials"]]
    assert result["trials_by_state"]["fail"] == 2 and result["trials_by_state"]["pruned"] == 1
    assert parent.info.status == "FINISHED"
    assert {"history.png", "importances.png", "study.json"} <= set(files(uri, parent))
    assert parent.data.tags["best_value"] == str(result["best_value"])
    assert parent.data.tags["best.train.lr"] == str(result["best_params"]["train.lr"])
    assert curve(uri, parent, "best_AP")[-1][1] == result["best_value"]
    assert sum(result["importances"].values()) == pytest.approx(1, abs=1e-3)
    assert set(result["importances"]) == set(SPACE)
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in result["plots"].values())
    assert not list(tmp_path.rglob(SPOOL_NAME))
    assert len({row["params"]["train.lr"] for row in result["trials"]}) == 10
    noted = yaml.safe_load(Path(result["final"]["report"]).read_text())["study"]
    assert noted == {
        key: result[key] for key in ("study", "journal", "best_value", "best_params", "trials_by_state", "importances")
    }


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_workers_of_one_study_share_its_run_on_a_server_that_comes_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {"LAB_USER": USER, "LAB_PASSWORD": PASSWORD}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    server = Server(tmp_path / "server")
    manifest, config = write_manifest(tmp_path), server.config()
    with pytest.raises(TrackingUnreachable):
        study(manifest, server.config(required=True), trials=1)
    arguments = [str(Path(__file__).parent), str(manifest), config.model_dump_json()]
    workers = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", WORKER, *arguments]) for _ in range(2)]
    assert [worker.wait(timeout=400) for worker in workers] == [0, 0]
    spools = Spool.find_all(tmp_path / "artifacts")
    server.start()
    try:
        for spool in spools:
            deliver(spool)
            spool.cursor_path.unlink()  # the reply got lost: everything once more
        assert len(sync_tracking(tmp_path / "artifacts").runs) == len(spools) >= 6
        assert not list((tmp_path / "artifacts").rglob(SPOOL_NAME))
        parent, trials = parent_and_trials(server.uri)
        assert len(trials) >= 4 and {run.info.status for run in (parent, *trials)} == {"FINISHED"}
        assert [len(curve(server.uri, run, "AP")) for run in trials] == [1] * len(trials)
        assert len(curve(server.uri, parent, "AP")) == len(trials)
        assert {"history.png", "study.json"} <= set(files(server.uri, parent))
    finally:
        server.kill()


@pytest.fixture
def tracked(tmp_path: Path) -> Iterator[tuple[optuna.Study, Any, str]]:
    """A study without trainings, tracked in a local store, and the store."""
    made = optuna.create_study(study_name="s", direction="maximize")
    arguments: dict[str, Any] = {"folder": tmp_path, "runs_dir": tmp_path, "name": "study s", "parameters": {}}
    with open_study_tracker(TrackingConfig(), made, **arguments, tags={}, dataset=None) as tracker:
        yield made, tracker, f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.slow
def test_a_run_made_twice_at_the_same_moment_is_one_in_the_end(tracked: Any) -> None:
    made, tracker, uri = tracked

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        with tracker.trial(trial):
            return x

    made.optimize(objective, n_trials=1, callbacks=[tracker.trial_ended])
    parent, _ = parent_and_trials(uri)
    # what the other worker did meanwhile: a second run for the study, and a trial that it began below it and left
    other = client(uri).create_run(parent.info.experiment_id, tags={SPOOL_TAG: tracking_id(made)}, run_name="twin")
    lost = made.ask()
    tags = {STUDY_TAG: tracking_id(made), TRIAL_TAG: str(lost.number), PARENT_TAG: other.info.run_id}
    client(uri).create_run(parent.info.experiment_id, tags={**tags, SPOOL_TAG: "lost"}, run_name="lost")
    made.tell(lost, state=optuna.trial.TrialState.FAIL)
    tracker.finish(made, study_result(made, place="here"), artifacts=[])
    runs = all_runs(uri)
    assert len(runs) == 3 and len({run.data.tags.get(PARENT_TAG) for run in runs.values()}) == 2
    (kept,) = [run for run in runs.values() if PARENT_TAG not in run.data.tags]
    assert {run.data.tags[PARENT_TAG] for run in runs.values() if run is not kept} == {kept.info.run_id}
    assert runs["lost"].info.status == "FAILED" and kept.info.status == "FINISHED"


def test_the_identity_of_a_study_is_the_same_for_workers_that_start_at_once(tmp_path: Path) -> None:
    storage = optuna.storages.InMemoryStorage()
    first = optuna.create_study(storage=storage, study_name="s")
    second = optuna.load_study(storage=storage, study_name="s")
    first.ask()
    ids = tracking_id(first), tracking_id(second)
    assert ids[0] == ids[1] == first.user_attrs[study_tracking.ID_ATTRIBUTE]
    other = optuna.create_study(study_name="s")
    other.ask()
    assert tracking_id(other) != ids[0]


def test_importances_find_the_key_that_matters_and_are_left_out_when_they_would_be_noise() -> None:
    made = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(trial: optuna.Trial) -> float:
        return trial.suggest_float("much", 0, 1) + trial.suggest_float("little", 0, 1) / 1000

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made.optimize(objective, n_trials=MIN_COMPLETE - 1)
    early = study_result(made, place="here").to_dict()
    assert early["importances"] == {} and "5 complete trials" in early["importances_left_out"]
    made.optimize(objective, n_trials=30)
    late = study_result(made, place="here").to_dict()
    assert late["importances"]["much"] > 0.7 and "importances_left_out" not in late
    assert json.loads(json.dumps(late)) == late
    same = optuna.create_study(direction="maximize")
    same.optimize(lambda trial: 0.0 * trial.suggest_float("x", 0, 1), n_trials=MIN_COMPLETE)
    assert "same value" in str(study_result(same, place="here").importances_left_out)


def test_the_history_shows_every_kind_of_trial() -> None:
    rows = [{"number": 0, "state": "complete", "value": 0.2}, {"number": 1, "state": "running", "value": None}]
    more = [{"number": 2, "state": "pruned", "value": 0.1}, {"number": 3, "state": "fail", "value": None}]
    images = [history_png(rows), history_png([*rows, more[0]]), history_png([*rows, *more])]
    assert len(set(images)) == 3 and history_png(rows) == images[0]
    assert importances_png({"a": 0.9, "b": 0.1}, trials=9) != importances_png({"a": 0.1, "b": 0.9}, trials=9)
