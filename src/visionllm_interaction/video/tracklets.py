"""Link detections frame by frame with ByteTrack; the only place that speaks to the ``trackers`` package.

One tracker per category, so that a ball never takes over the track of the cup it rolls past. The price is that a thing
whose category the detector changes its mind about is in two tracks for that time; ``post`` mends short cases.

Source: Zhang et al. (2022), ByteTrack, ECCV; implementation: roboflow ``trackers``, with the buffered IoU of
Yang et al. (2023), C-BIoU, WACV.
"""

from __future__ import annotations

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from trackers import ByteTrackTracker
from trackers.utils.iou import BIoU

from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.tables import UNTRACKED, DetectionTable
from visionllm_interaction.video.config import TrackConfig

_FALLBACK_FPS = 25.0
_BUFFER_FPS = 30.0  # the package counts its lost buffer in frames of a 30 fps video


def link(detections: DetectionTable, frames: FrameTable, *, config: TrackConfig) -> NDArray[np.int64]:
    """A tracklet id for each row of ``detections``, (n,) int64; :data:`UNTRACKED` where a row was not linked."""
    ids = np.full(len(detections), UNTRACKED, dtype=np.int64)
    times = frames.timestamp_s[frames.processed]
    index = frames.frame_index[frames.processed]
    offset = 0
    for category in sorted(set(detections.category.tolist())):
        rows = np.flatnonzero(detections.category == category)
        found = _link_one(detections.select(rows), index, times, config)
        linked = found != UNTRACKED
        ids[rows[linked]] = found[linked] + offset
        offset += int(found.max(initial=-1)) + 1
    return ids


def _link_one(
    rows: DetectionTable, index: NDArray[np.int64], times: NDArray[np.float64], config: TrackConfig
) -> NDArray[np.int64]:
    tracker = _tracker(times, config)
    ids = np.full(len(rows), UNTRACKED, dtype=np.int64)
    begins = np.searchsorted(rows.frame_index, index, side="left")
    ends = np.searchsorted(rows.frame_index, index, side="right")
    for begin, end, time_s in zip(begins.tolist(), ends.tolist(), times.tolist(), strict=True):
        if begin == end and not tracker.tracks:
            continue
        here = slice(begin, end)
        tracked = tracker.update(_to_supervision(rows, here), timestamp=time_s)
        if tracked.tracker_id is not None and len(tracked):
            ids[begin + tracked.data["row"]] = tracked.tracker_id
    return ids


def _tracker(times: NDArray[np.float64], config: TrackConfig) -> ByteTrackTracker:
    steps = np.diff(times)
    fps = 1.0 / float(np.median(steps)) if len(steps) else _FALLBACK_FPS
    return ByteTrackTracker(
        lost_track_buffer=round(config.lost_s * _BUFFER_FPS),
        frame_rate=fps,
        track_activation_threshold=config.new_track_confidence,
        minimum_consecutive_frames=config.min_hits,
        minimum_iou_threshold=config.min_iou,
        high_conf_det_threshold=config.high_confidence,
        iou=BIoU(buffer_ratio=config.box_buffer),
    )


def _to_supervision(rows: DetectionTable, here: slice) -> sv.Detections:
    boxes = rows.boxes_xyxy[here]
    if not len(boxes):
        return sv.Detections.empty()
    return sv.Detections(
        xyxy=boxes.astype(np.float64),
        confidence=rows.confidence[here].copy(),
        data={"row": np.arange(len(boxes))},
    )
