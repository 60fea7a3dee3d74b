"""A tiny detector, a tiny video, and a service: in this process for the interface, as a process for the rest."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from visionllm_interaction.serve.keys import create_key

REPO = Path(__file__).resolve().parents[2]
CLI = [sys.executable, "-c", "import sys; from visionllm_interaction.cli import main; sys.exit(main())"]
START_S = 240.0
JOB_S = 420.0


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector with random weights: it finds nothing worth finding, but runs like a trained one."""
    import torch

    from visionllm_interaction.core import Categories
    from visionllm_interaction.models import CheckpointInfo, ModelConfig, build_model, save_checkpoint

    torch.manual_seed(0)
    categories = Categories.from_pairs([(1, "child"), (7, "ball")])
    config = ModelConfig(
        architecture="fasterrcnn_resnet18_fpn",
        weights="none",
        min_size=64,
        max_size=96,
        fpn_channels=16,
        box_head_width=32,
        score_threshold=0.0,
        detections_per_image=5,
        proposals_test=(40, 10),
    )
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.pt"
    model = build_model(config, num_classes=len(categories) + 1)
    save_checkpoint(path, model.state_dict(), info=CheckpointInfo(config, categories))
    return path


@pytest.fixture(scope="session")
def tiny_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a square that moves, 160 × 120 at 10 frames per second."""
    path = tmp_path_factory.mktemp("video") / "play room.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for n in range(20):
            picture = np.full((120, 160, 3), 220, np.uint8)
            picture[40:80, 4 * n : 4 * n + 40] = (200, 90, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def toy_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ToyRoom video, with its truth beside it."""
    from visionllm_interaction.toyroom import ToyRoomConfig, make_toyroom

    room = tmp_path_factory.mktemp("toy") / "room"
    made = make_toyroom(room, images=0, videos=1, seed=11, config=ToyRoomConfig(video_seconds=12.0))
    return Path(made["videos"][0]["path"])


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningService:
    """``visionllm serve`` in a process of its own."""

    folder: Path
    options: list[str]
    port: int = field(default_factory=free_port)
    key: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        return self.folder / "service" / "store"

    @property
    def log(self) -> str:
        return (self.folder / "service.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start and wait until it is ready."""
        if not self.key:
            self.key = create_key(self.folder / "service" / "keys.yaml", name="test")
        overrides = [f"serve.port={self.port}", *self.options]
        command = [*CLI, "serve", *(part for text in overrides for part in ("-o", text))]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env=environment)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log
            try:
                if httpx.get(f"{self.url}/v1/readyz", timeout=10).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"not ready after {START_S} s\n{self.log}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)
            self.process = None

    def client(self) -> httpx.Client:
        """A client with the key."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=120)


@pytest.fixture
def service(tmp_path: Path, tiny_checkpoint: Path) -> Iterator[RunningService]:
    """A service that is not started yet; whatever runs at the end of the test is stopped."""
    options = [f"serve.detector={tiny_checkpoint}", "analysis.video.decode.sample_fps=5"]
    running = RunningService(tmp_path, options)
    yield running
    running.stop(signal.SIGKILL)


def wait_for(look: Callable[[], Any], *, seconds: float = JOB_S, every: float = 0.2) -> Any:
    """Call ``look`` until it gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"nothing within {seconds} s")


def finished_job(client: Any, job_id: str) -> dict[str, Any]:
    """Wait for a job to end and return it."""

    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        return job if job["status"] not in ("queued", "running") else None

    found: dict[str, Any] = wait_for(look)
    return found
