"""One decoded frame, and the table of all frames of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core._validation import frozen_array

OK = "ok"
"""``quality`` of a frame with nothing wrong."""
NOT_SAMPLED = "not sampled"
"""``quality`` of a frame passed over on purpose; the frame before it stands for its time."""
UNCHANGED = "unchanged"
"""``quality`` of a frame passed over because it looks like the one before, which stands for it."""
GAP_S = 0.5
"""A camera that sends no image for longer …"""
GAP_STEPS = 5.0
"""… and for longer than so many usual steps has lost some: that time was not recorded."""
_AROUND = 8
_TOUCH_S = 1e-6
PASSED_OVER = frozenset({NOT_SAMPLED, UNCHANGED})


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One frame: ``image_rgb`` is (H, W, 3) uint8; ``timestamp_s`` comes from the presentation time stamp.

    ``unchanged_s`` are the times of the frames since the last one that were passed over because they look like it.
    """

    frame_index: int
    timestamp_s: float
    image_rgb: NDArray[np.uint8]
    unchanged_s: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class FrameTable:
    """All frames of one video, looked at or not, in presentation order.

    Attributes:
        frame_index: (n,) int64, rising.
        timestamp_s: (n,) float64 seconds from the presentation time stamps, rising.
        duration_s: (n,) float64 seconds that the frame stands for: until the next frame (the last one: the step
            that is usual there). Before a gap in the time stamps (:func:`find_gaps`) it is the usual step too: what
            was not recorded was not processed. Frames of a quality in :data:`PASSED_OVER` stand for none: the frame
            before them does. The sum is the length of the video less its gaps.
        processed: (n,) bool; False means *not looked at*, which is not the same as *nothing seen*.
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
        """Per processed frame the times of the :data:`UNCHANGED` ones since the processed frame before it."""
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
        """Build the table, working out ``duration_s`` from the steps between time stamps.

        Without ``gaps`` each frame stands until the next one however long that is, as in a GIF.
        """
        times = np.asarray(timestamp_s, dtype=np.float64)
        notes = quality or (OK,) * len(times)
        usual = usual_steps(times)
        until = np.append(times[1:], times[-1:] + usual[-1:])
        ends = np.where(find_gaps(times), times + usual, until) if gaps else until
        bearing = np.array([note not in PASSED_OVER for note in notes], dtype=np.bool_)
        durations = np.zeros(len(times))
        if bearing.any():
            first = np.flatnonzero(bearing)
            durations[bearing] = np.add.reduceat(ends - times, first)
            # Summed up where frames in between were passed over; exact where none were.
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
        """When the last frame ends; 0 of none."""
        return float(self.timestamp_s[-1] + self._tail_s()) if len(self) else 0.0

    @property
    def length_s(self) -> float:
        """From the first frame to the end of the last one, gaps included; 0 of none."""
        return self.end_s - float(self.timestamp_s[0]) if len(self) else 0.0

    @property
    def mean_fps(self) -> float | None:
        """Frames per second between the first and the last one, by their time stamps; ``None`` of a single frame."""
        span_s = float(self.timestamp_s[-1] - self.timestamp_s[0]) if len(self) > 1 else 0.0
        return (len(self) - 1) / span_s if span_s > 0 else None

    def _tail_s(self) -> float:
        """How long the last frame lasts: also one that was passed over does."""
        return float(self.duration_s[-1]) or float(usual_steps(self.timestamp_s)[-1])


def usual_steps(timestamp_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) seconds from one frame to the next that are usual around each: rates change within videos.

    It is the longer of the median steps of the frames before and of those from there on, :data:`_AROUND` each.
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
    """(n,) whether after the frame there is a gap: a step over :data:`GAP_S` and :data:`GAP_STEPS` usual ones."""
    steps = np.diff(timestamp_s)
    usual = usual_steps(timestamp_s)[:-1]
    return np.append(steps > np.maximum(GAP_S, GAP_STEPS * usual) + 1e-6, np.zeros(min(1, len(timestamp_s)), np.bool_))


def _medians(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the median of each row, NaN left out; NaN of a row without any."""
    ordered = np.sort(windows, axis=1)  # NaN come last
    known, rows = np.isfinite(ordered).sum(axis=1), np.arange(len(ordered))
    low, high = (
        ordered[rows, np.maximum(known - 1, 0) // 2],
        ordered[rows, np.minimum(known // 2, ordered.shape[1] - 1)],
    )
    return np.asarray(np.where(known > 0, (low + high) / 2, np.nan))
