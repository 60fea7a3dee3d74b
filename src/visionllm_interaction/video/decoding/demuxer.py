"""The frames of an open container with their times, faults and reasons, in order of presentation."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frames import OK

TIME_UNIT = 1_000_000  # FFmpeg's AV_TIME_BASE
_NUDGE_S = 1e-6
_RECENT = 9


class Clock:
    """Rising times in seconds: one per frame, made up (and said so) where the file's do not rise."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def check(self, time_s: float | None, note: str) -> tuple[float, str]:
        """The time of one more frame, and its note."""
        last = self._recent[-1] if self._recent else None
        if time_s is None:
            time_s = self._next()
            note = "skipped: no time stamp" if note == OK else note
        elif last is not None and time_s <= last:
            time_s = last + _NUDGE_S
            note = "skipped: the time stamp does not rise" if note == OK else note
        self._recent.append(time_s)
        return time_s, note

    def _next(self) -> float:
        if len(self._recent) < 2:
            return self._recent[-1] + _NUDGE_S if self._recent else 0.0
        return self._recent[-1] + float(np.median(np.diff(self._recent)))


def walk(container: Any, stream: Any) -> Iterator[tuple[Any, float | None, str]]:
    """(frame or ``None``, time in seconds or ``None``, note) for each frame, damaged ones included."""
    start_s = (container.start_time or 0) / TIME_UNIT
    losses = _Losses()
    for packet in _packets(container, stream):
        losses.expect(packet.pts)
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, av.FFmpegError) and error.errno == errno.ENOMEM:
                raise MemoryError from error
            losses.blame(error)
            continue
        for frame in frames:
            for pts, reason in losses.before(frame.pts):
                yield None, float(pts * stream.time_base) - start_s, reason
            time_s = None if frame.time is None else frame.time - start_s
            yield frame, time_s, "damaged: marked corrupt by the decoder" if frame.is_corrupt else OK
    for pts, reason in losses.before(None):
        yield None, float(pts * stream.time_base) - start_s, reason


class _Losses:
    """Which frames are missing: a decoder works ahead, so its error does not say to which frame it belongs.

    A packet without a frame is a loss only after an error: some codecs have packets that show nothing.
    """

    def __init__(self) -> None:
        self._expected: list[int] = []
        self._reasons: deque[str] = deque()

    def expect(self, pts: int | None) -> None:
        """A packet with this time stamp was given to the decoder."""
        if pts is not None:
            heappush(self._expected, pts)

    def blame(self, error: Exception) -> None:
        """The decoder reported ``error``."""
        text = error.strerror if isinstance(error, av.FFmpegError) and error.strerror else str(error)
        self._reasons.append(f"damaged: {text}")

    def before(self, pts: int | None) -> Iterator[tuple[int, str]]:
        """Time stamp and reason of each frame lost before the one at ``pts`` (``None``: before the end)."""
        while self._expected and (pts is None or self._expected[0] <= pts):
            expected = heappop(self._expected)
            if expected != pts and self._reasons:
                yield expected, self._reasons.popleft()


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        # The file ends in the middle of a packet: what came before it is still good.
        return


def upright(image: NDArray[np.uint8], rotation_deg: int) -> NDArray[np.uint8]:
    """``image`` (H, W, …) turned counter-clockwise by a multiple of 90 degrees."""
    return np.rot90(image, rotation_deg // 90) if rotation_deg else image
