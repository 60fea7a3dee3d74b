"""The process that decodes one file: how it is started, spoken with, checked and ended."""

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
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.errors import VideoError
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.containers import AUDIO_SAMPLE_RATES, VideoInfo, open_video, over_limit
from visionllm_interaction.video.decoding.stream_selection import describe_stream
from visionllm_interaction.video.decoding.worker_messages import (
    STAMP_KEYS,
    AudioChunk,
    ContainerStamps,
    DecodeFailure,
    DecodeRequest,
    Finished,
    FrameBatch,
    ReadRequest,
    StreamHeader,
    WorkerMessage,
    image_shape,
    pack,
    read_packed,
    write_all,
)

SLOTS = 3
"""Most images in shared memory that wait to be copied."""
_SILENCE_S = 120.0
"""Timeout for a decoder that neither works nor answers, for example because a disk does not respond."""
_COMMAND = ("-P", "-m", "visionllm_interaction.video.decoding.worker")
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class DecoderProcess:
    """The process that decodes one file. It is not trusted: its messages are validated and its images copied.

    Args:
        path: the file.
        config: stream, sampling and limits.
        sound: whether it decodes the sound, :meth:`audio_chunks`, and not the images, :meth:`read`.
        stamps: whether it reads the dates of the file only, :meth:`stamps`.
        clock_jumps: (time, jump) in seconds of discontinuities of the clock, for the sound.

    Raises:
        VideoError: if the file is no video, exceeds a limit, or breaks the process.

    Attributes:
        info: what the file says of itself; of images only.
        close: ends the process. It is ended too when nobody holds this object any more.
    """

    def __init__(
        self,
        path: Path,
        config: DecodeConfig,
        *,
        sound: bool = False,
        stamps: bool = False,
        clock_jumps: Sequence[tuple[float, float]] = (),
    ) -> None:
        self._path, self._config = path, config
        self._shared_bytes = SLOTS * 3 * int(config.max_megapixels * 1e6)
        self._shared_fd = _shared_memory(self._shared_bytes)
        try:
            with open_video(path) as (video_fd, container):
                self._process = _start((video_fd, self._shared_fd))
                self.close = weakref.finalize(self, _end, self._process, self._shared_fd)
                request = _request(config, container, video_fd, shared=(self._shared_fd, self._shared_bytes))
                jumps = list(clock_jumps)
                self._send(msgspec.structs.replace(request, sound=sound, stamps=stamps, clock_jumps=jumps))
                if not sound and not stamps:
                    self.info = _info(path, container, self._header())
        except BaseException:
            self.close() if hasattr(self, "close") else os.close(self._shared_fd)
            raise

    def audio_chunks(self) -> Iterator[AudioChunk]:
        """The sound in chunks."""
        while not isinstance(report := self._receive(), Finished):
            if not isinstance(report, AudioChunk) or not self._is_sane(report):
                raise self._crashed("it spoke out of turn")
            yield report

    def stamps(self) -> ContainerStamps:
        """The dates of the file."""
        report = self._receive()
        if not isinstance(report, ContainerStamps) or not set(report.entries) <= set(STAMP_KEYS):
            raise self._crashed("it spoke out of turn")
        return report

    def _is_sane(self, sound: AudioChunk) -> bool:
        return (
            0.0 <= abs(sound.begin_s) <= self._config.max_duration_s
            and sound.channels in (1, 2)
            and sound.rate in AUDIO_SAMPLE_RATES
            and len(sound.samples) % (2 * sound.channels) == 0
        )

    def read(self, read_request: ReadRequest) -> Iterator[tuple[FrameBatch | Finished, NDArray[np.uint8] | None]]:
        """Messages about the next frames, each with the image of the last frame in it; :class:`Finished` comes last."""
        shape = image_shape(read_request.pixel_format, self.info.width, self.info.height)
        size = read_request.slots * int(np.prod(shape))
        if not size:
            self._send(read_request)
            for report in self._frame_batches():
                yield report, None
            return
        with mmap.mmap(self._shared_fd, size) as shared:
            self._send(read_request)
            self._write(bytes(range(read_request.slots)))
            for report in self._frame_batches():
                slot = report.slot if isinstance(report, FrameBatch) else None
                yield report, self._image(shared, slot, shape)

    def _image(self, shared: mmap.mmap, slot: int | None, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        if slot is None:
            return None
        count = int(np.prod(shape))
        # A copy, because the slot is reused, and so that the caller may draw on the image.
        image = np.frombuffer(shared, np.uint8, count, slot * count).reshape(shape).copy()
        self._write(bytes([slot]))
        return image

    def _frame_batches(self) -> Iterator[FrameBatch | Finished]:
        while True:
            report = self._receive()
            if isinstance(report, Finished):
                yield report
                return
            if not isinstance(report, FrameBatch) or len(report.times_s) != len(report.notes):
                raise self._crashed("it spoke out of turn")
            yield report

    def _header(self) -> StreamHeader:
        report = self._receive()
        if not isinstance(report, StreamHeader) or report.width * report.height > self._config.max_megapixels * 1e6:
            raise self._crashed("it spoke out of turn")
        return report

    def _send(self, message: msgspec.Struct) -> None:
        self._write(pack(message))

    def _write(self, data: bytes) -> None:
        # A process that has ended sent the reason or left an exit code; both are evaluated on reading.
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            write_all(self._process.stdin.fileno(), data)

    def _receive(self) -> WorkerMessage:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], _SILENCE_S)[0]:
            raise self._crashed(f"no answer for {_SILENCE_S:g} s")
        try:
            content = read_packed(descriptor)
            report: WorkerMessage | None = (
                None if content is None else msgspec.msgpack.decode(content, type=WorkerMessage)
            )
        except (ValueError, msgspec.MsgspecError) as error:
            raise self._crashed("it spoke nonsense") from error
        if report is None:
            raise self._ended()
        if isinstance(report, DecodeFailure):
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
        given_mb = self._config.max_memory_mb  # FFmpeg's decoders may crash where they are denied memory
        return VideoError(
            "The video broke the decoder.",
            expected="a decoder that comes to an end",
            found=how,
            where=str(self._path),
            fix=f"if its images are large, allow more than {given_mb} MB of memory for decoding: "
            f"-o video.decode.max_memory_mb={2 * given_mb}; "
            "else convert the video with a program you trust it to: ffmpeg -i IN -c:v libx264 OUT.mp4",
        )


def _shared_memory(size: int) -> int:
    """An anonymous file in memory; it takes space only where something is written."""
    descriptor = os.memfd_create("visionllm-images", os.MFD_CLOEXEC)
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


def _request(config: DecodeConfig, container: str, video_fd: int, *, shared: tuple[int, int]) -> DecodeRequest:
    return DecodeRequest(
        video_fd=video_fd,
        shared_fd=shared[0],
        shared_bytes=shared[1],
        container=container,
        stream=config.stream,
        sound=False,
        stamps=False,
        clock_jumps=[],
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


def _info(path: Path, container: str, header: StreamHeader) -> VideoInfo:
    return VideoInfo(
        path=path,
        container=container,
        codec=header.codec,
        width=header.width,
        height=header.height,
        rotation_deg=header.rotation_deg,
        header_fps=header.fps,
        time_base=header.time_base,
        declared_duration_s=header.duration_s,
        declared_frames=header.frames,
        stored_width=header.stored_width,
        stored_height=header.stored_height,
        pixel_aspect=header.aspect,
        mirrored=header.mirrored,
        stream=header.stream,
        streams=tuple(describe_stream(entry) for entry in header.streams),
        metadata=tuple(header.metadata),
    )
