"""LabelMe (wkentaro/labelme) and tools that write its form: a JSON file per image, points in pixels, image upright.

Polygons of one label and one ``group_id`` are parts of one object.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
from PIL import Image, UnidentifiedImageError

from visionllm_interaction.core.image_decoding import ENDINGS
from visionllm_interaction.datasets.ingestion.formats.coco.writer import split_of
from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
    LeftOut,
    Points,
    box_around,
    clipped,
    flat,
    labels_in_order,
    polygon_area_px,
    turned_box,
)
from visionllm_interaction.datasets.ingestion.formats.cvat import mask_shape
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.datasets.ingestion.formats.images_of_annotation_files import (
    Stated,
    images_of_annotation_files,
)
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size

_REASONS = {
    "point": "COCO has keypoints with names only",
    "points": "COCO has keypoints with names only",
    "line": "COCO has no open lines",
    "linestrip": "COCO has no open lines",
}
_UNREADABLE = (KeyError, TypeError, ValueError, IndexError, binascii.Error, UnidentifiedImageError, OSError)


class LabelMeFile(msgspec.Struct):
    """One file; the image it may hold within itself is not decoded."""

    shapes: list[dict[str, Any]]
    imagePath: str | None = None
    imageHeight: int | None = None
    imageWidth: int | None = None
    flags: dict[str, Any] | None = None


def is_labelme(path: Path) -> bool:
    """Whether a file is LabelMe's JSON."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=LabelMeFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OSError):
        return False
    return content.imagePath is not None or all("shape_type" in shape for shape in content.shapes)


def read_labelme(data: DetectedDataset) -> ConvertedDataset:
    """Read a folder of LabelMe files.

    Args:
        data: the detected data set: its format, folder and annotation files.

    Returns:
        The images with their objects (boxes in xywh pixels), the category names, and what was left out.

    Raises:
        InputDataError: if several images fit one file.
    """
    files = ImageFiles(data.root)
    left_out: list[LeftOut] = []
    read = {path: content for path in data.files if (content := _content(path, files.root, left_out))}
    found = images_of_annotation_files({path: _stated(read.get(path)) for path in data.files}, files)
    images = [
        image
        for path, content in read.items()
        if (image := _converted_image(path, content, found.images.get(path), files.root, left_out))
    ]
    used = set(found.images.values())
    for name in files.names:
        if files.root / name not in used:
            left_out.append(LeftOut("image", "it has no annotation file", name, None))
    return ConvertedDataset(labels_in_order((), images), tuple(images), tuple(left_out), found.notes(data.root))


def _content(path: Path, root: Path, left_out: list[LeftOut]) -> LabelMeFile | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=LabelMeFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OSError) as error:
        where = path.relative_to(root).as_posix()
        left_out.append(LeftOut("annotation file", f"it is not LabelMe's JSON ({error})", where, None, faulty=True))
        return None


def _stated(content: LabelMeFile | None) -> Stated:
    name = (content.imagePath if content else None) or ""
    return Stated(name, name, _stated_size(content) if content else None)


def _stated_size(content: LabelMeFile) -> tuple[int, int] | None:
    size = (content.imageWidth or 0, content.imageHeight or 0)
    return size if min(size) > 0 else None


def _converted_image(
    path: Path, content: LabelMeFile, file: Path | None, root: Path, left_out: list[LeftOut]
) -> ConvertedImage | None:
    where = path.relative_to(root).as_posix()
    size = _stated_size(content) or (upright_size(file) if file else None)
    if size is None:
        reason = "it does not say how large its image is, and there is no image"
        left_out.append(LeftOut("annotation file", reason, where, content.imagePath, faulty=True))
        return None
    shapes = _joined([shape for entry in content.shapes if (shape := _shape(entry, size, where, left_out))])
    flags = {key: value for key, value in (content.flags or {}).items() if value}
    extra = {"labelme": {"flags": flags}} if flags else {}
    return ConvertedImage(_name(file, content, path), file, *size, _subset(path, root), tuple(shapes), extra)


