"""All services of ``deploy/docker/compose.yaml`` together: jobs in PostgreSQL, a training in MLflow, alerts that fire.

The tests follow one another: each finds the services as the one before left them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from compose_project import GGUF, ComposeProject, running_project, targets, wait_for
from deploy_checks import REPO, tiny_training
from docker_engine import docker, need_engine

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3000)]

DASHBOARDS = sorted((REPO / "deploy/monitoring/grafana/dashboards").glob("*.json"))
FIVE_HOURS_MS = 5 * 3600 * 1000


@dataclass(frozen=True)
class Stack:
    """The services, and a caller with a key."""

    project: ComposeProject
    client: httpx.Client
    videos: Path

    def upload(self, name: str, *, sample_fps: str = "1") -> str:
        """Send a video; returns where its job is asked for."""
        with (self.videos / name).open("rb") as stream:
            sent = self.client.post("/v1/videos", files={"file": (name, stream)}, data={"sample_fps": sample_fps})
        assert sent.status_code == 202, sent.text
        return str(sent.headers["Location"])

    def job(self, location: str) -> dict[str, Any]:
        """A job as it is now."""
        found: dict[str, Any] = self.client.get(location).raise_for_status().json()
        return found

    def wait_for_alerts(self, *wanted: tuple[str, str], gone: bool = False) -> None:
        """Wait until alerts fire, or until none of them does."""

        def as_wanted() -> bool:
            firing = self.project.firing()
            return not (set(wanted) & firing) if gone else set(wanted) <= firing

        wait_for(as_wanted, what=f"{wanted} {'gone' if gone else 'firing'}", seconds=120)


@pytest.fixture(scope="module")
def stack(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    need_engine()
    models = shared_data.parent / "models"
    folder = tmp_path_factory.mktemp("compose")
    with running_project(folder, models=models, detector="/models/yolox_nano.onnx") as project:
        headers = {"Authorization": f"Bearer {project.key}"}
        url = f"http://{project.addresses['service']}:8000"
        with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
            wait_for(lambda: client.get("/v1/readyz").status_code == 200, what="ready", seconds=600)
            yield Stack(project, client, shared_data / "videos")


def test_every_target_is_scraped(stack: Stack) -> None:
    health = targets(stack.project)
    assert {"service:8000", "worker:8000"} < set(health)
    assert set(health.values()) == {"up"}
    ups = stack.project.prometheus("query", query="up")["result"]
    assert len(ups) == len(health) and all(up["value"][1] == "1" for up in ups)


def test_no_description_of_a_container_holds_a_password(stack: Stack) -> None:
    for service in stack.project.addresses:
        described = docker("inspect", stack.project.container(service)).stdout.decode()
        assert not [password for password in stack.project.passwords if password in described], service


def test_a_container_is_as_closed_as_the_file_says(stack: Stack) -> None:
    for service in ("service", "worker", "mlflow"):
        container = stack.project.container(service)
        host = json.loads(docker("inspect", container).stdout)[0]["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], service
        uids = docker("exec", container, "sh", "-c", "grep ^Uid /proc/1/status").stdout.decode().split()[1:]
        assert set(uids) == {"10001"}, service


def test_the_worker_analyses_what_the_service_accepts(stack: Stack, shared_data: Path) -> None:
    location = stack.upload("bottle-detection.mp4")
    job = wait_for(lambda: _ended(stack.job(location)), what="the job", seconds=600)
    assert job["status"] == "done", job
    rows = stack.project.sql("visionllm", "SELECT executor_id, status FROM dbos.workflow_status").splitlines()
    assert rows == ["worker|SUCCESS"], "the job is in PostgreSQL, and the service itself ran none"
    answer = stack.client.post("/v1/ask", json={"question": "How long was the person visible?"}).json()
    assert answer["status"] == "answered" and answer["claims"][0]["evidence"], answer
    picture = sorted((shared_data / "coco-mini/val2017").glob("*.jpg"))[0]
    files = {"file": (picture.name, picture.read_bytes(), "image/jpeg")}
    assert stack.client.post("/v1/detect", files=files).status_code == 200


@pytest.mark.skipif(GGUF not in os.environ, reason=f"no language model at hand: set {GGUF}")
def test_the_language_model_reads_what_the_rules_do_not(stack: Stack) -> None:
    """The service asks its neighbour, which reads the question; the value is code's, the same as for plain words."""
    llm = f"http://{stack.project.addresses['llm']}:8080/health"
    wait_for(lambda: _answers(llm), what="the language model", seconds=300)
    plain = stack.client.post("/v1/ask", json={"question": "How long was the person visible?"}, timeout=600).json()
    free = {"question": "For what stretch of the recording could one make out the person?"}
    answer = stack.client.post("/v1/ask", json=free, timeout=1000).json()
    assert answer["planner"] == "llm" and answer["model"] == "local", answer
    assert answer["status"] == "answered", answer
    assert answer["claims"][0]["value"] == plain["claims"][0]["value"]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _ended(job: dict[str, Any]) -> dict[str, Any] | None:
    return job if job["status"] not in ("queued", "running") else None


