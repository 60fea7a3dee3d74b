"""Many at once upload, export, cancel, retry, correct, ask and erase the same videos: nothing fails, nothing is left.

``VISIONLLM_BUSY_S`` is how long (default 30 s), ``VISIONLLM_SEED`` what they do.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from canary_scan import find_bytes
from constant_yolox import write_graph
from running_service import RunningService, wait_for

BUSY_S = float(os.environ.get("VISIONLLM_BUSY_S", "30"))
SEED = int(os.environ.get("VISIONLLM_SEED", "1"))
PEOPLE = 6
NAME = "Zanzibarina"
NEW_BOX = {"kind": "box", "action": "set", "category": "ball", "boxes": [{"time_s": 0.5, "box_xyxy": [1, 1, 9, 9]}]}
DEEDS = {
    "upload": 4,
    "upload again": 2,
    "erase": 3,
    "export": 4,
    "delete export": 2,
    "cancel": 2,
    "retry": 2,
    "analyse": 2,
    "correct": 1,
    "ask": 1,
    "poster": 2,
    "file": 1,
    "timeline": 1,
}
"""What they do, and how often."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 3 * BUSY_S)]


@pytest.fixture
def light_service(tmp_path: Path) -> Iterator[RunningService]:
    """A service whose detector answers at once."""
    detector = write_graph(tmp_path / "constant.onnx", outputs=85)
    running = RunningService(tmp_path, [f"serve.detector={detector}", "serve.page=false"])
    running.start()
    yield running
    running.stop(signal.SIGKILL)


class Crowd:
    """People who do whatever they like until the time is up."""

    def __init__(self, service: RunningService, content: bytes) -> None:
        self.service, self.content = service, content
        self.answers: Counter[tuple[str, int]] = Counter()
        self.odd: list[str] = []
        self._lock, self._videos = threading.Lock(), 0
        self._end = time.monotonic() + BUSY_S

    def work(self) -> None:
        people = [threading.Thread(target=self._person, args=(n,)) for n in range(PEOPLE)]
        for person in people:
            person.start()
        for person in people:
            person.join()

    def _person(self, number: int) -> None:
        chance = random.Random(SEED * 1000 + number)
        with self.service.client() as client:
            while time.monotonic() < self._end:
                deed = chance.choices(list(DEEDS), list(DEEDS.values()))[0]
                try:
                    answer = self._do(client, deed, chance)
                except httpx.HTTPError as error:
                    self.odd.append(f"{deed}: {type(error).__name__}: {error}")
                    continue
                if answer is not None:
                    self.answers[deed, answer.status_code] += 1
                    if answer.status_code == 400 or answer.status_code >= 500:
                        self.odd.append(f"{deed}: {answer.status_code} {answer.text[:300]}")

    def _do(self, client: httpx.Client, deed: str, chance: random.Random) -> httpx.Response | None:
        if deed.startswith("upload"):
            return self._upload(client, new=deed == "upload", named=chance.random() < 0.5)
        videos = [video["video_id"] for video in client.get("/v1/videos").json()["videos"]]
        if not videos:
            return None
        address = f"/v1/videos/{chance.choice(videos)}"
        if deed in ("cancel", "retry", "delete export"):
            about = {"video_id": address.rsplit("/", 1)[-1]} | ({"kind": "export"} if "export" in deed else {})
            jobs = [job["job_id"] for job in client.get("/v1/jobs", params=about).json()["jobs"]]
            if not jobs:
                return None
            job = chance.choice(jobs)
            return (
                client.delete(f"{address}/exports/{job}") if "export" in deed else client.post(f"/v1/jobs/{job}/{deed}")
            )
        asked: dict[str, Any] = {"question": "How many people are there?", "video_id": address.rsplit("/", 1)[-1]}
        ways = {
            "erase": lambda: client.delete(address),
            "export": lambda: client.post(f"{address}/exports", json={"format": chance.choice(["csv", "eaf", "mp4"])}),
            "analyse": lambda: client.post(f"{address}/analysis", json={}),
            "correct": lambda: client.post(f"{address}/corrections", json=NEW_BOX),
            "ask": lambda: client.post("/v1/ask", json=asked),
        }
        return ways[deed]() if deed in ways else client.get(f"{address}/{deed}")

    def _upload(self, client: httpx.Client, *, new: bool, named: bool) -> httpx.Response:
        with self._lock:
            self._videos += new
            number = self._videos
        own = f"{number:08d}".encode()
        content = self.content + (8 + len(own)).to_bytes(4, "big") + b"free" + own
        headers = {"Idempotency-Key": f"video-{number}"} if named else {}
        return client.post("/v1/videos", files={"file": (f"{NAME} {number}.mp4", content)}, headers=headers)


def test_many_at_once_do_each_other_no_harm(light_service: RunningService, tiny_video: Path) -> None:
    crowd = Crowd(light_service, tiny_video.read_bytes())
    crowd.work()
    data = light_service.folder / "service"
    with light_service.client() as client:

        def all_ended() -> bool:
            return not [one for one in client.get("/v1/jobs").json()["jobs"] if one["status"] in ("queued", "running")]

        wait_for(all_ended, seconds=180)
        failed = [one["error"] for one in client.get("/v1/jobs").json()["jobs"] if one["status"] == "failed"]
        names = Counter(video["name"] for video in client.get("/v1/videos").json()["videos"])
        for video in client.get("/v1/videos").json()["videos"]:
            assert client.delete(f"/v1/videos/{video['video_id']}").status_code == 204
        assert client.get("/v1/audit").json()["faults"] == []
    print(dict(sorted(crowd.answers.items())))
    assert sum(crowd.answers.values()) > BUSY_S, "they were busy"
    assert crowd.odd == []
    assert failed == []
    assert set(names.values()) <= {1}
    assert find_bytes(data, [NAME.encode()]) == []
    light_service.stop(signal.SIGTERM)
    assert find_bytes(data, [NAME.encode()]) == []
    assert "Traceback" not in light_service.log and NAME not in light_service.log, light_service.log[-4000:]
