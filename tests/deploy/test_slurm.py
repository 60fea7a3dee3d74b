"""The Slurm recipes on a real cluster: sbatch, arrays, and the way a job is queued again."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
import torch
import yaml
from deploy_checks import REPO, assert_complete_run, tiny_training
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.analysis import analyze
from visionllm_interaction.store.object_storage.working_copy import working_copy
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.video_status_ledger import read_ledger

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1200)]

RECIPES = REPO / "deploy/slurm"
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}


@pytest.fixture(autouse=True, scope="module")
def cluster() -> None:
    """A cluster with an idle or busy node; fails where there is none."""
    if shutil.which("sinfo") is None:
        pytest.fail("Slurm is not installed: these tests need a cluster, or a one-node Slurm on this machine")
    answer = _slurm("sinfo", "-h", "-t", "idle,mixed,allocated", check=False)
    if answer.returncode != 0 or not answer.stdout.strip():
        pytest.fail(f"no Slurm node is up; start slurmctld and slurmd first: {answer.stderr or 'sinfo lists no node'}")


def _slurm(*command: str, check: bool = True, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=check, cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def none_left_behind() -> Iterator[None]:
    """A test that ends early takes its jobs with it."""
    _SUBMITTED.clear()
    yield
    if _SUBMITTED:
        _slurm("scancel", *_SUBMITTED, check=False)


_SUBMITTED: list[str] = []


def submit(folder: Path, recipe: str, *arguments: str, options: tuple[str, ...] = ()) -> str:
    """Call sbatch in ``folder`` as a user would; returns the job id."""
    # Threads that wait asleep: on a machine that others use, those that spin take the time they wait for.
    environment = f"--export=ALL,VISIONLLM_VENV={sys.prefix},OMP_WAIT_POLICY=passive"
    job = _slurm(
        "sbatch", "--parsable", environment, *options, str(RECIPES / recipe), *arguments, cwd=folder
    ).stdout.strip()
    _SUBMITTED.append(job)
    return job


def fields(job: str) -> list[dict[str, str]]:
    """What the controller knows of a job, one entry per array task."""
    blocks = _slurm("scontrol", "show", "job", job).stdout.strip().split("\n\n")
    return [dict(re.findall(r"(\w+)=(\S+)", block)) for block in blocks]


def wait_for(job: str, folder: Path, *, timeout_s: float = 900) -> list[dict[str, str]]:
    """Wait until the job, or each of its array tasks, has ended COMPLETED."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = fields(job)
        if all(task["JobState"] in ENDED for task in found):
            assert {task["JobState"] for task in found} == {"COMPLETED"}, _output(folder)
            return found
        time.sleep(1)
    pytest.fail(f"job {job} did not end: {fields(job)}\n{_output(folder)}")


def _output(folder: Path) -> str:
    return "\n".join(f"== {p.name}\n{p.read_text()[-3000:]}" for p in [*folder.glob("*.out"), *folder.glob("logs/*")])