def _name(file: Path | None, content: LabelMeFile, path: Path) -> str:
    if file:
        return file.name
    stated = PurePosixPath((content.imagePath or "").replace("\\", "/")).name
    return stated if PurePosixPath(stated).suffix.lower() in ENDINGS else f"{path.stem}.jpg"


def _subset(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts[:-1]
    return next((part for part in parts if split_of(part, {}) is not None), "")


def _shape(
    entry: Mapping[str, Any], size: tuple[int, int], where: str, left_out: list[LeftOut]
) -> AnnotatedShape | None:
    kind, label = str(entry.get("shape_type") or "polygon"), str(entry.get("label") or "")
    if reason := _REASONS.get(kind) or (None if label else "it has no label"):
        left_out.append(LeftOut(kind if label else f"{kind} without a label", reason, where, dict(entry)))
        return None
    try:
        points = [(float(x), float(y)) for x, y in entry["points"]]
        if not points or not all(math.isfinite(value) for point in points for value in point):
            raise ValueError("it has no finite points")
        return _outline(kind, points, entry, label, size)
    except _UNREADABLE as error:
        content = {key: value for key, value in entry.items() if key != "mask"}
        left_out.append(LeftOut(kind, f"it cannot be read ({type(error).__name__}: {error})", where, content, True))
        return None


def _outline(kind: str, points: Points, entry: Mapping[str, Any], label: str, size: tuple[int, int]) -> AnnotatedShape:
    facts = {key: entry[key] for key in ("group_id", "description", "difficult") if entry.get(key)}
    if entry.get("group_id") is not None:
        facts["group_id"] = entry["group_id"]
    chosen = {key: value for key, value in (entry.get("flags") or {}).items() if value}
    attributes = {**chosen, **(entry.get("attributes") or {})}
    extra = {"labelme": {"kind": kind, **facts}}
    if kind == "rectangle":
        return AnnotatedShape(label, box_around(points), attributes=attributes, extra=extra)
    if kind in ("rotation", "oriented_rectangle"):
        return turned_box(label, points, size=size, track_id=None, attributes=attributes, extra=extra)
    if kind == "circle":
        (x, y), edge = points[0], points[1]
        radius = math.dist((x, y), edge)
        box = clipped((x - radius, y - radius, 2 * radius, 2 * radius), *size)
        return AnnotatedShape(label, box, attributes=attributes, extra=extra)
    if kind == "mask":
        left, top, *_ = box_around(points)
        return mask_shape(label, _mask(entry["mask"]), (round(left), round(top)), size, attributes, extra)
    if kind != "polygon" or len(points) < 3:
        raise ValueError(f"a {kind} of {len(points)} points")
    area = polygon_area_px(points)
    return AnnotatedShape(label, box_around(points), [flat(points)], area, attributes=attributes, extra=extra)


def _mask(text: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as image:
        return np.asarray(image.convert("L")) > 0


def _joined(shapes: Sequence[AnnotatedShape]) -> list[AnnotatedShape]:
    """Polygons of one label and group become one object, where its first part stood."""
    groups: dict[tuple[str, Any], list[AnnotatedShape]] = {}
    for number, shape in enumerate(shapes):
        about = shape.extra["labelme"]
        group = about.get("group_id")
        joins = group is not None and about["kind"] == "polygon"
        groups.setdefault((shape.label, ("group", group) if joins else ("alone", number)), []).append(shape)
    return [parts[0] if len(parts) == 1 else _one(parts) for parts in groups.values()]


def _one(parts: Sequence[AnnotatedShape]) -> AnnotatedShape:
    outlines = [outline for part in parts for outline in part.segmentation]
    points = [(x, y) for outline in outlines for x, y in zip(outline[::2], outline[1::2], strict=True)]
    area = sum(part.area_px or 0.0 for part in parts)
    first = parts[0]
    return AnnotatedShape(
        first.label, box_around(points), outlines, area, attributes=first.attributes, extra=first.extra
    )
