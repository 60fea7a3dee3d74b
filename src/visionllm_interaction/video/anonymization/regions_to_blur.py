"""Regions to blur in each frame, from detections; a missed detection must not reveal a face.

Detections are tracked and the blur follows each track. It covers frames with missed detections, and a short time
before the first and after the last detection. A face may be lost for longer than can be interpolated and then return.
It was somewhere in the image meanwhile, so whole frames are blurred for that interval, and listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.intervals import as_intervals, union
from visionllm_interaction.video.config import BlurConfig, TrackConfig
from visionllm_interaction.video.tracking.postprocess import track

_REACH = 4.0
"""A face that comes back within so many heights (and so many more a second) may be the one that was lost."""
_MIN_IOU = 0.05
"""Least overlap, times the confidence, of a face in one frame and in the next."""
_SPEED_S = 0.5
"""How a face moved in this time before its track ended is how it is taken to move on."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions to blur, and intervals in which the whole image is blurred.

    Attributes:
        boxes: enlarged boxes (xyxy, pixels); ``interpolated`` marks those without a detection.
        whole: intervals ``[begin_s, end_s)`` in which the whole image is blurred.
    """

    boxes: DetectionTable
    whole: tuple[tuple[float, float], ...]

    @classmethod
    def none(cls) -> Regions:
        """No regions: nothing is blurred."""
        return cls(DetectionTable.empty(), ())

    def any(self) -> bool:
        """Whether anything is blurred."""
        return bool(len(self.boxes) or self.whole)

    def at(self, frame_index: int) -> NDArray[np.float32]:
        """(n, 4) regions of one frame, xyxy in pixels."""
        begin, end = np.searchsorted(self.boxes.frame_index, [frame_index, frame_index + 1])
        return self.boxes.boxes_xyxy[begin:end]

    def is_whole(self, time_s: float) -> bool:
        """Whether all of the frame at ``time_s`` is blurred."""
        return any(begin <= time_s < end for begin, end in self.whole)


def find_regions(detections: DetectionTable, frames: FrameTable, *, config: BlurConfig) -> Regions:
    """Regions for the faces (or people) in ``detections``, which are on no track yet."""
    tracked = track(detections, frames, config=_follow_all(config))
    return Regions(
        _enlarged(DetectionTable.concat([tracked, *_lingering(tracked, frames, config)]), tracked, config),
        tuple(_unsure(tracked, config)),
    )


def _follow_all(config: BlurConfig) -> TrackConfig:
    """Every detection counts: a blurred shadow costs nothing, a face that shows may cost much."""
    return TrackConfig(
        high_confidence=config.min_confidence,
        new_track_confidence=config.min_confidence,
        min_iou=_MIN_IOU,
        low_min_iou=_MIN_IOU,
        new_min_iou=_MIN_IOU,
        min_hits=1,
        lost_s=config.carry_s,
        rejoin_s=config.whole_s,
        rejoin_reach=_REACH,
        rejoin_speed=_REACH,
        fill_gap_s=config.carry_s,
        min_duration_s=0.0,
        min_detections=1,
        min_mean_confidence=0.0,
        object_min_mean_confidence=0.0,
        min_density=0.0,
        same_place_share=1.0,
    )


def _tracks(rows: DetectionTable) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(rows.track_id == i) for i in np.unique(rows.track_id[rows.track_id != UNTRACKED]).tolist()]


def _unsure(rows: DetectionTable, config: BlurConfig) -> list[tuple[float, float]]:
    """Gaps in tracks that are too long to interpolate, merged where they overlap."""
    gaps = []
    for own in _tracks(rows):
        times = rows.timestamp_s[own]
        for n in np.flatnonzero(np.diff(times) > config.carry_s + 1e-9).tolist():
            gaps.append((float(times[n]) + 1e-6, float(times[n + 1])))
    return [(begin, end) for begin, end in union(as_intervals(gaps), tolerance_s=0.0).tolist()]


def _lingering(rows: DetectionTable, frames: FrameTable, config: BlurConfig) -> list[DetectionTable]:
    """The first and last box of each track for ``linger_s`` before and after it, wherever the face may have moved."""
    index, times = frames.frame_index[frames.processed], frames.timestamp_s[frames.processed]
    pieces = []
    for own in _tracks(rows):
        for row, sign in ((int(own[0]), -1), (int(own[-1]), 1)):
            away = (times - rows.timestamp_s[row]) * sign
            there = np.flatnonzero((away > 0) & (away <= config.linger_s + 1e-9))
            near = own[np.abs(rows.timestamp_s[own] - rows.timestamp_s[row]) <= _SPEED_S]
            speed = _speed(rows.timestamp_s[near], rows.boxes_xyxy[near])
            moved = (times[there] - rows.timestamp_s[row])[:, None] * speed
            pieces.append(_copies(rows, row, index[there], times[there], moved))
    return pieces


def _speed(times_s: Floats, boxes_xyxy: NDArray[np.float32]) -> Floats:
    """(2,) pixels per second in x and y of the middles of boxes, by least squares; 0 for a single box."""
    apart = times_s - times_s.mean()
    if not apart.any():
        return np.zeros(2)
    middles = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]).astype(np.float64) / 2
    return np.asarray(apart @ middles / (apart @ apart))


def _copies(
    rows: DetectionTable, row: int, index: NDArray[np.int64], times_s: Floats, moved_xy: Floats
) -> DetectionTable:
    """A row at other times; each box reaches from where it was to where it would be if it had ``moved_xy`` (n, 2)."""
    n = len(index)
    reach = np.concatenate([np.minimum(moved_xy, 0), np.maximum(moved_xy, 0)], axis=1)
    return DetectionTable(
        index,
        times_s,
        np.full(n, rows.category[row], dtype=object),
        np.full(n, rows.confidence[row], np.float32),
        (rows.boxes_xyxy[row][None] + reach).astype(np.float32),
        np.full(n, rows.track_id[row]),
        np.ones(n, np.bool_),
    )


def _enlarged(rows: DetectionTable, seen: DetectionTable, config: BlurConfig) -> DetectionTable:
    """Boxes with a margin that grows with the time to the nearest detection."""
    away_s = np.zeros(len(rows))
    for track_id in np.unique(rows.track_id[rows.interpolated]).tolist():
        own = np.flatnonzero((rows.track_id == track_id) & rows.interpolated)
        sightings = seen.timestamp_s[(seen.track_id == track_id) & ~seen.interpolated]
        after = np.clip(np.searchsorted(sightings, rows.timestamp_s[own]), 0, len(sightings) - 1)
        nearest = np.minimum(
            np.abs(sightings[after] - rows.timestamp_s[own]),
            np.abs(sightings[np.maximum(after - 1, 0)] - rows.timestamp_s[own]),
        )
        away_s[own] = nearest
    size = rows.boxes_xyxy[:, 2:] - rows.boxes_xyxy[:, :2]
    extra = size * (config.margin + config.margin_per_s * away_s)[:, None]
    boxes = np.concatenate([rows.boxes_xyxy[:, :2] - extra, rows.boxes_xyxy[:, 2:] + extra], axis=1)
    return rows.replace(boxes_xyxy=boxes.astype(np.float32))
