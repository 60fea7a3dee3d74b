"""A service that accepts videos and leaves their analysis to another one on the same database."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from running_service import finished_job
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.jobs.queue import STARTING_NAME
from visionllm_interaction.utils.file_locks import wait_for_lock_file

pytestmark = pytest.mark.timeout(600)  # seconds on a free machine, minutes on a crowded one


@contextmanager
def running(config: ServeConfig, key: str) -> Iterator[TestClient]:
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, headers={"X-API-Key": key}) as client:
        yield client


def test_two_that_start_at_once_make_the_tables_one_after_the_other(tmp_path: Path) -> None:
    """On PostgreSQL each would wait for a lock of the other, and one of them would not start."""
    config = ServeConfig(data_dir=tmp_path, page=False)
    key = create_key(config.keys_path, name="test", role="admin")
    begun, ended = threading.Event(), threading.Event()

    def start() -> None:
        begun.set()
        with running(config, key):
            ended.set()

    with wait_for_lock_file(tmp_path / STARTING_NAME):
        thread = threading.Thread(target=start)
        thread.start()
        assert begun.wait(60)
        assert not ended.wait(4), "it waits while another makes them"
        assert not (tmp_path / "jobs.sqlite").exists()
    assert ended.wait(120)
    thread.join(60)


def metric(client: TestClient, name: str) -> float:
    lines = (line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    return float(dict(lines)[name])


def test_a_video_waits_for_a_worker_and_the_queue_says_how_long(
    tmp_path: Path, tiny_checkpoint: Path, tiny_video: Path
) -> None:
    accepting = ServeConfig(data_dir=tmp_path, detector=tiny_checkpoint, device="cpu", page=False, job_workers=0)
    key = create_key(accepting.keys_path, name="test", role="admin")
    with running(accepting, key) as client:
        assert metric(client, "visionllm_queue_age_seconds") == 0
        sent = client.post("/v1/videos", files={"file": ("a.mp4", tiny_video.read_bytes())}, data={"sample_fps": "5"})
        assert sent.status_code == 202, sent.text
        job_id = sent.json()["job_id"]
        time.sleep(2.5)  # a worker asks for the next job several times a second
        assert client.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"
        assert metric(client, 'visionllm_jobs{state="queued"}') == 1
        assert metric(client, "visionllm_queue_age_seconds") >= 2
    with running(accepting.model_copy(update={"job_workers": 1}), key) as client:
        assert finished_job(client, job_id)["status"] == "done"
        assert metric(client, "visionllm_queue_age_seconds") == 0
