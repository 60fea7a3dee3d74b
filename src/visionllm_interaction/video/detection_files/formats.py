"""Read the detections of other programs: JSON, CSV, MOT, CVAT and YOLO text; what a file is follows from its content.

Frames are counted from 0 over every frame of the file, as in ``frames.parquet``; formats that count from 1 (MOT, YOLO
text of Ultralytics) are converted. A column of times selects the nearest frame.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import xywh_to_xyxy
from visionllm_interaction.core.categories import COCO_CLASSES, COCO_NAMES
from visionllm_interaction.core.detection_table import UNTRACKED

Row = tuple[int, str, float, tuple[float, float, float, float], int]
"""frame_index, category, confidence, box xyxy, track id."""
Clock = Callable[[], NDArray[np.float64]]
"""Gives the times of all frames of the video, in seconds."""

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "frame": ("frame_index", "frame", "frame_id", "frame_idx", "frame_number", "frame_num"),
    "time_s": ("time_s", "timestamp_s", "time", "timestamp", "seconds", "sec", "time_sec", "time_in_seconds"),
    "time_ms": ("time_ms", "timestamp_ms", "milliseconds", "msec"),
    "category": ("category", "class_name", "category_name", "class", "label", "name", "object"),
    "confidence": ("confidence", "score", "conf", "probability", "prob"),
    "x1": ("x1", "xmin", "x_min", "xtl", "left", "bbox_left", "box_x1"),
    "y1": ("y1", "ymin", "y_min", "ytl", "top", "bbox_top", "box_y1"),
    "x2": ("x2", "xmax", "x_max", "xbr", "right", "box_x2"),
    "y2": ("y2", "ymax", "y_max", "ybr", "bottom", "box_y2"),
    "x": ("x", "bbox_x"),
    "y": ("y", "bbox_y"),
    "w": ("w", "width", "bbox_width", "bbox_w"),
    "h": ("h", "height", "bbox_height", "bbox_h"),
}
_MOT_FIELDS = range(6, 11)
_MOT_NAMES: Mapping[int, str] = {1: "person", 2: "person", 3: "car", 4: "bicycle", 5: "motorcycle", 7: "person"}
"""Classes of MOT Challenge that are people or vehicles → name; 2 are riders, 7 people who stand still."""
_NUMBER_AT_END = re.compile(r"(\d+)$")
EXPECTED = (
    "categories[] with id, name and detections[] with frame_index, category_id, bbox (4 numbers), score; or COCO "
    "results, a CSV with times or frames, MOT, CVAT for video, or a folder of YOLO text"
)


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


def read_content(path: Path, *, clock: Clock | None = None) -> FileContent:
    """Read a file, or a folder of YOLO text.

    Args:
        path: the file or folder.
        clock: gives the times of the video's frames; for files with times.

    Returns:
        The content.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is of another form.
        KeyError: if something is missing.
        TypeError: if something is of another type.
        ParseError: on bad XML.
    """
    if path.is_dir():
        return _yolo_folder(path)
    text = path.read_text(encoding="utf-8-sig")
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return _json(json.loads(text))
    if start == "<":
        return _cvat(path)
    if _is_mot(text):
        return _mot(path, text)
    return _csv(text, clock)


def _json(content: Any) -> FileContent:
    if isinstance(content, list):
        if content and all(isinstance(item, list) for item in content):
            return _ultralytics(content)
        return _coco_results(content)
    names = {int(c["id"]): str(c["name"]) for c in content["categories"]}
    frame_of = _frames_of_images(content.get("images") or ())
    items = content["detections"] if "detections" in content else content["annotations"]
    rows = [
        _row(_frame(item, frame_of), names[int(item["category_id"])], item.get("score", 1.0), _xywh(item["bbox"]))
        for item in items
    ]
    if "detections" in content and any("score" not in item for item in items):
        raise KeyError("score")
    given = content.get("processed_frames")
    processed = frozenset(map(int, given)) if given is not None else frozenset(frame_of.values()) or None
    return FileContent(rows, tuple(names.values()), processed)


def _frames_of_images(images: Iterable[Mapping[str, Any]]) -> dict[Any, int]:
    """Image id → frame, of images that state their ``frame_index``."""
    images = list(images)
    if any("frame_index" not in image for image in images):
        raise ValueError("images[] without frame_index: which frame of the video is each image?")
    return {image["id"]: int(image["frame_index"]) for image in images}


def _frame(item: Mapping[str, Any], frame_of: Mapping[Any, int]) -> int:
    if "frame_index" in item:
        return int(item["frame_index"])
    return frame_of[item["image_id"]] if frame_of else int(item["image_id"])


def _coco_results(content: Sequence[Mapping[str, Any]]) -> FileContent:
    if not content:
        raise ValueError("an empty list: of what categories?")
    unknown = {int(item["category_id"]) for item in content} - COCO_NAMES.keys()
    if unknown:
        raise ValueError(f"category_id {min(unknown)} is none of COCO's and the file names no categories")
    rows = [
        _row(_frame(item, {}), COCO_NAMES[int(item["category_id"])], item["score"], _xywh(item["bbox"]))
        for item in content
    ]
    notes = ("the file names no categories: ids were read as COCO's, image_id as the frame, counted from 0",)
    return FileContent(rows, tuple(COCO_NAMES.values()), notes=notes)


def _ultralytics(content: Sequence[Sequence[Mapping[str, Any]]]) -> FileContent:
    """A list of results, one for each frame, as of ``Results.to_json``."""
    rows = [
        _row(
            frame, str(item["name"]), item["confidence"], tuple(float(item["box"][k]) for k in ("x1", "y1", "x2", "y2"))
        )
        for frame, items in enumerate(content)
        for item in items
    ]
    return FileContent(rows, _names_of(rows), frozenset(range(len(content))))


def _cvat(path: Path) -> FileContent:
    from defusedxml.ElementTree import parse

    rows, labels = [], set()
    root = parse(path, forbid_dtd=True).getroot()
    if root is None or root.tag != "annotations" or root.find("track") is None:
        raise ValueError("XML without <annotations> of <track>s; export as 'CVAT for video 1.1'")
    for track in root.iter("track"):
        label = str(track.attrib["label"])
        labels.add(label)
        for box in track.iter("box"):
            if box.get("outside") != "1":
                corners = tuple(float(box.attrib[name]) for name in ("xtl", "ytl", "xbr", "ybr"))
                rows.append(_row(int(box.attrib["frame"]), label, 1.0, corners))
    labels |= {label.text for label in root.iterfind("./meta//labels/label/name") if label.text}
    return FileContent(rows, tuple(sorted(labels)))


def _is_mot(text: str) -> bool:
    first = text.lstrip().split("\n", maxsplit=1)[0].split(",")
    return len(first) in _MOT_FIELDS and all(_is_number(field) for field in first)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _mot(path: Path, text: str) -> FileContent:
    """Lines ``frame, id, left, top, width, height, confidence, class, visibility``; frames from 1."""
    listed = path.with_name("labels.txt")
    names = dict(enumerate(listed.read_text(encoding="utf-8").split("\n"), start=1)) if listed.is_file() else _MOT_NAMES
    rows = []
    for number, line in enumerate(csv.reader(text.splitlines()), start=1):
        if not line:
            continue
        values = [float(value) for value in line]
        kind = int(values[7]) if len(values) > 7 and values[7] >= 0 and len(values) != 10 else 1
        sure = values[6] if len(values) > 6 else 1.0
        if values[0] < 1 or kind not in names:
            raise ValueError(f"line {number}: frame {values[0]:g}, class {kind}")
        if len(values) in (8, 9) and sure == 0:
            continue  # in a ground truth: not to be considered
        rows.append(_row(int(values[0]) - 1, names[kind].strip(), sure, _xywh(values[2:6])))
    return FileContent(rows, _names_of(rows) or ("person",))


def _csv(text: str, clock: Clock | None) -> FileContent:
    lines = csv.DictReader(text.splitlines(), dialect=csv.Sniffer().sniff(text[:4096], delimiters=",;\t"))
    by_column = {name.strip().lower(): name for name in lines.fieldnames or ()}
    column = {key: next((by_column[n] for n in names if n in by_column), None) for key, names in _COLUMNS.items()}
    if not (column["frame"] or column["time_s"] or column["time_ms"]) or not column["category"]:
        raise ValueError(f"columns {', '.join(by_column)}: none of frames or times, or none of categories")
    table = list(lines)
    frames = _csv_frames(table, column, clock)
    rows = []
    for frame, line in zip(frames, table, strict=True):
        box = _csv_box(line, column)
        if box is not None:
            sure = line[column["confidence"]] if column["confidence"] else 1.0
            rows.append(_row(frame, str(line[column["category"]]).strip(), sure, box))
    empty = len(rows) < len(table)  # a line without a box: a frame in which nothing was found
    largest = max((max(row[3]) for row in rows), default=2.0)
    return FileContent(rows, _names_of(rows), frozenset(frames) if empty else None, normalised=largest <= 1.0)


def _csv_frames(table: Sequence[Mapping[str, str]], column: Mapping[str, str | None], clock: Clock | None) -> list[int]:
    if column["frame"]:
        return [int(float(line[column["frame"]])) for line in table]
    unit, key = (1.0, column["time_s"]) if column["time_s"] else (1000.0, column["time_ms"])
    times_s = np.array([float(line[str(key)]) / unit for line in table])
    if clock is None:
        raise ValueError("a column of times, but the times of the video are not known")
    frame_times_s = clock()
    nearest = _nearest(frame_times_s, times_s)
    off_s = np.abs(frame_times_s[nearest] - times_s)
    limit_s = 2.0 * float(np.median(np.diff(frame_times_s))) if len(frame_times_s) > 1 else 1.0
    if len(off_s) and off_s.max() > limit_s:
        raise ValueError(
            f"time {times_s[off_s.argmax()]:g} s is {off_s.max():.2f} s from the nearest frame of the video"
        )
    return [int(index) for index in nearest.tolist()]


def _nearest(frame_times_s: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the frame nearest to each of ``times_s`` (n,)."""
    middles = (frame_times_s[1:] + frame_times_s[:-1]) / 2
    return np.searchsorted(middles, times_s, side="right")


