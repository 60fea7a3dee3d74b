"""The process that decodes one video; started by :mod:`visionllm_interaction.video.decoding.reader`.

All imports happen before the process restricts itself; afterwards it cannot open any file.
"""

from __future__ import annotations

import mmap
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import av.audio.resampler
import av.sidedata.sidedata
import av.subtitles.codeccontext  # PyAV imports these on first use, which is too late once nothing can be opened
import av.subtitles.stream
import av.subtitles.subtitle
import msgspec
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frame_table import NOT_SAMPLED, OK
from visionllm_interaction.errors import VideoError
from visionllm_interaction.video.decoding.audio import decode_audio
from visionllm_interaction.video.decoding.canvas import Canvas, pixel_aspect
from visionllm_interaction.video.decoding.containers import (
    corrupt_video,
    no_frames,
    no_stream,
    no_times,
    over_limit,
    require_supported_codec,
)
from visionllm_interaction.video.decoding.demuxer import JOINABLE, TIME_UNIT, ClockJump, FrameDemuxer, timed
from visionllm_interaction.video.decoding.frame_sampling import CandidateFrame, ChangeSampler, IntervalSampler
from visionllm_interaction.video.decoding.metadata_names import metadata_names
from visionllm_interaction.video.decoding.sandbox import allow_cpu, lock_down
from visionllm_interaction.video.decoding.stream_selection import audio_stream, choose_stream, entry_of, video_streams
from visionllm_interaction.video.decoding.worker_messages import (
    STAMP_KEYS,
    ContainerStamps,
    DecodeFailure,
    DecodeRequest,
    Finished,
    FrameBatch,
    ReadRequest,
    StreamHeader,
    image_shape,
    pack,
    read_exactly,
    read_packed,
    write_all,
)

_IN, _OUT = 0, 1
_NOTES_AT_ONCE = 256
_STAMP_CHARACTERS = 64
_GIF_CPU_S, _GIF_CPU_S_PER_S = 3.0, 0.25
"""A GIF can ask for gigabytes of pixels with a few bytes; honest ones are small and short."""


def main() -> int:
    """Handle one :class:`DecodeRequest`; the exit code is 0 unless the parent has ended."""
    request = _receive(DecodeRequest)
    if request is None:
        return 1
    shared = mmap.mmap(request.shared_fd, request.shared_bytes)
    with os.fdopen(request.video_fd, "rb", buffering=0, closefd=False) as video:
        lock_down(max_memory_bytes=request.max_memory_bytes + request.shared_bytes)
        allow_cpu(request.stall_cpu_s)
        try:
            _decode(video, shared, request)
        except VideoError as error:
            _send(DecodeFailure(error.message, error.expected, error.found, error.fix))
        except MemoryError:
            memory = f"at most {request.max_memory_bytes >> 20} MB of memory for decoding (max_memory_mb)"
            limit = over_limit(expected=memory, found="a file that needs more")
            _send(DecodeFailure(limit.message, limit.expected, limit.found, limit.fix))
        except BrokenPipeError:
            return 1
    return 0


def _decode(video: BinaryIO, shared: mmap.mmap, request: DecodeRequest) -> None:
    try:
        # The file is read through its descriptor, so the name of no protocol or file can matter; none is allowed.
        container = av.open(video, format=request.container, options={"protocol_whitelist": "none"})
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, MemoryError):
            raise
        raise corrupt_video(request.container, str(error)) from error
    with container:
        if request.stamps:
            _send(_stamps(container))
            return
        if request.sound:
            _send_audio(container, request)
            return
        stream = choose_stream(container, request.stream)
        if stream is None:
            raise no_stream()
        _VideoDecoder(request, shared, container, stream).run()


def _send_audio(container: Any, request: DecodeRequest) -> None:
    """Send the sound, if there is any."""
    stream, clock_jumps = audio_stream(container), [ClockJump(*jump) for jump in request.clock_jumps]
    for sound in decode_audio(container, stream, clock_jumps=clock_jumps) if stream is not None else ():
        check_limits(request, sound.begin_s, 0)
        _send(sound)
    _send(Finished())


