"""Which image a frame of a CVAT task is.

"CVAT for video" numbers frames and names no images. The frames of a video are numbered as in the video; CVAT writes
frame 12 as ``frame_000012.PNG``. A person may have extracted them with another tool that counts from 1. Of a task made
of images, frame N is the N-th image by name. Each task of a project counts from 0 again. Where the images beside the
XML do not settle which frame each is, the export is refused: a box on a neighbouring frame looks right.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element

from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.errors import AnnotationError

_NUMBER = re.compile(r"(\d+)$")
_CVAT_NAME = re.compile(r"frame_(\d{6})(?:_(\d+))?")
_PIECES = re.compile(r"(\d+)")
_INTERPOLATED = {"box": ("xtl", "ytl", "xbr", "ybr"), "ellipse": ("cx", "cy", "rx", "ry")}

Placed = Mapping[int, Path]
"""Frame → image file."""


@dataclass(frozen=True, slots=True)
class TrackedShape:
    """The XML element of a track's shape in one frame."""

    element: Element
    where: str
    track_id: int
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeyframeGap:
    """Two shapes of a track that are more than a frame apart: CVAT shows the object in between all the same."""

    before: Element
    after: Element
    where: str
    track_id: int
    about: Mapping[str, Any]

    def frames(self) -> range:
        """The frames in between."""
        return range(int(self.before.attrib["frame"]) + 1, int(self.after.attrib["frame"]))

    def shape_at(self, frame: int) -> TrackedShape | None:
        """The shape in a frame in between, on a straight line as in CVAT; ``None`` if it is no box and no ellipse."""
        names = _INTERPOLATED.get(self.before.tag, ())
        if not names or self.after.tag != self.before.tag:
            return None
        share = (frame + 1 - self.frames().start) / (len(self.frames()) + 1)
        element = copy(self.before)
        element.attrib = {**self.before.attrib, "frame": str(frame), "keyframe": "0"}
        for name in names:
            first, last = (float(end.attrib[name]) for end in (self.before, self.after))
            element.attrib[name] = repr(first + share * (last - first))
        first, last = (float(end.get("rotation") or 0) for end in (self.before, self.after))
        if first or last:
            shorter_way = (last - first + 180) % 360 - 180
            element.attrib["rotation"] = repr((first + share * shorter_way) % 360)
        return TrackedShape(element, f"{self.where}, frame {frame}", self.track_id, self.about)


@dataclass
class Task:
    """One task: a video, or a series of images."""

    number: str
    path: Path
    """The XML file."""
    name: str = ""
    subset: str = ""
    source: str = ""
    """The video's file name, if it is one."""
    original_size: tuple[int, int] | None = None
    first: int = 0
    last: int = -1
    """First and last frame; -1 if the file does not say it."""
    step: int = 1
    frames: dict[int, list[TrackedShape]] = field(default_factory=lambda: defaultdict(list))
    gaps: list[KeyframeGap] = field(default_factory=list)

    @property
    def is_video(self) -> bool:
        """Whether it was made of a video: only then CVAT notes one size for all, and a source."""
        return bool(self.original_size or self.source)

    @property
    def numbers(self) -> list[int]:
        """All its frames, or none if the file does not say which there are."""
        return list(range(self.first, self.last + 1, self.step))


def place_frames(tasks: Sequence[Task], files: ImageFiles) -> Iterator[tuple[Task, Placed]]:
    """Find the images of each task's frames.

    Args:
        tasks: the tasks, in the order of the files.
        files: the image files of the data set.

    Yields:
        Each task with the images of its frames.

    Raises:
        AnnotationError: if the images of several tasks, or the frames of one, cannot be told apart.
    """
    shares = _shares(tasks, files.names)
    for task in tasks:
        yield task, {number: files.root / name for number, name in _numbered(task, shares[id(task)]).items()}


def _shares(tasks: Sequence[Task], names: Sequence[str]) -> dict[int, list[str]]:
    """The images of each task: in a folder of its name or its video's, of its subset, or by CVAT's endings."""
    if len(tasks) == 1 or not names:
        return {id(task): list(names) for task in tasks}
    own = {id(task): _in_folder(names, {task.name, Path(task.source).stem, task.path.stem}) for task in tasks}
    taken = [name for found in own.values() for name in found]
    if len(taken) == len(set(taken)) and all(own.values()):
        return own
    result: dict[int, list[str]] = {}
    by_subset: dict[tuple[str, Path], list[Task]] = defaultdict(list)
    for task in tasks:
        by_subset[task.subset.casefold(), task.path].append(task)
    for (subset, _), group in by_subset.items():
        found = _in_folder(names, {subset}) if len(by_subset) > 1 else list(names)
        result |= {id(group[0]): found} if len(group) == 1 else _by_endings(group, found)
    return result


