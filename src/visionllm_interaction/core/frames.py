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
        duration_s: (n,) float64 seconds that the frame stands for: until the next frame (the last one: the median
            step). Frames of a quality in :data:`SKIPPED_QUALITIES` stand for none: the frame before them does. The
            sum is always the length of the video.
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
    ) -> FrameTable:
        """Build the table; ``duration_s`` follows from the steps between time stamps.

        Args:
            frame_index: (n,) int64, rising.
            timestamp_s: (n,) float64 seconds, rising.
            processed: (n,) bool.
            quality: n texts; default: :data:`OK` for every frame.

        Returns:
            The table of n frames.
        """
        times = np.asarray(timestamp_s, dtype=np.float64)
        notes = quality or (OK,) * len(times)
        steps = np.diff(times)
        end = times[-1] + (float(np.median(steps)) if len(steps) else 0.0) if len(times) else 0.0
        bearing = np.array([note not in SKIPPED_QUALITIES for note in notes], dtype=np.bool_)
        durations = np.zeros(len(times))
        durations[bearing] = np.diff(np.append(times[bearing], end))
        return cls(frame_index, times, durations, processed, notes)
