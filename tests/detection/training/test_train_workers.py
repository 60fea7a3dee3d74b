"""One study, two workers, one of them killed: its trial is tried again by the other."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.detection.training.config import TrackingConfig, TuneConfig
from visionllm_interaction.detection.tuning.runner import run_study
from visionllm_interaction.detection.tuning.storage import open_study
from visionllm_interaction.errors import ConfigError, ServiceError

TRIALS = 6
SPACE = {"train.lr": {"low": 1e-4, "high": 1e-2, "log": True}}
WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_train_workers as t
t.work(Path(sys.argv[2]), Path(sys.argv[3]), trials=int(sys.argv[4]), epochs=int(sys.argv[5]))
"""


def settings(trials: int, epochs: int) -> TuneConfig:
    options = {"trials": trials, "epochs": epochs, "space": SPACE, "storage_env": "STUDY_DB", "heartbeat_s": 1}
    options["prune"] = False  # a trial that is tried again is to be seen complete, however good its values are
    return TuneConfig.model_validate(options)


def work(manifest: Path, out: Path, *, trials: int, epochs: int) -> None:
    run_study(
        tune=settings(trials, epochs),
        model=tiny(),
        train=tiny_train(),
        tracking=TrackingConfig(kind="none"),
        training_manifest=manifest,
        out=out,
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """A PostgreSQL server on loopback, run by the user postgres (it refuses root)."""
    if shutil.which("initdb") is None or shutil.which("runuser") is None or os.geteuid() != 0:
        pytest.skip("needs PostgreSQL's programs, and root to run them as the user postgres")
    folder = Path("/tmp") / f"pg-{os.getpid()}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    shutil.chown(folder, "postgres")
    as_user = ["runuser", "-u", "postgres", "--"]
    subprocess.run([*as_user, "initdb", "-D", f"{folder}/db", "-A", "trust"], check=True, capture_output=True)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = [*as_user, "pg_ctl", "-D", f"{folder}/db"]
    subprocess.run([*control, "-w", "-l", f"{folder}/log", "-o", options, "start"], check=True, capture_output=True)
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)
        shutil.rmtree(folder)


@pytest.mark.crash
def test_the_trial_of_a_killed_worker_is_tried_again_by_the_other(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_DB", database)
    manifest = write_manifest(tmp_path)
    here = str(Path(__file__).parent)

    def start(name: str, epochs: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WORKER, here, str(manifest), str(tmp_path / name), str(TRIALS), str(epochs)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    endless = start("killed", 100_000)
    try:
        [lost] = wait_for(TrialState.RUNNING, tmp_path)
        living = start("living", 4)
        wait_for(TrialState.COMPLETE, tmp_path)  # the other is at work on the same study
    finally:
        endless.send_signal(signal.SIGKILL)
        endless.wait()
    assert living.wait(timeout=200) == 0
    with open_study(settings(TRIALS, 1), folder=tmp_path) as (study, _):
        trials = study.get_trials()
    assert trials[lost.number].state == TrialState.FAIL
    again = [t for t in trials if lost.number in (t.system_attrs.get("heartbeat_stale_trial"),
             t.system_attrs.get("failed_trial"))]  # fmt: skip
    assert [t.state for t in again] == [TrialState.COMPLETE]
    assert again[0].params == lost.params
    assert not [t for t in trials if t.state == TrialState.RUNNING]


def wait_for(state: TrialState, folder: Path) -> list[optuna.trial.FrozenTrial]:
    """Trials in this state, as soon as there is one."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with open_study(settings(TRIALS, 1), folder=folder) as (study, _):
            found = [t for t in study.get_trials(states=(state,)) if t.params]
        if found:
            return found
        time.sleep(0.3)
    raise TimeoutError(f"no trial is {state.name}")


def test_a_database_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDY_DB", raising=False)
    with pytest.raises(ConfigError, match="STUDY_DB"), open_study(settings(1, 1), folder=tmp_path):
        pass
    monkeypatch.setenv("STUDY_DB", "postgresql+psycopg://me:secret@127.0.0.1:9/none")
    with pytest.raises(ServiceError) as caught, open_study(settings(1, 1), folder=tmp_path):
        pass
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random"])
@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_samplers_and_pruners(tmp_path: Path, sampler: str, pruner: str) -> None:
    tune = TuneConfig.model_validate({"sampler": sampler, "pruner": pruner})
    with open_study(tune, folder=tmp_path) as (study, place):
        study.optimize(lambda trial: -(trial.suggest_float("x", -1, 1) ** 2), n_trials=3)
        assert len(study.trials) == 3 and place.endswith("study.journal")
