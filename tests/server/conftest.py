"""A tiny detector, a tiny video, and a service: in this process for the interface, as a process for the rest."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_service import RunningService
from server_fixtures import tiny_checkpoint, tiny_video

__all__ = ["tiny_checkpoint", "tiny_video"]


@pytest.fixture(scope="session")
def toy_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ToyRoom video, with its truth beside it."""
    from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom

    room = tmp_path_factory.mktemp("toy") / "room"
    made = make_toyroom(room, images=0, videos=1, seed=11, config=ToyRoomConfig(video_seconds=12.0))
    return made.videos[0].path


@pytest.fixture
def service(tmp_path: Path, tiny_checkpoint: Path) -> Iterator[RunningService]:
    """A service that is not started yet; whatever runs at the end of the test is stopped."""
    options = [f"serve.detector={tiny_checkpoint}", "analysis.video.decode.sample_fps=5"]
    running = RunningService(tmp_path, options)
    yield running
    running.stop(signal.SIGKILL)
