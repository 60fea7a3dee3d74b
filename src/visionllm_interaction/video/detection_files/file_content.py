"""The detections that a file states, before they are matched with a video, and the choice of one of several videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import xywh_to_xyxy
from visionllm_interaction.core.detection_table import UNTRACKED

Row = tuple[int, str, float, tuple[float, float, float, float], int]
"""frame_index, category, confidence, box xyxy, track id."""
Clock = Callable[[], NDArray[np.float64]]
"""Gives the times of all frames of the video, in seconds."""

_LARGEST_SHARE = 2.0
"""Boxes in shares of the image reach a little beyond 1; no box in pixels lies within the first two."""
_IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_LISTED = 5


@dataclass(frozen=True)
class FileContent:
    """Detections as a file states them.

    Attributes:
        rows: the detections; boxes in stored pixels, or in shares of the image if ``normalised``.
        names: category names.
        processed: frames that the file says were processed; ``None``: it does not say.
        normalised: whether boxes are in shares of the image's width and height.
        notes: what was assumed.
    """

    rows: list[Row]
    names: tuple[str, ...]
    processed: frozenset[int] | None = None
    normalised: bool = False
    notes: tuple[str, ...] = ()


def make_row(frame: int, category: str, confidence: Any, box: Sequence[float]) -> Row:
    """A row of a box xyxy; the name without white space around it.

    Args:
        frame: frame index.
        category: name.
        confidence: 0 to 1, a number or its text.
        box: x1, y1, x2, y2.

    Returns:
        The row, on no track.

    Raises:
        ValueError: if the box is not four numbers, or the confidence not within 0 and 1.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    if not np.isfinite([x1, y1, x2, y2]).all():
        raise ValueError(f"a box is not four numbers: {list(box)}")
    sure = float(confidence)
    if not 0.0 <= sure <= 1.0:
        raise ValueError(f"a confidence is not within 0 and 1: {sure:g}")
    return frame, category.strip(), sure, (x1, y1, x2, y2), UNTRACKED


def corners_of(bbox: Any) -> tuple[float, ...]:
    """x1, y1, x2, y2 of a box x, y, width, height."""
    box = np.array(bbox, dtype=np.float64).reshape(4)
    return tuple(xywh_to_xyxy(box).tolist())


def names_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """The categories of rows, sorted."""
    return tuple(sorted({row[1] for row in rows}))


def are_shares(rows: Sequence[Row]) -> bool:
    """Whether boxes are in shares of the image, not in pixels."""
    return bool(rows) and max(max(row[3]) for row in rows) < _LARGEST_SHARE


def counted_from_one(frames: Sequence[int], clock: Clock | None) -> bool:
    """Whether frames are numbered from 1: there is none of number 0, and one of a number that only so exists.

    Args:
        frames: numbers of frames.
        clock: gives the times of the video's frames.

    Returns:
        Whether; never without a clock.
    """
    return clock is not None and len(frames) > 0 and min(frames) >= 1 and max(frames) == len(clock())


def chosen_video(found: Iterable[str], video: str | None) -> str | None:
    """Of several videos whose detections are in one file, the one that is analysed.

    Args:
        found: how the file names the video of each detection; folders and endings do not count.
        video: name of the video's file.

    Returns:
        Its name as the file has it; ``None`` if the file has detections of one video only, or names images.

    Raises:
        ValueError: if the file has several and none has this name.
    """
    names = sorted({name for name in found if name.strip()})
    if len({_stem(name) for name in names}) < 2 or any(
        PurePosixPath(name.strip()).suffix.lower() in _IMAGE_ENDINGS for name in names
    ):
        return None
    own = None if video is None else next((name for name in names if _stem(name) == _stem(video)), None)
    if own is None:
        listed = ", ".join(names[:_LISTED]) + (" …" if len(names) > _LISTED else "")
        raise ValueError(f"detections of {len(names)} videos ({listed}), none called {video or 'as this one'}")
    return own


def is_of_video(name: str, chosen: str | None) -> bool:
    """Whether a detection of the video ``name`` is one of those chosen by :func:`chosen_video`."""
    return chosen is None or _stem(name) == _stem(chosen)


def _stem(name: str) -> str:
    last = PurePosixPath(name.strip().replace("\\", "/")).name
    path = PurePosixPath(last)
    return path.stem if 1 < len(path.suffix) <= 5 and not path.suffix[1:].isdigit() else last
