"""Collect detections frame by frame in columns; hours of video take a few hundred megabytes."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.video.tracking.appearance import AppearanceFeatures, FeatureBuffer


@dataclass(frozen=True, eq=False)
class FrameDetections:
    """Detections of one frame.

    Attributes:
        frame_index: counted from 0 over all frames of the file.
        timestamp_s: presentation time in seconds.
        detections: the detected boxes, in pixels of the upright image.
        unchanged_s: times of the unchanged frames that were skipped before this one.
        to_first: (2, 3) transform to the first frame's coordinates; ``None`` for a camera at rest.
        features: (n, ``FEATURE_SIZE``) appearance features; ``None`` if not computed for this frame.
    """

    frame_index: int
    timestamp_s: float
    detections: Detections
    unchanged_s: tuple[float, ...] = ()
    to_first: NDArray[np.float64] | None = None
    features: NDArray[np.uint8] | None = None


class DetectionBuffer:
    """Collects the detections of a video; :meth:`table` is called once, at the end."""

    def __init__(self, categories: Categories) -> None:
        self._names = np.array(["", *categories.names], dtype=object)
        self._frames, self._ids, self._labels = array("q"), array("q"), array("i")
        self._confidences, self._boxes = array("f"), array("f")
        self._features = FeatureBuffer()

    def add(self, found: FrameDetections, ids: NDArray[np.int64]) -> None:
        """Append the detections of the next frame with their tracklet ids (n,)."""
        detections = found.detections
        if found.features is not None:
            self._features.add(len(self._frames), found.features)
        self._frames.extend([found.frame_index] * len(detections))
        self._ids.frombytes(np.ascontiguousarray(ids, np.int64).tobytes())
        self._labels.frombytes(detections.labels.astype(np.int32).tobytes())
        self._confidences.frombytes(detections.confidences.tobytes())
        self._boxes.frombytes(np.ascontiguousarray(detections.boxes_xyxy).tobytes())

    def names(self, detections: Detections) -> NDArray[np.object_]:
        """(n,) category names."""
        return self._names[detections.labels]

    def features(self) -> AppearanceFeatures:
        """Appearance features of the rows for which they were computed."""
        return self._features.features(len(self._frames))

    def table(self, frames: FrameTable) -> tuple[DetectionTable, NDArray[np.int64]]:
        """All rows, not yet assigned to tracks, and their tracklet ids (n,)."""
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