def _wait_until(condition: Callable[[], bool], *, timeout_s: float = 600) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def start_again(job: str) -> None:
    """A job that was queued again would wait for two minutes."""
    _wait_until(lambda: fields(job)[0]["Restarts"] == "1" and fields(job)[0]["JobState"] == "PENDING")
    # A credential made in the very second in which the one before it was revoked counts as revoked too; times of
    # credentials are whole seconds.
    time.sleep(2)
    _slurm("scontrol", "update", f"JobId={job}", "StartTime=now")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 ToyRoom images."""
    out = tmp_path_factory.mktemp("slurm") / "toyroom"
    make_toyroom(out, images=24, videos=0, seed=5)
    return out


def test_training_completes_with_its_artifacts(pictures: Path, tmp_path: Path) -> None:
    job = submit(tmp_path, "train.sbatch", "-o", f"data.root={pictures}", *tiny_training(epochs=1))
    wait_for(job, tmp_path)
    assert_complete_run(tmp_path / "artifacts")
    assert (tmp_path / f"visionllm-train-{job}.out").read_text().endswith("ended with exit code 0\n")
    assert '"AP50"' in (tmp_path / f"logs/visionllm-train-{job}.log").read_text()


def test_without_arguments_it_tries_itself_out(tmp_path: Path) -> None:
    wait_for(submit(tmp_path, "train.sbatch"), tmp_path)
    assert_complete_run(tmp_path / "artifacts")


def test_training_stopped_by_the_time_limit_is_queued_again_and_continues(pictures: Path, tmp_path: Path) -> None:
    job = submit(tmp_path, "train.sbatch", "-o", f"data.root={pictures}", *tiny_training(epochs=6))
    _wait_until(lambda: any(tmp_path.glob("artifacts/*/data_transformation/training_manifest.yaml")))
    # What Slurm sends, because of --signal, three minutes before the time is up.
    _slurm("scancel", "--batch", "--signal=USR1", job)
    start_again(job)
    wait_for(job, tmp_path)
    assert_complete_run(tmp_path / "artifacts")
    said = (tmp_path / f"visionllm-train-{job}.out").read_text()
    assert said.index("attempt 1:") < said.index("time is nearly up") < said.index("attempt 2:")


def test_training_that_loses_its_node_within_an_epoch_ends_in_the_same_weights(pictures: Path, tmp_path: Path) -> None:
    arguments = ("-o", f"data.root={pictures}", *tiny_training(epochs=8), "-o", "tracking.kind=none")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    wait_for(submit(whole, "train.sbatch", *arguments), whole)
    job = submit(cut, "train.sbatch", *arguments)
    _wait_until(lambda: any(cut.glob("artifacts/*/.partial-model_trainer/metrics.csv")))
    time.sleep(0.5)  # the first epoch is over: this is within a later one
    _slurm("scontrol", "requeue", job)
    start_again(job)
    [found] = wait_for(job, cut)
    assert found["Restarts"] == "1"
    report = yaml.safe_load((assert_complete_run(cut / "artifacts") / "model_trainer/training_report.yaml").read_text())
    assert report["resumed"] and report["epochs"] == 8
    weights = [_weights(assert_complete_run(folder / "artifacts")) for folder in (whole, cut)]
    assert weights[0] == weights[1]


def _weights(run: Path) -> dict[str, str]:
    """sha256 of every tensor of the last epoch; the file also holds the digest of its run's manifest."""
    state = torch.load(run / "model_trainer/fasterrcnn_last.pt", weights_only=True)["state_dict"]
    return {name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest() for name, tensor in state.items()}


def test_a_failure_shows_its_reason_and_fails_the_job(tmp_path: Path) -> None:
    job = submit(tmp_path, "train.sbatch", "-o", "train.epoch=1")
    _wait_until(lambda: fields(job)[0]["JobState"] in ENDED)
    assert (fields(job)[0]["JobState"], fields(job)[0]["ExitCode"]) == ("FAILED", "2:0")
    assert "did you mean 'epochs'" in (tmp_path / f"visionllm-train-{job}.out").read_text()


def test_an_array_shares_the_videos(tmp_path: Path) -> None:
    make_toyroom(tmp_path / "toyroom", images=0, videos=3, seed=5, config=ToyRoomConfig(video_seconds=8))
    videos = sorted((tmp_path / "toyroom/videos").glob("*/*.mp4"))
    (tmp_path / "videos.txt").write_text("\n".join(map(str, videos)) + "\n\n")
    arguments = ("videos.txt", "--store", "store", "--detections", "truth")
    job = submit(tmp_path, "analyze.sbatch", *arguments, options=("--array=4-5",))
    assert len(wait_for(job, tmp_path)) == 2
    with open_store(tmp_path / "store") as store:
        assert len(store.video_ids()) == 3
    logs = [(tmp_path / f"logs/visionllm-analyze-{job}_{task}.log").read_text() for task in (4, 5)]
    assert [sum(video.name in log for video in videos) for log in logs] == [2, 1]


