"""Read the frames of an open container in presentation order, with time stamps and notes on damaged frames."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain, islice, pairwise
from typing import Any

import av

from visionllm_interaction.core.frame_table import OK
from visionllm_interaction.video.decoding.stream_selection import audio_stream

TIME_UNIT = 1_000_000  # FFmpeg's AV_TIME_BASE
JOINABLE = frozenset({"mpegts", "mpeg", "ogg"})
"""Formats whose files may be concatenated, so that their clock may restart (``AVFMT_TS_DISCONT``)."""
NO_TIME = "skipped: no time stamp"
NOT_RISING = "skipped: the time stamp does not rise"
_NUDGE_S = 1e-6
_RECENT = 9
_HEAD = 64
"""The first audio packet is searched among so many packets."""
_BACK_S, _AHEAD_S = 0.1, 10.0
"""A larger jump back or ahead is a discontinuity of the clock; FFmpeg's command-line program uses the same limits."""


@dataclass(frozen=True)
class ClockJump:
    """A discontinuity of a file's clock: at ``at_s`` seconds it was ``by_s`` seconds ahead of the expected time."""

    at_s: float
    by_s: float


class TimestampEstimator:
    """Estimate the time stamp of a frame: its presentation time, or its decoding time where that is more reliable.

    AVI stores decoding times only, and some recorders write presentation times that do not increase.

    Source: ``guess_correct_pts`` in FFmpeg's ``libavcodec/decode.c`` (the *best effort time stamp*).
    """

    def __init__(self) -> None:
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        self._faulty_pts = self._faulty_dts = 0

    def guess(self, pts: int | None, dts: int | None) -> int | None:
        """The more reliable time stamp of the next frame, in units of the stream's time base."""
        if dts is not None:
            self._faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        return pts if pts is not None and (dts is None or self._faulty_pts <= self._faulty_dts) else dts


class ContinuousClock:
    """Map time stamps to one continuous clock, across discontinuities where files were concatenated.

    Args:
        joinable: whether the container format allows discontinuities.
        known: discontinuities found in another stream of the file; the same corrections are applied.
    """

    def __init__(self, *, joinable: bool, known: Sequence[ClockJump] = ()) -> None:
        self._joinable, self._known = joinable, known
        self._offset_s = 0.0
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self.clock_jumps: list[ClockJump] = []

    def shift(self, time_s: float) -> float:
        """Map ``time_s`` (seconds since the container's start) to the continuous clock."""
        shifted = time_s + self._offset_s
        if self._joinable and self._recent:
            expected_s = self._recent[-1] + typical_step_s(self._recent)
            if shifted < self._recent[-1] - _BACK_S or shifted > expected_s + _AHEAD_S:
                n = len(self.clock_jumps)
                by_s = self._known[n].by_s if n < len(self._known) else shifted - expected_s
                self.clock_jumps.append(ClockJump(expected_s, by_s))
                self._offset_s -= by_s
                shifted -= by_s
        self._recent.append(shifted)
        return shifted


