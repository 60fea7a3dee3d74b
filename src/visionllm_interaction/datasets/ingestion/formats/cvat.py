"""CVAT's own XML, version 1.1, for images and for video (docs.cvat.ai, "CVAT for image", "CVAT for video").

Boxes, polygons, masks, ellipses and tags of images are carried over, with attributes; of videos, what is not
marked *outside*. Polylines, points, cuboids and skeletons are not: COCO has no place for them. Frames of each task of a
project count for themselves; which image a frame is, :mod:`.cvat_frame_numbers` finds out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from visionllm_interaction.core.run_lengths import encode_mask
from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
    LeftOut,
    box_around,
    broken,
    clipped,
    corners_of,
    flat,
    labels_in_order,
    polygon_area_px,
    turned,
    turned_box,
)
from visionllm_interaction.datasets.ingestion.formats.cvat_frame_numbers import (
    KeyframeGap,
    Placed,
    Task,
    TrackedShape,
    place_frames,
)
from visionllm_interaction.datasets.ingestion.formats.image_files import (
    ImageFiles,
    leads_elsewhere,
    moved_notes,
    path_in_address,
)
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size

_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_GEOMETRY = frozenset(
    (*_CORNERS, "points", "label", "frame", "rle", "left", "top", "width", "height", "cx", "cy", "rx", "ry", "outside")
)
_UNSUPPORTED = {
    "polyline": "COCO has no open lines",
    "points": "COCO has keypoints with names only",
    "cuboid": "COCO has no cuboids",
    "skeleton": "COCO keypoints need one skeleton per category",
}


@dataclass
class _CvatFile:
    """What is read from one XML file."""

    path: Path
    labels: list[str] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    """By id; a file of one task, whose tracks need not say which, has it under ""."""
    images: list[ConvertedImage] = field(default_factory=list)
    absent: list[tuple[int, Element]] = field(default_factory=list)
    """Images whose names are not right as they stand, and how many others come before each."""
    moved: dict[str, Path] = field(default_factory=dict)
    """Names of another place → the files taken for them."""
    left_out: list[LeftOut] = field(default_factory=list)
    told_in_frames: bool = False
    """Whether there are tracks, or a video without any object."""

    def task(self, number: str | None) -> Task:
        """The task of that id; of a file with one task it is that one."""
        known = self.tasks.get(number or "")
        if known is None:
            alone = number is None and len(self.tasks) == 1
            known = next(iter(self.tasks.values())) if alone else Task(number or "", self.path)
            self.tasks.setdefault(known.number, known)
        return known


def read_cvat(data: DetectedDataset) -> ConvertedDataset:
    """Read the XML files of one or several tasks, of images or of videos.

    Args:
        data: the detected data set: its format, folder and annotation files.

    Returns:
        The images with their objects (boxes in xywh pixels), the category names, and what was left out.

    Raises:
        AnnotationError: if a file is not CVAT's XML, or it is not clear which image a frame is.
    """
    images = ImageFiles(data.root)
    files = [_read(path, images) for path in data.files]
    told = [task for file in files if file.told_in_frames and not file.images for task in file.tasks.values()]
    left_out = [entry for file in files for entry in file.left_out]
    found = _without_guesses([image for file in files for image in file.images], images)
    moved = {name: path for file in files for name, path in file.moved.items()}
    notes = moved_notes(moved, images=len(found), root=images.root)
    for task, placed in place_frames(told, images):
        found += _frames(task, placed, left_out)
    declared = [label for file in files for label in file.labels]
    return ConvertedDataset(labels_in_order(declared, found), tuple(found), tuple(left_out), notes)


def _read(path: Path, images: ImageFiles) -> _CvatFile:
    file = _CvatFile(path)
    try:
        for element in _children(path):
            if element.tag == "meta":
                _read_meta(element, file)
            elif element.tag == "image":
                if found := images.as_written(element.attrib["name"], hint=_subset_of(element, file)):
                    file.images += _converted_image(element, file, found, images.root)
                else:
                    file.absent.append((len(file.images), element))
            elif element.tag == "track":
                file.told_in_frames = True
                _read_track(element, file)
        _find_absent(file, images)
    except (ParseError, DefusedXmlException, KeyError, ValueError, ArithmeticError, OSError) as error:
        raise broken(path, error, expected="CVAT's XML, version 1.1") from error
    return file


def _children(path: Path) -> Iterator[Element]:
    """The elements directly below the root, each forgotten after use: a long video has millions of boxes."""
    depth, root = 0, None
    for event, element in iterparse(path, events=("start", "end"), forbid_dtd=True):
        root = element if root is None else root
        depth += 1 if event == "start" else -1
        if event == "end" and depth == 1:
            yield element
            root.clear()


def _read_meta(meta: Element, file: _CvatFile) -> None:
    # A project lists its labels once, a task under itself; both may hold a skeleton's parts, which are no labels.
    names = [label.findtext("name") or "" for label in meta.iter("label") if label.find("parent") is None]
    file.labels = list(dict.fromkeys(name for name in names if name))
    found = [*meta.iter("task"), *meta.iter("job")]
    for element in found:
        task = _task(element, file.path)
        if len(found) == 1 and not task.source:
            task.source = meta.findtext("source") or ""
        file.tasks[task.number] = task
    file.told_in_frames = any(element.findtext("mode") == "interpolation" for element in found)


def _task(element: Element, path: Path) -> Task:
    named_by_file = path.stem if path.stem.lower() in ("train", "val", "test", "validation") else ""
    size = element.find("original_size")
    given = re.search(r"step=(\d+)", element.findtext("frame_filter") or "")
    step, first = int(given[1]) if given else 1, int(element.findtext("start_frame") or 0)
    count = int(element.findtext("size") or 0)
    return Task(
        element.findtext("id") or "",
        path,
        name=element.findtext("name") or "",
        subset=element.findtext("subset") or named_by_file,
        source=element.findtext("source") or "",
        original_size=_pixels(size) if size is not None else None,
        first=first,
        last=int(element.findtext("stop_frame") or first + step * count - 1),
        step=step,
    )


def _pixels(element: Element) -> tuple[int, int] | None:
    width, height = (int(float(element.findtext(key) or 0)) for key in ("width", "height"))
    return (width, height) if width > 0 and height > 0 else None


def _subset_of(element: Element, file: _CvatFile) -> str:
    return element.get("subset", file.task(element.get("task_id")).subset)


def _find_absent(file: _CvatFile, images: ImageFiles) -> None:
    """Put in their places the images whose names are not right as they stand."""
    taken = {image.file for image in file.images if image.file}
    names: dict[str, list[str]] = {}
    for _, element in file.absent:
        names.setdefault(_subset_of(element, file), []).append(element.attrib["name"])
    moved = {subset: images.nearest_of_all(same, taken=taken, hint=subset) for subset, same in names.items()}
    before, placed = 0, []
    for at, element in file.absent:
        name = element.attrib["name"]
        found = moved[_subset_of(element, file)].get(name)
        placed += file.images[before:at]
        placed += _converted_image(element, file, found, images.root)
        before = at
        file.moved |= {name: found} if found else {}
    file.images = [*placed, *file.images[before:]]


def _converted_image(element: Element, file: _CvatFile, found: Path | None, root: Path) -> list[ConvertedImage]:
    """The image, if its size is known."""
    name, subset = element.attrib["name"], _subset_of(element, file)
    where = f"{file.path.name}: image {name}" + (f" of {subset}" if subset else "")
    stated = tuple(int(float(element.get(key) or 0)) for key in ("width", "height"))
    size = (stated[0], stated[1]) if all(stated) else (upright_size(found) if found else None)
    if size is None:
        reason = "neither the export nor a file says how large it is"
        file.left_out.append(LeftOut("image", reason, where, dict(element.attrib), faulty=True))
        return []
    tags = [{"label": tag.get("label"), "attributes": _attributes(tag)} for tag in element if tag.tag == "tag"]
    about = {"id": element.get("id"), "task_id": element.get("task_id"), "tags": tags}
    shapes = (_shape(child, size, file.left_out, where=where) for child in element if child.tag != "tag")
    kept = tuple(shape for shape in shapes if shape)
    extra = {"cvat": {key: value for key, value in about.items() if value}}
    return [ConvertedImage(_name_here(name, found, root), found, *size, subset, kept, extra)]


def _name_here(name: str, found: Path | None, root: Path) -> str:
    """The name CVAT gives an image, with the ending of its file; another machine's path becomes that of the file."""
    if found is None:
        return PurePosixPath(path_in_address(name)).name if leads_elsewhere(name) else name
    if leads_elsewhere(name):
        return found.relative_to(root).as_posix()
    return str(PurePosixPath(name).with_name(found.name))


