"""Frames of a video with their real presentation times."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frames import NOT_SAMPLED, OK, Frame, FrameTable
from visionllm_interaction.errors import VideoError
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.container import VideoInfo, open_container

_TIME_UNIT = 1_000_000  # FFmpeg's AV_TIME_BASE
_NUDGE_S = 1e-6


class VideoReader:
    """Iterate over the frames to look at; afterwards :meth:`frame_table` tells of every frame, looked at or not.

    Times are seconds since the container's start, from the presentation time stamps: never counted from a frame rate.
    Iterating again reads the file again.

    Raises:
        VideoError: when the file is opened or read, if it is no video, over a limit, or holds no readable frame.
    """

    def __init__(self, path: Path, *, config: DecodeConfig = DecodeConfig()) -> None:
        self._path = path
        self._config = config
        self._log = _FrameLog()
        with open_container(path) as (container, stream, name):
            self.info = _read_info(path, container, stream, name, config)

    def __iter__(self) -> Iterator[Frame]:
        for index, time_s, frame in self._walk():
            image = _upright(frame, self.info)
            if image is None:
                self._log.notes[index] = "skipped: the picture's size changed"
            else:
                yield Frame(index, time_s, image)
        if not any(note == OK for note in self._log.notes):
            raise _no_frames(self._path, len(self._log.notes))

    def scan(self) -> Iterator[int]:
        """Go through the file for its times alone; yields the index of each frame that would be looked at."""
        for index, _, _ in self._walk():
            yield index

    def _walk(self) -> Iterator[tuple[int, float, Any]]:
        """Index, time and undecoded picture of each frame to look at; all frames are noted."""
        self._log = _FrameLog()
        sampler = _Sampler(self._config.sample_fps)
        for frame, time_s, fault in _decode(self._path, self._config):
            note = self._log.check_time(time_s, fault)
            self._check_limits()
            if note == OK and not sampler.wants(self._log.times[-1]):
                note = NOT_SAMPLED
            self._log.notes.append(note)
            if note == OK:
                yield len(self._log.notes) - 1, self._log.times[-1], frame
        if not any(note == OK for note in self._log.notes):
            raise _no_frames(self._path, len(self._log.notes))

    def frame_table(self) -> FrameTable:
        """All frames met so far, in order of presentation."""
        n = len(self._log.notes)
        processed = np.array([note == OK for note in self._log.notes], dtype=np.bool_)
        times = np.array(self._log.times[:n], dtype=np.float64)
        return FrameTable.from_times(np.arange(n), times, processed=processed, quality=tuple(self._log.notes))

    def _check_limits(self) -> None:
        config, times = self._config, self._log.times
        if times[-1] > config.max_duration_s or len(times) > config.max_frames:
            raise _over_limit(
                self._path,
                expected=f"at most {config.max_duration_s:g} s and {config.max_frames} frames",
                found=f"frame {len(times)} at {times[-1]:.1f} s and no end",
            )


class _FrameLog:
    """Times and notes of the frames met so far."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.notes: list[str] = []

    def check_time(self, time_s: float | None, note: str) -> str:
        """Record a rising time for one more frame; returns its note."""
        last = self.times[-1] if self.times else None
        if time_s is None:
            self.times.append(self._next())
            return "skipped: no time stamp" if note == OK else note
        if last is not None and time_s <= last:
            self.times.append(last + _NUDGE_S)
            return "skipped: the time stamp does not rise" if note == OK else note
        self.times.append(time_s)
        return note

    def _next(self) -> float:
        if len(self.times) < 2:
            return self.times[-1] + _NUDGE_S if self.times else 0.0
        return self.times[-1] + float(np.median(np.diff(self.times[-9:])))


class _Sampler:
    """Chooses the first good frame of each interval of ``1 / fps`` seconds."""

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._last = -1

    def wants(self, time_s: float) -> bool:
        if self._fps is None:
            return True
        interval = int(np.floor(time_s * self._fps + 1e-6))
        if interval <= self._last:
            return False
        self._last = interval
        return True


