"""Tracks laid out over the processed frames of a video, so that pairs can be compared frame by frame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frames import UNCHANGED, FrameTable
from visionllm_interaction.core.interactions import Track

Floats = NDArray[np.float64]
_LONGEST = 1500
"""Rows of an interval at rest: a bound for the work on things that creep."""


@dataclass(frozen=True)
class Smoothing:
    """How boxes are smoothed: a median over ``median_s``, and what keeps within ``rest_tolerance`` (share of a person's
    height) for ``rest_s`` is held still.
    """

    median_s: float
    rest_tolerance: float = 0.0
    rest_s: float = 1.0


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

    Frames are those that were looked at, and those passed over because nothing had changed; ``frame_index`` (n,) is of
    the frame looked at that each one shows or repeats.
    """

    begins_s: Floats
    ends_s: Floats
    frame_index: NDArray[np.int64]
    tracks: tuple[TrackGrid, ...]

    @property
    def step_s(self) -> float:
        """Median time between frames."""
        return float(np.median(np.diff(self.begins_s))) if len(self.begins_s) > 1 else 1.0

    def samples(self, seconds: float) -> int:
        """How many steps are nearest to ``seconds``."""
        return round(seconds / self.step_s)


def build_grid(
    detections: DetectionTable, frames: FrameTable, tracks: Sequence[Track], *, smoothing: Smoothing
) -> SceneGrid:
    """Lay out ``tracks``, their boxes smoothed where they are seen.

    In frames that were passed over because nothing had changed, things are where they were in the frame before:
    adaptive sampling leaves gaps of all lengths, and windows of time need frames at even steps.
    """
    clock = _Clock.of(frames)
    positions = np.searchsorted(clock.frame_index, detections.frame_index)
    shown = clock.frame_index[clock.source]
    empty = SceneGrid(clock.begins_s, clock.ends_s, shown, ())
    half, rest = empty.samples(smoothing.median_s / 2), max(2, empty.samples(smoothing.rest_s))
    tolerance = smoothing.rest_tolerance * _height_px(detections)

    def smooth(boxes: Floats) -> Floats:
        return at_rest(median_filter(boxes, half=half), tolerance=tolerance, steps=rest)

    order = np.argsort(detections.track_id, kind="stable")
    ids = detections.track_id[order]
    laid_out = []
    for track in tracks:
        rows = order[np.searchsorted(ids, track.track_id, "left") : np.searchsorted(ids, track.track_id, "right")]
        if len(rows):
            laid_out.append(_lay_out(track, detections, rows, positions[rows], clock=clock, smooth=smooth))
    return replace(empty, tracks=tuple(laid_out))


def _height_px(detections: DetectionTable) -> float:
    """Median height of tracked people's boxes, of all boxes if there are no people; 0 of none."""
    heights = (detections.boxes_xyxy[:, 3] - detections.boxes_xyxy[:, 1]).astype(np.float64)
    people = np.isin(detections.category.astype(str), sorted(PERSON_CATEGORIES))
    tracked = detections.track_id != UNTRACKED
    chosen = heights[people & tracked] if (people & tracked).any() else heights[tracked]
    return float(np.median(chosen)) if len(chosen) else 0.0


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
    smooth: Callable[[Floats], Floats],
) -> TrackGrid:
    first, after = int(positions.min()), clock.until(int(positions.max()))
    n = after - first
    boxes, confidence = np.full((n, 4), np.nan), np.full(n, np.nan)
    boxes[positions - first] = detections.boxes_xyxy[rows]
    confidence[positions - first] = detections.confidence[rows]
    repeated = clock.source[first:after] - first
    return TrackGrid(track, first, smooth(boxes[repeated]), confidence[repeated])


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


def at_rest(values: Floats, *, tolerance: float, steps: int) -> Floats:
    """``values`` (n, k), each column with its median where it keeps within ``tolerance`` for at least ``steps`` rows.

    Intervals are taken from the first row on, each as long as all of it fits; NaN ends one and stays.
    """
    if tolerance <= 0.0:
        return values
    settled = values.copy()
    for column in settled.T:
        for first, after in _quiet(column, tolerance=tolerance, steps=steps):
            column[first:after] = np.median(column[first:after])
    return settled


def _quiet(column: Floats, *, tolerance: float, steps: int) -> Iterator[tuple[int, int]]:
    """Intervals ``[first, after)`` of at least ``steps`` finite values of which no two differ by more."""
    if len(column) < steps:
        return
    windows = np.lib.stride_tricks.sliding_window_view(column, steps)
    begins = np.flatnonzero(windows.max(axis=1) - windows.min(axis=1) <= tolerance)
    at = 0
    while at < len(begins):
        first = int(begins[at])
        ahead = column[first : first + _LONGEST]
        spread = np.maximum.accumulate(ahead) - np.minimum.accumulate(ahead)
        fits = ~(spread > tolerance) & np.isfinite(spread)
        after = first + (len(fits) if fits.all() else int(np.argmin(fits)))
        yield first, after
        at = int(np.searchsorted(begins, after))