def _without_guesses(found: list[ConvertedImage], images: ImageFiles) -> list[ConvertedImage]:
    """No file is the image of two names."""
    names: dict[Path, dict[str, Path | None]] = {}
    for image in found:
        if image.file:
            names.setdefault(image.file, {})[image.name] = image.file
    kept = {file: images.without_guesses(same) for file, same in names.items()}
    return [image if image.file is None else replace(image, file=kept[image.file][image.name]) for image in found]


def _read_track(track: Element, file: _CvatFile) -> None:
    task = file.task(track.get("task_id"))
    task.subset = task.subset or track.get("subset", "")
    about = {f"track_{key}": track.get(key) for key in ("source", "group_id", "task_id") if track.get(key)}
    number, before = int(track.attrib["id"]), None
    for child in sorted(track, key=lambda shape: int(shape.attrib["frame"])):
        child.attrib.setdefault("label", track.get("label", ""))
        frame, where = int(child.attrib["frame"]), f"{file.path.name}: track {number}"
        if before is not None and frame - int(before.attrib["frame"]) > task.step:
            task.gaps.append(KeyframeGap(copy(before), copy(child), where, number, about))
        if child.get("outside") == "1":
            content = {**child.attrib, "attributes": _attributes(child)}
            reason = "the object is not in view then"
            file.left_out.append(LeftOut(f"{child.tag} marked outside", reason, f"{where}, frame {frame}", content))
            before = None
            continue
        before = child
        # Its size may have to be read from the image, which is known when all tracks are.
        task.frames[frame].append(TrackedShape(copy(child), f"{where}, frame {frame}", number, about))