def _csv_box(line: Mapping[str, str], column: Mapping[str, str | None]) -> tuple[float, ...] | None:
    corners = [column[key] for key in ("x1", "y1", "x2", "y2")]
    if not all(corners):
        left = [column["x"] or column["x1"], column["y"] or column["y1"], column["w"], column["h"]]
        if not all(left):
            raise ValueError("no columns of boxes: x1, y1, x2, y2 or x, y, width, height")
        values = [line[str(name)] for name in left]
        return None if not all(str(value or "").strip() for value in values) else _xywh(values)
    values = [line[str(name)] for name in corners]
    if not all(str(value or "").strip() for value in values):
        return None
    return tuple(float(value) for value in values)


def _yolo_folder(folder: Path) -> FileContent:
    """One text file for each frame, ``…_12.txt``, frames from 1: class, centre, size in shares, confidence."""
    files = [(int(found.group(1)) - 1, path) for path in sorted(folder.glob("*.txt"))
             if (found := _NUMBER_AT_END.search(path.stem))]  # fmt: skip
    if not files:
        raise ValueError("a folder without files such as video_12.txt")
    if min(frame for frame, _ in files) < 0:
        raise ValueError("a file of frame 0; frames are counted from 1")
    listed = next((p for p in (folder / "classes.txt", folder.parent / "classes.txt") if p.is_file()), None)
    names = listed.read_text(encoding="utf-8").split("\n") if listed else COCO_CLASSES
    rows = [row for frame, path in files for row in _yolo_rows(path, frame, names)]
    notes = () if listed else ("the folder has no classes.txt: classes were read as COCO's 80",)
    known = tuple(name.strip() for name in names if name.strip())
    return FileContent(rows, known, normalised=True, notes=notes)


