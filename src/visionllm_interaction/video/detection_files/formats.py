"""Read the detections of other programs: JSON, CSV, MOT, CVAT and YOLO text; what a file is follows from its content.

Frames are counted from 0 over every frame of the file, as in ``frames.parquet``; formats that count from 1 (MOT, YOLO
text of Ultralytics) are converted. A column of times selects the nearest frame.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import COCO_CLASSES
from visionllm_interaction.utils.text_encodings import decode_text
from visionllm_interaction.video.detection_files.coco_json import read_coco, read_coco_results
from visionllm_interaction.video.detection_files.csv_table import read_csv, read_records
from visionllm_interaction.video.detection_files.file_content import (
    Clock,
    FileContent,
    Row,
    are_shares,
    chosen_video,
    is_of_video,
    make_row,
    names_of,
    refuse_mixed_units,
    refuse_sampled,
    with_known_names,
    without_repeated_rows,
)
from visionllm_interaction.video.detection_files.mot_text import is_mot, read_mot

FILES_VERSION = 3
"""Raised by whoever changes what is read from the same file: videos that were analysed from files are analysed again.
Version 2 tells videos of one name apart, leaves repeated rows out, and reads times that several frames share; 3
tells the videos of COCO results apart and frames from 1 beside rounded times, and fills in between CVAT's keyframes."""
_OTHERS: Mapping[tuple[str, ...], str] = {
    ("people", "version"): "OpenPose",
    ("annotation_results",): "Google's Video Intelligence",
    ("VideoMetadata",): "Amazon's Rekognition",
    ("samples",): "FiftyOne",
    ("project", "metadata"): "the VGG Image Annotator",
    ("labels", "scores", "bboxes"): "MMDetection, of one image",
    ("instance_info",): "MMPose",
}
"""Keys of JSON that is known and not read → what writes it."""
_MOST_YOLO_FIELDS = 7
_NUMBER_AT_END = re.compile(r"(.*?)(\d+)")
EXPECTED = (
    "categories[] with id, name and detections[] with frame_index, category_id, bbox (4 numbers), score; or COCO "
    "results, a CSV with times or frames, MOT, CVAT for video, or a folder of YOLO text"
)


def read_content(path: Path, *, clock: Clock | None = None, video: str | None = None) -> FileContent:
    """Read a file, or a folder of YOLO text.

    Args:
        path: the file or folder.
        clock: gives the times of the video's frames; for files with times, or with frames counted from 1.
        video: name of the video's file; for files with detections of several videos.

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
        return _tidied(_yolo_folder(path, clock, video))
    text = decode_text(path.read_bytes())
    start = text.lstrip()[:1]
    if start in ("{", "["):
        content = _json(_parsed(text), clock, video)
    elif start == "<":
        content = _cvat(path, video)
    elif is_mot(text):
        content = read_mot(path, text)
    else:
        content = read_csv(text, clock=clock, video=video)
    refuse_mixed_units(content.rows)
    return replace(_tidied(content), normalised=are_shares(content.rows))


def _parsed(text: str) -> Any:
    """JSON, JSON lines, or a list of texts that are JSON, as of ``[result.to_json() for result in results]``."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        content = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(content, list) and content and all(isinstance(item, str) for item in content):
        return [json.loads(item) for item in content]
    return content


def _tidied(content: FileContent) -> FileContent:
    return without_repeated_rows(with_known_names(content))


def _json(content: Any, clock: Clock | None, video: str | None) -> FileContent:
    if not isinstance(content, list):
        if found := next((name for keys, name in _OTHERS.items() if set(keys) <= content.keys()), None):
            raise ValueError(f"a file of {found}, which is not read")
        return read_coco(content, video)
    if content and all(isinstance(item, list) for item in content):
        return _ultralytics(content, clock)
    if any(isinstance(item, dict) and {"box", "keypoints"} <= item.keys() for item in content):
        raise ValueError("results of AlphaPose, whose scores are no confidences, are not read")
    if content and all(isinstance(item, dict) and "category_id" not in item for item in content):
        if any(isinstance(value, dict | list) for item in content for value in item.values()):
            raise ValueError(f"a list of objects with {', '.join(content[0])}, which is not read")
        return read_records(content, clock=clock, video=video)
    return read_coco_results(content, clock, video)


def _ultralytics(content: Sequence[Sequence[Mapping[str, Any]]], clock: Clock | None) -> FileContent:
    """A list of results, one for each frame, as of ``Results.to_json``."""
    refuse_sampled(range(len(content)), clock)
    rows = [
        make_row(frame, str(item["name"]), item["confidence"], _corners_around(item["box"]))
        for frame, items in enumerate(content)
        for item in items
    ]
    return FileContent(rows, names_of(rows), frozenset(range(len(content))))


def _corners_around(box: Mapping[str, Any]) -> tuple[float, ...]:
    """x1, y1, x2, y2 of a box, or around the four corners of a turned one (``x1`` to ``y4``)."""
    if "x3" not in box:
        return tuple(float(box[key]) for key in ("x1", "y1", "x2", "y2"))
    x, y = ([float(box[f"{axis}{corner}"]) for corner in range(1, 5)] for axis in "xy")
    return min(x), min(y), max(x), max(y)


