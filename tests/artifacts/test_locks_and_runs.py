"""Run folders appear whole, are locked by one process, and a dead process holds no lock."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from visionllm_interaction.artifacts.runs import create_locked_run, discard_if_empty, list_runs
from visionllm_interaction.utils.atomic_files import publish_folder, remove_partials
from visionllm_interaction.utils.file_locks import try_lock

HOLD = """
import os, sys, time
from pathlib import Path
from visionllm_interaction.utils.file_locks import try_lock
lock = try_lock(Path(sys.argv[1]))
if len(sys.argv) > 2 and os.fork() == 0:
    time.sleep(60)  # a worker that outlives its parent
    os._exit(0)
print("held" if lock else "refused", flush=True)
time.sleep(60)
"""


def hold(folder: Path, *more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), *more], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("worker", [(), ("worker",)], ids=["alone", "with a forked worker"])
def test_lock_ends_with_its_process(tmp_path: Path, worker: tuple[str, ...]) -> None:
    process = hold(tmp_path, *worker)
    try:
        assert try_lock(tmp_path) is None
        process.kill()
        process.wait()
        deadline = time.monotonic() + 5
        while (lock := try_lock(tmp_path)) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert lock is not None
        lock.release()
    finally:
        end(process)


def test_lock_keeps_the_same_process_apart_too(tmp_path: Path) -> None:
    first = try_lock(tmp_path)
    assert first is not None and try_lock(tmp_path) is None
    with first:
        pass
    second = try_lock(tmp_path)
    assert second is not None
    second.release()


def test_new_run_takes_over_stages_by_hard_links(tmp_path: Path) -> None:
    old = create_locked_run(tmp_path)
    with old.lock, publish_folder(old.path / "data_ingestion") as partial:
        (partial / "files.parquet").write_bytes(b"index")
        (partial / "sub").mkdir()
        (partial / "sub/file").write_bytes(b"more")
    new = create_locked_run(tmp_path, stages_of=old.path, stages=["ingest"])
    with new.lock:
        assert try_lock(new.path) is None
        for name in ("data_ingestion/files.parquet", "data_ingestion/sub/file"):
            assert (old.path / name).samefile(new.path / name)
    assert list_runs(tmp_path) == [old.path, new.path]


def test_many_runs_at_once_are_all_different(tmp_path: Path) -> None:
    runs = [create_locked_run(tmp_path) for _ in range(50)]
    assert len({run.path for run in runs}) == 50 == len(list_runs(tmp_path))
    for run in runs:
        run.lock.release()


def test_leftovers_of_dead_processes_are_removed_and_those_of_living_ones_kept(tmp_path: Path) -> None:
    dead, living, unlocked_new = (tmp_path / f".partial-run-{name}" for name in ("dead", "living", "new"))
    for folder in (dead, living, unlocked_new):
        folder.mkdir()
    (dead / ".lock").touch()
    process = hold(living)
    try:
        create_locked_run(tmp_path).lock.release()
    finally:
        end(process)
    assert not dead.exists() and living.exists() and unlocked_new.exists()


def test_a_run_in_which_nothing_was_built_is_discarded(tmp_path: Path) -> None:
    empty, used = create_locked_run(tmp_path), create_locked_run(tmp_path)
    (used.path / "data_ingestion").mkdir()
    for run in (empty, used):
        with run.lock:
            discard_if_empty(run.path)
    assert list_runs(tmp_path) == [used.path]


def test_partials_go_but_the_workspace_stays(tmp_path: Path) -> None:
    for name in (".partial-a", ".partial-model_trainer", "data_ingestion"):
        (tmp_path / name).mkdir()
    (tmp_path / ".partial-file").touch()
    remove_partials(tmp_path, keep=tmp_path / ".partial-model_trainer")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".partial-model_trainer", "data_ingestion"]
