"""Link detections frame by frame with C-BIoU; the only module that uses the ``trackers`` package.

There is one tracker per category, so that a ball never takes over the track of a cup it rolls past. An object whose
category alternates is therefore split into two tracks; :mod:`.category_voting` merges them afterwards.

Source: Yang et al. (2023), C-BIoU, WACV: buffered IoU in a cascade, with the two passes of Zhang et al. (2022),
ByteTrack, ECCV; implementation: roboflow ``trackers``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from trackers import CBIoUTracker

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.video.config import TrackConfig

_FALLBACK_FPS = 25.0
_BUFFER_FPS = 30.0  # the package counts its lost buffer in frames of a 30 fps video
_SECOND_BUFFER = 2.0
"""In the pass for weak detections, boxes are enlarged by so many times as much."""


class Linker:
    """Links detections online, frame by frame.

    Args:
        config: thresholds and times.
        fps: usual rate of the processed frames; each frame is linked at its real time.
    """

    def __init__(self, config: TrackConfig, *, fps: float | None) -> None:
        self._config = config
        self._fps = fps or _FALLBACK_FPS
        self._trackers: dict[str, CBIoUTracker] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._last: tuple[NDArray[np.object_], NDArray[np.float32], NDArray[Any]] | None = None

    def repeat(self, times_s: Iterable[float]) -> None:
        """Add unchanged frames at ``times_s``: all objects stay where they were in the last frame."""
        if self._last is not None:
            for time_s in times_s:
                self.add(time_s, *self._last)

    def add(
        self, time_s: float, categories: NDArray[np.object_], confidences: NDArray[np.float32], boxes: NDArray[Any]
    ) -> NDArray[np.int64]:
        """Link the detections of the next frame.

        Args:
            time_s: time of the frame in seconds.
            categories: (n,) category names.
            confidences: (n,) confidences.
            boxes: (n, 4) xyxy in pixels.

        Returns:
            (n,) tracklet ids; :data:`UNTRACKED` where a detection was not linked.
        """
        self._last = categories, confidences, boxes
        ids = np.full(len(categories), UNTRACKED, dtype=np.int64)
        for category in sorted({*self._trackers, *categories.tolist()}):
            rows = np.flatnonzero(categories == category)
            ids[rows] = self._add_one(category, time_s, confidences[rows], boxes[rows])
        return ids

    def _add_one(
        self, category: str, time_s: float, confidences: NDArray[np.float32], boxes: NDArray[Any]
    ) -> NDArray[np.int64]:
        ids = np.full(len(boxes), UNTRACKED, dtype=np.int64)
        tracker = self._tracker(category)
        if not len(boxes) and not tracker.tracks:
            return ids
        tracked = tracker.update(_to_supervision(confidences, boxes), timestamp=time_s)
        if tracked.tracker_id is not None and len(tracked):
            for row, number in zip(np.asarray(tracked.data["row"]).tolist(), tracked.tracker_id.tolist(), strict=True):
                if number != UNTRACKED:
                    ids[row] = self._numbers.setdefault((category, number), len(self._numbers) + 1)
        return ids

    def _tracker(self, category: str) -> CBIoUTracker:
        if category not in self._trackers:
            self._trackers[category] = _tracker(self._fps, self._config, is_person=category in PERSON_CATEGORIES)
        return self._trackers[category]


def link(detections: DetectionTable, frames: FrameTable, *, config: TrackConfig) -> NDArray[np.int64]:
    """A tracklet id for each row of ``detections``, (n,) int64; :data:`UNTRACKED` where a row was not linked."""
    ids = np.full(len(detections), UNTRACKED, dtype=np.int64)
    times, index = frames.timestamp_s[frames.processed], frames.frame_index[frames.processed]
    linker = Linker(config, fps=usual_fps(times))
    begins = np.searchsorted(detections.frame_index, index, side="left")
    ends = np.searchsorted(detections.frame_index, index, side="right")
    unchanged = frames.unchanged_before()
    for begin, end, time_s, still_s in zip(begins.tolist(), ends.tolist(), times.tolist(), unchanged, strict=True):
        linker.repeat(still_s)
        here = slice(begin, end)
        boxes = detections.boxes_xyxy[here]
        ids[here] = linker.add(time_s, detections.category[here], detections.confidence[here], boxes)
    return ids


def usual_fps(times_s: NDArray[np.float64]) -> float | None:
    """Median frame rate, or ``None`` for a single frame."""
    steps = np.diff(times_s)
    return 1.0 / float(np.median(steps)) if len(steps) else None


def _tracker(fps: float, config: TrackConfig, *, is_person: bool) -> CBIoUTracker:
    buffer = config.box_buffer if is_person else config.object_buffer
    return CBIoUTracker(
        lost_track_buffer=round(config.lost_s * _BUFFER_FPS),
        frame_rate=fps,
        track_activation_threshold=config.new_track_confidence,
        minimum_consecutive_frames=config.min_hits,
        minimum_iou_threshold_first_assoc=config.min_iou,
        minimum_iou_threshold_second_assoc=config.low_min_iou,
        minimum_iou_threshold_unconfirmed_assoc=config.new_min_iou,
        high_conf_det_threshold=config.high_confidence,
        buffer_ratio_first=buffer,
        buffer_ratio_second=_SECOND_BUFFER * buffer,
    )


def _to_supervision(confidences: NDArray[np.float32], boxes: NDArray[Any]) -> sv.Detections:
    if not len(boxes):
        return sv.Detections.empty()
    return sv.Detections(
        xyxy=boxes.astype(np.float64), confidence=confidences.copy(), data={"row": np.arange(len(boxes))}
    )
