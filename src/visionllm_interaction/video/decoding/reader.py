"""Frames of a video with their real presentation times, decoded in a process of its own."""

from __future__ import annotations

import mmap
import os
import select
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frames import OK, UNCHANGED, Frame, FrameTable
from visionllm_interaction.errors import VideoError
from visionllm_interaction.utils.paths import StrPath
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.containers import SOUND_RATES, VideoInfo, open_video, over_limit
from visionllm_interaction.video.decoding.protocol import (
    Begin,
    Finished,
    Opened,
    Order,
    Picture,
    Refused,
    Report,
    Sound,
    Walked,
    pack,
    picture_shape,
    read_packed,
    write_all,
)
from visionllm_interaction.video.decoding.stream_selection import describe

_SLOTS = 3
"""Images the child may be ahead, besides what a reader queues."""
_SILENCE_S = 120.0
"""A child that neither works nor speaks for so long waits for a disk that does not answer."""
_COMMAND = ("-P", "-m", "visionllm_interaction.video.decoding.worker")
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True)
class Ending:
    """What is known of a video when it has been read to its end.

    Attributes:
        reached_s: end of the last packet of any stream, sound included.
        joints: (time, jump) in seconds where the clock began again, because parts were joined.
        resized: images of another size than the first one, which were scaled or fitted in.
    """

    reached_s: float
    joints: tuple[tuple[float, float], ...] = ()
    resized: int = 0


class VideoReader:
    """Iterate over the frames to look at; afterwards :meth:`frame_table` tells of every frame, looked at or not.

    Times are seconds since the container's start, from the presentation time stamps: never counted from a frame rate.
    Iterating again reads the file again. The file is decoded by a child process that can open no other file and no
    socket, with limits on memory and processor time; a file that breaks the decoder breaks only that process.

    Raises:
        VideoError: when the file is opened or read, if it is no video, over a limit, or holds no readable frame.
    """

    def __init__(self, path: StrPath, *, config: DecodeConfig = DecodeConfig()) -> None:
        path = Path(path)
        self._path = path
        self._config = config
        self._times: list[float] = []
        self._notes: list[str] = []
        self._fresh: _Child | None = _Child(path, config)
        self.info = self._fresh.info
        self.ending: Ending | None = None

    def __iter__(self) -> Iterator[Frame]:
        return self.frames("rgb")

    def frames(
        self, picture: Picture = "rgb", *, only_index: int | None = None, per_s: float | None = None
    ) -> Iterator[Frame]:
        """The frames to look at (or only the one with ``only_index``), in RGB or in grey and small.

        Of ``per_s`` of them a second if that is given; the others are met all the same.
        """
        after = 0
        slots = _SLOTS if per_s is None else 1  # with few images there is nothing to wait for, and they may be large
        for image in self._walk(Begin(picture, slots, only_index, per_s)):
            if image is not None:
                index = len(self._notes) - 1
                unchanged = tuple(self._times[n] for n in range(after, index) if self._notes[n] == UNCHANGED)
                yield Frame(index, self._times[index], image, unchanged)
                after = index + 1

    def scan(self) -> Iterator[int]:
        """Go through the file for its times alone; yields the index of each frame that would be looked at."""
        told = 0
        for _ in self._walk(Begin("none", _SLOTS)):
            for index in range(told, len(self._notes)):
                if self._notes[index] == OK:
                    yield index
            told = len(self._notes)

    def _walk(self, begin: Begin) -> Iterator[NDArray[np.uint8] | None]:
        """Log what the child says; yields the image of the last frame logged, or ``None``."""
        child, self._fresh = self._fresh or _Child(self._path, self._config), None
        self._times, self._notes, self.ending = [], [], None
        try:
            for report, image in child.read(begin):
                if isinstance(report, Finished):
                    self.ending = Ending(report.reached_s, tuple(report.joints), report.resized)
                    return
                self._times += report.times_s
                self._notes += report.notes
                yield image
        finally:
            child.close()

    def frame_table(self) -> FrameTable:
        """All frames met so far, in order of presentation."""
        processed = np.array([note == OK for note in self._notes], dtype=np.bool_)
        times = np.array(self._times, dtype=np.float64)
        # The images of a GIF stand as long as it says; a camera that sends none for a while has lost them.
        gaps = self.info.container != "gif"
        notes = tuple(self._notes)
        return FrameTable.from_times(np.arange(len(times)), times, processed=processed, quality=notes, gaps=gaps)


