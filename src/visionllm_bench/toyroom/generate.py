"""The one entry point: a folder of images and videos, complete or not there at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_bench.toyroom.coco_images import SPLITS, write_images
from visionllm_bench.toyroom.config import ToyRoomConfig
from visionllm_bench.toyroom.videos import VideoFiles, ViewName, write_video
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.path_type import StrPath


@dataclass(frozen=True)
class ToyRoom:
    """Images and videos of a simulated play room on disk.

    Attributes:
        root: the folder.
        images: how many, by split.
        videos: files of each video.
    """

    root: Path
    images: Mapping[str, int]
    videos: tuple[VideoFiles, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``visionllm toyroom --json`` prints them."""
        videos = [
            {"path": str(video.path), "truth": str(video.truth)}
            | {name: str(path) for name, path in video.sensors.items()}
            for video in self.videos
        ]
        return {"images": dict(self.images), "videos": videos, "root": str(self.root)}


def make_toyroom(
    out: StrPath,
    *,
    images: int,
    videos: int,
    seed: int,
    view: ViewName = "room",
    config: ToyRoomConfig | None = None,
) -> ToyRoom:
    """Make images in COCO's layout and videos with their ``truth.json``, in a new folder.

    Image and video number i do not depend on how many are made.

    Args:
        out: a new or an empty folder.
        images: how many, in both splits together.
        videos: how many.
        seed: the same seed gives the same bytes of annotations and truth.
        view: of the videos: a fixed room camera, or a child's head camera.
        config: sizes and lengths.

    Returns:
        What was made and where it is.

    Raises:
        UsageError: if ``out`` exists and is not an empty folder, a number is negative, or a room camera is to have an
            inertial sensor.
    """
    out = Path(out)
    _check(out, images=images, videos=videos, seed=seed)
    settings = config or ToyRoomConfig()
    if settings.imu and view == "room":
        raise UsageError(
            "The room's camera does not move.", expected="--view ego beside --imu", found="--view room", where="--imu"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.parent / f".partial-{out.name}-{uuid.uuid4().hex[:8]}"
    partial.mkdir()
    try:
        counts = dict.fromkeys(SPLITS, 0)
        if images:
            counts = write_images(partial, count=images, seed=seed, config=settings)
        made = [write_video(partial / "videos", index=n, seed=seed, view=view, config=settings) for n in range(videos)]
        if out.is_dir():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return ToyRoom(out, counts, tuple(_moved(video, partial, out) for video in made))


def _moved(video: VideoFiles, before: Path, after: Path) -> VideoFiles:
    """The files of a video after its folder was renamed."""
    sensors = {name: after / path.relative_to(before) for name, path in video.sensors.items()}
    return VideoFiles(after / video.path.relative_to(before), after / video.truth.relative_to(before), sensors)


def _check(out: Path, *, images: int, videos: int, seed: int) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            "The folder for the play room is not empty.",
            expected="a new or an empty folder",
            found=f"{out} has content",
            where=str(out),
            fix="name another folder, or delete this one",
        )
    for name, value in (("images", images), ("videos", videos), ("seed", seed)):
        if value < 0:
            raise UsageError(f"--{name} is negative.", expected="0 or more", found=str(value), where=f"--{name}")
