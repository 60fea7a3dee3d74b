"""The rows of YOLO's label files: what their numbers are, and the object they describe.

A row does not say what it is. The numbers after the class may be

- 4: centre and size; 5: the same and a confidence or a track; 6: the same and both (Ultralytics' tracking);
- 8 (9): the corners of an oriented box (and a confidence);
- 6 and more, even: the points of an outline; with one more, a confidence at the end;
- 4 + k·2 or 4 + k·3: centre and size, then k key points.

An outline and a row of key points can have the same length. ``kpt_shape`` in ``data.yaml`` decides; where it is
missing, all rows of the data set are examined together (:func:`recognise`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    LeftOut,
    Points,
    box_around,
    flat,
    polygon_area_px,
    turned_box,
)

_BOX_NUMBERS = 5
"""Most numbers of a box: centre, size, and one that may be a confidence or a track."""
_TRACK_NUMBERS = 6
_CORNER_NUMBERS = 8
_MARGIN = 0.02
_VISIBILITIES = (0.0, 1.0, 2.0)
_MOST, _NEARLY_ALL = 0.9, 0.95
_TRACKING = (
    "rows of 7 numbers were read as a box, a confidence and a track, as tracking writes them: "
    "they are detections, not what somebody labelled"
)


@dataclass(frozen=True, slots=True)
class YoloRow:
    """One line: class number and the numbers after it, as shares of the image."""

    where: str
    text: str
    number: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RowFormat:
    """How the rows of a data set are to be read."""

    key_points: tuple[int, int] | None = None
    """Number of key points and numbers for each (2: x, y; 3: x, y, visibility)."""
    notes: tuple[str, ...] = ()
    tracks: bool = False
    """Whether rows of six numbers are boxes with a confidence and the number of a track."""

    def coordinates(self, row: YoloRow) -> Sequence[float]:
        """The numbers of a row that are shares of the image for certain."""
        even = len(row.values) - len(row.values) % 2
        return row.values[: 4 if self.key_points or (self.tracks and len(row.values) == _TRACK_NUMBERS) else even]


def parse_row(line: str, *, where: str) -> YoloRow | LeftOut:
    """The numbers of one line; the class may be written ``1``, ``1.0`` or ``1.000e+00``."""
    words = line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        return LeftOut("row", "it is not numbers with spaces between", where, line, faulty=True)
    if len(values) < 5:
        return LeftOut("row", "it has fewer than five numbers", where, line, faulty=True)
    if not all(map(math.isfinite, values)):
        return LeftOut("row", "it has a number that is not finite", where, line, faulty=True)
    if values[0] != int(values[0]):
        return LeftOut("row", "its class is not a whole number", where, line, faulty=True)
    return YoloRow(where, line.strip(), int(values[0]), tuple(values[1:]))


def looks_like_rows(lines: Sequence[str]) -> bool:
    """Whether the first line with text is a row of a label file."""
    first = next((line for line in lines if line.strip()), "")
    return isinstance(parse_row(first, where=""), YoloRow)


def recognise(rows: Sequence[YoloRow], key_points: tuple[int, int] | None) -> RowFormat:
    """How ``rows`` are to be read; ``key_points`` as ``data.yaml`` says, if it does."""
    if key_points:
        return RowFormat(key_points)
    tracked = _is_tracking([row.values for row in rows])
    if tracked:
        return RowFormat(tracks=True, notes=(_TRACKING,))
    long = [row.values for row in rows if len(row.values) > _BOX_NUMBERS]
    lengths = {len(values) for values in long}
    if len(lengths) != 1:
        return RowFormat()
    (length,) = lengths
    if _share(long, _has_whole_visibilities) < _NEARLY_ALL and _share(long, _is_outline) >= _MOST:
        return RowFormat()
    for numbers in (3, 2):
        if (length - 4) % numbers == 0 and _share(long, partial(_is_pose, numbers=numbers)) >= _NEARLY_ALL:
            found = (length - 4) // numbers, numbers
            note = (
                f"rows of {length + 1} numbers were read as a box with {found[0]} key points of {numbers} numbers "
                "each: as outlines they make no sense; kpt_shape in data.yaml would say so"
            )
            return RowFormat(found, (note,))
    return RowFormat()


def _is_tracking(rows: Sequence[tuple[float, ...]]) -> bool:
    """Whether rows of six numbers end in a confidence and the whole number of a track, as no outline does."""
    six = [values for values in rows if len(values) == _TRACK_NUMBERS]
    return (
        bool(six)
        and all(0 <= values[4] <= 1 and values[5] >= 1 and values[5] == int(values[5]) for values in six)
        and all(len(values) in (4, 5, _TRACK_NUMBERS) for values in rows)
        and any(values[5] > 1 for values in six)
    )


def _share(rows: Sequence[tuple[float, ...]], fits: Callable[[tuple[float, ...]], bool]) -> float:
    return sum(map(fits, rows)) / len(rows)


def _is_outline(values: tuple[float, ...]) -> bool:
    """Whether the second point is a neighbour of the others; of a box it is the size, anywhere in the image."""
    values = values[: len(values) - len(values) % 2]
    (x, y), rest = (values[2], values[3]), (*values[:2], *values[4:])
    points = [point for point in zip(rest[::2], rest[1::2], strict=True) if any(point)]
    if not points:
        return False
    left, top, width, height = box_around(points)
    return left - width <= x <= left + 2 * width and top - height <= y <= top + 2 * height


def _has_whole_visibilities(values: tuple[float, ...]) -> bool:
    """Whether every third number after the box is 0, 1 or 2, as it is for key points and nothing else."""
    return (len(values) - 4) % 3 == 0 and all(value in _VISIBILITIES for value in values[6::3])


def _is_pose(values: tuple[float, ...], *, numbers: int) -> bool:
    """Whether the points lie in the box, and every third number can be a visibility if there are three for a point."""
    x, y, width, height = values[:4]
    if not (0 < width <= 1 + _MARGIN and 0 < height <= 1 + _MARGIN):
        return False
    points = [values[at : at + numbers] for at in range(4, len(values), numbers)]
    if numbers == 3 and not all(0 <= point[2] <= 2 for point in points):
        return False
    seen = [point for point in points if point[0] > 0 or point[1] > 0]
    inside = (
        abs(point[0] - x) <= width / 2 * 1.2 + _MARGIN and abs(point[1] - y) <= height / 2 * 1.2 + _MARGIN
        for point in seen
    )
    return sum(inside) >= 0.9 * len(seen)


def to_shape(row: YoloRow, label: str, form: RowFormat, size: tuple[int, int]) -> AnnotatedShape | LeftOut:
    """The object of ``row`` in an image of ``size`` (width, height), in pixels."""
    values, count = row.values, len(row.values)
    if count in (4, 5):
        return AnnotatedShape(label, _box(values, size), extra=_fifth(values[4:]))
    if form.tracks and count == _TRACK_NUMBERS:
        return AnnotatedShape(
            label, _box(values, size), track_id=int(values[5]), extra={"yolo": {"confidence": values[4]}}
        )
    if form.key_points:
        return _with_key_points(row, label, form.key_points, size)
    if count % 2 and not (0 <= values[-1] <= 1 and _is_outline(values)):
        reason = f"{count} numbers after the class are no box and no outline"
        return LeftOut("row", reason, row.where, row.text, faulty=True)
    outline, rest = values[: count - count % 2], values[count - count % 2 :]
    points: Points = [(x * size[0], y * size[1]) for x, y in zip(outline[::2], outline[1::2], strict=True)]
    if len(outline) == _CORNER_NUMBERS:
        return turned_box(label, points, size=size, track_id=None, attributes={}, extra=_fifth(rest))
    return AnnotatedShape(label, box_around(points), [flat(points)], polygon_area_px(points), extra=_fifth(rest))


def _box(values: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    x, y, w, h = values[0] * size[0], values[1] * size[1], values[2] * size[0], values[3] * size[1]
    return x - w / 2, y - h / 2, w, h


def _fifth(rest: Sequence[float]) -> dict[str, Any]:
    # A number after the shape is a confidence or a track, depending on who wrote it; it is kept without a guess.
    return {"yolo": {"fifth_value": rest[0]}} if rest else {}


def _with_key_points(
    row: YoloRow, label: str, form: tuple[int, int], size: tuple[int, int]
) -> AnnotatedShape | LeftOut:
    number, numbers = form
    expected = 4 + number * numbers
    if len(row.values) not in (expected, expected + 1):
        reason = f"{len(row.values)} numbers after the class, expected 4 or {expected} ({number} key points)"
        return LeftOut("row", reason, row.where, row.text, faulty=True)
    key_points: list[float] = []
    for at in range(4, expected, numbers):
        x, y, *visibility = row.values[at : at + numbers]
        # Of two numbers, (0, 0) is a point nobody marked; COCO's 2 is "labelled and visible".
        seen = visibility[0] if visibility else (2 if x > 0 or y > 0 else 0)
        key_points += [x * size[0], y * size[1], int(seen)] if seen else [0, 0, 0]
    extra = {
        "keypoints": key_points,
        "num_keypoints": sum(1 for at in range(2, len(key_points), 3) if key_points[at]),
        **_fifth(row.values[expected:]),
    }
    return AnnotatedShape(label, _box(row.values, size), extra=extra)
