"""Read detections from a CSV: columns of frames or times, categories, confidences and boxes, under many names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.video.detection_files.file_content import (
    Clock,
    FileContent,
    Row,
    chosen_video,
    corners_of,
    is_number,
    is_of_video,
    make_row,
    names_of,
    other_name_note,
    refuse_second_pass,
)
from visionllm_interaction.video.detection_files.table_times import UNITS, Line, frames_of_lines

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "frame": ("frame_index", "frame", "frame_id", "frame_idx", "frame_number", "frame_num"),
    "time_s": ("time_s", "timestamp_s", "time", "timestamp", "seconds", "sec", "time_sec", "time_in_seconds",
               "time_in_extended_iso"),
    "time_ms": ("time_ms", "timestamp_ms", "milliseconds", "msec"),
    "time_us": ("time_us", "timestamp_us", "microseconds"),
    "time_ns": ("time_ns", "timestamp_ns", "nanoseconds"),
    "confidence": ("confidence", "score", "conf", "probability", "prob", "confidence_score", "det_conf",
                   "det_score", "detection_confidence", "detection_score"),
    "x1": ("x1", "xmin", "x_min", "xtl", "left", "bbox_left", "bb_left", "box_x1", "bbox_x1"),
    "y1": ("y1", "ymin", "y_min", "ytl", "top", "bbox_top", "bb_top", "box_y1", "bbox_y1"),
    "x2": ("x2", "xmax", "x_max", "xbr", "right", "bbox_right", "box_x2", "bbox_x2"),
    "y2": ("y2", "ymax", "y_max", "ybr", "bottom", "bbox_bottom", "box_y2", "bbox_y2"),
    "x": ("x", "bbox_x", "origin_x"),
    "y": ("y", "bbox_y", "origin_y"),
    "w": ("w", "width", "bbox_width", "bb_width", "bbox_w"),
    "h": ("h", "height", "bbox_height", "bb_height", "bbox_h"),
    "cx": ("cx", "xc", "x_center", "x_centre", "xcenter", "center_x", "centre_x"),
    "cy": ("cy", "yc", "y_center", "y_centre", "ycenter", "center_y", "centre_y"),
    "video": ("video", "video_name", "video_id", "video_file", "video_path", "file", "file_name", "filename", "source",
              "superseded_gcp_name", "gcp_name", "clip", "clip_name", "clip_id", "recording", "recording_id", "session",
              "session_id", "movie", "media"),
}  # fmt: skip
_OF_VIDEO = re.compile(r"(?:^|_)(?:video|gcp)_(?:name|file|path|id)(?:_|$)")
"""Other columns that name the video, such as ``superseded_gcp_name_feb25``."""
_TRACKS = {"id", "track", "track_id", "tracker_id", "track_number", "object_id", "person_id", "instance_id"}
_CATEGORIES = ("category", "class_name", "category_name", "class", "label", "name", "object")
_MISSING = {"", "-", "na", "nan", "n/a", "none", "null", "#n/a"}
"""Cells without a value, as spreadsheets, R and pandas write them."""
_LEAST_PERCENT, _MOST_PERCENT = 10.0, 100.0
"""Confidences from 1 of which the largest lies between are percentages."""
_PERCENT = re.compile(r"%|_?(?:pct|percent)\b", re.IGNORECASE)
_ABOUT_CONFIDENCE = re.compile(r"conf|score|prob")
_SAME_PLACE = 0.5
"""Intersection over union of two boxes of one category that are probably of one thing."""
_MANY_TWICE = 0.3
"""Share of boxes beside another one of the same thing from which several images have one time."""

Floats = NDArray[np.float64]


def read_csv(text: str, *, clock: Clock | None = None, video: str | None = None) -> FileContent:
    """Read a table of detections; a line without a box is a frame in which nothing was found.

    Args:
        text: the table, with a header.
        clock: gives the times of the video's frames.
        video: name of the video's file, where a table has detections of several.

    Returns:
        The content.

    Raises:
        ValueError: if columns are missing, or a value is of another form.
    """
    dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t|")
    lines = csv.DictReader(text.splitlines(), dialect=dialect)
    by_column = {_plain(name): name for name in lines.fieldnames or ()}
    table: list[Line] = [line for line in lines if any(_is_given(cell) for cell in line.values())]
    if dialect.delimiter != ",":
        table = _with_decimal_points(table, whole=_columns(by_column)["frame"])
    return _read_table(table, by_column, clock, video)


def read_records(records: Sequence[Mapping[str, Any]], *, clock: Clock | None, video: str | None) -> FileContent:
    """Read a list of JSON objects, each with what a line of a table has.

    Args:
        records: the objects; ``null`` is an empty cell.
        clock: gives the times of the video's frames.
        video: name of the video's file, where the list has detections of several.

    Returns:
        The content.

    Raises:
        ValueError: if keys are missing, or a value is of another form.
    """
    names = dict.fromkeys(name for record in records for name in record)
    table = [{name: "" if record.get(name) is None else str(record[name]) for name in names} for record in records]
    return _read_table(table, {_plain(name): name for name in names}, clock, video)


def _columns(by_column: Mapping[str, str]) -> dict[str, str | None]:
    """What a column is for → its name in this table."""
    column = {key: next((by_column[n] for n in names if n in by_column), None) for key, names in _COLUMNS.items()}
    of_video = next((name for plain, name in by_column.items() if _OF_VIDEO.search(plain)), None)
    return {**column, "video": column["video"] or of_video}


def _read_table(
    table: Sequence[Line], by_column: Mapping[str, str], clock: Clock | None, video: str | None
) -> FileContent:
    column = _columns(by_column)
    category = _category_column(table, [by_column[name] for name in _CATEGORIES if name in by_column])
    if not (column["frame"] or any(column[key] for key in UNITS)) or category is None:
        raise ValueError(f"columns {', '.join(by_column)}: none of frames or times, or none of categories")
    if column["video"]:
        chosen = chosen_video((str(line[column["video"]] or "") for line in table), video)
        table = [line for line in table if is_of_video(str(line[column["video"]] or ""), chosen)]
    frames, notes = frames_of_lines(table, column, clock)
    notes += other_name_note((str(line[column["video"]] or "") for line in table) if column["video"] else (), video)
    found = [(frame, line, box) for frame, line in zip(frames, table, strict=True) if (box := _box(line, column))]
    sure, of_confidences = _confidences([line for _, line, _ in found], column["confidence"])
    if column["confidence"] is None:
        of_confidences = tuple(
            f"column {name} was not read: all confidences are 1"
            for name in by_column.values()
            if _ABOUT_CONFIDENCE.search(name.lower())
        )
    rows = [make_row(frame, str(line[category]), one, box) for (frame, line, box), one in zip(found, sure, strict=True)]
    if _TRACKS.isdisjoint(by_column):
        refuse_second_pass(rows)
    if not column["frame"]:
        _refuse_coarse_times(rows, clock)
    empty = len(rows) < len(table)
    return FileContent(rows, names_of(rows), frozenset(frames) if empty else None, notes=(*notes, *of_confidences))


def _plain(name: str) -> str:
    """A column's name in small letters, ``_`` between its words, without signs and without its unit of per cent."""
    return re.sub(r"\W+", "_", _PERCENT.sub("", name.strip().lower())).strip("_")