def _cvat(path: Path, video: str | None) -> FileContent:
    from defusedxml.ElementTree import parse

    rows: list[Row] = []
    root = parse(path, forbid_dtd=True).getroot()
    if root is None or root.tag != "annotations" or root.find("track") is None:
        raise ValueError("XML without <annotations> of <track>s; export as 'CVAT for video 1.1'")
    # A project has tasks, one for each video; each of its tracks says of which task it is.
    task_of = {str(task.findtext("id")): task for task in root.iterfind("./meta/project/tasks/task")}
    source_of = {number: task.findtext("source") or task.findtext("name") or number for number, task in task_of.items()}
    tracks = list(root.iter("track"))
    chosen = chosen_video((source_of.get(track.get("task_id", ""), "") for track in tracks), video)
    tracks = [track for track in tracks if is_of_video(source_of.get(track.get("task_id", ""), ""), chosen)]
    labels = {str(track.attrib["label"]).strip() for track in tracks}
    of_task = next((task for number, task in task_of.items() if source_of[number] == chosen), None)
    places = (of_task, root.find("./meta/task"), root.find("./meta/job"))
    annotated = _annotated_frames(next((place for place in places if place is not None), None))
    for track in tracks:
        places_of_track = _places(track, annotated)
        rows += [make_row(frame, str(track.attrib["label"]), 1.0, box) for frame, box in places_of_track]
    if chosen is None:
        labels |= {label.text.strip() for label in root.iterfind("./meta//labels/label/name") if label.text}
    if annotated is not None and not {row[0] for row in rows} <= annotated:
        annotated = None
    return FileContent(rows, tuple(sorted(labels)), annotated)


def _places(track: Element, annotated: frozenset[int] | None) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Frame and box xyxy of a track while it is in view, on a straight line between keyframes, as CVAT has it.

    CVAT itself writes every frame that it shows; files of other programs may hold the keyframes only.
    """
    before: tuple[int, NDArray[np.float64]] | None = None
    for box in sorted(track.iter("box"), key=lambda box: int(box.attrib["frame"])):
        frame = int(box.attrib["frame"])
        corners = np.array([float(box.attrib[name]) for name in ("xtl", "ytl", "xbr", "ybr")])
        seen = box.get("outside") != "1"
        if before is not None:
            first, at_first = before
            for between in range(first + 1, frame):
                if annotated is None or between in annotated:
                    share = (between - first) / (frame - first) if seen else 0.0
                    yield between, tuple((at_first + share * (corners - at_first)).tolist())
        before = (frame, corners) if seen else None
        if seen:
            yield frame, tuple(corners.tolist())


def _annotated_frames(task: Element | None) -> frozenset[int] | None:
    """The frames that a task or job of CVAT shows: from ``start_frame`` to ``stop_frame``, or every so many of them."""
    if task is None:
        return None
    first, last = task.findtext("start_frame"), task.findtext("stop_frame")
    step = re.fullmatch(r"step=(\d+)", (task.findtext("frame_filter") or "step=1").strip())
    if not first or not last or step is None:
        return None
    return frozenset(range(int(first), int(last) + 1, max(int(step.group(1)), 1)))


def _yolo_folder(folder: Path, clock: Clock | None, video: str | None) -> FileContent:
    """One text file for each frame, ``…_12.txt``: class, centre, size in shares, confidence; of one video or several.

    Frames are counted from 1, as Ultralytics does, unless there is a frame 0. Where empty files were written, the
    files are the frames that were processed.
    """
    named = [(str(found.group(1)).rstrip("_-. "), int(found.group(2)), path) for path in sorted(folder.glob("*.txt"))
             if (found := _NUMBER_AT_END.fullmatch(path.stem))]  # fmt: skip
    if not named:
        raise ValueError("a folder without files such as video_12.txt")
    chosen = chosen_video((title for title, _, _ in named), video)
    named = [one for one in named if is_of_video(one[0], chosen)]
    first = min(1, *(number for _, number, _ in named))
    files = [(number - first, path) for _, number, path in named]
    listed = next((p for p in (folder / "classes.txt", folder.parent / "classes.txt") if p.is_file()), None)
    names = listed.read_text(encoding="utf-8-sig").split("\n") if listed else COCO_CLASSES
    lines = [(frame, values) for frame, path in files for values in _yolo_lines(path)]
    # Ultralytics appends the track to boxes without confidences: a whole number, above 1 for all but the first track.
    tracked = {values[5] for _, values in lines if len(values) == 6}
    are_tracks = any(number > 1 for number in tracked) and all(number == int(number) for number in tracked)
    rows = [_yolo_row(frame, values[:5] if are_tracks else values, names) for frame, values in lines]
    notes = [] if listed else ["the folder has no classes.txt: classes were read as COCO's 80"]
    notes += ["the sixth numbers were read as tracks: the files state no confidences"] if are_tracks else []
    notes += [] if first else ["there is a file of frame 0: frames were counted from 0"]
    known = tuple(name.strip() for name in names if name.strip())
    frames = frozenset(frame for frame, _ in files)
    empty = len({row[0] for row in rows}) < len(frames)
    if empty:
        refuse_sampled(sorted(frames), clock)
    return FileContent(rows, known, frames if empty else None, normalised=True, notes=tuple(notes))


def _yolo_lines(path: Path) -> Iterator[list[float]]:
    """Class, box, and confidence or track or both, of each line."""
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        values = [float(value) for value in line.split()]
        if len(values) > _MOST_YOLO_FIELDS:
            raise ValueError(
                f"{path.name}: a line of {len(values)} numbers has an outline or key points; boxes are class, centre, "
                "width, height, and confidence and track at most"
            )
        if values:
            yield values


def _yolo_row(frame: int, values: Sequence[float], names: Sequence[str]) -> Row:
    x, y, width, height = values[1:5]
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return make_row(frame, names[int(values[0])].strip(), values[5] if len(values) > 5 else 1.0, box)


UNREADABLE = (
    AttributeError, IndexError, KeyError, OSError, OverflowError, ParseError, RecursionError, TypeError, ValueError,
    csv.Error,
)  # fmt: skip
"""What reading a file of another form raises."""
