"""The detections that a file states, before they are matched with a video, and the choice of one of several videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import xywh_to_xyxy
from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED

Row = tuple[int, str, float, tuple[float, float, float, float], int]
"""frame_index, category, confidence, box xyxy, track id."""
Clock = Callable[[], NDArray[np.float64]]
"""Gives the times of all frames of the video, in seconds."""

_LARGEST_SHARE = 2.0
"""Boxes in shares of the image reach a little beyond 1; no box in pixels lies within the first two."""
_IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_ENDINGS = _IMAGE_ENDINGS | {
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".wmv", ".mxf", ".3gp",
    ".flv", ".ogv", ".vob", ".gif", ".lrv", ".360", ".dv", ".asf",
}  # fmt: skip
"""What a name may end with; any other dot is part of the name, as in ``S01.pre``."""
_FEW_SHARES = 0.1
"""So many boxes in pixels may lie within the first two, as those of noise do."""
_FEWEST_RESULTS = 5
_MOST_PASSES = 8
_SHARED_BY_PASSES = 0.2
"""Share of the frames and categories of one video that another has as well, at least."""
_LISTED = 5
_FEWEST_IMAGES = 2
"""A video has so many images or more; where fewer have one name before their number, that is no video's name."""


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
        ValueError: if the box is not four numbers, its category is blank, or its confidence not within 0 and 1.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    if not np.isfinite([x1, y1, x2, y2]).all():
        raise ValueError(f"a box is not four numbers: {list(box)}")
    if not category.strip():
        raise ValueError(f"a box of frame {frame} has no category")
    sure = float(confidence)
    if not 0.0 <= sure <= 1.0:
        raise ValueError(f"a confidence is not within 0 and 1: {sure:g}")
    return frame, category.strip(), sure, (x1, y1, x2, y2), UNTRACKED


