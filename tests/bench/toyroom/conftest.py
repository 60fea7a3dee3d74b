"""Play rooms made once for all tests of this room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from visionllm_bench.toyroom import ToyRoom, ToyRoomConfig, make_toyroom

SMALL = ToyRoomConfig(video_width=320, video_height=240, video_seconds=12.0, fps=12.5)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty images."""
    out = tmp_path_factory.mktemp("toyroom") / "pictures"
    make_toyroom(out, images=20, videos=0, seed=3)
    return out


@pytest.fixture(scope="session")
def room_videos(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Two small videos of the room: paths and truth."""
    out = tmp_path_factory.mktemp("toyroom") / "room"
    return _with_truth(make_toyroom(out, images=0, videos=2, seed=5, config=SMALL))


@pytest.fixture(scope="session")
def ego_video(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One small head-camera video with a variable frame rate."""
    config = SMALL.model_copy(update={"frame_rate": "variable"})
    out = tmp_path_factory.mktemp("toyroom") / "ego"
    return _with_truth(make_toyroom(out, images=0, videos=1, seed=5, view="ego", config=config))[0]


def _with_truth(made: ToyRoom) -> list[dict[str, Any]]:
    videos = made.to_dict()["videos"]
    return [{**video, "content": json.loads(Path(video["truth"]).read_text())} for video in videos]
