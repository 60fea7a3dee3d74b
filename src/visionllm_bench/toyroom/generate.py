"""The one entry point: a folder of images and videos, complete or not there at all."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any, Literal

from visionllm_bench.toyroom.coco_images import write_pictures
from visionllm_bench.toyroom.config import ToyRoomConfig
from visionllm_bench.toyroom.videos import write_video
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.paths import StrPath


def make_toyroom(
    out: StrPath,
    *,
    images: int,
    videos: int,
    seed: int,
    view: Literal["room", "ego"] = "room",
    config: ToyRoomConfig | None = None,
) -> dict[str, Any]:
    """Make ``images`` images (COCO layout) and ``videos`` videos (each with ``truth.json``) in the new
    folder ``out``.

    The same ``seed`` gives the same bytes of annotations and truth; image and video number i do not depend on
    how many are made. Returns the JSON result of ``visionllm toyroom``.

    Raises:
        UsageError: if ``out`` exists and is not an empty folder, or a number is negative.
    """
    out = Path(out)
    _check(out, images=images, videos=videos, seed=seed)
    settings = config or ToyRoomConfig()
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.parent / f".partial-{out.name}-{uuid.uuid4().hex[:8]}"
    partial.mkdir()
    try:
        result = _fill(partial, images=images, videos=videos, seed=seed, view=view, config=settings)
        if out.is_dir():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    result["root"] = str(out)
    result["videos"] = [{key: str(out / name) for key, name in video.items()} for video in result["videos"]]
    return result


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


def _fill(
    folder: Path, *, images: int, videos: int, seed: int, view: Literal["room", "ego"], config: ToyRoomConfig
) -> dict[str, Any]:
    counts = write_pictures(folder, count=images, seed=seed, config=config) if images else {"train": 0, "val": 0}
    made = [write_video(folder / "videos", index=n, seed=seed, view=view, config=config) for n in range(videos)]
    return {"images": counts, "videos": [{key: path.relative_to(folder) for key, path in m.items()} for m in made]}
