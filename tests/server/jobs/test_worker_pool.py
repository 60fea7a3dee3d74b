"""Workers that die at bad moments cost a job an attempt, never its end."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads
from visionllm_interaction.server.jobs import queue
from visionllm_interaction.server.jobs.exports import ExportOptions, Exports
from visionllm_interaction.server.jobs.queue import JobQueue
from visionllm_interaction.server.jobs.worker import LOCK_NAME, AnalysisRequest, Analyst, ExportRequest
from visionllm_interaction.server.jobs.worker_pool import Worker, WorkerPool
from visionllm_interaction.server.monitoring.seen_images import SeenImage
from visionllm_interaction.utils.file_locks import wait_for_lock_file

REQUEST = ExportRequest(
    folder=Path("f"), files=Path("f"), video=None, video_id="v", store=Path("s"), options={}, detector=None, settings={}
)
SEEN_LINE = SeenImage(("child",), (0.9,), 0.05, None).to_json().decode()


def test_a_worker_that_is_killed_before_it_has_read_its_request_is_replaced() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    worker = Worker(process)
    process.kill()
    process.wait()
    assert worker.run(REQUEST, give_up=lambda: False) == (b"", -9), "tried again, as after any other kill"
    WorkerPool(size=0, threads=1, detector=lambda: None).give_back(worker)
    assert process.stdin is not None and process.stdin.closed


def analysis(folder: Path) -> AnalysisRequest:
    return AnalysisRequest(
        folder=folder,
        video=folder / "visit.mp4",
        video_id="visit",
        sha256="0",
        store=folder.parent / "store",
        detector=folder / "x.onnx",
        view="room",
        analysis={},
    )


def test_a_job_that_was_erased_before_its_worker_began_leaves_nothing(tmp_path: Path) -> None:
    outcome = Analyst().do(analysis(tmp_path / "erased"))
    assert outcome["status"] == "failed" and "erased" in str(outcome["error"])
    assert list(tmp_path.iterdir()) == [], "no store, and no entry of its ledger"


def test_a_worker_goes_on_after_a_job_whose_folder_is_gone(tmp_path: Path) -> None:
    worker = WorkerPool(size=0, threads=1, detector=lambda: None).take()
    for _ in range(2):
        output, code = worker.run(analysis(tmp_path / "erased"), give_up=lambda: False)
        assert code == 0 and b"erased" in output
    worker.end()


def test_erasing_waits_for_the_worker_of_another_host(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", tmp_path / "incoming")
    uploads.prepare()
    folder = tmp_path / "uploads" / "visit"
    folder.mkdir()
    at_work = wait_for_lock_file(folder / LOCK_NAME)
    ended = threading.Event()

    def end() -> None:
        ended.set()
        at_work.release()

    threading.Timer(0.5, end).start()
    assert uploads.erase("visit") and ended.is_set()
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [".lock"]


def test_a_worker_that_does_not_end_keeps_nothing_from_being_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visionllm_interaction.server.jobs.worker.WORKER_END_S", 0.1)
    exports = Exports(tmp_path, expiry_s=3600)
    export = exports.create("visit", ExportOptions(format="csv"))
    with wait_for_lock_file(exports.folder(export) / LOCK_NAME):
        exports.delete(export)
    assert exports.all() == []


def test_no_request_gets_the_answer_of_one_that_was_given_up(tmp_path: Path) -> None:
    class StoppedError(BaseException):
        pass

    def stop() -> bool:
        raise StoppedError

    pool = WorkerPool(size=1, threads=1, detector=lambda: tmp_path / "x.onnx")
    worker = pool.take()
    with pytest.raises(StoppedError):
        worker.run(analysis(tmp_path / "erased"), give_up=stop)
    pool.give_back(worker)
    worker = pool.take()
    following = {"folder": tmp_path, "files": tmp_path / "files", "options": {"format": "blurred"}}
    output, code = worker.run(REQUEST.model_copy(update=following), give_up=lambda: False)
    worker.end()
    pool.stop()
    assert b"The file of the video is not here." in output and code == 0


@pytest.mark.parametrize("line", ["no record", SEEN_LINE])
def test_what_cannot_be_told_of_an_image_fails_no_request(line: str) -> None:
    def see(_: SeenImage) -> None:
        raise OSError("the checkpoint cannot be read")

    process = subprocess.Popen(
        [sys.executable, "-c", f"input(); print('seen', {line!r}); print('the answer')"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    worker = Worker(process)
    assert worker.run(REQUEST, give_up=lambda: False, see=see) == (b"the answer\n", 0)
    worker.end()


def test_a_folder_that_is_away_for_a_moment_cancels_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unused: Any = None
    jobs = JobQueue(ServeConfig(data_dir=tmp_path), files=unused, monitor=unused)
    known = SimpleNamespace(list_workflows=lambda **_: [SimpleNamespace(status="PENDING")])
    monkeypatch.setattr(queue, "DBOS", known)
    monkeypatch.setattr(queue, "CANCEL_CHECK_S", -1.0)
    folder = tmp_path / "visit"
    is_cancelled = jobs._cancel_watch("job-0", folder)
    for _ in range(3):
        assert not is_cancelled() and not is_cancelled()
        folder.mkdir()
        assert not is_cancelled()
        folder.rmdir()
    assert [is_cancelled() for _ in range(3)] == [False, False, True], "it was erased"