def read_sound_of(
    path: Path, *, config: DecodeConfig = DecodeConfig(), joints: Sequence[tuple[float, float]] = ()
) -> Iterator[Sound]:
    """The sound of a video as samples, decoded like its images in a process of its own; nothing if it has none.

    ``joints`` are those of the images' :class:`Ending`.

    Raises:
        VideoError: if the file or its sound cannot be read.
    """
    child = _Child(path, config, sound=True, joints=list(joints))
    try:
        yield from child.listen()
    finally:
        child.close()


def read_frame_at(path: StrPath, index: int, *, stream: int | None = None) -> Frame:
    """The frame with ``frame_index`` ``index``, by the same count as in a frame table.

    It decodes from the start, because variable frame rates leave no other way to count.

    Raises:
        VideoError: if the video is unreadable or has no such frame.
    """
    path = Path(path)
    for frame in VideoReader(path, config=DecodeConfig(stream=stream)).frames(only_index=index):
        return frame
    raise VideoError("The video has no such frame.", expected=f"frame {index}", found="none", where=str(path))


class _Child:
    """The process that decodes one video; its words are checked, its images copied."""

    def __init__(
        self,
        path: Path,
        config: DecodeConfig,
        *,
        sound: bool = False,
        joints: Sequence[tuple[float, float]] = (),
    ) -> None:
        self._path, self._config = path, config
        self._shared_bytes = _SLOTS * 3 * int(config.max_megapixels * 1e6)
        self._shared_fd = _shared_memory(self._shared_bytes)
        try:
            with open_video(path) as (video_fd, container):
                self._process = _start((video_fd, self._shared_fd))
                self.close = weakref.finalize(self, _end, self._process, self._shared_fd)
                order = _order(config, container, video_fd, shared=(self._shared_fd, self._shared_bytes))
                self._say(msgspec.structs.replace(order, sound=sound, joints=list(joints)))
                if not sound:
                    self.info = _info(path, container, self._opened())
        except BaseException:
            self.close() if hasattr(self, "close") else os.close(self._shared_fd)
            raise

    def listen(self) -> Iterator[Sound]:
        """The sound, piece by piece."""
        while not isinstance(report := self._hear(), Finished):
            if not isinstance(report, Sound) or not self._is_sane(report):
                raise self._crashed("it spoke out of turn")
            yield report

    def _is_sane(self, sound: Sound) -> bool:
        return (
            0.0 <= abs(sound.begin_s) <= self._config.max_duration_s
            and sound.channels in (1, 2)
            and sound.rate in SOUND_RATES
            and len(sound.samples) % (2 * sound.channels) == 0
        )

    def read(self, begin: Begin) -> Iterator[tuple[Walked | Finished, NDArray[np.uint8] | None]]:
        """What the child says about the next frames, with the image of the last of them; its last word comes last."""
        shape = picture_shape(begin.picture, self.info.width, self.info.height)
        size = begin.slots * int(np.prod(shape))
        if not size:
            self._say(begin)
            for report in self._walked():
                yield report, None
            return
        with mmap.mmap(self._shared_fd, size) as shared:
            self._say(begin)
            self._write(bytes(range(begin.slots)))
            for report in self._walked():
                slot = report.slot if isinstance(report, Walked) else None
                yield report, self._picture(shared, slot, shape)

    def _picture(self, shared: mmap.mmap, slot: int | None, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        if slot is None:
            return None
        count = int(np.prod(shape))
        # A copy, because the slot is given back; and its own memory, so that who gets it may draw on it.
        image = np.frombuffer(shared, np.uint8, count, slot * count).reshape(shape).copy()
        self._write(bytes([slot]))
        return image

    def _walked(self) -> Iterator[Walked | Finished]:
        while True:
            report = self._hear()
            if isinstance(report, Finished):
                yield report
                return
            if not isinstance(report, Walked) or len(report.times_s) != len(report.notes):
                raise self._crashed("it spoke out of turn")
            yield report

    def _opened(self) -> Opened:
        report = self._hear()
        if not isinstance(report, Opened) or report.width * report.height > self._config.max_megapixels * 1e6:
            raise self._crashed("it spoke out of turn")
        return report

    def _say(self, message: msgspec.Struct) -> None:
        self._write(pack(message))

    def _write(self, data: bytes) -> None:
        # A child that is gone has said why, or its exit code does: that is found when it is listened to.
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            write_all(self._process.stdin.fileno(), data)

    def _hear(self) -> Report:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], _SILENCE_S)[0]:
            raise self._crashed(f"no answer for {_SILENCE_S:g} s")
        try:
            content = read_packed(descriptor)
            report: Report | None = None if content is None else msgspec.msgpack.decode(content, type=Report)
        except (ValueError, msgspec.MsgspecError) as error:
            raise self._crashed("it spoke nonsense") from error
        if report is None:
            raise self._ended()
        if isinstance(report, Refused):
            where = str(self._path)
            raise VideoError(report.message, expected=report.expected, found=report.found, where=where, fix=report.fix)
        return report

    def _ended(self) -> VideoError:
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            limit = f"at most {self._config.stall_cpu_s} s of work for one frame (stall_cpu_s)"
            error = over_limit(expected=limit, found="a frame that takes longer")
            error.where = str(self._path)
            return error
        return self._crashed(signal.Signals(-code).name if code < 0 else f"exit code {code}")

    def _crashed(self, how: str) -> VideoError:
        return VideoError(
            "The video broke the decoder.",
            expected="a decoder that comes to an end",
            found=how,
            where=str(self._path),
            fix="convert the video with a program you trust it to: ffmpeg -i IN -c:v libx264 OUT.mp4",
        )


