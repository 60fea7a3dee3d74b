"""One decoded frame, and the table of all frames of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core._validation import frozen_array

OK = "ok"
"""``quality`` of a frame with nothing wrong."""
NOT_SAMPLED = "not sampled"
"""``quality`` of a frame left out by sampling; the sampled frame before it stands for its time."""
UNCHANGED = "unchanged"
"""``quality`` of a frame left out because it equals the frame before it, which stands for it."""
GAP_S = 0.5
"""A step between frames is a gap if it is longer than this, in seconds, …"""
GAP_STEPS = 5.0
"""… and longer than this many usual steps: that time was not recorded."""
_AROUND = 8
_TOUCH_S = 1e-6
SKIPPED_QUALITIES = frozenset({NOT_SAMPLED, UNCHANGED})
"""``quality`` of the frames that were left out on purpose and whose time counts for the frame before them."""


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One decoded frame.

    Attributes:
        frame_index: number of the frame in the video, from 0.
        timestamp_s: seconds, from the presentation time stamp.
        image_rgb: (H, W, 3) uint8, RGB.
        unchanged_s: time stamps of the :data:`UNCHANGED` frames between the previous decoded frame and this one.
    """

    frame_index: int
    timestamp_s: float
    image_rgb: NDArray[np.uint8]
    unchanged_s: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class FrameTable:
    """All frames of one video in presentation order, whether processed or not.

    Attributes:
        frame_index: (n,) int64, rising.
        timestamp_s: (n,) float64 seconds from the presentation time stamps, rising.
        duration_s: (n,) float64 seconds that the frame stands for: until the next frame (the last one: the step
            that is usual there). Before a gap in the time stamps (:func:`find_gaps`) it is the usual step too: time
            that was not recorded was not processed. Frames of a quality in :data:`SKIPPED_QUALITIES` stand for none:
            the frame before them does. The sum is the length of the video less its gaps.
        processed: (n,) bool; False means that no detector ran, which is not the same as *nothing detected*.
        quality: n texts, ``"ok"`` or the reason a frame was skipped or damaged.

    Raises:
        ValueError: on wrong shapes or times that do not rise.
    """

    frame_index: NDArray[np.int64]
    timestamp_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]
    processed: NDArray[np.bool_]
    quality: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.frame_index)
        for name, dtype in (
            ("frame_index", np.int64),
            ("timestamp_s", np.float64),
            ("duration_s", np.float64),
            ("processed", np.bool_),
        ):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype, (n,), name))
        if len(self.quality) != n:
            raise ValueError(f"quality: expected {n} entries, found {len(self.quality)}")
        if (np.diff(self.timestamp_s) <= 0).any() or (np.diff(self.frame_index) <= 0).any():
            raise ValueError("frames must rise in index and time")

    def __len__(self) -> int:
        return len(self.frame_index)

    def unchanged_before(self) -> list[tuple[float, ...]]:
        """For each processed frame, the times (s) of the :data:`UNCHANGED` frames since the processed one before it."""
        unchanged = np.array([note == UNCHANGED for note in self.quality], dtype=np.bool_)
        positions = np.flatnonzero(self.processed).tolist()
        begins = [0, *(position + 1 for position in positions[:-1])]
        pieces = (slice(begin, position) for begin, position in zip(begins, positions, strict=True))
        return [tuple(self.timestamp_s[piece][unchanged[piece]].tolist()) for piece in pieces]

    @classmethod
    def from_times(
        cls,
        frame_index: NDArray[np.int64],
        timestamp_s: NDArray[np.float64],
        *,
        processed: NDArray[np.bool_],
        quality: tuple[str, ...] | None = None,
        gaps: bool = True,
    ) -> FrameTable:
        """Build the table; ``duration_s`` follows from the steps between time stamps.

        Args:
            frame_index: (n,) int64, rising.
            timestamp_s: (n,) float64 seconds, rising.
            processed: (n,) bool.
            quality: n texts; default: :data:`OK` for every frame.
            gaps: whether long steps count as gaps; without, each frame stands until the next one, as in a GIF.

        Returns:
            The table of n frames.
        """
        times = np.asarray(timestamp_s, dtype=np.float64)
        notes = quality or (OK,) * len(times)
        usual = usual_steps(times)
        until = np.append(times[1:], times[-1:] + usual[-1:])
        ends = np.where(find_gaps(times), times + usual, until) if gaps else until
        bearing = np.array([note not in SKIPPED_QUALITIES for note in notes], dtype=np.bool_)
        durations = np.zeros(len(times))
        if bearing.any():
            first = np.flatnonzero(bearing)
            durations[bearing] = np.add.reduceat(ends - times, first)
            # A sum where frames in between were skipped; exact where none were.
            alone = np.diff(np.append(first, len(times))) == 1
            durations[first[alone]] = (ends - times)[first[alone]]
        return cls(frame_index, times, durations, processed, notes)

    def gaps(self) -> list[tuple[float, float]]:
        """``[begin_s, end_s)`` of each gap in the time stamps: time for which no frame stands."""
        bearing = np.flatnonzero(self.duration_s > 0)
        ends, begins = (self.timestamp_s + self.duration_s)[bearing[:-1]], self.timestamp_s[bearing[1:]]
        lost = begins - ends > _TOUCH_S
        return list(zip(ends[lost].tolist(), begins[lost].tolist(), strict=True))

    @property
    def end_s(self) -> float:
        """The end of the last frame in seconds; 0 without frames."""
        return float(self.timestamp_s[-1] + self._tail_s()) if len(self) else 0.0

    @property
    def length_s(self) -> float:
        """Seconds from the first frame to the end of the last one, including gaps; 0 without frames."""
        return self.end_s - float(self.timestamp_s[0]) if len(self) else 0.0

    @property
    def mean_fps(self) -> float | None:
        """Mean frame rate between the first and the last time stamp; ``None`` for fewer than two frames."""
        span_s = float(self.timestamp_s[-1] - self.timestamp_s[0]) if len(self) > 1 else 0.0
        return (len(self) - 1) / span_s if span_s > 0 else None

    def _tail_s(self) -> float:
        """Duration of the last frame in seconds, even if it was skipped."""
        return float(self.duration_s[-1]) or float(usual_steps(self.timestamp_s)[-1])


