"""``kill -9`` at random moments under a stream of uploads and exports: nothing is lost, doubled, stuck or failed.

The number of kills is ``VISIONLLM_KILLS`` (default 20); ``make test-kill-drill`` runs 200 over SQLite and 200 over
PostgreSQL. In pieces: ``make test-kill-drill VISIONLLM_KILLS=20 VISIONLLM_SEED=3 DRILL='-k sqlite'``, with another seed
for each piece. ``VISIONLLM_DRILL_RESULTS`` names a JSON file that keeps what was counted, by database and seed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from constant_yolox import write_graph
from postgres_server import postgres_server
from running_service import RunningService, wait_for

from visionllm_interaction.client import Client, ServiceProblem, resumable_upload

KILLS = int(os.environ.get("VISIONLLM_KILLS", "20"))
SEED = int(os.environ.get("VISIONLLM_SEED", "7"))
RESULTS = os.environ.get("VISIONLLM_DRILL_RESULTS")
STUCK_S = 60.0
LEASE_AND_MORE_S = 60.0
WORKER = "visionllm_interaction.server.jobs.worker"
pytestmark = [pytest.mark.slow, pytest.mark.crash, pytest.mark.timeout(600 + 120 * KILLS)]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The setting for the database of jobs."""
    if request.param == "sqlite":
        yield []
        return
    with postgres_server(tmp_path_factory.mktemp("postgres")) as server:
        yield [f"serve.database_url={server.url}"]


@pytest.fixture
def light_service(tmp_path: Path, database: list[str]) -> Iterator[RunningService]:
    """A service whose detector needs no torch, so that it starts again soon; it is not started yet."""
    detector = write_graph(tmp_path / "constant.onnx", outputs=85)
    options = [f"serve.detector={detector}", *database, "serve.max_job_attempts=100", "serve.page=false"]
    running = RunningService(tmp_path, options)
    yield running
    running.stop(signal.SIGKILL)


class Stream:
    """Sends one small video after another, by a form or in pieces, and again until each is accepted; exports some."""

    def __init__(self, service: RunningService, video: Path, folder: Path) -> None:
        self.service, self.folder = service, folder
        self.accepted: dict[str, str] = {}
        self.exports: set[str] = set()
        self._content = video.read_bytes()
        self._client = Client(service.url, key=service.key, timeout_s=30)
        self._plain = service.client()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()
        self._plain.close()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            path = self.folder / f"visit {number}.mp4"
            own = f"{number:08d}".encode()
            path.write_bytes(self._content + (8 + len(own)).to_bytes(4, "big") + b"free" + own)
            job_id = self._send(path, in_pieces=number % 2 == 0)
            if job_id is not None:
                self.accepted[job_id] = path.name
            if number % 3 == 0:
                self._export(f"export {number}".replace(" ", "-"))
            self._stop.wait(1.0)

    def _export(self, key: str) -> None:
        """Export a video that is done, if there is one; asked again under the same key after a connection was cut."""
        for _ in range(3):
            with suppress(httpx.TransportError, ServiceProblem):
                done = self._client.jobs(status="done", kind="analysis")
                if done:
                    self.exports.add(self._client.export(done[0].video_id, "csv", idempotency_key=key).job_id)
                return
            self._stop.wait(0.3)

    def _send(self, path: Path, *, in_pieces: bool) -> str | None:
        while not self._stop.is_set():
            with suppress(httpx.TransportError, ServiceProblem):
                if in_pieces:
                    return self._client.upload(path).job_id
                answer = self._plain.post("/v1/videos", files={"file": (path.name, path.read_bytes())})
                if answer.status_code == 202:
                    return str(answer.json()["job_id"])
            self._stop.wait(0.3)
        return None


def workers_of(service: RunningService) -> list[psutil.Process]:
    assert service.process is not None
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(service.process.pid).children(recursive=True)
        return [child for child in children if WORKER in child.cmdline()]
    return []


def end_of_all(service: RunningService, job_ids: set[str]) -> tuple[Counter[str], float]:
    """Wait until all jobs have ended: how many in which state, and the longest time in which none did."""
    longest, last, ended = 0.0, time.monotonic(), -1
    with service.client() as client:
        while True:
            states = {job["job_id"]: job["status"] for job in client.get("/v1/jobs").json()["jobs"]}
            open_ = [job for job in job_ids if states.get(job, "lost") in ("queued", "running")]
            now = time.monotonic()
            if len(job_ids) - len(open_) != ended:
                ended, last = len(job_ids) - len(open_), now
            longest = max(longest, now - last)
            if not open_ or longest > 3 * STUCK_S:
                return Counter(states.get(job, "lost") for job in job_ids), longest
            time.sleep(0.5)


