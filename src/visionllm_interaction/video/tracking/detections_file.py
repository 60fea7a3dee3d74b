"""Load detections from files: ToyRoom's ground truth, or the detections of another program."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.detection_files.file_content import Clock, Row
from visionllm_interaction.video.detection_files.formats import EXPECTED, UNREADABLE, read_content
from visionllm_interaction.video.detection_files.processed_frames import (
    FrameGrid,
    UnevenFrames,
    find_processed,
    silence_notes,
    with_processed,
)

TRUTH_FILE = "truth.json"
_OUTSIDE_SHARE = 0.1
"""If the middles of more boxes lie outside of the image, they are of an image of another size."""
_MOST_FRAMES = 2**62
"""More than any video has, and still an int64."""

Scale = tuple[float, float]
"""Factors (x, y) from stored pixels to square pixels."""


def load_truth(path: StrPath, frames: FrameTable, *, min_visible: float, scale: Scale = (1.0, 1.0)) -> DetectionTable:
    """Load the objects of a ``truth.json`` with their true track ids.

    Args:
        path: the ``truth.json`` of a ToyRoom video.
        frames: all frames of the video.
        min_visible: objects with a smaller visible share (0 to 1) are omitted.
        scale: factors (x, y) from stored pixels to square pixels.

    Returns:
        Boxes (xyxy, square pixels) in the processed frames, with confidence 1.

    Raises:
        InputDataError: if the file is unreadable or of another form.
    """
    path = Path(path)
    content = _read(path)
    try:
        rows = [
            (int(f["index"]), str(o["category"]), 1.0, _scaled(o["box_xyxy"], scale), int(o["track_id"]))
            for f in content["frames"]
            for o in f["objects"]
            if o["visible"] >= min_visible and o["box_xyxy"]
        ]
        return _table(rows, frames)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise _refused(path, expected="frames[].objects[] with box_xyxy, category, track_id", found=error) from error


def truth_categories(path: Path) -> tuple[str, ...]:
    """All categories of a ``truth.json``, including those that never appear.

    Args:
        path: the ``truth.json`` of a ToyRoom video.

    Returns:
        Category names, sorted.

    Raises:
        InputDataError: if the file is unreadable or of another form.
    """
    content = _read(path)
    try:
        named = {str(category["name"]) for category in content.get("categories", ())}
        return tuple(sorted(named | {str(o["category"]) for f in content["frames"] for o in f["objects"]}))
    except (KeyError, TypeError) as error:
        raise _refused(path, expected="frames[].objects[] with category", found=error) from error


class DetectionFile:
    """Untracked detections of a file, before the video's times are known.

    Args:
        path: the file or folder.
        rows: its detections.
        names: category names.
        processed: frames that the file says were processed; ``None``: it does not say.
        notes: what was assumed in reading the file.
    """

    def __init__(
        self,
        path: Path,
        rows: Iterable[Row],
        names: tuple[str, ...],
        *,
        processed: frozenset[int] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._path, self._rows, self.names = path, sorted(rows, key=lambda row: row[0]), names
        self.processed, self.notes = processed, notes
        self._frames = [row[0] for row in self._rows]

    @cached_property
    def pattern(self) -> FrameGrid | UnevenFrames | None:
        """The pattern of frames that were processed; ``None``: every frame, or as the file says."""
        return None if self.processed is not None else find_processed(np.array(self._frames, dtype=np.int64))

    @property
    def is_sampled(self) -> bool:
        """Whether the detector did not process every frame."""
        return self.processed is not None or self.pattern is not None

    def frame_table(self, frames: FrameTable, *, sample_fps: float | None = None, gaps: bool = True) -> FrameTable:
        """The table of frames with those marked that the detector processed.

        Args:
            frames: all frames of the video.
            sample_fps: use at most so many of them a second.
            gaps: whether long steps between time stamps are gaps.

        Returns:
            The table.

        Raises:
            InputDataError: if none of the video's frames was processed.
        """
        if self.processed is not None:
            index = np.array(sorted(self.processed | set(self._frames)), dtype=np.int64)
        else:
            index = self.pattern.frames(len(frames)) if self.pattern else frames.frame_index
        found = with_processed(frames, index, sample_fps=sample_fps, gaps=gaps)
        if not found.processed.any():
            raise _refused(self._path, expected="detections of frames of this video", found="none of its frames")
        return found

    def boxes(self, frame_index: int) -> NDArray[np.float32]:
        """(n, 4) boxes of one frame, xyxy in pixels, in the order of :meth:`table`."""
        own = slice(bisect_left(self._frames, frame_index), bisect_right(self._frames, frame_index))
        return np.array([row[3] for row in self._rows[own]], np.float32).reshape(-1, 4)

    def silence(self, frames: FrameTable) -> tuple[str, ...]:
        """A note where the begin or end of the video has no detection, unless the file says what was processed."""
        if self.processed is not None:
            return ()
        return silence_notes(np.array(self._frames, dtype=np.int64), frames)

    def left_out(self, frames: FrameTable) -> int:
        """Number of detections in frames that were not processed."""
        processed = frames.frame_index[frames.processed]
        return int((~np.isin(np.array(self._frames, dtype=np.int64), processed)).sum())

    def table(self, frames: FrameTable) -> DetectionTable:
        """The detections in processed frames.

        Args:
            frames: all frames of the video.

        Returns:
            Untracked detections (xyxy, square pixels), ordered by frame.

        Raises:
            InputDataError: if a frame does not exist, or a number is invalid.
        """
        try:
            return _table(self._rows, frames)
        except (OverflowError, ValueError) as error:
            raise _refused(self._path, expected=EXPECTED, found=error) from error


def load_detections(
    path: StrPath, frames: FrameTable, *, scale: Scale = (1.0, 1.0), stored_px: tuple[int, int] | None = None
) -> tuple[DetectionTable, tuple[str, ...]]:
    """Untracked detections in frames that were processed, and category names; see :func:`read_detections`."""
    given = read_detections(path, scale=scale, stored_px=stored_px, clock=lambda: frames.timestamp_s)
    return given.table(frames), given.names


def read_detections(
    path: StrPath,
    *,
    scale: Scale = (1.0, 1.0),
    stored_px: tuple[int, int] | None = None,
    clock: Clock | None = None,
    video: str | None = None,
) -> DetectionFile:
    """Read detections of another program: JSON, CSV, MOT, CVAT for video, or a folder of YOLO text.

    The file of this program is ``{"categories": [{"id", "name"}], "detections": [{"frame_index", "category_id",
    "bbox", "score"}]}``: COCO results with ``frame_index`` in place of ``image_id``. ``"processed_frames"`` may list
    the frames that the detector processed; without it, a regular pattern such as every 25th frame is recognised.

    Args:
        path: the file or folder; boxes are in pixels of the upright image as stored.
        scale: factors (x, y) from stored pixels to square pixels.
        stored_px: width and height of the upright image as stored; for boxes in shares of them.
        clock: gives the times of all frames; for files with times, or with frames counted from 1.
        video: name of the video's file; of detections of several videos only its own are read.

    Returns:
        The detections and the category names of the file.

    Raises:
        InputDataError: if the file is unreadable or of another form.
    """
    path = Path(path)
    try:
        content = read_content(path, clock=clock, video=video)
        if content.normalised:
            if stored_px is None:
                raise ValueError("boxes in shares of an image of unknown size")
            scale = (scale[0] * stored_px[0], scale[1] * stored_px[1])
        rows = [(frame, name, sure, _scaled(box, scale), track) for frame, name, sure, box, track in content.rows]
        _check_places([row[3] for row in content.rows], None if content.normalised else stored_px)
        _check_frames([row[0] for row in rows])
        _check_frames(content.processed or ())
    except UNREADABLE as error:
        raise _refused(path, expected=EXPECTED, found=error) from error
    return DetectionFile(path, rows, content.names, processed=content.processed, notes=content.notes)


def _check_frames(numbers: Iterable[int]) -> None:
    """Refuse numbers that no frame can have; whether a frame exists is known once the video is read."""
    impossible = next((number for number in numbers if not -_MOST_FRAMES <= number <= _MOST_FRAMES), None)
    if impossible is not None:
        raise ValueError(f"frame {impossible:.3g} does not exist")


def _check_places(boxes_xyxy: Sequence[Sequence[float]], stored_px: tuple[int, int] | None) -> None:
    """Refuse boxes (xyxy, stored pixels) of which many lie outside: they are of an image of another size."""
    if stored_px is None or not boxes_xyxy:
        return
    corners = np.array(boxes_xyxy, np.float64)
    middles = (corners[:, :2] + corners[:, 2:]) / 2
    outside = int((middles > np.array(stored_px)).any(axis=1).sum())
    if outside > _OUTSIDE_SHARE * len(corners):
        width, height = (f"{value:.0f}" for value in corners[:, 2:].max(axis=0))
        raise ValueError(
            f"{outside} of {len(corners)} boxes lie outside of the image of {stored_px[0]} x {stored_px[1]} pixels "
            f"(they reach to {width}, {height}): boxes are in pixels of the image as it is stored"
        )


def _scaled(box_xyxy: Iterable[Any], scale: Scale) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = map(float, box_xyxy)
    return x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1]


def rows_to_table(rows: Iterable[Row], frames: FrameTable) -> DetectionTable:
    """Build a table of the rows in processed frames, ordered by frame.

    Args:
        rows: (frame index, category, confidence, box xyxy in pixels, track id) each.
        frames: all frames of the video.

    Returns:
        The detections, with the times of their frames.

    Raises:
        ValueError: if a box or confidence is not numeric, a box is inverted, or a frame does not exist.
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
    except (OSError, ValueError, RecursionError) as error:
        raise _refused(path, expected="a JSON file", found=error) from error
    if not isinstance(content, dict):
        raise _refused(path, expected="a JSON object", found=type(content).__name__)
    return content


def _refused(path: Path, *, expected: str, found: object) -> InputDataError:
    text = f"{type(found).__name__}: {found}" if isinstance(found, Exception) else str(found)
    return InputDataError("The detections cannot be used.", expected=expected, found=text, where=str(path))
