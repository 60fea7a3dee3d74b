"""Tracks on the common grid of a video's processed frames, so that pairs can be compared frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import UNCHANGED, FrameTable, usual_steps
from visionllm_interaction.core.tracks_relations_events import Track

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_QUARTER = 0.25
"""How far, in steps, time stamps may be off."""
_LONGEST = 1500
"""Maximum length in rows of an interval at rest; bounds the work for objects that move very slowly."""


@dataclass(frozen=True)
class Smoothing:
    """How boxes are smoothed.

    Attributes:
        median_s: window of the median filter in seconds.
        rest_tolerance: an edge that stays within this share of a person's height is at rest.
        rest_s: minimum duration of rest in seconds.
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

    Frames are the processed ones and the unchanged ones that were skipped. ``frame_index`` (n,) is that of the
    processed frame that each one shows or repeats.
    """

    begins_s: Floats
    ends_s: Floats
    frame_index: NDArray[np.int64]
    tracks: tuple[TrackGrid, ...]

    @cached_property
    def steps_s(self) -> Floats:
        """(n,) typical time between frames around each; rates change within videos."""
        return usual_steps(self.begins_s) if len(self.begins_s) > 1 else np.ones(len(self.begins_s))

    def rest_s(self, after: int, first: int) -> float:
        """Time from the end of the frame before ``after`` to the begin of frame ``first``."""
        return float(self.begins_s[first] - self.ends_s[after - 1])

    def until(self, first: int, seconds: float) -> int:
        """Position after the frames that begin within ``seconds`` of frame ``first``; that frame at least."""
        end_s = self.begins_s[first] + seconds - self.steps_s[first] / 2
        return max(int(np.searchsorted(self.begins_s, end_s)), first + 1)

    def parts(self, first: int, after: int, *, longest_s: float) -> list[tuple[int, int]]:
        """Frames ``[first, after)`` split at gaps in the time stamps longer than ``longest_s``."""
        gaps = self.begins_s[first + 1 : after] - self.ends_s[first : after - 1]
        cuts = (first + 1 + np.flatnonzero(gaps > longest_s + 1e-6)).tolist()
        return list(pairwise([first, *cuts, after]))


def build_grid(
    detections: DetectionTable, frames: FrameTable, tracks: Sequence[Track], *, smoothing: Smoothing
) -> SceneGrid:
    """Place tracks on the grid of processed frames and smooth their boxes.

    In unchanged frames objects stay where they were in the frame before. Adaptive sampling leaves gaps of all lengths,
    and time windows need frames in them.

    Args:
        detections: tracked detections, boxes xyxy in pixels.
        frames: all frames of the video.
        tracks: the tracks to place.
        smoothing: windows in seconds.

    Returns:
        The grid.
    """
    clock = _Clock.of(frames)
    positions = np.searchsorted(clock.frame_index, detections.frame_index)
    shown = clock.frame_index[clock.source]
    empty = SceneGrid(clock.begins_s, clock.ends_s, shown, ())
    tolerance = smoothing.rest_tolerance * _height_px(detections)

    def smooth(boxes: Floats, first: int) -> Floats:
        median = median_filter(boxes, *windows_of(empty, first, len(boxes), width_s=smoothing.median_s))
        steps = frames_spanning(empty, first, len(boxes), seconds=smoothing.rest_s)
        return stabilise_rest(median, tolerance=tolerance, steps=steps)

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
    """The frames of a grid, (n,) each; ``source`` is the position of the processed frame that each one repeats."""

    frame_index: NDArray[np.int64]
    begins_s: Floats
    ends_s: Floats
    source: NDArray[np.int64]

    @classmethod
    def of(cls, frames: FrameTable) -> _Clock:
        """Processed frames, and the unchanged ones after each of them."""
        unchanged = np.array([note == UNCHANGED for note in frames.quality], dtype=np.bool_)
        chosen = frames.processed | unchanged
        begins_s, processed = np.asarray(frames.timestamp_s[chosen]), frames.processed[chosen]
        source = np.maximum.accumulate(np.where(processed, np.arange(len(processed)), 0))
        # a processed frame covers the time up to the next one, shared with the frames that repeat it
        until_s = (begins_s + frames.duration_s[chosen])[source]
        ends_s = np.minimum(until_s, np.append(begins_s[1:], np.inf))
        ends_s = np.where(np.append(processed[1:], True), until_s, ends_s)
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
    smooth: Callable[[Floats, int], Floats],
) -> TrackGrid:
    first, after = int(positions.min()), clock.until(int(positions.max()))
    n = after - first
    boxes, confidence = np.full((n, 4), np.nan), np.full(n, np.nan)
    boxes[positions - first] = detections.boxes_xyxy[rows]
    confidence[positions - first] = detections.confidence[rows]
    repeated = clock.source[first:after] - first
    return TrackGrid(track, first, smooth(boxes[repeated], first), confidence[repeated])


def windows_of(grid: SceneGrid, first: int, n: int, *, width_s: float) -> tuple[Ints, Ints]:
    """(n,) numbers of frames before and after each of ``n`` frames from ``first`` on, within a window around it.

    The window is ``width_s`` long, rounded to frames at the local rate; it ends at a change of rate or a gap.
    """
    here = slice(first, first + n)
    times, steps = grid.begins_s[here], grid.steps_s[here]
    # Rounded first, because steps are differences of time stamps: 1.5 frames are never quite 1.5.
    reach = (np.rint(np.round(width_s / 2 / steps, 3)) + _QUARTER) * steps
    place = np.arange(n)
    before = place - np.searchsorted(times, times - reach, side="left")
    after = np.searchsorted(times, times + reach, side="right") - 1 - place
    return before, after


def frames_spanning(grid: SceneGrid, first: int, n: int, *, seconds: float) -> Ints:
    """(n,) number of frames, at least 2, that last ``seconds`` from each of ``n`` frames from ``first`` on."""
    here = slice(first, first + n)
    ends_s = grid.begins_s[here] + seconds - grid.steps_s[here] / 2
    return np.asarray(np.maximum(np.searchsorted(grid.ends_s[here], ends_s - 1e-6) + 1 - np.arange(n), 2))


def median_filter(values: Floats, before: int | Ints, after: int | Ints) -> Floats:
    """Median of each row (n, k) and the ``before`` and ``after`` (n,) rows around it; NaN is ignored but stays NaN."""
    n = len(values)
    sides = np.stack([np.broadcast_to(before, n), np.broadcast_to(after, n)], axis=1)
    widest = int(sides.max(initial=0))
    if widest < 1:
        return values
    padded = np.pad(values, ((widest, widest), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * widest + 1, axis=0)
    smooth = np.full_like(values, np.nan)
    known = ~np.isnan(values)
    for down, up in np.unique(sides, axis=0).tolist():
        # The window of what is known holds at least that. Of an empty one numpy warns, and filters of warnings are
        # shared by all threads of a service.
        rows = (sides == (down, up)).all(axis=1)[:, None] & known
        smooth[rows] = np.nanmedian(windows[rows][:, widest - down : widest + up + 1], axis=-1)
    return smooth


def stabilise_rest(values: Floats, *, tolerance: float, steps: int | Ints) -> Floats:
    """Replace values at rest by their median, column by column.

    Intervals are taken from the first row on, each as long as possible. NaN ends an interval and stays NaN.

    Args:
        values: (n, k).
        tolerance: a column is at rest while all its values are within this range.
        steps: minimum length of rest in rows, for all rows or for each (n,).

    Returns:
        (n, k) values.
    """
    if tolerance <= 0.0:
        return values
    stabilised = values.copy()
    for column in stabilised.T:
        for first, after in _rest_intervals(column, tolerance=tolerance, steps=np.broadcast_to(steps, len(column))):
            column[first:after] = np.median(column[first:after])
    return stabilised


def spread_over(column: Floats, steps: Ints) -> Floats:
    """Range (maximum minus minimum) of the ``steps`` (n,) values from each row on; NaN if incomplete.

    Computed from maxima over windows of powers of two, two of which cover any window.
    """
    n, spread = len(column), np.full(len(column), np.nan)
    high, low, width = column, column, 1
    place = np.arange(n)
    while width <= min(int(steps.max(initial=0)), n):
        rows = place[(steps >= width) & (steps < 2 * width) & (place + steps <= n)]
        other = rows + steps[rows] - width
        spread[rows] = np.maximum(high[rows], high[other]) - np.minimum(low[rows], low[other])
        high, low = np.maximum(high[:-width], high[width:]), np.minimum(low[:-width], low[width:])
        width *= 2
    return spread


def _rest_intervals(column: Floats, *, tolerance: float, steps: Ints) -> Iterator[tuple[int, int]]:
    """Intervals ``[first, after)`` of at least ``steps`` finite values within a range of ``tolerance``."""
    begins = np.flatnonzero(spread_over(column, steps) <= tolerance)
    at = 0
    while at < len(begins):
        first = int(begins[at])
        ahead = column[first : first + _LONGEST]
        spread = np.maximum.accumulate(ahead) - np.minimum.accumulate(ahead)
        fits = ~(spread > tolerance) & np.isfinite(spread)
        after = first + (len(fits) if fits.all() else int(np.argmin(fits)))
        yield first, after
        at = int(np.searchsorted(begins, after))
