"""Where corrected tracks were, so that they are found again when a video has been analysed anew.

Ids of tracks are those of one analysis. A correction therefore keeps samples of its tracks' boxes. In another analysis
a track is the same one if its boxes lie over them at the same times.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable

MOST_SAMPLES = 25
LEAST_SAMPLES = 5
MIN_OVERLAP = 0.5
"""Boxes that overlap by this share of their union are of the same thing."""
MIN_SHARE = 0.3
"""A track is found again if it lies over this share of the samples."""

Sample = tuple[float, float, float, float, float]
"""A time in seconds and a box xyxy in pixels."""
Anchors = Mapping[str, tuple[Sample, ...]]
"""``track`` or ``track/before``, ``track/after`` (of a moment) → samples of its boxes."""


class FrameClock:
    """Which processed frame stands for a time.

    Args:
        frames: all frames of a video.
    """

    def __init__(self, frames: FrameTable) -> None:
        self.index = frames.frame_index[frames.processed]
        self.times = frames.timestamp_s[frames.processed]
        # Frames that were left out on purpose stand for no time: the processed one before them does.
        self.ends = self.times + frames.duration_s[frames.processed]

    def place(self, time_s: float) -> int | None:
        """The place, among the processed frames, of the one that is shown at a time; None: there is none."""
        at = int(np.searchsorted(self.times, time_s + 1e-6, side="right")) - 1
        return at if at >= 0 and time_s < self.ends[at] + 1e-6 else None


def sample_track(
    detections: DetectionTable, track_id: int, begin_s: float | None = None, end_s: float | None = None
) -> tuple[Sample, ...]:
    """Samples of a track's boxes, of a span if it has enough there.

    Args:
        detections: of the video.
        track_id: the track.
        begin_s: begin of the span; None: of the video.
        end_s: end of it.

    Returns:
        At most :data:`MOST_SAMPLES`, by time; those nearest to the span where there are few in it.
    """
    rows = np.flatnonzero(detections.track_id == track_id)
    times = detections.timestamp_s[rows]
    low, high = -math.inf if begin_s is None else begin_s - 1e-6, math.inf if end_s is None else end_s + 1e-6
    away = np.maximum(np.maximum(low - times, times - high), 0.0)
    inside = np.flatnonzero(away == 0.0)
    if len(inside) < LEAST_SAMPLES:
        inside = np.sort(np.argsort(away, kind="stable")[:LEAST_SAMPLES])
    chosen = inside[np.unique(np.linspace(0, len(inside) - 1, min(len(inside), MOST_SAMPLES)).round().astype(int))]
    return tuple(_sample(detections, int(row)) for row in rows[chosen])


def _sample(detections: DetectionTable, row: int) -> Sample:
    x1, y1, x2, y2 = (round(side, 2) for side in detections.boxes_xyxy[row].tolist())
    return float(detections.timestamp_s[row]), x1, y1, x2, y2


@dataclass(frozen=True)
class Found:
    """Tracks that samples lie on.

    Attributes:
        track_id: the one that most of them lie on.
        pieces: further tracks, which have the samples where that one is not seen: the same thing, in pieces.
    """

    track_id: int
    pieces: tuple[int, ...] = ()


def find_track(samples: Sequence[Sample], detections: DetectionTable, clock: FrameClock) -> Found | None:
    """The track whose boxes lie where samples say.

    Args:
        samples: times and boxes.
        detections: of the video, with track ids.
        clock: its processed frames.

    Returns:
        The track; None if no track lies on enough of the samples.
    """
    votes: list[tuple[int, frozenset[int]]] = []
    for time_s, *box in samples:
        place = clock.place(time_s)
        if place is None:
            continue
        begin, after = np.searchsorted(detections.frame_index, [clock.index[place], clock.index[place] + 1])
        here = np.arange(begin, after)[detections.track_id[begin:after] != UNTRACKED]
        if not len(here):
            continue
        overlap = box_iou(np.array(box), detections.boxes_xyxy[here])
        best = int(np.argmax(overlap))
        if overlap[best] >= MIN_OVERLAP:
            votes.append((int(detections.track_id[here[best]]), frozenset(detections.track_id[here].tolist())))
    counted = Counter(track for track, _ in votes)
    if not counted:
        return None
    first, count = max(counted.items(), key=lambda item: (item[1], -item[0]))
    pieces = {track for track, seen in votes if track != first and first not in seen}
    if count + sum(counted[piece] for piece in pieces) < max(1, math.ceil(MIN_SHARE * len(samples))):
        return None
    return Found(first, tuple(sorted(pieces)))