def _fill_gaps(task: Task, placed: Placed, left_out: list[LeftOut]) -> None:
    """Between two keyframes the object is in view, so that a frame without it there would be wrong.

    CVAT itself writes every frame; files of other programs may hold the keyframes only.
    """
    known = sorted(placed.keys() | task.frames.keys())
    for gap in task.gaps:
        if gap.before.tag in _UNSUPPORTED:
            continue
        between = gap.frames()
        for frame in known[bisect_left(known, between.start) : bisect_left(known, between.stop)]:
            if shape := gap.shape_at(frame):
                task.frames[frame].append(shape)
            else:
                kind, where = f"{gap.before.tag} between keyframes", f"{gap.where}, frame {frame}"
                reason = "only CVAT knows its form there: export it from CVAT, which writes every frame"
                left_out.append(_left_out(kind, reason, where, gap.before, faulty=True))


def _frames(task: Task, placed: Placed, left_out: list[LeftOut]) -> Iterator[ConvertedImage]:
    """The frames of a task: those with an image and those with an object."""
    _fill_gaps(task, placed, left_out)
    for number in sorted(placed.keys() | task.frames.keys()):
        path = placed.get(number)
        size = task.original_size or (upright_size(path) if path else None)
        told = task.frames.get(number, ())
        if size is None:
            for one in told:
                reason = "neither the export nor a file says how large its frame is"
                left_out.append(_left_out(one.element.tag, reason, one.where, one.element, faulty=True))
            continue
        shapes = [
            _shape(one.element, size, left_out, where=one.where, track_id=one.track_id, about=one.about) for one in told
        ]
        name = path.name if path else f"frame_{number:06d}.png"
        kept = tuple(shape for shape in shapes if shape)
        yield ConvertedImage(name, path, *size, task.subset, kept, {"frame_index": number})


