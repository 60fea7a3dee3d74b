"""The service as users run it: a process, curl, kill -9."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from running_service import CLI, REPO, RunningService, finished_job, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
QUESTION = "How many children are there?"


def command_line(*arguments: str | Path, cwd: Path) -> dict[str, Any]:
    """Run ``visionllm`` and return its JSON."""
    done = subprocess.run([*CLI, *map(str, arguments), "--json"], cwd=cwd, capture_output=True, check=True, timeout=300)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_example_script_gets_the_command_lines_answer(service: RunningService, toy_video: Path) -> None:
    service.start()
    done = subprocess.run(
        [REPO / "deploy/examples/ask_video.sh", toy_video, QUESTION],
        env={**os.environ, "VISIONLLM_URL": service.url, "VISIONLLM_KEY": service.key},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr + service.log
    answer = json.loads(done.stdout)
    assert answer == command_line("ask", QUESTION, "--store", service.store, cwd=service.folder)
    assert "tracks" in done.stderr


def test_the_example_script_fails_with_the_reason(service: RunningService, tmp_path: Path) -> None:
    service.start()
    text = tmp_path / "notes.mp4"
    text.write_text("Dear diary,\n")
    script = [REPO / "deploy/examples/ask_video.sh", text, QUESTION]
    environment = {**os.environ, "VISIONLLM_URL": service.url, "VISIONLLM_KEY": service.key}
    refused = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=120)
    assert refused.returncode != 0
    unknown = subprocess.run(
        script, env={**environment, "VISIONLLM_KEY": "wrong"}, capture_output=True, text=True, timeout=120
    )
    assert unknown.returncode != 0
    assert "401" in unknown.stderr


def test_an_endless_upload_is_cut_off(service: RunningService) -> None:
    service.options.append("serve.limits.max_video_mb=2")
    service.start()
    lines = ["POST /v1/videos HTTP/1.1", "Host: 127.0.0.1", f"X-API-Key: {service.key}", "Transfer-Encoding: chunked"]
    head = "\r\n".join([*lines, "", ""])
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(head.encode())
        with pytest.raises(OSError, match=r"reset|pipe"):  # the service hangs up
            while sent < 200_000_000:
                connection.sendall(chunk)
                sent += len(chunk)
    assert sent < 20_000_000  # two megabytes, and what was under way
    with service.client() as client:
        assert client.get("/v1/videos").json()["videos"] == []
    assert list((service.folder / "service" / "incoming" / "service").iterdir()) == []


def test_a_second_service_on_the_folder_is_refused(service: RunningService) -> None:
    service.start()
    second = subprocess.run(
        [*CLI, "serve", "-o", "serve.port=1234"], cwd=service.folder, capture_output=True, timeout=120
    )
    assert second.returncode == 2
    assert b"Another service" in second.stderr


@pytest.mark.crash
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_survives_its_service_and_is_done_once(
    service: RunningService, toy_video: Path, how: signal.Signals
) -> None:
    service.start()
    with service.client() as client:
        accepted = client.post("/v1/videos", files={"file": (toy_video.name, toy_video.read_bytes())}).json()
        wait_for(lambda: client.get(f"/v1/jobs/{accepted['job_id']}").json()["status"] == "running")
    worker = wait_for(lambda: _workers_of(service))
    service.stop(how)
    wait_for(lambda: not _alive(worker), seconds=30)
    assert not (service.store / "videos").exists() or list((service.store / "videos").iterdir()) == []

    service.start()
    with service.client() as client:
        job = finished_job(client, accepted["job_id"])
        assert job["status"] == "done", job
        assert job["attempts"] == 2
        videos = client.get("/v1/videos").json()["videos"]
        assert [video["video_id"] for video in videos] == [accepted["video_id"]]
    assert [folder.name for folder in (service.store / "videos").iterdir()] == [accepted["video_id"]]
    record = service.store / "videos" / accepted["video_id"] / "video.json"
    written = record.stat().st_mtime_ns

    service.stop(signal.SIGKILL)  # after the end: nothing is done again
    service.start()
    with service.client() as client:
        assert client.get(f"/v1/jobs/{accepted['job_id']}").json() == job
        again = client.post("/v1/videos", files={"file": (toy_video.name, toy_video.read_bytes())}).json()
        assert again == job
    assert record.stat().st_mtime_ns == written


@pytest.mark.crash
def test_an_upload_whose_job_was_never_queued_is_taken_up(service: RunningService, tiny_video: Path) -> None:
    """The moment between keeping the file and queueing its job: made here by forgetting the jobs."""
    service.start()
    with service.client() as client:
        accepted = client.post("/v1/videos", files={"file": ("a.mp4", tiny_video.read_bytes())}).json()
    service.stop(signal.SIGKILL)
    for part in (service.folder / "service").glob("jobs.sqlite*"):
        part.unlink()
    service.start()
    with service.client() as client:
        assert finished_job(client, accepted["job_id"])["status"] == "done"


def test_a_video_erased_while_it_is_analysed_is_gone(service: RunningService, toy_video: Path) -> None:
    service.start()
    with service.client() as client:
        accepted = client.post("/v1/videos", files={"file": (toy_video.name, toy_video.read_bytes())}).json()
        log = service.folder / "service" / "uploads" / accepted["video_id"] / "job.log"
        wait_for(log.exists)  # before that the worker waits, and not for this job
        [worker] = _workers_of(service)
        assert client.delete(f"/v1/videos/{accepted['video_id']}").status_code == 204
        assert not _alive([worker])
        assert client.get("/v1/videos").json()["videos"] == []
        again = client.post("/v1/videos", files={"file": (toy_video.name, toy_video.read_bytes())}).json()
        assert again["job_id"] != accepted["job_id"]
        assert finished_job(client, again["job_id"])["status"] == "done"
    assert "Traceback" not in service.log


def test_a_worker_serves_one_job_after_another(service: RunningService, tiny_video: Path, toy_video: Path) -> None:
    service.start()
    workers = []
    with service.client() as client:
        for video in (tiny_video, toy_video):
            accepted = client.post("/v1/videos", files={"file": (video.name, video.read_bytes())}).json()
            assert finished_job(client, accepted["job_id"])["status"] == "done"
            workers.append(_workers_of(service))
    assert workers[0] == workers[1] and len(workers[0]) == 1


def test_a_worker_that_was_killed_is_tried_again_and_nothing_is_open_to_others(
    service: RunningService, toy_video: Path
) -> None:
    service.start()
    with service.client() as client:
        accepted = client.post("/v1/videos", files={"file": (toy_video.name, toy_video.read_bytes())}).json()
        [worker] = wait_for(lambda: _workers_of(service))
        os.kill(worker, signal.SIGKILL)
        assert finished_job(client, accepted["job_id"])["status"] == "done"
        assert worker not in _workers_of(service)
    folder = service.folder / "service"
    made_by_the_service = [path for path in (folder, *folder.rglob("*")) if not path.name.startswith(".keys")]
    assert [path for path in made_by_the_service if path.stat().st_mode & 0o077] == []


def _workers_of(service: RunningService) -> list[int]:
    import psutil

    assert service.process is not None
    children = psutil.Process(service.process.pid).children(recursive=True)
    return [child.pid for child in children if "visionllm_interaction.server.jobs.worker" in child.cmdline()]


def _alive(pids: list[int]) -> bool:
    import psutil

    return any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)