def _is_given(cell: object) -> bool:
    return isinstance(cell, str) and bool(cell.strip())


def _with_decimal_points(table: Sequence[Line], *, whole: str | None) -> list[Line]:
    """The lines of a table that commas do not separate, with points in its numbers; ``whole`` has whole numbers."""
    commas = re.compile(r"\s*(-?\d*),(\d+)\s*")
    for name in table[0] if table else ():
        cells = [str(line[name] or "").strip() for line in table]
        found = [match.groups() for cell in cells if (match := commas.fullmatch(cell))]
        may_be_thousands = all(len(after) == 3 and not before.lstrip("-").startswith("0") for before, after in found)
        if found and may_be_thousands and (name == whole or any(re.fullmatch(r"-?\d+", cell) for cell in cells)):
            raise ValueError(
                f"column {name} has {','.join(found[0])}: thousands or a fraction? Write it without a comma"
            )
    return [
        {
            name: commas.sub(r"\1.\2", cell) if isinstance(cell, str) and commas.fullmatch(cell) else cell
            for name, cell in line.items()
        }
        for line in table
    ]


def _confidences(lines: Sequence[Line], name: str | None) -> tuple[list[float], tuple[str, ...]]:
    """The confidence of each line, within 0 and 1, and what was assumed."""
    if name is None:
        return [1.0] * len(lines), ()
    given = [str(line[name] or "").strip() for line in lines]
    plain = [float(text) for text in given if not text.endswith("%")]
    # A percentage below 1 beside one above 10 may be a share as well: it is left as it is, and refused.
    percent = bool(_PERCENT.search(name)) or (
        bool(plain)
        and _LEAST_PERCENT < max(plain) <= _MOST_PERCENT
        and all(value == 0 or value >= 1 for value in plain)
    )
    values = [float(text.removesuffix("%")) / (100 if percent or text.endswith("%") else 1) for text in given]
    signed = len(plain) < len(given)
    return values, (f"column {name} has percentages",) if percent or signed else ()


