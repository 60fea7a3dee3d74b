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
