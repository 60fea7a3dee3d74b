"""Read detections from a CSV: columns of frames or times, categories, confidences and boxes, under many names.

Where a table has frames and times, both must say the same of the video. If they do not, the frames number the sampled
images (0, 1, 2 … at one a second), and the times decide.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.detection_files.file_content import (
    Clock,
    FileContent,
    chosen_video,
    corners_of,
    counted_from_one,
    is_of_video,
    make_row,
    names_of,
)

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "frame": ("frame_index", "frame", "frame_id", "frame_idx", "frame_number", "frame_num"),
    "time_s": ("time_s", "timestamp_s", "time", "timestamp", "seconds", "sec", "time_sec", "time_in_seconds",
               "time_in_extended_iso"),
    "time_ms": ("time_ms", "timestamp_ms", "milliseconds", "msec"),
    "confidence": ("confidence", "score", "conf", "probability", "prob"),
    "x1": ("x1", "xmin", "x_min", "xtl", "left", "bbox_left", "box_x1", "bbox_x1"),
    "y1": ("y1", "ymin", "y_min", "ytl", "top", "bbox_top", "box_y1", "bbox_y1"),
    "x2": ("x2", "xmax", "x_max", "xbr", "right", "bbox_right", "box_x2", "bbox_x2"),
    "y2": ("y2", "ymax", "y_max", "ybr", "bottom", "bbox_bottom", "box_y2", "bbox_y2"),
    "x": ("x", "bbox_x"),
    "y": ("y", "bbox_y"),
    "w": ("w", "width", "bbox_width", "bbox_w"),
    "h": ("h", "height", "bbox_height", "bbox_h"),
    "video": ("video", "video_name", "video_id", "video_file", "video_path", "file", "file_name", "filename", "source",
              "superseded_gcp_name", "gcp_name"),
}  # fmt: skip
_CATEGORIES = ("category", "class_name", "category_name", "class", "label", "name", "object")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
_OFF_STEPS = 2.0
"""A time further than so many frames from the nearest one is none of the video's."""

Floats = NDArray[np.float64]
Line = Mapping[str, str]


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
    lines = csv.DictReader(text.splitlines(), dialect=csv.Sniffer().sniff(text[:4096], delimiters=",;\t"))
    by_column = {re.sub(r"[\s.\-]+", "_", name.strip().lower()): name for name in lines.fieldnames or ()}
    column = {key: next((by_column[n] for n in names if n in by_column), None) for key, names in _COLUMNS.items()}
    table: list[Line] = list(lines)
    category = _category_column(table, [by_column[name] for name in _CATEGORIES if name in by_column])
    if not (column["frame"] or column["time_s"] or column["time_ms"]) or category is None:
        raise ValueError(f"columns {', '.join(by_column)}: none of frames or times, or none of categories")
    if column["video"]:
        chosen = chosen_video((str(line[column["video"]] or "") for line in table), video)
        table = [line for line in table if is_of_video(str(line[column["video"]] or ""), chosen)]
    frames, notes = _frames(table, column, clock)
    rows = []
    for frame, line in zip(frames, table, strict=True):
        box = _box(line, column)
        if box is not None:
            sure = line[column["confidence"]] if column["confidence"] else 1.0
            rows.append(make_row(frame, str(line[category]), sure, box))
    empty = len(rows) < len(table)
    return FileContent(rows, names_of(rows), frozenset(frames) if empty else None, notes=notes)


def _category_column(table: Sequence[Line], columns: Sequence[str]) -> str | None:
    """The first column of names; one of numbers only if there is no other (``class`` 0 beside ``name`` person)."""
    named = (c for c in columns if any(not _is_number(str(line[c] or "0")) for line in table))
    return next(named, columns[0] if columns else None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _frames(
    table: Sequence[Line], column: Mapping[str, str | None], clock: Clock | None
) -> tuple[list[int], tuple[str, ...]]:
    """The frame of each line, and what was assumed."""
    timed = column["time_s"] or column["time_ms"]
    if not column["frame"]:
        return _frames_at(_times_s(table, column), clock), ()
    frames = [int(float(line[column["frame"]])) for line in table]
    if timed and clock is not None:
        try:
            at_times = _frames_at(_times_s(table, column), clock)
        except ValueError as error:
            return frames, (f"column {timed} was not used: {error}",)
        off = np.abs(np.array(at_times) - np.array(frames))
        if len(off) and off.max() > _OFF_STEPS:
            return at_times, (f"column {column['frame']} does not number frames of the video; {timed} was used",)
        return at_times, ()
    if counted_from_one(frames, clock):
        return [frame - 1 for frame in frames], (f"column {column['frame']} counts frames from 1",)
    return frames, ()


def _times_s(table: Sequence[Line], column: Mapping[str, str | None]) -> Floats:
    """(n,) seconds, of numbers or of ``hh:mm:ss``."""
    unit, key = (1.0, column["time_s"]) if column["time_s"] else (1000.0, column["time_ms"])
    return np.array([_seconds(str(line[str(key)] or "")) / unit for line in table], np.float64)


def _seconds(text: str) -> float:
    if found := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = found.groups()
        return 3600.0 * float(hours or 0) + 60.0 * float(minutes) + float(seconds.replace(",", "."))
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither seconds nor hh:mm:ss") from None


def _frames_at(times_s: Floats, clock: Clock | None) -> list[int]:
    """The frames nearest to times (n,) in seconds."""
    if clock is None:
        raise ValueError("a column of times, but the times of the video are not known")
    frame_times_s = clock()
    middles = (frame_times_s[1:] + frame_times_s[:-1]) / 2
    nearest = np.searchsorted(middles, times_s, side="right")
    off_s = np.abs(frame_times_s[nearest] - times_s)
    limit_s = _OFF_STEPS * float(np.median(np.diff(frame_times_s))) if len(frame_times_s) > 1 else 1.0
    if len(off_s) and not off_s.max() <= limit_s:
        raise ValueError(
            f"time {times_s[off_s.argmax()]:g} s is {off_s.max():.2f} s from the nearest frame of the video"
        )
    return [int(index) for index in nearest.tolist()]


def _box(line: Line, column: Mapping[str, str | None]) -> tuple[float, ...] | None:
    corners = [column[key] for key in ("x1", "y1", "x2", "y2")]
    if not all(corners):
        left = [column["x"] or column["x1"], column["y"] or column["y1"], column["w"], column["h"]]
        if not all(left):
            raise ValueError("no columns of boxes: x1, y1, x2, y2 or x, y, width, height")
        values = [line[str(name)] for name in left]
        return None if not all(str(value or "").strip() for value in values) else corners_of(values)
    values = [line[str(name)] for name in corners]
    if not all(str(value or "").strip() for value in values):
        return None
    return tuple(float(value) for value in values)