def read_frame_at(path: Path, index: int) -> Frame:
    """The frame with ``frame_index`` ``index``, by the same count as in a frame table.

    It decodes from the start, because variable frame rates leave no other way to count.

    Raises:
        VideoError: if the video is unreadable or has no such frame.
    """
    config = DecodeConfig()
    with open_container(path) as (container, stream, name):
        info = _read_info(path, container, stream, name, config)
    log = _FrameLog()
    for number, (frame, time_s, note) in enumerate(_decode(path, config)):
        log.check_time(time_s, note)
        if number == index:
            image = _upright(frame, info) if frame is not None else None
            if image is not None:
                return Frame(index, log.times[-1], image)
            break
    raise VideoError("The video has no such frame.", expected=f"frame {index}", found="none", where=str(path))


def _decode(path: Path, config: DecodeConfig) -> Iterator[tuple[Any, float | None, str]]:
    """(frame or None, time in seconds or None, note) for each frame, damaged ones included."""
    with open_container(path) as (container, stream, _):
        stream.thread_type, stream.codec_context.thread_count = "AUTO", config.threads
        # The decoder itself refuses larger pictures, also those that come in the middle of a stream.
        stream.codec_context.options = {"max_pixels": str(int(config.max_megapixels * 1e6))}
        start_s = (container.start_time or 0) / _TIME_UNIT
        losses = _Losses()
        for packet in _packets(container, stream):
            losses.expect(packet.pts)
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError) as error:
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


def _upright(frame: Any, info: VideoInfo) -> NDArray[np.uint8] | None:
    """RGB pixels (H, W, 3) turned upright, or ``None`` if they are not of the video's size."""
    image: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    turned = np.rot90(image, info.rotation_deg // 90) if info.rotation_deg else image
    return np.ascontiguousarray(turned) if turned.shape == (info.height, info.width, 3) else None


def _read_info(path: Path, container: Any, stream: Any, name: str, config: DecodeConfig) -> VideoInfo:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > config.max_megapixels * 1e6:
        raise _over_limit(path, expected=f"at most {config.max_megapixels:g} megapixels", found=f"{width} x {height}")
    duration_s = container.duration / _TIME_UNIT if container.duration else None
    if duration_s is not None and duration_s > config.max_duration_s:
        raise _over_limit(path, expected=f"at most {config.max_duration_s:g} s", found=f"{duration_s:.0f} s")
    rotation = _rotation_deg(path)
    if rotation % 180:
        width, height = height, width
    return VideoInfo(
        path=path,
        container=name,
        codec=stream.codec_context.name,
        width=width,
        height=height,
        rotation_deg=rotation,
        fps=float(stream.average_rate) if stream.average_rate else None,
        time_base=str(stream.time_base),
        declared_duration_s=duration_s,
        declared_frames=stream.frames,
    )


def _rotation_deg(path: Path) -> int:
    """Counter-clockwise turn in [0, 360) that puts the pictures upright; PyAV tells it only of decoded frames."""
    for frame, _, _ in _decode(path, DecodeConfig(threads=1)):
        if frame is not None:
            return round(int(frame.rotation) / 90) * 90 % 360
    raise _no_frames(path, 0)


def _no_frames(path: Path, met: int) -> VideoError:
    return VideoError(
        "The video holds no frame that can be decoded.",
        expected="at least one whole frame",
        found=f"{met} frames, all damaged" if met else "none",
        where=str(path),
        fix="copy the file again from the camera; a cut-off MP4 can sometimes be repaired by untrunc",
    )


def _over_limit(path: Path, *, expected: str, found: str) -> VideoError:
    return VideoError(
        "The video is over a limit.",
        expected=expected,
        found=found,
        where=str(path),
        fix="cut or scale the video, or raise the limit in config/analysis.yaml (analysis.video.decode)",
    )