def _yolo_rows(path: Path, frame: int, names: Sequence[str]) -> Iterator[Row]:
    for line in path.read_text(encoding="utf-8").splitlines():
        values = [float(value) for value in line.split()]
        if values:
            x, y, width, height = values[1:5]
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            yield _row(frame, names[int(values[0])].strip(), values[5] if len(values) > 5 else 1.0, box)


def _row(frame: int, category: str, confidence: Any, box: Sequence[float]) -> Row:
    x1, y1, x2, y2 = (float(value) for value in box)
    if not np.isfinite([x1, y1, x2, y2]).all():
        raise ValueError(f"a box is not four numbers: {list(box)}")
    sure = float(confidence)
    if not 0.0 <= sure <= 1.0:
        raise ValueError(f"a confidence is not within 0 and 1: {sure:g}")
    return frame, category, sure, (x1, y1, x2, y2), UNTRACKED


def _xywh(bbox: Any) -> tuple[float, ...]:
    box = np.array(bbox, dtype=np.float64).reshape(4)
    return tuple(xywh_to_xyxy(box).tolist())


def _names_of(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(sorted({row[1] for row in rows}))


UNREADABLE = (
    AttributeError, IndexError, KeyError, OSError, OverflowError, ParseError, RecursionError, TypeError, ValueError,
    csv.Error,
)  # fmt: skip
"""What reading a file of another form raises."""
