"""The service under load: start, rate beside the bare detector, overload, SIGTERM, memory, overhead of a job.

    python benchmarks/service/service_load.py --detector FILE [--parts start,rate,overload,stop,memory,job]

Each part starts a service of its own on the loopback address. ``rate`` asks service and bare detector by turns, with
the same image. ``overload`` offers three times the measured rate. Figures in seconds need a machine without other work.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/server"))

from running_service import RunningService, wait_for  # noqa: E402

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom  # noqa: E402
from visionllm_interaction.core.image_decoding import read_rgb  # noqa: E402
from visionllm_interaction.detection.models import load_detector  # noqa: E402

RESULT = HERE.parent / "results" / "service_load.json"
CLIENTS, TURNS, TURN_S = 8, 5, 6.0
OVERLOAD = 3
MIXED = ("/v1/videos", "/v1/me", "/v1/jobs", "/v1/measures", "/v1/videos/{video}/timeline", "/v1/healthz")


@dataclass(frozen=True)
class Asked:
    """What is measured: the detector, an image, and how much of it."""

    detector: Path
    image: bytes
    seconds: float
    requests: int
    repeats: int


@dataclass
class Counted:
    """What clients were answered: number by status, seconds by status; and requests that got no answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)
    without_retry_after: int = 0
    dropped: int = 0
    refused_connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: int, seconds: float, *, retry_after: bool) -> None:
        with self.lock:
            self.statuses[status] += 1
            self.seconds.setdefault(status, []).append(seconds)
            self.without_retry_after += status == 503 and not retry_after


class Asker:
    """Sends requests to a service, each on a connection of its own or all on one."""

    def __init__(self, service: RunningService, counted: Counted, *, keep: bool = True) -> None:
        self._service, self._counted, self._keep = service, counted, keep
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "image/jpeg") -> None:
        """Send one request and count its answer."""
        begin = time.perf_counter()
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=120)
            try:
                self._connection.connect()
            except OSError:
                self._connection = None
                with self._counted.lock:
                    self._counted.refused_connections += 1
                return
        headers = {"Authorization": f"Bearer {self._service.key}"} | ({"Content-Type": kind} if body else {})
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection = None
            with self._counted.lock:
                self._counted.dropped += 1
            return
        retry_after = answer.getheader("Retry-After") is not None
        self._counted.add(answer.status, time.perf_counter() - begin, retry_after=retry_after)
        if not self._keep or answer.getheader("Connection") == "close":
            self._connection.close()
            self._connection = None


