"""Which frames a detector processed, as far as a file of its detections shows.

Laboratories often detect at one frame a second. A frame in which nothing was *looked for* says nothing about what is
in it, so it must not count as a frame in which nothing was *found*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frame_table import GAP_S, GAP_STEPS, NOT_SAMPLED, OK, FrameTable, usual_steps
from visionllm_interaction.video.decoding.frame_sampling import IntervalSampler

NO_OUTPUT = "no output of the detector"
"""``quality`` of a frame that no processed frame stands for: the detector was not run there for a while."""
_CHANCE = 1e-3
"""A regular pattern counts if it would come about by chance less often than this."""
_ROUNDS = 3
_WINDOW, _FEWEST, _LEAST_PERIOD, _SINGLE = 10, 6, 4, 1.5
"""So many steps in a row, none shorter than this, show which frames were processed: at most so many times the shortest
are single steps. Where a detector runs on every frame and finds something now and then, most steps are longer."""
_SINGLE_SHARE, _UNEVEN_SHARE = 0.6, 0.85
"""Share of single steps where all steps are multiples of the shortest one, and where they are not."""
_SILENT_S, _SILENT_SHARE = 2.0, 0.1
"""So much of a video without any detection, at its begin or end, is told."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class FrameGrid:
    """Frames ``first + k × period``, rounded to frames.

    Attributes:
        first: first frame with a detection.
        period: frames between processed ones, at least 2; not always whole (29.97 frames for a second).
    """

    first: float
    period: float

    def frames(self, n_frames: int) -> Ints:
        """The processed ones of ``n_frames`` frames, rising."""
        begin = -int(self.first // self.period)
        places = self.first + self.period * np.arange(begin, int((n_frames - self.first) // self.period) + 2)
        index = np.rint(places).astype(np.int64)
        return np.unique(index[(index >= 0) & (index < n_frames)])


@dataclass(frozen=True, eq=False)
class UnevenFrames:
    """Frames at steps that change within the video, on a grid.

    Attributes:
        grid: what all of them lie on; it may be every frame.
        places: (n,) places on the grid with a detection, rising.
        periods: (n - 1,) places from one processed frame to the next, in each step between them.
    """

    grid: FrameGrid
    places: Ints
    periods: Ints

    def frames(self, n_frames: int) -> Ints:
        """The processed ones of ``n_frames`` frames, rising."""
        steps = np.diff(self.places)
        parts = [
            place + np.rint(np.arange(n) * step / n).astype(np.int64)
            for place, step, n in zip(
                self.places[:-1], steps, np.maximum(np.rint(steps / self.periods), 1).astype(np.int64), strict=True
            )
        ]
        before = np.arange(self.places[0], -1, -self.periods[0])[::-1]
        last = int((n_frames - self.grid.first) // self.grid.period) + 1
        after = np.arange(self.places[-1], max(last, self.places[-1]) + 1, self.periods[-1])
        places = np.concatenate([before, *parts, after])
        index = np.rint(self.grid.first + self.grid.period * places).astype(np.int64)
        return np.unique(index[(index >= 0) & (index < n_frames)])


def find_processed(frame_index: Ints) -> FrameGrid | UnevenFrames | None:
    """The frames that a detector processed, as those with detections show it.

    Args:
        frame_index: (n,) frames with at least one detection, in any order.

    Returns:
        A regular pattern, or frames at steps that change: at uneven times, or at two rates in one file. ``None``: every
        frame may have been processed.
    """
    index = np.unique(frame_index)
    grid = find_frame_grid(index)
    base = grid or FrameGrid(0.0, 1.0)
    places = np.rint((index - base.first) / base.period).astype(np.int64)
    periods = _periods(np.diff(places))
    return UnevenFrames(base, places, periods) if (periods > 1).any() else grid


def _periods(steps: Ints) -> Ints:
    """(n,) places between processed frames in each of ``steps`` (n,); 1 where nothing shows that there is more."""
    periods = np.ones(len(steps), np.int64)
    if _FEWEST <= len(steps) < _WINDOW:
        # Of so few, each must be a single one.
        least = int(steps.min())
        return periods * least if least >= 2 * _LEAST_PERIOD and steps.max() <= _SINGLE * least else periods
    for begin in range(len(steps) - _WINDOW + 1):
        near = steps[begin : begin + _WINDOW]
        least = int(near.min())
        multiples = least >= 2 * _LEAST_PERIOD and bool((np.abs(near - least * np.rint(near / least)) <= 1).all())
        single = float((near <= _SINGLE * least).mean())
        even = least >= _LEAST_PERIOD and single >= (_SINGLE_SHARE if multiples else _UNEVEN_SHARE)
        if even or (near == least).all():
            own = slice(begin, begin + _WINDOW)
            periods[own] = np.maximum(periods[own], least)
    return periods


def silence_notes(frame_index: Ints, frames: FrameTable) -> tuple[str, ...]:
    """A note where the begin or end of a video has no detection, and nothing says that it was processed.

    Args:
        frame_index: (n,) frames with detections.
        frames: all frames of the video.

    Returns:
        A note or none.
    """
    if not len(frame_index):
        return ()
    first_s, last_s = (float(frames.timestamp_s[frames.frame_index == at][0]) for at in
                       (frame_index.min(), frame_index.max()))  # fmt: skip
    least_s = max(_SILENT_S, _SILENT_SHARE * (frames.end_s - float(frames.timestamp_s[0])))
    silent = [f"before {first_s:.1f} s"] * (first_s - float(frames.timestamp_s[0]) > least_s)
    silent += [f"after {last_s:.1f} s"] * (frames.end_s - last_s > least_s)
    if not silent:
        return ()
    return (
        f"the file has detections of frames {frame_index.min()} to {frame_index.max()} of {len(frames)}, none "
        f"{' or '.join(silent)}: that time counts as processed, with nothing in it. If the detector did not run there, "
        "list processed_frames; if the frames number sampled images, add their times",
    )


def find_frame_grid(frame_index: Ints) -> FrameGrid | None:
    """The regular pattern of the frames with detections, or ``None`` if every frame may have been processed.

    Args:
        frame_index: (n,) frames with at least one detection, in any order.

    Returns:
        The coarsest pattern that all of them fit, if chance does not explain it.
    """
    index = np.unique(frame_index)
    steps = np.diff(index)
    if len(steps) < 2 or int(steps.min()) < 2:
        return None
    common = int(np.gcd.reduce(steps))
    if common >= 2 and (1.0 / common) ** len(steps) < _CHANCE:
        return FrameGrid(float(index[0]), float(common))
    period = float(steps.min())
    for _ in range(_ROUNDS):
        period = float(steps.sum() / np.maximum(np.rint(steps / period), 1).sum())
    places = np.concatenate([[0.0], np.cumsum(np.maximum(np.rint(steps / period), 1))])
    off = index - period * places
    first = float(off.min() + off.max()) / 2
    fits = bool((np.abs(off - first) <= 1.0).all())
    return FrameGrid(first, period) if fits and (3.0 / period) ** len(steps) < _CHANCE else None


def with_processed(
    frames: FrameTable, processed: Ints | None, *, sample_fps: float | None = None, gaps: bool = True
) -> FrameTable:
    """Mark the frames that a detector processed.

    A processed frame stands for the time until the next one, but not across an interruption of the detector: frames
    further than the usual step from it are :data:`NO_OUTPUT`.

    Args:
        frames: all frames of the video.
        processed: frame indices; ``None``: all.
        sample_fps: of these, at most so many a second are used; ``None``: all.
        gaps: whether long steps between time stamps are gaps (see :meth:`FrameTable.from_times`).

    Returns:
        The table with the new ``processed`` and ``quality``.
    """
    good = np.array([note == OK for note in frames.quality], dtype=np.bool_)
    wanted = good if processed is None else good & np.isin(frames.frame_index, processed)
    output = wanted
    if sample_fps is not None:
        sampler = IntervalSampler(sample_fps)
        wanted = np.array([use and sampler.wants(at) for use, at in zip(wanted, frames.timestamp_s, strict=True)])
    covered = _covered(frames.timestamp_s, wanted)
    notes = tuple(
        note if note != OK or use else NOT_SAMPLED if near or ran else NO_OUTPUT
        for note, use, near, ran in zip(frames.quality, wanted, covered, output, strict=True)
    )
    return FrameTable.from_times(
        frames.frame_index, frames.timestamp_s, processed=wanted.astype(np.bool_), quality=notes, gaps=gaps
    )


def _covered(times_s: NDArray[np.float64], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) whether a wanted frame stands for each frame: the last one before it is not too long ago."""
    covered = np.zeros(len(times_s), np.bool_)
    at = np.flatnonzero(wanted)
    if not len(at):
        return covered
    usual = usual_steps(times_s[at])
    until = np.append(times_s[at[1:]], np.inf)
    longest = np.maximum(GAP_S, GAP_STEPS * usual)
    until = np.where(until - times_s[at] > longest, times_s[at] + usual, until)
    last = np.searchsorted(at, np.arange(len(times_s)), side="right") - 1
    covered[last >= 0] = times_s[last >= 0] < until[last[last >= 0]] - 1e-6
    return covered