def typical_step_s(times_s: deque[float]) -> float:
    """The median step between times; 0 of fewer than two."""
    # Plain Python: NumPy imports more on first use, and the process that decodes can open nothing.
    times = list(times_s)
    steps = sorted(after - before for before, after in pairwise(times))
    return steps[len(steps) // 2] if steps else 0.0


def peek_start(container: Any, packets: Iterator[Any]) -> tuple[float, Iterator[Any]]:
    """The start time of a container in seconds of its own clock, and an iterator over all ``packets``.

    It is the first time stamp of any stream, as players show it. For Matroska, newer versions of FFmpeg count from
    after the encoder delay of the sound (7 ms for Opus). Older versions, and players based on them, count from the
    first packet, which is also done here.
    """
    start_s = (container.start_time or 0) / TIME_UNIT
    sound = audio_stream(container) if "matroska" in container.format.name else None
    if sound is None:
        return start_s, packets
    head: list[Any] = []
    with suppress(av.FFmpegError):
        for packet in islice(packets, _HEAD):
            head.append(packet)
            if packet.stream.index == sound.index and packet.pts is not None:
                start_s = min(start_s, float(packet.pts * packet.time_base))
                break
    return start_s, chain(head, packets)


class FrameDemuxer:
    """One pass over the frames of ``stream`` in ``container``, with statistics about the file afterwards."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._start_s, self._source = peek_start(container, container.demux())
        self._clock = ContinuousClock(joinable=container.format.name in JOINABLE)
        self._stamps, self._lost_frames = TimestampEstimator(), _LostFrames()
        # AVI counts frames as they are stored; presentation times in it are FFmpeg's guesses.
        self._counts = container.format.name == "avi"
        self.reached_s = 0.0

    @property
    def clock_jumps(self) -> list[ClockJump]:
        """Discontinuities of the clock found so far."""
        return self._clock.clock_jumps

    def frames(self) -> Iterator[tuple[Any, float | None, str]]:
        """(frame or ``None``, time in seconds or ``None``, note) for each frame, damaged ones included."""
        time_s: float | None = None
        for packet in self._packets():
            self._lost_frames.expect(packet.pts)
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError) as error:
                if isinstance(error, av.FFmpegError) and error.errno == errno.ENOMEM:
                    raise MemoryError from error
                self._lost_frames.report_error(error)
                continue
            for frame in frames:
                yield from self._lost(frame.pts)
                time_s = self._time_of(frame, before_s=time_s)
                yield frame, time_s, "damaged: marked corrupt by the decoder" if frame.is_corrupt else OK
        yield from self._lost(None)

    def _time_of(self, frame: Any, *, before_s: float | None) -> float | None:
        ticks = self._stamps.guess(None if self._counts else frame.pts, frame.dts)
        if ticks is not None:
            return self._clock.shift(self._seconds(ticks))
        # Frames that the decoder held back until the end come out without their count.
        return before_s + self.header_step_s if self._counts and before_s is not None and self.header_step_s else None

    @property
    def header_step_s(self) -> float:
        """Seconds between frames by the header; 0 if it does not say."""
        rate = self._stream.average_rate
        return float(1 / rate) if rate else 0.0

    def _lost(self, pts: int | None) -> Iterator[tuple[None, float, str]]:
        for ticks, reason in self._lost_frames.before(pts):
            yield None, self._clock.shift(self._seconds(ticks)), reason

    def _seconds(self, ticks: int) -> float:
        return float(ticks * self._stream.time_base) - self._start_s

    def _packets(self) -> Iterator[Any]:
        """Packets of the stream; packets of other streams only extend ``reached_s``."""
        try:
            for packet in self._source:
                self._reach(packet)
                if packet.stream.index == self._stream.index:
                    yield packet
        except av.FFmpegError:
            # The file ends in the middle of a packet: what came before it is still good, also what the decoder holds.
            last = av.Packet()
            last.stream = self._stream
            yield last

    def _reach(self, packet: Any) -> None:
        ticks = packet.dts if packet.pts is None else packet.pts
        if ticks is not None and packet.time_base:
            end_s = float((ticks + (packet.duration or 0)) * packet.time_base) - self._start_s
            self.reached_s = max(self.reached_s, end_s)


def timed(frames: Iterator[tuple[Any, float | None, str]], *, step_s: float = 0.0) -> Iterator[tuple[Any, float, str]]:
    """Assign strictly increasing times in seconds to all frames.

    Frames without a usable time stamp are replaced by ``None`` and a note. Their times are spaced evenly between the
    neighbouring frames; those before the first time stamp are a step apart, or closer, so that the first of them is not
    before the container's start. If no frame has a time stamp, nothing is yielded.

    Args:
        frames: (frame or ``None``, time in seconds or ``None``, note).
        step_s: usual seconds between frames; 0 if it is not known.

    Yields:
        (frame or ``None``, time in seconds, note).
    """
    recent: deque[float] = deque(maxlen=_RECENT)
    waiting: list[str] = []
    for frame, time_s, note in frames:
        if time_s is None:
            waiting.append(NO_TIME if note == OK else note)
            continue
        rises = not recent or time_s > recent[-1]
        at_s = time_s if rises else recent[-1] + _NUDGE_S * (1 + len(waiting))
        begin_s = recent[-1] if recent else _begin_before(at_s, frames=len(waiting), step_s=step_s)
        yield from _spread(waiting, begin_s, at_s)
        waiting = []
        recent.append(at_s)
        if rises:
            yield frame, at_s, note
        else:
            yield None, at_s, NOT_RISING if note == OK else note
    if recent:
        end_s = recent[-1] + (typical_step_s(recent) or _NUDGE_S) * (1 + len(waiting))
        yield from _spread(waiting, recent[-1], end_s)


def _begin_before(first_s: float, *, frames: int, step_s: float) -> float:
    """From when on ``frames`` without a time stamp are spread before the first one with ``first_s``."""
    begin_s = first_s - (frames + 1) * (step_s or _NUDGE_S)
    # A little below 0, so that the first of them may lie at 0.
    at_start = -first_s / frames if frames else begin_s
    return max(begin_s, at_start) if first_s > 0 else begin_s


def _spread(notes: list[str], begin_s: float, end_s: float) -> Iterator[tuple[None, float, str]]:
    """One time for each of ``notes``, evenly between two times."""
    for n, note in enumerate(notes, start=1):
        yield None, begin_s + n * (end_s - begin_s) / (len(notes) + 1), note


class _LostFrames:
    """Find the frames that a decoder failed to decode: it works ahead, so its error does not name the frame.

    A packet without a frame counts as lost only after an error, because some codecs have packets without an image.
    """

    def __init__(self) -> None:
        self._expected: list[int] = []
        self._reasons: deque[str] = deque()

    def expect(self, pts: int | None) -> None:
        """A packet with this time stamp was given to the decoder."""
        if pts is not None:
            heappush(self._expected, pts)

    def report_error(self, error: Exception) -> None:
        """The decoder reported ``error``."""
        text = error.strerror if isinstance(error, av.FFmpegError) and error.strerror else str(error)
        self._reasons.append(f"damaged: {text}")

    def before(self, pts: int | None) -> Iterator[tuple[int, str]]:
        """Time stamp and reason of each frame lost before the one at ``pts`` (``None``: before the end)."""
        while self._expected and (pts is None or self._expected[0] <= pts):
            expected = heappop(self._expected)
            if expected != pts and self._reasons:
                yield expected, self._reasons.popleft()
