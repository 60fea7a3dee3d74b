"""A service that accepts videos and leaves their analysis to another one on the same database."""

from __future__ import annotations

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

pytestmark = pytest.mark.timeout(600)  # seconds on a free machine, minutes on a crowded one


@contextmanager
def running(config: ServeConfig, key: str) -> Iterator[TestClient]:
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, headers={"X-API-Key": key}) as client:
        yield client


def metric(client: TestClient, name: str) -> float:
    lines = (line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    return float(dict(lines)[name])


def test_a_video_waits_for_a_worker_and_the_queue_says_how_long(
    tmp_path: Path, tiny_checkpoint: Path, tiny_video: Path
) -> None:
    accepting = ServeConfig(data_dir=tmp_path, detector=tiny_checkpoint, device="cpu", page=False, job_workers=0)
    key = create_key(accepting.keys_path, name="test")
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