def _stamps(container: Any) -> ContainerStamps:
    """The dates of the container, else of its first stream that has one; and whether a GoPro wrote it."""
    found: dict[str, str] = {}
    for metadata in (container.metadata, *(stream.metadata for stream in container.streams)):
        for key, value in metadata.items():
            if key.lower() in STAMP_KEYS:
                found.setdefault(key.lower(), str(value)[:_STAMP_CHARACTERS])
            if key.lower() == "handler_name" and "gopro" in str(value).lower():
                found["maker"] = "GoPro"
    return ContainerStamps(found, container.duration / TIME_UNIT if container.duration else None)


class _VideoDecoder:
    """One pass through an open container."""

    def __init__(self, request: DecodeRequest, shared: mmap.mmap, container: Any, stream: Any) -> None:
        self._request, self._shared = request, shared
        self._container, self._stream = container, stream
        self._interval = IntervalSampler(request.sample_fps)
        self._change = ChangeSampler(
            change=request.adaptive_change, gap_s=request.adaptive_gap_s, margin_s=request.adaptive_margin_s
        )
        self._demuxer = FrameDemuxer(container, stream)
        self._batch = FrameBatch([], [])
        self._n_frames = self._n_processed = self._n_decoded = self._n_resized = 0

    def run(self) -> None:
        """Send the header, wait for the :class:`ReadRequest`, and send the frames."""
        self._check_header()
        sound = audio_stream(self._container)
        kept = (self._stream.index, *(() if sound is None else (sound.index,)))
        self._metadata = metadata_names(self._container, kept=kept)
        frames = timed(self._within_limits(), step_s=self._demuxer.header_step_s)
        held = []
        for item in frames:
            held.append(item)
            if item[0] is not None:
                break
        else:
            raise no_times(self._n_decoded) if self._n_decoded and not held else no_frames(len(held))
        self._aspect = pixel_aspect(self._stream)
        self._canvas = Canvas.of(held[-1][0], self._aspect)
        self._check_canvas()
        _send(self._header())
        read_request = _receive(ReadRequest)
        if read_request is None:
            return
        self._prepare(read_request)
        for item in _chain(held, frames):
            if self._add_frame(*item, read_request=read_request):
                break
        else:
            for candidate in self._change.end():
                self._record(candidate)
            if not self._n_processed and read_request.only_index is None:
                raise no_frames(self._n_frames)
        _send(self._batch)
        clock_jumps = [(jump.at_s, jump.by_s) for jump in self._demuxer.clock_jumps]
        _send(Finished(self._demuxer.reached_s, clock_jumps, self._n_resized))

    def _within_limits(self) -> Iterator[tuple[Any, float | None, str]]:
        last_s = 0.0
        for frame, time_s, note in self._demuxer.frames():
            last_s = last_s if time_s is None else time_s
            self._n_decoded += 1
            check_limits(self._request, last_s, self._n_decoded)
            yield frame, time_s, note

    def _check_header(self) -> None:
        codec, request = self._stream.codec_context, self._request
        require_supported_codec(codec.name)
        if codec.width * codec.height > request.max_pixels:
            found = f"{codec.width} x {codec.height}"
            raise over_limit(expected=f"at most {request.max_pixels / 1e6:g} megapixels", found=found)
        # Of files that can be joined from parts the length is only estimated, and wrong if they were.
        duration_s = None if request.container in JOINABLE else self._duration_s()
        if duration_s is not None and duration_s > request.max_duration_s:
            raise over_limit(expected=f"at most {request.max_duration_s:g} s", found=f"{duration_s:.0f} s")
        self._stream.thread_type, codec.thread_count = "AUTO", request.threads
        # The decoder itself refuses larger images, also those that come in the middle of a stream.
        codec.options = {"max_pixels": str(request.max_pixels)}

    def _duration_s(self) -> float | None:
        return self._container.duration / TIME_UNIT if self._container.duration else None

    def _check_canvas(self) -> None:
        width, height = self._canvas.upright_px
        if width * height > self._request.max_pixels:
            found = f"{width} x {height} in square pixels"
            raise over_limit(expected=f"at most {self._request.max_pixels / 1e6:g} megapixels", found=found)

    def _header(self) -> StreamHeader:
        stream, canvas = self._stream, self._canvas
        return StreamHeader(
            stream=stream.index,
            streams=[entry_of(each) for each in video_streams(self._container)],
            codec=stream.codec_context.name,
            width=canvas.upright_px[0],
            height=canvas.upright_px[1],
            stored_width=canvas.stored_upright_px[0],
            stored_height=canvas.stored_upright_px[1],
            aspect=str(self._aspect),
            rotation_deg=canvas.orientation.rotation_deg,
            mirrored=canvas.orientation.mirrored,
            fps=float(stream.average_rate) if stream.average_rate else None,
            time_base=str(stream.time_base),
            duration_s=self._duration_s(),
            frames=stream.frames,
            metadata=self._metadata,
        )

    def _prepare(self, read_request: ReadRequest) -> None:
        self._slots: NDArray[np.uint8] | None = None
        self._image_sampler = IntervalSampler(read_request.per_s)
        header = self._header()
        shape = image_shape(read_request.pixel_format, header.width, header.height)
        size = read_request.slots * int(np.prod(shape))
        if size:
            self._slots = np.frombuffer(self._shared, np.uint8, size).reshape(read_request.slots, *shape)

    def _add_frame(self, frame: Any, at_s: float, note: str, *, read_request: ReadRequest) -> bool:
        """Sample one frame and record the decided ones; True when no further frame is needed."""
        index = self._n_frames
        self._n_frames += 1
        self._n_resized += frame is not None and not self._canvas.fits(frame)
        if read_request.only_index is not None:
            note = note if index == read_request.only_index else NOT_SAMPLED
        elif note == OK and not self._interval.wants(at_s):
            note = NOT_SAMPLED
        candidate = CandidateFrame(at_s, note, frame if note == OK else None)
        adaptive = self._request.adaptive and read_request.only_index is None
        for decided in self._change.add(candidate) if adaptive else (candidate,):
            self._record(decided)
        return index == read_request.only_index

    def _record(self, candidate: CandidateFrame) -> None:
        """Record a frame, and send its image if it is sampled."""
        self._batch.times_s.append(candidate.time_s)
        self._batch.notes.append(candidate.note)
        if candidate.note == OK:
            self._n_processed += 1
            if self._image_sampler.wants(candidate.time_s):
                self._flush(self._write_image(candidate.frame))
        if len(self._batch.notes) >= _NOTES_AT_ONCE:
            self._flush(None)

    def _write_image(self, frame: Any) -> int | None:
        """Write the image to a free slot and return the slot's number."""
        if self._slots is None:
            return None
        answer = read_exactly(_IN, 1)
        if answer is None:
            raise BrokenPipeError
        slot = self._slots[answer[0]]
        slot[...] = self._canvas.draw(frame, slot.shape)
        return answer[0]

    def _flush(self, slot: int | None) -> None:
        if self._batch.notes and (slot is not None or len(self._batch.notes) >= _NOTES_AT_ONCE):
            _send(msgspec.structs.replace(self._batch, slot=slot))
            self._batch = FrameBatch([], [])


