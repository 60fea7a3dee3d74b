"""Detections that are there already: ToyRoom's truth, or a file of another program's detections."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.geometry import xywh_to_xyxy
from visionllm_interaction.core.tables import UNTRACKED, DetectionTable
from visionllm_interaction.errors import InputDataError

TRUTH_FILE = "truth.json"

Row = tuple[int, str, float, tuple[float, float, float, float], int]
"""frame_index, category, confidence, box xyxy, track id."""


def load_truth(path: Path, frames: FrameTable, *, min_visible: float) -> DetectionTable:
    """Objects of a ``truth.json`` of which at least ``min_visible`` is visible, with their true track ids.

    Raises:
        InputDataError: if the file is unreadable or of another form.
    """
    content = _read(path)
    try:
        rows = [
            (int(f["index"]), str(o["category"]), 1.0, tuple(map(float, o["box_xyxy"])), int(o["track_id"]))
            for f in content["frames"]
            for o in f["objects"]
            if o["visible"] >= min_visible and o["box_xyxy"]
        ]
        return _table(rows, frames)
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(path, expected="frames[].objects[] with box_xyxy, category, track_id", found=error) from error


def load_detections(path: Path, frames: FrameTable) -> tuple[DetectionTable, tuple[str, ...]]:
    """Untracked detections and category names from JSON.

    The file is ``{"categories": [{"id", "name"}], "detections": [{"frame_index", "category_id", "bbox", "score"}]}``:
    COCO results with ``frame_index`` for ``image_id``; ``bbox`` is x, y, width, height in pixels of the upright
    picture. Detections in frames that were not processed are left out.

    Raises:
        InputDataError: if the file is unreadable or of another form.
    """
    content = _read(path)
    try:
        names = {int(c["id"]): str(c["name"]) for c in content["categories"]}
        rows = [
            (
                int(d["frame_index"]),
                names[int(d["category_id"])],
                float(d["score"]),
                tuple(xywh_to_xyxy(np.array(d["bbox"], dtype=np.float64).reshape(4)).tolist()),
                UNTRACKED,
            )
            for d in content["detections"]
        ]
        return _table(rows, frames), tuple(names.values())
    except (KeyError, TypeError, ValueError) as error:
        expected = "categories[] with id, name; detections[] with frame_index, category_id, bbox (4 numbers), score"
        raise _refused(path, expected=expected, found=error) from error


def rows_to_table(rows: Iterable[Row], frames: FrameTable) -> DetectionTable:
    """A table of the rows whose frame was processed, in order of frames.

    Raises:
        ValueError: for boxes or confidences that are no numbers, inverted boxes, or frames that do not exist.
    """
    return _table(list(rows), frames)


def _table(rows: list[Any], frames: FrameTable) -> DetectionTable:
    time_of = dict(zip(frames.frame_index.tolist(), frames.timestamp_s.tolist(), strict=True))
    strange = [r[0] for r in rows if r[0] not in time_of]
    if strange:
        raise ValueError(f"frame {strange[0]} is not in the video ({len(frames)} frames)")
    processed = set(frames.frame_index[frames.processed].tolist())
    kept = sorted((r for r in rows if r[0] in processed), key=lambda r: r[0])
    if not kept:
        return DetectionTable.empty()
    boxes = np.array([r[3] for r in kept], dtype=np.float32).reshape(len(kept), 4)
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError("a box has x2 < x1 or y2 < y1")
    return DetectionTable(
        np.array([r[0] for r in kept]),
        np.array([time_of[r[0]] for r in kept]),
        np.array([r[1] for r in kept], dtype=object),
        np.array([r[2] for r in kept], dtype=np.float32),
        boxes,
        np.array([r[4] for r in kept]),
    )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _refused(path, expected="a JSON file", found=error) from error
    if not isinstance(content, dict):
        raise _refused(path, expected="a JSON object", found=type(content).__name__)
    return content


def _refused(path: Path, *, expected: str, found: object) -> InputDataError:
    text = f"{type(found).__name__}: {found}" if isinstance(found, Exception) else str(found)
    return InputDataError("The detections cannot be used.", expected=expected, found=text, where=str(path))
