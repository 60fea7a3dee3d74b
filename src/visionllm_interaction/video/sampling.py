"""Which frames are looked at: all, one per interval, or those in which something has changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_CELLS_ACROSS = 96
"""Width of the small picture in which changes are looked for."""


class IntervalSampler:
    """Chooses the first good frame of each interval of ``1 / fps`` seconds; all frames if ``fps`` is ``None``."""

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._last = -1

    def wants(self, time_s: float) -> bool:
        """Whether the frame at ``time_s`` is to be looked at."""
        if self._fps is None:
            return True
        interval = int(np.floor(time_s * self._fps + 1e-6))
        if interval <= self._last:
            return False
        self._last = interval
        return True


class ChangeSampler:
    """Passes over frames that look like the last one chosen.

    Pictures are compared as means over cells (about 1/96 of the width), which sensor noise hardly moves: a frame is
    chosen if any cell's grey level differs by ``change`` or more (0-255), or ``gap_s`` after the last one chosen. Slow
    changes add up, because the comparison is with the last frame chosen and not with the last one seen.
    """

    def __init__(self, *, change: float, gap_s: float) -> None:
        self._change = change
        self._gap_s = gap_s
        self._last: NDArray[np.int16] | None = None
        self._last_s = 0.0

    def wants(self, frame: Any, time_s: float) -> bool:
        """Whether ``frame`` (of PyAV) at ``time_s`` is to be looked at."""
        cells = _cells(frame)
        if self._alike(cells) and time_s - self._last_s < self._gap_s - 1e-6:
            return False
        self._last, self._last_s = cells, time_s
        return True

    def _alike(self, cells: NDArray[np.int16]) -> bool:
        if self._last is None or self._last.shape != cells.shape:
            return False
        return int(np.abs(cells - self._last).max(initial=0)) < self._change


def _cells(frame: Any) -> NDArray[np.int16]:
    """Mean grey levels, (h, about 96)."""
    width = min(_CELLS_ACROSS, frame.width)
    height = max(1, round(frame.height * width / frame.width))
    small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
    return np.asarray(small.to_ndarray(), dtype=np.int16)