def is_number(text: str) -> bool:
    """Whether a text is a number, or ``nan`` or ``inf``."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def whole_number(value: Any) -> int:
    """A frame or class, as a number or its text.

    Args:
        value: the number.

    Returns:
        It as a whole number.

    Raises:
        ValueError: if it is not whole.
    """
    number = float(value)
    if not np.isfinite(number) or number != int(number):
        raise ValueError(f"{value} is no number of a frame")
    return int(number)


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


def refuse_mixed_units(rows: Sequence[Row]) -> None:
    """Refuse boxes of which some are in shares of the image and others in pixels.

    Args:
        rows: the detections.

    Raises:
        ValueError: if more than a few lie within two pixels, and others do not.
    """
    sized = [row[3] for row in rows if row[3][2] > row[3][0] and row[3][3] > row[3][1]]
    shares = sum(max(box) < _LARGEST_SHARE for box in sized)
    if _FEW_SHARES * len(sized) < shares < len(sized):
        raise ValueError(f"{shares} of {len(sized)} boxes are in shares of the image, and the others in pixels")


def refuse_second_pass(rows: Sequence[Row]) -> None:
    """Refuse detections that go through their frames, and then through the same frames in the same categories again.

    Those are two videos, or two detectors, put together: everybody would be there twice. Rows in any other order, as
    of their confidences, begin again at every other one.

    Args:
        rows: the detections in the order of the file, of no tracks.

    Raises:
        ValueError: if they begin again.
    """
    frames = [row[0] for row in rows]
    begins = [0, *(n for n in range(1, len(frames)) if frames[n] < frames[n - 1]), len(frames)]
    if not 2 <= len(begins) - 1 <= _MOST_PASSES:
        return
    passes = [{row[:2] for row in rows[begin:end]} for begin, end in pairwise(begins)]
    for place, earlier, later in zip(begins[1:], passes, passes[1:], strict=False):
        shared = len(earlier & later)
        if shared >= max(_FEWEST_RESULTS, _SHARED_BY_PASSES * min(len(earlier), len(later))):
            raise ValueError(
                f"frames begin again at detection {place + 1}: those of another video, or of another detector? Name "
                "the video of each, write a file for each, or sort them by frame if all are of one"
            )


def refuse_sampled(frames: Sequence[int], clock: Clock | None) -> None:
    """Refuse results one after another of which a video has twice as many frames or more: which were processed?

    Args:
        frames: numbers of all results, rising.
        clock: gives the times of the video's frames.

    Raises:
        ValueError: if they may be those of every second frame, or of fewer.
    """
    if clock is None or len(frames) < _FEWEST_RESULTS or frames[-1] - frames[0] >= len(frames):
        return
    n_frames = len(clock())
    if n_frames >= 2 * (frames[-1] + 1) - 1:
        raise ValueError(
            f"{len(frames)} results one after another for {n_frames} frames: of the first ones, or of every "
            f"{n_frames / len(frames):.0f}th? Give a result for each frame, or a table with frames or times"
        )


def counted_from_one(frames: Sequence[int], clock: Clock | None) -> bool:
    """Whether frames are numbered from 1: there is none of number 0, and one of a number that only so exists.

    Args:
        frames: numbers of frames.
        clock: gives the times of the video's frames.

    Returns:
        Whether; never without a clock.
    """
    return clock is not None and len(frames) > 0 and min(frames) >= 1 and max(frames) == len(clock())


def without_repeated_rows(content: FileContent) -> FileContent:
    """The content with each row once: two exports in one file do not make two of everybody.

    Args:
        content: what a file states.

    Returns:
        The same, with a note if rows were left out.
    """
    rows = list(dict.fromkeys(content.rows))
    if len(rows) == len(content.rows):
        return content
    note = f"{len(content.rows) - len(rows)} detections are in the file more than once: each counts once"
    return replace(content, rows=rows, notes=(*content.notes, note))


def with_known_names(content: FileContent) -> FileContent:
    """The content with people and parts of bodies as this program calls them: ``Child`` is ``child``.

    Args:
        content: what a file states.

    Returns:
        The same, with a note if names were changed.
    """
    known = PERSON_CATEGORIES | BODY_CATEGORIES
    other = {name: name.casefold() for name in content.names if name not in known and name.casefold() in known}
    if not other:
        return content
    rows = [(row[0], other.get(row[1], row[1]), *row[2:]) for row in content.rows]
    names = tuple(dict.fromkeys(other.get(name, name) for name in content.names))
    note = f"categories were read as {', '.join(f'{new} ({name})' for name, new in sorted(other.items()))}"
    return replace(content, rows=rows, names=names, notes=(*content.notes, note))


def chosen_video(found: Iterable[str], video: str | None) -> str | None:
    """Of several videos whose detections are in one file, the one that is analysed.

    Args:
        found: how the file names the video of each detection, or the image; endings do not count. Images are of
            several videos if they lie in several folders, or have several names before their numbers, and numbers
            occur twice.
        video: the video's file; where several have its name, its folders decide.

    Returns:
        Its name as :func:`is_of_video` takes it; ``None`` if the file has detections of one video only.

    Raises:
        ValueError: if the file has several and none, or more than one, has this name.
    """
    given = {name for name in found if name.strip()}
    images = _are_images(given)
    names = sorted(_image_titles(given) if images else _with_folders({without_ending(name) for name in given}))
    if len(names) < 2:
        return None
    own = [] if video is None else _most_alike(names, without_ending(video), images=images)
    if images and not own and _numbers_differ(given):
        return None
    if len(own) == 1 and not images and (short := [name for name in names if own[0].endswith(f"/{name}")]):
        raise ValueError(f"detections of {short[0]} may be of several videos ({', '.join(names[:_LISTED])})")
    if len(own) != 1:
        of = own or names
        listed = ", ".join(of[:_LISTED]) + (" …" if len(of) > _LISTED else "")
        fitting = "more than one called" if own else "none called"
        raise ValueError(f"detections of {len(names)} videos ({listed}), {fitting} {video or 'as this one'}")
    return own[0]


def other_name_note(found: Iterable[str], video: str | None) -> tuple[str, ...]:
    """A note if all detections are of one video of another name than the one that is analysed.

    Args:
        found: how the file names the video of each detection.
        video: the video's file.

    Returns:
        A note or none.
    """
    names = {without_ending(name).rpartition("/")[2] for name in found if name.strip()}
    if video is None or len(names) != 1 or names == {without_ending(video).rpartition("/")[2]}:
        return ()
    return (f"the detections are of a video called {names.pop()}: they were taken for this one's",)


@lru_cache(maxsize=4096)
def is_of_video(name: str, chosen: str | None) -> bool:
    """Whether a detection of the video or image ``name`` is one of those chosen by :func:`chosen_video`."""
    if chosen is None:
        return True
    own = without_ending(name)
    if not _are_images({name}):
        return own == chosen or chosen.endswith(f"/{own}")
    folder, title = _folder_and_title(own)
    return chosen in (folder, f"{folder}/{title}")


def _with_folders(names: set[str]) -> set[str]:
    """The names without those that are a shorter form of one other: ``visit1`` beside ``/data/visit1``."""
    longer = Counter("/".join(parts[n:]) for name in names for parts in [name.split("/")] for n in range(1, len(parts)))
    return {name for name in names if longer[name] != 1}


def is_image(name: str) -> bool:
    """Whether a name ends like that of an image."""
    return PurePosixPath(name.strip()).suffix.lower() in _IMAGE_ENDINGS


def _are_images(names: Iterable[str]) -> bool:
    return any(is_image(name) for name in names)


def _image_titles(names: Iterable[str]) -> set[str]:
    """Folders of images, with what is before their numbers where that is the same for many."""
    parts = [_folder_and_title(without_ending(name)) for name in names]
    titles = {f"{folder}/{title}" for folder, title in parts}
    folders = {folder for folder, _ in parts}
    return titles if _FEWEST_IMAGES * len(titles) <= len(parts) else folders


def _folder_and_title(name: str) -> tuple[str, str]:
    """``a/visit1_000012`` → ``a`` and ``visit1``."""
    folder, _, last = name.rpartition("/")
    return folder, last.rstrip("0123456789").rstrip("_-. ")


def _numbers_differ(names: Iterable[str]) -> bool:
    """Whether each image has a number of its own, as images of one video have in any number of folders."""
    own = [without_ending(name) for name in names]
    numbers = [name[len(name.rstrip("0123456789")) :] for name in own]
    one_name = len({_folder_and_title(name)[1] for name in own}) == 1
    return one_name and len({int(number or -1) for number in numbers}) == len(numbers)


def _most_alike(names: Sequence[str], video: str, *, images: bool) -> list[str]:
    """The names that end like the path of the video, in most of its parts."""
    own = video.split("/")

    def common(name: str) -> int:
        parts = name.split("/")
        if images:
            return 1 if own[-1] in parts else 0
        same = [a == b for a, b in zip(reversed(parts), reversed(own), strict=False)]
        return same.index(False) if False in same else len(same)

    most = max(common(name) for name in names)
    return [name for name in names if common(name) == most] if most else []


@lru_cache(maxsize=4096)
def without_ending(name: str) -> str:
    """What a video or an image is called.

    Args:
        name: path or name, as a file states it.

    Returns:
        The path without white space around it and without an ending of videos or images; ``/`` between its parts.
    """
    path = PurePosixPath(name.strip().replace("\\", "/"))
    return str(path.with_suffix("") if path.suffix.lower() in _ENDINGS else path)