def test_workers_of_an_array_share_one_study(pictures: Path, tmp_path: Path) -> None:
    """Two jobs, four trials in all: neither tries again what the other tried; stages 1-3 are built once."""
    study = ("-o", "tune.trials=4", "-o", "tune.epochs=1", "-o", "tune.prune=false", "-o", "tracking.kind=none")
    arguments = ("-o", f"data.root={pictures}", *tiny_training(epochs=1), *study)
    job = submit(tmp_path, "tune.sbatch", *arguments, options=("--array=0-1",))
    assert len(wait_for(job, tmp_path)) == 2
    storage = JournalStorage(JournalFileBackend(str(tmp_path / f"study-{job}.journal")))
    trials = optuna.load_study(study_name="detector", storage=storage).trials
    done = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert 4 <= len(done) <= 5, "a trial that began before the fourth ended may be one more"
    assert len({str(sorted(trial.params.items())) for trial in done}) == len(done)
    assert len([run for run in (tmp_path / "artifacts").iterdir() if (run / "data_ingestion").is_dir()]) == 1


def test_an_array_with_a_bad_file_equals_the_same_on_this_machine(tmp_path: Path) -> None:
    make_toyroom(tmp_path / "toyroom", images=0, videos=5, seed=7, config=ToyRoomConfig(video_seconds=8))
    videos = sorted((tmp_path / "toyroom/videos").glob("*/*.mp4"))
    bad = tmp_path / "cut.mp4"
    bad.write_bytes(videos[0].read_bytes()[:5000])
    (tmp_path / "videos.txt").write_text("\n".join(map(str, [*videos[:3], bad, *videos[3:]])) + "\n")
    arguments = ("videos.txt", "--store", "store", "--detections", "truth")
    wait_for(submit(tmp_path, "analyze.sbatch", *arguments, options=("--array=0-1",)), tmp_path)
    analyze(videos, tmp_path / "local", detections="truth")
    ledger = {Path(entry.path).name: entry.status for entry in read_ledger(tmp_path / "store")}
    assert ledger == {**{video.name: "done" for video in videos}, "cut.mp4": "failed"}
    with open_store(tmp_path / "store") as cluster, open_store(tmp_path / "local") as local:
        assert cluster.video_ids() == local.video_ids() and len(local.video_ids()) == 5
        for table in ("detections", "tracks", "relations", "events"):
            for video_id in local.video_ids():
                assert cluster.read_table(video_id, table).equals(local.read_table(video_id, table)), (video_id, table)


def test_an_array_writes_to_a_store_in_an_object_store(tmp_path: Path, object_store: str) -> None:
    """The jobs inherit the credentials; each publishes its videos, and the store is the same as a local one."""
    make_toyroom(tmp_path / "toyroom", images=0, videos=3, seed=9, config=ToyRoomConfig(video_seconds=8))
    videos = sorted((tmp_path / "toyroom/videos").glob("*/*.mp4"))
    (tmp_path / "videos.txt").write_text("\n".join(map(str, videos)) + "\n")
    arguments = ("videos.txt", "--store", object_store, "--detections", "truth")
    wait_for(submit(tmp_path, "analyze.sbatch", *arguments, options=("--array=0-1",)), tmp_path)
    analyze(videos, tmp_path / "local", detections="truth")
    with (
        working_copy(object_store) as copy,
        open_store(copy.folder) as cluster,
        open_store(tmp_path / "local") as local,
    ):
        assert cluster.video_ids() == local.video_ids() and len(local.video_ids()) == 3
        for video_id in local.video_ids():
            assert cluster.read_table(video_id, "tracks").equals(local.read_table(video_id, "tracks")), video_id
    assert not list(tmp_path.glob("s3:*"))