def _in_folder(names: Sequence[str], folders: set[str]) -> list[str]:
    wanted = {folder.casefold() for folder in folders if folder}
    return [name for name in names if wanted & {part.casefold() for part in PurePosixPath(name).parts[:-1]}]


def _by_endings(tasks: Sequence[Task], names: Sequence[str]) -> dict[int, list[str]]:
    """CVAT exports the tasks of a subset into one folder: the second one that has a frame gets ``_1`` at its end."""
    free: dict[int, list[str]] = defaultdict(list)
    for name in names:
        match = _CVAT_NAME.fullmatch(PurePosixPath(name).stem)
        if match is None:
            raise _unclear(tasks, names)
        free[int(match[1])].append(name)
    for found in free.values():
        found.sort(key=lambda name: (len(PurePosixPath(name).stem), name))
    result: dict[int, list[str]] = {}
    for task in tasks:
        taken = {number: free[number].pop(0) for number in task.numbers if free.get(number)}
        if len(taken) != len(task.numbers) or not taken:
            raise _unclear(tasks, names)
        result[id(task)] = list(taken.values())
    if any(free.values()):
        raise _unclear(tasks, names)
    return result


def _unclear(tasks: Sequence[Task], names: Sequence[str]) -> AnnotationError:
    titles = [task.name or task.source or task.number for task in tasks]
    return AnnotationError(
        "It is not clear which images belong to which task.",
        expected=f"a folder of images for each task: {', '.join(f'{title}/' for title in titles)}",
        found=f"{len(names)} images for {len(tasks)} tasks, such as {', '.join(names[:3])}",
        where=str(tasks[0].path),
        fix="put the images of each task in a folder of the task's name, or export each task for itself",
    )


def _numbered(task: Task, names: Sequence[str]) -> dict[int, str]:
    """Frame → image, by the number in the name where it can only be the frame, else by the order of the names."""
    if not names:
        return {}
    by_number = _by_number(names)
    expected = task.numbers
    ordered = sorted(names)
    orders_agree = ordered == sorted(names, key=_natural)
    if by_number and (task.is_video or orders_agree) and _same_beginning(names):
        # All frames are there, or some under the names that CVAT gives them.
        numbers = set(by_number)
        some = not expected or (numbers <= set(expected) and not _may_count_from_one(task, by_number))
        if numbers == set(expected) or (_named_by_cvat(names) and some):
            return by_number
        if not expected and 0 in numbers:
            return by_number
    if expected and len(names) == len(expected) and (orders_agree or task.is_video):
        in_order = sorted(names, key=_natural) if task.is_video else ordered
        return dict(zip(expected, in_order, strict=True))
    raise AnnotationError(
        "It is not clear which image a frame is.",
        expected=f"the {len(expected)} images of frames {task.first} to {task.last}, all of them and no others"
        if expected
        else "images with CVAT's names, such as frame_000012.PNG",
        found=f"{len(names)} images, {ordered[0]} to {ordered[-1]}"
        + ("" if orders_agree else ", whose numbers have no leading zeros: sorting them by name changes their order"),
        where=str(task.path),
        fix="export the task as 'CVAT for images 1.1' with its images, which names the image of each box",
    )


def _may_count_from_one(task: Task, by_number: Mapping[int, str]) -> bool:
    """Whether another tool may have numbered the frames, from 1; CVAT itself writes PNG in capitals."""
    by_cvat = all(PurePosixPath(name).suffix == ".PNG" for name in by_number.values())
    return not by_cvat and min(by_number) == task.first + 1


def _by_number(names: Sequence[str]) -> dict[int, str]:
    """Number at the end of the name → image; empty if one has none or two share one."""
    found: dict[int, str] = {}
    for name in names:
        stem = PurePosixPath(name).stem
        # In a project, CVAT ends the names of a second task's frames in _1: the frame is the number before.
        match = _CVAT_NAME.fullmatch(stem) or _NUMBER.search(stem)
        if match is None or int(match[1]) in found:
            return {}
        found[int(match[1])] = name
    return found


def _named_by_cvat(names: Sequence[str]) -> bool:
    return all(_CVAT_NAME.fullmatch(PurePosixPath(name).stem) for name in names)


def _same_beginning(names: Sequence[str]) -> bool:
    """Whether names differ in nothing but their number: else they are sorted by something else first."""
    return len({str(PurePosixPath(name).parent) + "/" + _beginning(PurePosixPath(name).stem) for name in names}) == 1


def _beginning(stem: str) -> str:
    match = _CVAT_NAME.fullmatch(stem)
    return "frame_" if match else _NUMBER.sub("", stem)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts img2 before img10."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in _PIECES.split(name)]
