"""CVAT's own XML, version 1.1, for images and for video (docs.cvat.ai, "CVAT for image", "CVAT for video").

Boxes, polygons, masks, ellipses and tags of images are carried over, with attributes; of videos, what is not
marked *outside*. Polylines, points, cuboids and skeletons are not: COCO has no place for them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from visionllm_interaction.core.run_lengths import encode_mask
from visionllm_interaction.datasets.ingestion.formats.common import (
    Converted,
    Foreign,
    LeftOut,
    Picture,
    PictureFiles,
    Shape,
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
_FRAME_NUMBER = re.compile(r"(\d+)$")


@dataclass
class _File:
    """What is read from one XML file."""

    path: Path
    labels: list[str] = field(default_factory=list)
    subset: str = ""
    size: tuple[int, int] = (0, 0)
    pictures: list[Picture] = field(default_factory=list)
    frames: dict[int, list[Shape]] = field(default_factory=lambda: defaultdict(list))
    left_out: list[LeftOut] = field(default_factory=list)
    has_tracks: bool = False

    @property
    def is_video(self) -> bool:
        """Whether it is told in tracks; a video's frames may also be exported image by image."""
        return self.has_tracks and not self.pictures


def read_cvat(data: Foreign) -> Converted:
    """Read one or several XML files of images, or one of a video.

    Raises:
        AnnotationError: if a file is not CVAT's XML.
    """
    pictures = PictureFiles(data.root)
    files = [_read(path, pictures) for path in data.files]
    videos = [file for file in files if file.is_video]
    if videos and len(files) > 1:
        raise broken(videos[0].path, "several files, one of them of a video", expected="one video in a folder")
    found = [picture for file in files for picture in (_frames(file, pictures) if file.is_video else file.pictures)]
    declared = [label for file in files for label in file.labels]
    left_out = tuple(entry for file in files for entry in file.left_out)
    return Converted(labels_in_order(declared, found), tuple(found), left_out)


def _read(path: Path, pictures: PictureFiles) -> _File:
    file = _File(path, subset=path.stem if path.stem.lower() in ("train", "val", "test", "validation") else "")
    try:
        for element in _children(path):
            if element.tag == "meta":
                _read_meta(element, file)
            elif element.tag == "image":
                file.pictures.append(_picture(element, file, pictures))
            elif element.tag == "track":
                file.has_tracks = True
                _read_track(element, file)
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


def _read_meta(meta: Element, file: _File) -> None:
    # A project lists its labels once, a task under itself; both may hold a skeleton's parts, which are no labels.
    names = [label.findtext("name") or "" for label in meta.iter("label") if label.find("parent") is None]
    file.labels = [name for name in names if name]
    task = meta.find("task")
    if task is not None:
        file.subset = task.findtext("subset") or file.subset
        file.has_tracks = task.findtext("mode") == "interpolation"
    size = meta.find(".//original_size")
    if size is not None:
        file.size = (int(size.findtext("width") or 0), int(size.findtext("height") or 0))


def _picture(element: Element, file: _File, pictures: PictureFiles) -> Picture:
    name, subset = element.attrib["name"], element.get("subset", file.subset)
    size = (int(element.attrib["width"]), int(element.attrib["height"]))
    where = f"{file.path.name}: image {name}" + (f" of {subset}" if subset else "")
    tags = [{"label": tag.get("label"), "attributes": _attributes(tag)} for tag in element if tag.tag == "tag"]
    about = {"id": element.get("id"), "task_id": element.get("task_id"), "tags": tags}
    shapes = (_shape(child, size, file, where=where) for child in element if child.tag != "tag")
    return Picture(
        name,
        pictures.find(name, hint=subset),
        *size,
        subset,
        tuple(shape for shape in shapes if shape),
        {"cvat": {key: value for key, value in about.items() if value}},
    )


def _read_track(track: Element, file: _File) -> None:
    file.subset = track.get("subset", file.subset)
    for child in track:
        child.attrib.setdefault("label", track.get("label", ""))
        where = f"{file.path.name}: track {track.get('id')}, frame {child.get('frame')}"
        if child.get("outside") == "1":
            content = {**child.attrib, "attributes": _attributes(child)}
            file.left_out.append(
                LeftOut(f"{child.tag} marked outside", "the object is not in view then", where, content)
            )
            continue
        about = {f"track_{key}": track.get(key) for key in ("source", "group_id", "task_id") if track.get(key)}
        shape = _shape(child, file.size, file, where=where, track_id=int(track.attrib["id"]), about=about)
        if shape:
            file.frames[int(child.attrib["frame"])].append(shape)