def _shape(
    element: Element,
    size: tuple[int, int],
    left_out: list[LeftOut],
    *,
    where: str,
    track_id: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> AnnotatedShape | None:
    label, kind = element.get("label", ""), element.tag
    reason = _UNSUPPORTED.get(kind) or (None if label else "it has no label")
    reader = _READERS.get(kind)
    if reason is None and reader is None:
        reason = "unknown kind of shape"
    if reason or reader is None:
        left_out.append(_left_out(kind if label else f"{kind} without a label", str(reason), where, element))
        return None
    rest = {key: _plain(value) for key, value in element.attrib.items() if key not in _GEOMETRY}
    extra = {"cvat": {"kind": kind, **rest, **(about or {})}}
    try:
        return reader(element, size, label=label, track_id=track_id, attributes=_attributes(element), extra=extra)
    except (KeyError, ValueError, ArithmeticError, IndexError) as error:
        reason = f"it cannot be read ({type(error).__name__}: {error})"
        left_out.append(_left_out(kind, reason, where, element, faulty=True))
        return None


def _left_out(kind: str, reason: str, where: str, element: Element, *, faulty: bool = False) -> LeftOut:
    return LeftOut(kind, reason, where, {**element.attrib, "attributes": _attributes(element)}, faulty)


def _plain(value: str) -> int | str:
    return int(value) if value.isascii() and value.isdigit() else value


def _attributes(element: Element) -> dict[str, str]:
    """As text: "0003" is not 3, and only the label's definition says what "true" was."""
    return {entry.attrib["name"]: entry.text or "" for entry in element if entry.tag == "attribute"}


def _box(element: Element, size: tuple[int, int], *, label: str, track_id: int | None, **about: Any) -> AnnotatedShape:
    left, top, right, bottom = (Decimal(element.attrib[key]) for key in _CORNERS)
    # Decimal: 3.3 - 1.1 is 2.2 and not 2.1999999999999997.
    box = float(left), float(top), float(right - left), float(bottom - top)
    angle = float(element.get("rotation", 0))
    if angle == 0:
        return AnnotatedShape(label, box, track_id=track_id, **about)
    centre = float(left + right) / 2, float(top + bottom) / 2
    corners = turned(corners_of(*box), about=centre, degrees=angle)
    return turned_box(label, corners, size=size, track_id=track_id, **_with(about, upright_bbox=box))


def _polygon(
    element: Element, _size: tuple[int, int], *, label: str, track_id: int | None, **about: Any
) -> AnnotatedShape:
    points = [(float(x), float(y)) for x, y in (pair.split(",") for pair in element.attrib["points"].split(";"))]
    area = polygon_area_px(points)
    return AnnotatedShape(label, box_around(points), [flat(points)], area, track_id=track_id, **about)


def _ellipse(
    element: Element, size: tuple[int, int], *, label: str, track_id: int | None, **about: Any
) -> AnnotatedShape:
    values = {key: float(element.get(key, 0)) for key in ("cx", "cy", "rx", "ry", "rotation")}
    return AnnotatedShape(label, ellipse_box(size=size, **values), track_id=track_id, **_with(about, ellipse=values))


def ellipse_box(
    *, cx: float, cy: float, rx: float, ry: float, rotation: float, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """The upright box (xywh) around a tilted ellipse, inside the image."""
    angle = np.radians(rotation)
    half_width = float(np.hypot(rx * np.cos(angle), ry * np.sin(angle)))
    half_height = float(np.hypot(rx * np.sin(angle), ry * np.cos(angle)))
    return clipped((cx - half_width, cy - half_height, 2 * half_width, 2 * half_height), *size)


def _mask(element: Element, size: tuple[int, int], *, label: str, track_id: int | None, **about: Any) -> AnnotatedShape:
    left, top, width, height = (int(float(element.attrib[key])) for key in ("left", "top", "width", "height"))
    runs = [int(run) for run in element.attrib["rle"].split(",")]
    missing = width * height - sum(runs)
    if min(runs) < 0 or missing < 0:
        raise ValueError(f"runs of {sum(runs)} pixels in a box of {width} × {height}")
    known = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    inside = np.concatenate([known, np.zeros(missing, np.bool_)]).reshape(height, width)
    shape = mask_shape(label, inside, (left, top), size, about["attributes"], about["extra"])
    return replace(shape, track_id=track_id)


def mask_shape(
    label: str,
    inside: np.ndarray[Any, np.dtype[np.bool_]],
    corner: tuple[int, int],
    size: tuple[int, int],
    attributes: Mapping[str, Any],
    extra: Mapping[str, Any],
) -> AnnotatedShape:
    """Build an object from a mask of part of the image.

    Args:
        label: category name.
        inside: (rows, columns) bool, True for the pixels of the object.
        corner: x, y in the image of the top left pixel of ``inside``.
        size: width, height of the image in pixels.
        attributes: the attributes of the object.
        extra: further keys for the annotation record.

    Returns:
        The object, cropped to the image.

    Raises:
        ValueError: if nothing is left.
    """
    (left, top), (height, width) = corner, inside.shape
    x, y, across, down = (int(value) for value in clipped((left, top, width, height), *size))
    mask = np.zeros((size[1], size[0]), np.bool_)
    mask[y : y + down, x : x + across] = inside[y - top : y - top + down, x - left : x - left + across]
    if not mask.any():
        raise ValueError("nothing of it is inside the image")
    rle = {"size": [size[1], size[0]], "counts": encode_mask(mask)}
    box = float(x), float(y), float(across), float(down)
    return AnnotatedShape(label, box, rle, float(mask.sum()), attributes=attributes, extra=extra)


def _with(about: dict[str, Any], **more: Any) -> dict[str, Any]:
    """``about`` with further facts in its ``extra``."""
    return {**about, "extra": {"cvat": {**about["extra"]["cvat"], **more}}}


_READERS: dict[str, Callable[..., AnnotatedShape]] = {
    "box": _box,
    "polygon": _polygon,
    "mask": _mask,
    "ellipse": _ellipse,
}
