"""Workers that die at bad moments cost a job an attempt, never its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from visionllm_interaction.server.jobs.worker import ExportRequest
from visionllm_interaction.server.jobs.worker_pool import Worker, WorkerPool

REQUEST = ExportRequest(
    folder=Path("f"), files=Path("f"), video=None, video_id="v", store=Path("s"), options={}, detector=None, settings={}
)


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
