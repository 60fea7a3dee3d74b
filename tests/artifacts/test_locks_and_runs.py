"""Run folders appear whole, are locked by one process, and a dead process holds no lock."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from visionllm_interaction.artifacts.runs import create_locked_run, discard_if_empty, list_runs
from visionllm_interaction.utils.atomic_files import publish_folder, remove_partials
from visionllm_interaction.utils.file_locks import try_lock, wait_for_lock
from visionllm_interaction.utils.logs import log

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


GROWTH = """
import os, sys
from pathlib import Path
registered = []
register = os.register_at_fork
os.register_at_fork = lambda **hooks: (registered.append(hooks), register(**hooks))
from visionllm_interaction.utils.file_locks import try_lock, wait_for_lock
folder = Path(sys.argv[1])
def descriptors():
    return len(os.listdir("/proc/self/fd"))
try_lock(folder).release()
before = len(registered), descriptors()
for _ in range(500):
    with wait_for_lock(folder):
        assert try_lock(folder) is None
    try_lock(folder).release()
print(len(registered) - before[0], descriptors() - before[1])
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors by /proc")
def test_released_locks_leave_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["0", "0"]  # at-fork handlers, open files


def test_a_forked_child_neither_holds_nor_ends_its_parents_lock(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from visionllm_interaction.utils.file_locks import try_lock
folder = Path(sys.argv[1])
lock = try_lock(folder)
child = os.fork()
if child == 0:
    lock.release()
    os._exit(0 if try_lock(folder) is None else 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), try_lock(folder) is None)
lock.release()
print(try_lock(folder) is not None)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["0", "True", "True"], "")


def test_a_lock_may_be_let_go_by_another_thread(tmp_path: Path) -> None:
    lock = try_lock(tmp_path)
    assert lock is not None
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    with wait_for_lock(tmp_path):
        pass


def test_waiting_for_a_lock_that_this_thread_holds_is_an_error_and_no_endless_wait(tmp_path: Path) -> None:
    with wait_for_lock(tmp_path), pytest.raises(RuntimeError, match="Deadlock"):
        wait_for_lock(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_without_locks_in_the_file_system_the_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    log.set_up_with(lambda: None)  # a command of another test may wait to configure what is captured here
    with structlog.testing.capture_logs() as logs, wait_for_lock(tmp_path):
        lock = try_lock(tmp_path)
        assert lock is not None
        lock.release()
    assert {entry["log_level"] for entry in logs} == {"warning"}
    assert "no locks" in logs[0]["event"]


@pytest.mark.parametrize("lock", [try_lock, wait_for_lock])
def test_a_lock_does_not_bring_back_a_folder_that_was_erased(tmp_path: Path, lock: Callable[[Path], object]) -> None:
    with pytest.raises(FileNotFoundError):
        lock(tmp_path / "erased")
    assert list(tmp_path.iterdir()) == []