def _refuse_coarse_times(rows: Sequence[Row], clock: Clock | None) -> None:
    """Refuse times that several images share: everybody would be in one image as often as there are images."""
    frames = np.unique([row[0] for row in rows])
    if clock is None or len(frames) == 0 or (len(frames) > 1 and np.median(np.diff(frames)) < 2):
        return
    distinct = list(dict.fromkeys(rows))
    again = sum(
        _beside_an_earlier_one(np.array([row[3] for row in alike], np.float64))
        for alike in _by_frame_and_category(distinct)
    )
    if again > _MANY_TWICE * len(distinct):
        raise ValueError("times are rounded, so that several images share them: add a column of frames, or exact times")


def _by_frame_and_category(rows: Sequence[Row]) -> Iterator[list[Row]]:
    for _, alike in groupby(sorted(rows, key=lambda row: row[:2]), key=lambda row: row[:2]):
        yield list(alike)


def _beside_an_earlier_one(boxes: Floats) -> int:
    """How many of the boxes (n, 4) lie on an earlier one."""
    if len(boxes) < 2:
        return 0
    return int((np.tril(box_iou(boxes[:, None], boxes[None]), k=-1).max(axis=1) >= _SAME_PLACE).sum())


def _category_column(table: Sequence[Line], columns: Sequence[str]) -> str | None:
    """The first column of names; one of numbers only if there is no other (``class`` 0 beside ``name`` person)."""
    named = (c for c in columns if any(not is_number(str(line[c] or "0")) for line in table))
    return next(named, columns[0] if columns else None)


def _box(line: Line, column: Mapping[str, str | None]) -> tuple[float, ...] | None:
    """x1, y1, x2, y2; ``None`` on a line in which nothing was found."""
    corners = [column[key] for key in ("x1", "y1", "x2", "y2")]
    middle = [column["cx"], column["cy"], column["w"], column["h"]]
    left = [column["x"] or column["x1"], column["y"] or column["y1"], column["w"], column["h"]]
    chosen = next((names for names in (corners, left, middle) if all(names)), None)
    if chosen is None:
        raise ValueError("no columns of boxes: x1, y1, x2, y2 or x, y, width, height or x_center, y_center …")
    cells = [str(line[str(name)] or "").strip() for name in chosen]
    missing = [cell.lower() in _MISSING for cell in cells]
    if any(missing) and not all(missing):
        raise ValueError(f"a box has {', '.join(cell or 'nothing' for cell in cells)}: four numbers, or none of them")
    if any(missing):
        return None
    values = tuple(float(cell) for cell in cells)
    if chosen is corners:
        return values
    x, y, width, height = values
    return corners_of(values) if chosen is left else corners_of((x - width / 2, y - height / 2, width, height))
