"""Tracks laid out over the processed frames of a video, so that pairs can be compared frame by frame."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.symbols import Track
from visionllm_interaction.core.tables import DetectionTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrackGrid:
    """One track over the processed frames ``[first, first + n)``.

    Attributes:
        boxes_xyxy: (n, 4) pixels, smoothed; NaN where the track is not seen.
        confidence: (n,) NaN where not seen.
    """

    track: Track
    first: int
    boxes_xyxy: Floats
    confidence: Floats

    @property
    def after(self) -> int:
        """Position after the last one."""
        return self.first + len(self.confidence)

    @property
    def is_person(self) -> bool:
        """Whether the track is a person."""
        return self.track.category in PERSON_CATEGORIES

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n,) whether the track is seen."""
        return np.isfinite(self.confidence)


@dataclass(frozen=True, eq=False)
class SceneGrid:
    """All tracks of a video over its processed frames; ``begins_s``/``ends_s`` are the frames' times, (n,)."""

    begins_s: Floats
    ends_s: Floats
    tracks: tuple[TrackGrid, ...]

    @property
    def step_s(self) -> float:
        """Median time between processed frames."""
        return float(np.median(np.diff(self.begins_s))) if len(self.begins_s) > 1 else 1.0

    def samples(self, seconds: float) -> int:
        """How many steps are nearest to ``seconds``."""
        return round(seconds / self.step_s)


def build_grid(
    detections: DetectionTable, frames: FrameTable, tracks: Sequence[Track], *, smooth_s: float
) -> SceneGrid:
    """Lay out ``tracks``; boxes are median-filtered over ``smooth_s`` seconds where they are seen."""
    chosen = frames.processed
    begins_s = np.asarray(frames.timestamp_s[chosen])
    ends_s = begins_s + frames.duration_s[chosen]
    positions = np.searchsorted(frames.frame_index[chosen], detections.frame_index)
    empty = SceneGrid(begins_s, ends_s, ())
    half = empty.samples(smooth_s / 2)
    order = np.argsort(detections.track_id, kind="stable")
    ids = detections.track_id[order]
    laid_out = []
    for track in tracks:
        rows = order[np.searchsorted(ids, track.track_id, "left") : np.searchsorted(ids, track.track_id, "right")]
        if len(rows):
            laid_out.append(_lay_out(track, detections, rows, positions[rows], half))
    return SceneGrid(begins_s, ends_s, tuple(laid_out))


def _lay_out(
    track: Track, detections: DetectionTable, rows: NDArray[np.int64], positions: NDArray[np.int64], half: int
) -> TrackGrid:
    first, n = int(positions.min()), int(positions.max() - positions.min()) + 1
    boxes, confidence = np.full((n, 4), np.nan), np.full(n, np.nan)
    boxes[positions - first] = detections.boxes_xyxy[rows]
    confidence[positions - first] = detections.confidence[rows]
    return TrackGrid(track, first, median_filter(boxes, half=half), confidence)


def median_filter(values: Floats, *, half: int) -> Floats:
    """Median of each row with ``half`` rows before and after, NaN left out; rows that are NaN stay so."""
    if half < 1:
        return values
    padded = np.pad(values, ((half, half), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    with warnings.catch_warnings():
        # Windows without any sighting are not used.
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        smooth = np.nanmedian(windows, axis=-1)
    return np.asarray(np.where(np.isnan(values), np.nan, smooth))
