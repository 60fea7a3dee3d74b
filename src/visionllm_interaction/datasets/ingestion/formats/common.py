"""What every reader of a format hands over."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from visionllm_interaction.errors import AnnotationError

_NOT_STANDARD = re.compile(rb"[\[:,\s]-?(?:NaN|Infinity)\s*[,\]}]")
_T = TypeVar("_T")
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class DetectedDataset:
    """A data set in another format: its folder and its annotation files."""

    format: str
    root: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class AnnotatedShape:
    """One object in one image; ``bbox_xywh`` and points in pixels of the image."""

    label: str
    bbox_xywh: tuple[float, float, float, float]
    segmentation: Any = None
    """COCO polygons or uncompressed RLE, if the source has an outline."""
    area_px: float | None = None
    """Area of the outline; the box's where there is none."""
    track_id: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What the annotators chose, in the source's own words."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of the COCO annotation."""


@dataclass(frozen=True, slots=True)
class ConvertedImage:
    """One image; ``file`` is ``None`` where it is not below the data folder."""

    name: str
    file: Path | None
    width: int
    height: int
    subset: str
    shapes: tuple[AnnotatedShape, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not carried over: what, why, where it stands in the source, and all it says."""

    kind: str
    reason: str
    where: str
    content: Any
    faulty: bool = False
    """Whether the record is wrong in itself, rather than something COCO cannot hold."""


@dataclass(frozen=True, slots=True)
class ConvertedDataset:
    """A data set read from another format; ``labels`` in the source's order."""

    labels: tuple[str, ...]
    images: tuple[ConvertedImage, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()
    """How the source was read where it could be read in more than one way, in sentences."""


def read_text(path: Path) -> str:
    """Read a file in UTF-8, or in UTF-16 with a byte order mark.

    Args:
        path: the file.

    Returns:
        Its text, without a byte order mark.

    Raises:
        OSError: if it cannot be read.
        UnicodeDecodeError: if it is in another encoding.
    """
    content = path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if marked else "utf-8-sig")


def decode_json(data: bytes, type_: type[_T], *, path: Path, expected: str) -> _T:
    """Decode JSON, also what Python and pandas write besides the standard: ``NaN`` and ``Infinity``.

    Args:
        data: the content of the file.
        type_: what it is decoded to.
        path: the file, for the error.
        expected: what it should hold, for the error.

    Returns:
        The content.

    Raises:
        AnnotationError: if it is no JSON, or of another type.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise broken(path, error, expected=expected) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not _NOT_STANDARD.search(data):
            raise broken(path, error, expected=expected) from error
    try:
        return msgspec.convert(json.loads(data), type_)
    except (ValueError, RecursionError) as error:
        raise broken(path, error, expected=expected) from error


def polygon_area_px(points: Points) -> float:
    """Area inside a polygon (the shoelace formula)."""
    pairs = zip(points, [*points[1:], *points[:1]], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def box_around(points: Points) -> tuple[float, float, float, float]:
    """The smallest upright box (xywh) around ``points``."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def turned(points: Points, *, about: tuple[float, float], degrees: float) -> list[tuple[float, float]]:
    """``points`` turned clockwise on the screen (y points down) about a point."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x0, y0 = about
    return [(x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos) for x, y in points]


def corners_of(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    """The four corners of an upright box, clockwise from the top left one."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def clipped(box_xywh: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    """The part of a box inside the image."""
    x, y, w, h = box_xywh
    left, top = min(max(x, 0.0), width), min(max(y, 0.0), height)
    return left, top, min(max(x + w, left), width) - left, min(max(y + h, top), height) - top


def turned_box(
    label: str,
    corners: Points,
    *,
    size: tuple[int, int],
    track_id: int | None,
    attributes: Mapping[str, Any],
    extra: Mapping[str, Any],
) -> AnnotatedShape:
    """A tilted rectangle: its corners as the outline, and the upright box around them inside the image."""
    return AnnotatedShape(
        label,
        clipped(box_around(corners), *size),
        segmentation=[flat(corners)],
        area_px=polygon_area_px(corners),
        track_id=track_id,
        attributes=attributes,
        extra=extra,
    )


def flat(points: Points) -> list[float]:
    """Flatten points to COCO's order: x1, y1, x2, y2 and so on."""
    return [value for point in points for value in point]


def labels_in_order(declared: Iterable[str], images: Iterable[ConvertedImage]) -> tuple[str, ...]:
    """Declared labels first, then others in order of appearance."""
    used = (shape.label for image in images for shape in image.shapes)
    return tuple(dict.fromkeys((*declared, *used)))


def broken(path: Path, error: Exception | str, *, expected: str) -> AnnotationError:
    """The error for an annotation file that cannot be read."""
    found = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return AnnotationError(
        "An annotation file cannot be read.",
        expected=expected,
        found=found,
        where=str(path),
        fix="export it again from the annotation tool",
    )


def is_file(path: Path) -> bool:
    """Whether a path that an annotation file names is a file here; a name that no file can have is none.

    Args:
        path: it may be longer than file names can be.

    Returns:
        ``False`` where :meth:`pathlib.Path.is_file` raises.
    """
    try:
        return path.is_file()
    except OSError:
        return False