def check_limits(request: DecodeRequest, time_s: float, n_frames: int) -> None:
    """Stop if the video is too long or takes too much processor time.

    Args:
        request: holds the limits.
        time_s: time of the current frame in seconds.
        n_frames: number of frames read so far.

    Raises:
        VideoError: if a limit is exceeded.
    """
    allow_cpu(request.stall_cpu_s)
    if time_s > request.max_duration_s or n_frames > request.max_frames:
        raise over_limit(
            expected=f"at most {request.max_duration_s:g} s and {request.max_frames} frames",
            found=f"frame {n_frames} at {time_s:.1f} s and no end",
        )
    used_s = time.process_time()
    least_s, per_s = float(request.stall_cpu_s), request.cpu_s_per_s
    if request.container == "gif":
        least_s, per_s = min(least_s, _GIF_CPU_S), min(per_s, _GIF_CPU_S_PER_S)
    if used_s > least_s + per_s * time_s:
        raise over_limit(
            expected=f"at most {least_s:g} s of work, and {per_s:g} s for each second of video",
            found=f"{used_s:.1f} s for {time_s:.1f} s",
        )


def _chain(held: list[Any], rest: Any) -> Any:
    """The held frames, then the rest; held frames are released as soon as they are yielded."""
    while held:
        yield held.pop(0)
    yield from rest


def _send(message: msgspec.Struct) -> None:
    write_all(_OUT, pack(message))


def _receive(kind: type[Any]) -> Any:
    content = read_packed(_IN)
    return None if content is None else msgspec.msgpack.decode(content, type=kind)


if __name__ == "__main__":
    sys.exit(main())
