"""Tracks laid out over the processed frames of a video, so that pairs can be compared frame by frame."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.frames import UNCHANGED, FrameTable
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
    """All tracks of a video over its frames; ``begins_s``/``ends_s`` are the frames' times, (n,).

    Frames are those that were looked at, and those passed over because nothing had changed.
    """

    begins_s: Floats
    ends_s: Floats
    tracks: tuple[TrackGrid, ...]

    @property
    def step_s(self) -> float:
        """Median time between frames."""
        return float(np.median(np.diff(self.begins_s))) if len(self.begins_s) > 1 else 1.0

    def samples(self, seconds: float) -> int:
        """How many steps are nearest to ``seconds``."""
        return round(seconds / self.step_s)


def build_grid(
    detections: DetectionTable, frames: FrameTable, tracks: Sequence[Track], *, smooth_s: float
) -> SceneGrid:
    """Lay out ``tracks``; boxes are median-filtered over ``smooth_s`` seconds where they are seen.

    In frames that were passed over because nothing had changed, things are where they were in the frame before:
    adaptive sampling leaves gaps of all lengths, and windows of time need frames at even steps.
    """
    clock = _Clock.of(frames)
    positions = np.searchsorted(clock.frame_index, detections.frame_index)
    half = SceneGrid(clock.begins_s, clock.ends_s, ()).samples(smooth_s / 2)
    order = np.argsort(detections.track_id, kind="stable")
    ids = detections.track_id[order]
    laid_out = []
    for track in tracks:
        rows = order[np.searchsorted(ids, track.track_id, "left") : np.searchsorted(ids, track.track_id, "right")]
        if len(rows):
            laid_out.append(_lay_out(track, detections, rows, positions[rows], clock=clock, half=half))
    return SceneGrid(clock.begins_s, clock.ends_s, tuple(laid_out))


@dataclass(frozen=True, eq=False)
class _Clock:
    """The frames of a grid, (n,) each; ``source`` is the position of the frame looked at that each one repeats."""

    frame_index: NDArray[np.int64]
    begins_s: Floats
    ends_s: Floats
    source: NDArray[np.int64]

    @classmethod
    def of(cls, frames: FrameTable) -> _Clock:
        """Frames looked at, and the unchanged ones after each of them."""
        unchanged = np.array([note == UNCHANGED for note in frames.quality], dtype=np.bool_)
        chosen = frames.processed | unchanged
        begins_s, looked = np.asarray(frames.timestamp_s[chosen]), frames.processed[chosen]
        source = np.maximum.accumulate(np.where(looked, np.arange(len(looked)), 0))
        # a frame looked at stands for the time up to the next one, which those that repeat it share
        until_s = (begins_s + frames.duration_s[chosen])[source]
        ends_s = np.minimum(until_s, np.append(begins_s[1:], np.inf))
        ends_s = np.where(np.append(looked[1:], True), until_s, ends_s)
        return cls(frames.frame_index[chosen], begins_s, ends_s, source)

    def until(self, position: int) -> int:
        """Position after the last frame that repeats the one at ``position``."""
        return int(np.searchsorted(self.source, position, side="right"))


def _lay_out(
    track: Track,
    detections: DetectionTable,
    rows: NDArray[np.int64],
    positions: NDArray[np.int64],
    *,
    clock: _Clock,
    half: int,
) -> TrackGrid:
    first, after = int(positions.min()), clock.until(int(positions.max()))
    n = after - first
    boxes, confidence = np.full((n, 4), np.nan), np.full(n, np.nan)
    boxes[positions - first] = detections.boxes_xyxy[rows]
    confidence[positions - first] = detections.confidence[rows]
    repeated = clock.source[first:after] - first
    return TrackGrid(track, first, median_filter(boxes[repeated], half=half), confidence[repeated])


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