def test_mlflow_receives_a_training(stack: Stack) -> None:
    volume = f"{stack.project.name}_training"
    run = ("run", "--rm", "--network", "host", *stack.project.hosts(), "-v", f"{volume}:/data")
    try:
        made = docker(*run, "visionllm-interaction:train", "toyroom", "/data/toyroom", "--images", "12", "--json")
        overrides = ("-o", f"data.root={json.loads(made.stdout)['root']}", *tiny_training(epochs=1))
        track = ("-o", "tracking.kind=mlflow", "-o", "tracking.uri=http://mlflow:5000", "-o", "tracking.required=true")
        result = json.loads(docker(*run, "visionllm-interaction:train", "run", *overrides, *track, "--json").stdout)
    finally:
        docker("volume", "rm", "-f", volume)
    assert 0 <= result["AP"] <= 1
    runs = stack.project.sql("mlflow", "SELECT status FROM runs").splitlines()
    assert runs == ["FINISHED"]
    points = stack.project.sql("mlflow", "SELECT value FROM metrics WHERE key = 'AP'").splitlines()
    assert [round(float(value), 6) for value in points] == [round(result["AP"], 6)]


def test_every_query_of_every_dashboard_has_data(stack: Stack) -> None:
    """After an upload, a detection and a question, no panel may be empty."""
    stack.client.get("/v1/videos").raise_for_status()
    queries = {
        (file.stem, panel["title"], target["expr"])
        for file in DASHBOARDS
        for panel in json.loads(file.read_text())["panels"]
        for target in panel["targets"]
    }
    assert len(queries) > 15
    empty = [query for query in sorted(queries) if not stack.project.prometheus("query", query=query[2])["result"]]
    assert empty == []


def test_nothing_fires_while_all_is_well(stack: Stack) -> None:
    assert stack.project.firing() == set()


def test_a_worker_that_is_down_and_a_queue_that_ages_are_told(stack: Stack) -> None:
    down, worker = ("VisionLLMDown", "worker:8000"), stack.project.container("worker")
    docker("kill", worker)
    location = stack.upload("one-by-one-person-detection.mp4")
    stack.wait_for_alerts(down, ("VisionLLMQueueStuck", "service:8000"))
    assert stack.job(location)["status"] == "queued"
    # as if it had been sent five hours ago
    set_back = f"UPDATE dbos.workflow_status SET created_at = created_at - {FIVE_HOURS_MS} WHERE status = 'ENQUEUED'"
    stack.project.sql("visionllm", set_back)
    old = ("VisionLLMQueueOld", "service:8000")
    stack.wait_for_alerts(down, old)
    assert ("VisionLLMDown", "service:8000") not in stack.project.firing()
    docker("start", worker)
    stack.wait_for_alerts(down, old, ("VisionLLMQueueStuck", "service:8000"), gone=True)
    job = wait_for(lambda: _ended(stack.job(location)), what="the job", seconds=900)
    assert job["status"] == "done", job


def test_a_disk_that_fills_up_is_told(stack: Stack) -> None:
    low = ("VisionLLMDiskLow", "service:8000")
    assert low not in stack.project.firing()
    container = stack.project.container("service")
    docker("exec", container, "fallocate", "-l", "800M", "/data/ballast")
    stack.wait_for_alerts(low, ("VisionLLMDiskLow", "worker:8000"))
    docker("exec", container, "rm", "/data/ballast")
    stack.wait_for_alerts(low, gone=True)


def test_a_backup_brings_back_what_was_lost(stack: Stack, tmp_path: Path) -> None:
    """By the commands of docs/deploy.md."""
    section = (REPO / "docs/deploy.md").read_text().partition("### Backup, restore, upgrade")[2]
    backup, restore = section.split("```")[1:4:2]
    question = {"question": "How long was the person visible?"}
    before = stack.client.post("/v1/ask", json=question).json()["claims"][0]["value"]
    jobs = stack.project.sql("visionllm", "SELECT count(*) FROM dbos.workflow_status")
    stack.project.shell(backup, tmp_path)
    stack.project.sql("mlflow", "DELETE FROM metrics")
    stack.project.sql("visionllm", "DELETE FROM dbos.workflow_status")
    docker("exec", stack.project.holder, "sh", "-c", "rm -r /data/service/store /data/service/uploads")
    stack.project.shell(restore, tmp_path)
    wait_for(lambda: _answers(f"{stack.client.base_url}/v1/readyz"), what="ready", seconds=300)
    assert stack.client.post("/v1/ask", json=question).json()["claims"][0]["value"] == before
    assert stack.project.sql("visionllm", "SELECT count(*) FROM dbos.workflow_status") == jobs
    assert stack.project.sql("mlflow", "SELECT count(*) FROM metrics WHERE key = 'AP'") == "1"


def test_the_service_stops_in_order(stack: Stack) -> None:
    """Runs last."""
    for service in ("service", "worker"):
        container = stack.project.container(service)
        begin = time.monotonic()
        docker("stop", "-t", "60", container)
        assert time.monotonic() - begin < 40, service
        assert json.loads(docker("inspect", container).stdout)[0]["State"]["ExitCode"] in (0, 143), service