def _frames(file: _File, pictures: PictureFiles) -> list[Picture]:
    """The frames of a video: those with an image and those with an object."""
    by_number: dict[int, str] = {}
    for name in pictures.names:
        if match := _FRAME_NUMBER.search(Path(name).stem):
            by_number.setdefault(int(match[1]), name)
    result = []
    for number in sorted(by_number.keys() | file.frames.keys()):
        found = by_number.get(number)
        path = pictures.root / found if found else None
        about = {"frame_index": number}
        shapes = tuple(file.frames.get(number, ()))
        result.append(
            Picture(path.name if path else f"frame_{number:06d}.png", path, *file.size, file.subset, shapes, about)
        )
    return result


def _shape(
    element: Element,
    size: tuple[int, int],
    file: _File,
    *,
    where: str,
    track_id: int | None = None,
    about: dict[str, Any] | None = None,
) -> Shape | None:
    label, kind = element.get("label", ""), element.tag
    reason = _UNSUPPORTED.get(kind) or ("it has no label" if not label else None)
    reader = _READERS.get(kind)
    if reason is None and reader is None:
        reason = "unknown kind of shape"
    if reason or reader is None:
        what = kind if label else f"{kind} without a label"
        file.left_out.append(_left_out(what, str(reason), where, element))
        return None
    rest = {key: _plain(value) for key, value in element.attrib.items() if key not in _GEOMETRY}
    extra = {"cvat": {"kind": kind, **rest, **(about or {})}}
    return reader(element, size, label=label, track_id=track_id, attributes=_attributes(element), extra=extra)


def _left_out(kind: str, reason: str, where: str, element: Element) -> LeftOut:
    return LeftOut(kind, reason, where, {**element.attrib, "attributes": _attributes(element)})


def _plain(value: str) -> int | str:
    return int(value) if value.isascii() and value.isdigit() else value


def _attributes(element: Element) -> dict[str, str]:
    """As text: "0003" is not 3, and only the label's definition says what "true" was."""
    return {entry.attrib["name"]: entry.text or "" for entry in element if entry.tag == "attribute"}


def _box(element: Element, size: tuple[int, int], *, label: str, track_id: int | None, **about: Any) -> Shape:
    left, top, right, bottom = (Decimal(element.attrib[key]) for key in _CORNERS)
    # Decimal: 3.3 - 1.1 is 2.2 and not 2.1999999999999997.
    box = float(left), float(top), float(right - left), float(bottom - top)
    angle = float(element.get("rotation", 0))
    if angle == 0:
        return Shape(label, box, track_id=track_id, **about)
    centre = float(left + right) / 2, float(top + bottom) / 2
    corners = turned(corners_of(*box), about=centre, degrees=angle)
    return turned_box(label, corners, size=size, track_id=track_id, **_with(about, upright_bbox=box))


def _polygon(element: Element, _size: tuple[int, int], *, label: str, track_id: int | None, **about: Any) -> Shape:
    points = [(float(x), float(y)) for x, y in (pair.split(",") for pair in element.attrib["points"].split(";"))]
    area = polygon_area_px(points)
    return Shape(label, box_around(points), [flat(points)], area, track_id=track_id, **about)


def _ellipse(element: Element, size: tuple[int, int], *, label: str, track_id: int | None, **about: Any) -> Shape:
    values = {key: float(element.get(key, 0)) for key in ("cx", "cy", "rx", "ry", "rotation")}
    return Shape(label, ellipse_box(size=size, **values), track_id=track_id, **_with(about, ellipse=values))


def ellipse_box(
    *, cx: float, cy: float, rx: float, ry: float, rotation: float, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """The upright box (xywh) around a tilted ellipse, inside the image."""
    angle = np.radians(rotation)
    half_width = float(np.hypot(rx * np.cos(angle), ry * np.sin(angle)))
    half_height = float(np.hypot(rx * np.sin(angle), ry * np.cos(angle)))
    return clipped((cx - half_width, cy - half_height, 2 * half_width, 2 * half_height), *size)


def _mask(element: Element, size: tuple[int, int], *, label: str, track_id: int | None, **about: Any) -> Shape:
    left, top, width, height = (int(float(element.attrib[key])) for key in ("left", "top", "width", "height"))
    runs = [int(run) for run in element.attrib["rle"].split(",")]
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    mask = np.zeros((size[1], size[0]), np.bool_)
    mask[top : top + height, left : left + width] = inside
    rle = {"size": [size[1], size[0]], "counts": encode_mask(mask)}
    box = float(left), float(top), float(width), float(height)
    return Shape(label, box, rle, float(inside.sum()), track_id=track_id, **about)


def _with(about: dict[str, Any], **more: Any) -> dict[str, Any]:
    """``about`` with further facts in its ``extra``."""
    return {**about, "extra": {"cvat": {**about["extra"]["cvat"], **more}}}


_READERS: dict[str, Callable[..., Shape]] = {"box": _box, "polygon": _polygon, "mask": _mask, "ellipse": _ellipse}
