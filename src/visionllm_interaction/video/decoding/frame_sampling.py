"""Frame sampling: all frames, one per interval, or those that differ from earlier ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frame_table import OK, UNCHANGED

_SLACK_S = 1e-6
_CLOCK_S, _EARLY_SHARE = 0.00101, 0.25
_CELLS_ACROSS = 96
"""Width in pixels of the downscaled image in which changes are detected."""


class IntervalSampler:
    """Chooses the first good frame of each interval of ``1 / fps`` seconds; all frames if ``fps`` is ``None``.

    A frame that comes a millisecond early counts for the interval: many clocks know whole milliseconds only.
    """

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._early_s = 0.0 if fps is None else min(_CLOCK_S, _EARLY_SHARE / fps)
        self._last = -1

    def wants(self, time_s: float) -> bool:
        """Whether the frame at ``time_s`` is to be processed."""
        if self._fps is None:
            return True
        interval = int(np.floor((time_s + self._early_s) * self._fps))
        if interval <= self._last:
            return False
        # A frame between two intervals counts for the first if that has none yet: interval limits drift against frames.
        before = int(np.floor((time_s - self._early_s) * self._fps))
        self._last = before if before == self._last + 1 else interval
        return True


class CandidateFrame(NamedTuple):
    """A frame to sample: its time, its quality note, and the PyAV frame (``None`` if it could not be decoded)."""

    time_s: float
    note: str
    frame: Any


class ChangeSampler:
    """Adaptive sampling: skips frames that are similar to a frame selected before.

    Images are compared by their mean grey levels in cells about 1/96 of the width, which are robust to sensor noise.
    The reference is the last frame selected because of a change or a gap, so that slow changes accumulate.
    Movements begin and end with smaller changes, so frames close to a change are selected too.

    Args:
        change: a frame is selected if the grey level (0-255) of any cell differs by at least this.
        gap_s: a frame is selected after this time in any case.
        margin_s: frames up to this time before and after a change are selected too.
        held_bytes: memory for frames that wait for a possible change after them.
    """

    def __init__(self, *, change: float, gap_s: float, margin_s: float = 0.0, held_bytes: int = 1 << 25) -> None:
        self._change = change
        self._gap_s, self._margin_s = gap_s, margin_s
        self._held_bytes = held_bytes
        self._held: deque[CandidateFrame] = deque()
        self._reference: NDArray[np.int16] | None = None
        self._changed_s = self._chosen_s = -np.inf

    def add(self, candidate: CandidateFrame) -> Iterator[CandidateFrame]:
        """Frames decided by now, in order: to be processed (``OK``), or with the note ``UNCHANGED`` or another one."""
        chosen = candidate.note == OK and self._choose(candidate)
        if candidate.note == OK and not chosen:
            candidate = candidate._replace(note=UNCHANGED)
        self._held.append(candidate)
        if chosen:
            yield from self.end()
        while self._held and self._is_over(self._held[0], candidate):
            yield self._held.popleft()

    def end(self) -> Iterator[CandidateFrame]:
        """The remaining frames."""
        while self._held:
            yield self._held.popleft()

    def _is_over(self, first: CandidateFrame, now: CandidateFrame) -> bool:
        """Whether no later change can affect ``first``, or the held frames take too much memory."""
        size = first.frame.width * first.frame.height * 3 // 2 if first.frame is not None else 0
        return now.time_s - first.time_s > self._margin_s - _SLACK_S or len(self._held) * size > self._held_bytes

    def _choose(self, candidate: CandidateFrame) -> bool:
        cells = _cells(candidate.frame)
        if self._reference is None:
            self._reference = cells
        elif not self._is_similar(cells, self._reference):
            self._include_margin(candidate.time_s)
            self._reference, self._changed_s = cells, candidate.time_s
        elif candidate.time_s - self._chosen_s >= self._gap_s - _SLACK_S:
            self._reference = cells
        elif candidate.time_s - self._changed_s > self._margin_s + _SLACK_S:
            return False
        self._chosen_s = candidate.time_s
        return True

    def _include_margin(self, time_s: float) -> None:
        for n, candidate in enumerate(self._held):
            if candidate.note == UNCHANGED and candidate.time_s >= time_s - self._margin_s - _SLACK_S:
                self._held[n] = candidate._replace(note=OK)

    def _is_similar(self, one: NDArray[np.int16], two: NDArray[np.int16]) -> bool:
        return one.shape == two.shape and int(np.abs(one - two).max(initial=0)) < self._change


def _cells(frame: Any) -> NDArray[np.int16]:
    """Mean grey levels, (h, about 96)."""
    width = min(_CELLS_ACROSS, frame.width)
    height = max(1, round(frame.height * width / frame.width))
    small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
    return np.asarray(small.to_ndarray(), dtype=np.int16)
