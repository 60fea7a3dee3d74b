"""Which frames are looked at: all, one per interval, or those in which something has changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frames import OK, UNCHANGED

_SLACK_S = 1e-6
_CLOCK_S, _EARLY_SHARE = 0.00101, 0.25
_CELLS_ACROSS = 96
"""Width of the small image in which changes are looked for."""


class IntervalSampler:
    """Chooses the first good frame of each interval of ``1 / fps`` seconds; all frames if ``fps`` is ``None``.

    A frame that comes a millisecond early counts for the interval: many clocks know whole milliseconds only.
    """

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._early_s = 0.0 if fps is None else min(_CLOCK_S, _EARLY_SHARE / fps)
        self._last = -1

    def wants(self, time_s: float) -> bool:
        """Whether the frame at ``time_s`` is to be looked at."""
        if self._fps is None:
            return True
        interval = int(np.floor((time_s + self._early_s) * self._fps))
        if interval <= self._last:
            return False
        # A frame on the border of two takes the first one if that is still without: borders drift over the frames.
        before = int(np.floor((time_s - self._early_s) * self._fps))
        self._last = before if before == self._last + 1 else interval
        return True


class Met(NamedTuple):
    """One frame met: its time, what was said of it, and itself (of PyAV; ``None`` if it could not be decoded)."""

    time_s: float
    note: str
    frame: Any


class ChangeSampler:
    """Passes over frames that look like one chosen before.

    Images are compared as means over cells (about 1/96 of the width), which sensor noise hardly moves: a frame is
    chosen if any cell's grey level differs by ``change`` or more (0-255), or ``gap_s`` after the last one chosen. Slow
    changes add up: the comparison is with the last frame chosen for such a reason, not with the last one seen.
    Movements begin and end with less than that, so the frames up to ``margin_s`` before and after a change are chosen
    too. Those before are kept until then, as far as they take no more than ``held_bytes``.
    """

    def __init__(self, *, change: float, gap_s: float, margin_s: float = 0.0, held_bytes: int = 1 << 25) -> None:
        self._change = change
        self._gap_s, self._margin_s = gap_s, margin_s
        self._held_bytes = held_bytes
        self._held: deque[Met] = deque()
        self._reference: NDArray[np.int16] | None = None
        self._changed_s = self._chosen_s = -np.inf

    def add(self, met: Met) -> Iterator[Met]:
        """Frames that are decided upon now, in order: good ones to be looked at, or with the note ``UNCHANGED``."""
        chosen = met.note == OK and self._choose(met)
        if met.note == OK and not chosen:
            met = met._replace(note=UNCHANGED)
        self._held.append(met)
        if chosen:
            yield from self.end()
        while self._held and self._is_over(self._held[0], met):
            yield self._held.popleft()

    def end(self) -> Iterator[Met]:
        """Those that are left."""
        while self._held:
            yield self._held.popleft()

    def _is_over(self, first: Met, now: Met) -> bool:
        """Whether no change can come that still concerns ``first``, or too much is kept."""
        size = first.frame.width * first.frame.height * 3 // 2 if first.frame is not None else 0
        return now.time_s - first.time_s > self._margin_s - _SLACK_S or len(self._held) * size > self._held_bytes

    def _choose(self, met: Met) -> bool:
        cells = _cells(met.frame)
        if self._reference is None:
            self._reference = cells
        elif not self._alike(cells, self._reference):
            self._look_back(met.time_s)
            self._reference, self._changed_s = cells, met.time_s
        elif met.time_s - self._chosen_s >= self._gap_s - _SLACK_S:
            self._reference = cells
        elif met.time_s - self._changed_s > self._margin_s + _SLACK_S:
            return False
        self._chosen_s = met.time_s
        return True

    def _look_back(self, time_s: float) -> None:
        for n, met in enumerate(self._held):
            if met.note == UNCHANGED and met.time_s >= time_s - self._margin_s - _SLACK_S:
                self._held[n] = met._replace(note=OK)

    def _alike(self, one: NDArray[np.int16], two: NDArray[np.int16]) -> bool:
        return one.shape == two.shape and int(np.abs(one - two).max(initial=0)) < self._change


def _cells(frame: Any) -> NDArray[np.int16]:
    """Mean grey levels, (h, about 96)."""
    width = min(_CELLS_ACROSS, frame.width)
    height = max(1, round(frame.height * width / frame.width))
    small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
    return np.asarray(small.to_ndarray(), dtype=np.int16)