def keep(run: str, counted: dict[str, object]) -> None:
    """Keep what a run counted in the file of results, if one is asked for."""
    if RESULTS:
        path = Path(RESULTS)
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(json.dumps({**known, run: counted}, indent=2) + "\n", encoding="utf-8")


def test_nothing_is_lost_or_doubled_by_kills_at_random_moments(
    request: pytest.FixtureRequest,
    light_service: RunningService,
    tiny_video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = light_service
    monkeypatch.setattr(resumable_upload, "PIECE_BYTES", 1000)
    chance = random.Random(SEED)
    videos = tmp_path / "videos"
    videos.mkdir()
    service.start()
    killed: Counter[str] = Counter()
    starts: list[float] = []
    with Stream(service, tiny_video, videos) as stream:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0, max(6.0, service.start_s)))  # so that something happens on slow machines, too
            workers = workers_of(service)
            if workers and chance.random() < 0.5:
                with suppress(psutil.NoSuchProcess):
                    chance.choice(workers).kill()
                killed["worker"] += 1
                continue
            service.stop(signal.SIGKILL)
            killed["service"] += 1
            begin = time.monotonic()
            service.start(until="healthz")  # the detector may still load, and the next kill come before it is ready
            starts.append(time.monotonic() - begin)
    states, stuck_s = end_of_all(service, {*stream.accepted, *stream.exports})
    stored = [folder.name for folder in (service.store / "videos").iterdir() if not folder.name.startswith(".")]
    with service.client() as client:
        listed = client.get("/v1/videos").json()["videos"]
        names = Counter(video["name"] for video in listed)
    service.stop(signal.SIGKILL)
    told = {
        "killed": dict(killed),
        "accepted": {"uploads": len(stream.accepted), "exports": len(stream.exports)},
        "ended": dict(states),
        "doubled": sum(count > 1 for count in names.values()),
        "longest_without_an_end_s": round(stuck_s, 1),
        "answers_after_s_median": round(sorted(starts)[len(starts) // 2], 1) if starts else None,
    }
    print(told, file=sys.stderr)
    keep(f"{request.node.callspec.params['database']}, seed {SEED}", told)
    assert states == {"done": len(stream.accepted) + len(stream.exports)}, (told, service.log[-3000:])
    assert len(stream.accepted) >= KILLS // 4, "a stream of jobs"
    assert set(names.values()) == {1}, "nothing is doubled"
    assert set(stream.accepted.values()) <= set(names)
    assert {video["video_id"] for video in listed if video["analysed"]} == set(stored)
    assert stuck_s < STUCK_S, told


def test_the_jobs_of_a_host_that_never_comes_back_are_taken_over(
    service: RunningService, tmp_path: Path, toy_video: Path, database: list[str]
) -> None:
    common = [*service.options, *database, "serve.page=false"]
    service.options = [*common, "serve.executor_id=one"]
    service.start()
    other = RunningService(tmp_path, [*common, "serve.executor_id=two"], key=service.key)
    with service.client() as client:
        accepted = client.post("/v1/videos", files={"file": ("visit.mp4", toy_video.read_bytes())}).json()
        address = f"/v1/jobs/{accepted['job_id']}"
        wait_for(lambda: client.get(address).json()["progress"], every=0.05)
    [worker] = workers_of(service)
    worker.suspend()  # so that the job still runs when the other host is there
    try:
        other.start()
        service.stop(signal.SIGKILL)
        worker.kill()
        begin = time.monotonic()
        with other.client() as client:
            wait_for(lambda: client.get(address).json()["attempts"] > 1, seconds=3 * LEASE_AND_MORE_S)
            taken_over_s = time.monotonic() - begin
            wait_for(lambda: client.get(address).json()["status"] == "done", seconds=300)
            assert [video["video_id"] for video in client.get("/v1/videos").json()["videos"]] == [accepted["video_id"]]
    finally:
        other.stop(signal.SIGKILL)
    print(f"taken over {taken_over_s:.1f} s after the death of its host", file=sys.stderr)
    assert taken_over_s <= LEASE_AND_MORE_S
