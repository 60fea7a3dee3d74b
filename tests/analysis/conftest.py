"""A tiny ToyRoom-like video: a child walks in, a ball lies there."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

FRAMES = 50
SIZE = (160, 120)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """``clips/clip/clip.mp4``, 2 s at 25 fps, with its truth.json."""
    return _write_clip(tmp_path / "clips" / "clip")


@pytest.fixture(scope="session")
def shared_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, for tests that only read it."""
    return _write_clip(tmp_path_factory.mktemp("clips") / "clip")


def _write_clip(folder: Path) -> Path:
    folder.mkdir(parents=True)
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, 25)
        for n in range(FRAMES):
            picture = np.full((SIZE[1], SIZE[0], 3), 4 * n, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    frames = [{"index": n, "timestamp_s": n / 25, "objects": _objects(n)} for n in range(FRAMES)]
    (folder / "truth.json").write_text(json.dumps({"frames": frames}))
    return folder / "clip.mp4"


@pytest.fixture
def panning_clip(tmp_path: Path) -> Path:
    """10 s at 5 fps of a view that moves over a pattern all the time."""
    cells = np.random.default_rng(3).integers(0, 255, (15, 20, 3))
    picture = np.kron(cells, np.ones((16, 16, 1))).astype(np.uint8)
    path = tmp_path / "panning.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        for n in range(FRAMES):
            shown = np.roll(picture, 16 * n, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _objects(n: int) -> list[dict[str, object]]:
    ball = {"track_id": 7, "category": "ball", "box_xyxy": [120, 90, 140, 110], "visible": 1.0}
    x = 40 + n  # 25 pixels a second; the gap to the ball is 120 - (x + 20)
    child = {"track_id": 3, "category": "child", "box_xyxy": [x, 30, x + 20, 110], "visible": 1.0}
    return [child, ball]