def _shared_memory(size: int) -> int:
    """A nameless file in memory; it takes space only where something is written."""
    descriptor = os.memfd_create("visionllm-pictures", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, size)
    return descriptor


def _start(descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *_COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        pass_fds=descriptors,
        env={**os.environ, **_QUIET},
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes], shared_fd: int) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.kill()
    process.wait()
    os.close(shared_fd)


def _order(config: DecodeConfig, container: str, video_fd: int, *, shared: tuple[int, int]) -> Order:
    return Order(
        video_fd=video_fd,
        shared_fd=shared[0],
        shared_bytes=shared[1],
        container=container,
        stream=config.stream,
        sound=False,
        joints=[],
        sample_fps=config.sample_fps,
        adaptive=config.adaptive,
        adaptive_change=config.adaptive_change,
        adaptive_gap_s=config.adaptive_gap_s,
        adaptive_margin_s=config.adaptive_margin_s,
        threads=config.threads,
        max_pixels=int(config.max_megapixels * 1e6),
        max_duration_s=config.max_duration_s,
        max_frames=config.max_frames,
        max_memory_bytes=config.max_memory_mb << 20,
        stall_cpu_s=config.stall_cpu_s,
        cpu_s_per_s=config.cpu_s_per_s,
    )


def _info(path: Path, container: str, opened: Opened) -> VideoInfo:
    return VideoInfo(
        path=path,
        container=container,
        codec=opened.codec,
        width=opened.width,
        height=opened.height,
        rotation_deg=opened.rotation_deg,
        header_fps=opened.fps,
        time_base=opened.time_base,
        declared_duration_s=opened.duration_s,
        declared_frames=opened.frames,
        stored_width=opened.stored_width,
        stored_height=opened.stored_height,
        pixel_aspect=opened.aspect,
        mirrored=opened.mirrored,
        stream=opened.stream,
        streams=tuple(describe(entry) for entry in opened.streams),
    )