def at_once(clients: int, work: Callable[[int], None]) -> None:
    """Run ``work`` in threads."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def running(detector: Path, *options: str) -> Iterator[RunningService]:
    """A service that is ready."""
    with tempfile.TemporaryDirectory() as folder:
        service = RunningService(Path(folder), [f"serve.detector={detector}", *options], threads=None)
        service.start()
        try:
            yield service
        finally:
            service.stop(signal.SIGKILL)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def start(asked: Asked) -> dict[str, Any]:
    """Seconds from the start of the process until it is ready, and until it answers."""
    ready, cpu, answers = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        service = RunningService(Path(folder), [f"serve.detector={asked.detector}"])
        for _ in range(asked.repeats + 1):
            begin = time.monotonic()
            service.start(until="healthz")
            answers.append(time.monotonic() - begin)
            service._wait_until("readyz")
            ready.append(time.monotonic() - begin)
            assert service.process is not None
            cpu.append(cpu_s(psutil.Process(service.process.pid)))
            service.stop(signal.SIGKILL)
    found = {"answers_after_s": answers, "ready_after_s": ready, "processor_s": cpu}
    return {name: round(statistics.median(values[1:]), 2) for name, values in found.items()}  # the first reads the disk


def rate(asked: Asked) -> dict[str, Any]:
    """Images per second of the bare detector and of the service with eight clients, and the median time with one."""
    bare = load_detector(asked.detector)

    def bare_once() -> None:
        bare.detect([read_rgb(io.BytesIO(asked.image), max_megapixels=50)], min_confidence=0.5)

    with running(asked.detector, "serve.page=false") as service:
        alone, together = Counted(), Counted()
        bare_once()
        Asker(service, Counted()).ask("POST", "/v1/detect", asked.image)
        assert service.process is not None
        process = psutil.Process(service.process.pid)
        bare_times, bare_rates, service_rates = list[float](), list[float](), list[float]()
        bare_processor_s, service_processor_s = list[float](), list[float]()
        for _ in range(TURNS):
            begin, done, used = time.perf_counter(), 0, time.process_time()
            while time.perf_counter() - begin < TURN_S:
                once = time.perf_counter()
                bare_once()
                bare_times.append(time.perf_counter() - once)
                done += 1
            bare_rates.append(done / (time.perf_counter() - begin))
            bare_processor_s.append((time.process_time() - used) / done)
            for_a_while(lambda: 1, service, alone, asked.image, TURN_S)
            before, used = together.statuses[200], cpu_s(process)
            begin = time.perf_counter()
            for_a_while(lambda: CLIENTS, service, together, asked.image, TURN_S)
            service_rates.append((together.statuses[200] - before) / (time.perf_counter() - begin))
            service_processor_s.append((cpu_s(process) - used) / (together.statuses[200] - before))
    ratios = [ours / theirs for ours, theirs in zip(service_rates, bare_rates, strict=True)]
    return {
        "bare_images_per_s": round(statistics.median(bare_rates), 2),
        "service_images_per_s": round(statistics.median(service_rates), 2),
        "service_to_bare": round(statistics.median(ratios), 3),
        "by_turn": [round(one, 3) for one in ratios],
        "bare_processor_ms_per_image": round(1000 * statistics.median(bare_processor_s), 2),
        "service_processor_ms_per_image": round(1000 * statistics.median(service_processor_s), 2),
        "one_client_more_than_bare_ms": round(
            1000 * (statistics.median(alone.seconds[200]) - statistics.median(bare_times)), 1
        ),
        "statuses": {str(status): count for status, count in together.statuses.items()},
    }


def for_a_while(
    clients: Callable[[], int], service: RunningService, counted: Counted, image: bytes, seconds: float
) -> None:
    """Let clients ask one image after another."""
    end = time.perf_counter() + seconds

    def work(_: int) -> None:
        asker = Asker(service, counted)
        while time.perf_counter() < end:
            asker.ask("POST", "/v1/detect", image)

    at_once(clients(), work)


def overload(asked: Asked) -> dict[str, Any]:
    """Three times what the service can do, offered by a clock and not by its answers."""
    with running(asked.detector, "serve.page=false") as service:
        calm, counted = Counted(), Counted()
        for_a_while(lambda: CLIENTS, service, calm, asked.image, TURN_S)
        offered = OVERLOAD * calm.statuses[200] / TURN_S
        senders = 64
        begin = time.perf_counter()

        def work(number: int) -> None:
            asker, sent = Asker(service, counted), 0
            while True:
                due = begin + (number + senders * sent) / offered
                if due > begin + asked.seconds:
                    return
                time.sleep(max(0.0, due - time.perf_counter()))
                asker.ask("POST", "/v1/detect", asked.image)
                sent += 1

        at_once(senders, work)
        took_s = time.perf_counter() - begin
        still_answers = Counted()
        Asker(service, still_answers).ask("GET", "/v1/healthz")
    refusals = sorted(counted.seconds.get(503, [0.0]))
    return {
        "offered_per_s": round(offered, 1),
        "seconds": round(took_s, 1),
        "statuses": {str(status): count for status, count in counted.statuses.items()},
        "dropped": counted.dropped + counted.refused_connections,
        "503_without_retry_after": counted.without_retry_after,
        "refused_after_ms_p99": round(1000 * refusals[int(0.99 * (len(refusals) - 1))], 1),
        "answered_per_s_to_calm": round(counted.statuses[200] / took_s / (calm.statuses[200] / TURN_S), 3),
        "answers_afterwards": still_answers.statuses[200] == 1,
    }


def stop(asked: Asked) -> dict[str, Any]:
    """SIGTERM while eight clients ask: requests that were taken and not answered."""
    total = Counted()
    for _ in range(asked.repeats):
        with running(asked.detector, "serve.page=false") as service:
            assert service.process is not None
            process, over = service.process, threading.Event()

            def work(_: int, service: RunningService = service, over: threading.Event = over) -> None:
                asker = Asker(service, total, keep=False)
                while not over.is_set():
                    asker.ask("POST", "/v1/detect", asked.image)

            def end(process: Any = process, over: threading.Event = over) -> None:
                time.sleep(2.0)
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=120)
                over.set()

            ender = threading.Thread(target=end)
            ender.start()
            at_once(CLIENTS, work)
            ender.join()
    answered = {str(status): count for status, count in total.statuses.items()}
    return {"stops": asked.repeats, "statuses": answered, "taken_and_not_answered": total.dropped}


def memory(asked: Asked) -> dict[str, Any]:
    """Resident memory of the service over many requests of all kinds."""
    with running(asked.detector, "serve.page=false") as service, tempfile.TemporaryDirectory() as folder:
        assert service.process is not None
        process = psutil.Process(service.process.pid)
        video_id = analysed(service, toy_video(Path(folder)))[0]
        paths = [path.format(video=video_id) for path in MIXED]
        counted, marks = Counted(), list[tuple[int, float]]()
        step = max(1, asked.requests // 10)
        for done in range(0, asked.requests, step):

            def work(number: int) -> None:
                asker = Asker(service, counted)
                for one in range(step // CLIENTS):
                    if one % 50 == 49:
                        asker.ask("POST", "/v1/detect", asked.image)
                    else:
                        asker.ask("GET", paths[(one + number) % len(paths)])

            at_once(CLIENTS, work)
            marks.append((done + step, process.memory_info().rss / 1e6))
    settled = marks[len(marks) // 5 :]  # after the first requests every library has its buffers
    grown = (settled[-1][1] - settled[0][1]) / (settled[-1][0] - settled[0][0]) * 10_000
    return {
        "requests": sum(counted.statuses.values()),
        "statuses": {str(status): count for status, count in counted.statuses.items()},
        "rss_mb": [[done, round(mb, 1)] for done, mb in marks],
        "mb_per_10_000_requests": round(grown, 2),
    }


def job(asked: Asked) -> dict[str, Any]:
    """Seconds from the upload of a video to the end of its job, less those of its analysis."""
    with running(asked.detector, "serve.page=false") as service, tempfile.TemporaryDirectory() as folder:
        video, more = toy_video(Path(folder)), list[float]()
        for number in range(asked.repeats + 1):
            video.write_bytes(video.read_bytes() + (8 + 8).to_bytes(4, "big") + b"free" + f"{number:08d}".encode())
            more.append(analysed(service, video)[1])
    return {"jobs": asked.repeats, "more_than_the_analysis_s": round(statistics.median(more[1:]), 2)}


def toy_video(folder: Path) -> Path:
    """A video of eight seconds."""
    made = make_toyroom(folder / "room", images=0, videos=1, seed=11, config=ToyRoomConfig(video_seconds=8.0))
    return made.videos[0].path


def analysed(service: RunningService, video: Path) -> tuple[str, float]:
    """Upload a video and wait: its id, and the seconds that were no analysis."""
    with service.client() as client:
        begin = time.perf_counter()
        sent = client.post("/v1/videos", files={"file": (video.name, video.read_bytes())}).raise_for_status().json()

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = client.get(f"/v1/jobs/{sent['job_id']}").json()
            return found if found["status"] not in ("queued", "running") else None

        ended: dict[str, Any] = wait_for(look, every=0.02)
        assert ended["status"] == "done", ended
        return str(sent["video_id"]), time.perf_counter() - begin - float(ended["result"]["seconds"])


PARTS: dict[str, Callable[[Asked], dict[str, Any]]] = {
    part.__name__: part for part in (start, rate, overload, stop, memory, job)
}


def main() -> None:
    """Run the parts, print what they find and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path, required=True, help="a checkpoint or an ONNX file")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the overload")
    parser.add_argument("--requests", type=int, default=50_000, help="requests while memory is watched")
    parser.add_argument("--repeats", type=int, default=5, help="of starts, stops and jobs")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    drawn = io.BytesIO()
    Image.effect_noise((640, 480), 60).convert("RGB").save(drawn, "JPEG")
    asked = Asked(given.detector.resolve(), drawn.getvalue(), given.seconds, given.requests, given.repeats)
    results = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    for name in given.parts.split(","):
        found = PARTS[name](asked)
        results[name] = {**found, "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
        print(name, json.dumps(results[name]))
        given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
