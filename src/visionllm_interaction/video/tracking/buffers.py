"""Detections as they come, in columns: hours of video stay within some hundred megabytes."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.video.tracking.appearance import LookLog, Looks


@dataclass(frozen=True, eq=False)
class FrameDetections:
    """What was found in one frame; ``to_first`` (2, 3) is there if the camera moves. ``unchanged_s``: as of a frame.
    ``looks`` are there if this frame's things were described.
    """

    frame_index: int
    timestamp_s: float
    detections: Detections
    unchanged_s: tuple[float, ...] = ()
    to_first: NDArray[np.float64] | None = None
    looks: NDArray[np.uint8] | None = None


class RowLog:
    """Grows by frames; :meth:`table` is called once, at the end."""

    def __init__(self, categories: Categories) -> None:
        self._names = np.array(["", *categories.names], dtype=object)
        self._frames, self._ids, self._labels = array("q"), array("q"), array("i")
        self._confidences, self._boxes = array("f"), array("f")
        self._looks = LookLog()

    def add(self, found: FrameDetections, ids: NDArray[np.int64]) -> None:
        """Append the detections of the next frame with their tracklet ids (n,)."""
        detections = found.detections
        if found.looks is not None:
            self._looks.add(len(self._frames), found.looks)
        self._frames.extend([found.frame_index] * len(detections))
        self._ids.frombytes(np.ascontiguousarray(ids, np.int64).tobytes())
        self._labels.frombytes(detections.labels.astype(np.int32).tobytes())
        self._confidences.frombytes(detections.confidences.tobytes())
        self._boxes.frombytes(np.ascontiguousarray(detections.boxes_xyxy).tobytes())

    def names(self, detections: Detections) -> NDArray[np.object_]:
        """(n,) category names."""
        return self._names[detections.labels]

    def looks(self) -> Looks:
        """What the rows look like, those that were described."""
        return self._looks.looks(len(self._frames))

    def table(self, frames: FrameTable) -> tuple[DetectionTable, NDArray[np.int64]]:
        """All rows, on no track yet, and their tracklet ids."""
        if not self._frames:
            return DetectionTable.empty(), np.zeros(0, np.int64)
        index = np.array(self._frames, dtype=np.int64)
        rows = DetectionTable(
            index,
            frames.timestamp_s[np.searchsorted(frames.frame_index, index)],
            self._names[np.array(self._labels)],
            np.array(self._confidences, dtype=np.float32),
            np.array(self._boxes, dtype=np.float32).reshape(-1, 4),
            np.full(len(index), UNTRACKED),
        )
        return rows, np.array(self._ids, dtype=np.int64)