def processed_step_s(frames: FrameTable) -> float | None:
    """Usual time between processed frames in seconds, unchanged ones included; ``None`` for fewer than two."""
    unchanged = np.array([note == UNCHANGED for note in frames.quality], dtype=np.bool_)
    steps = np.diff(frames.timestamp_s[frames.processed | unchanged])
    return float(np.median(steps)) if len(steps) else None


def usual_steps(timestamp_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The usual step between frames around each frame, as frame rates change within videos.

    It is the longer of two median steps: of the :data:`_AROUND` steps before the frame, and of those after it.

    Args:
        timestamp_s: (n,) seconds, rising.

    Returns:
        (n,) seconds.
    """
    steps = np.diff(timestamp_s)
    if not len(steps):
        return np.zeros(len(timestamp_s))
    padded = np.pad(steps, _AROUND, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _AROUND)
    medians = _medians(windows)
    # Row i of medians is over steps i - _AROUND ... i - 1; those after step i begin at row i + _AROUND + 1.
    n = len(steps)
    before, after = medians[:n], medians[_AROUND + 1 : _AROUND + 1 + n]
    usual = np.fmax(before, after)
    usual = np.where(np.isnan(usual), steps, usual)
    return np.append(usual, medians[n])


def find_gaps(timestamp_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a gap follows each frame, (n,): a step above :data:`GAP_S` and :data:`GAP_STEPS` usual steps."""
    steps = np.diff(timestamp_s)
    usual = usual_steps(timestamp_s)[:-1]
    return np.append(steps > np.maximum(GAP_S, GAP_STEPS * usual) + 1e-6, np.zeros(min(1, len(timestamp_s)), np.bool_))


def _medians(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each row without its NaN, (n,); NaN for a row of NaN only."""
    ordered = np.sort(windows, axis=1)  # NaN come last
    known, rows = np.isfinite(ordered).sum(axis=1), np.arange(len(ordered))
    low, high = (
        ordered[rows, np.maximum(known - 1, 0) // 2],
        ordered[rows, np.minimum(known // 2, ordered.shape[1] - 1)],
    )
    return np.asarray(np.where(known > 0, (low + high) / 2, np.nan))
