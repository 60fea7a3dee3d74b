"""The process that decodes one video; started by :mod:`visionllm_interaction.video.decoding.reader`.

Everything it needs is imported before it locks itself in; afterwards it can open nothing.
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

from visionllm_interaction.core.frames import NOT_SAMPLED, OK
from visionllm_interaction.errors import VideoError
from visionllm_interaction.video.decoding.audio import read_sound
from visionllm_interaction.video.decoding.canvas import Canvas, pixel_aspect
from visionllm_interaction.video.decoding.containers import (
    broken,
    no_frames,
    no_stream,
    no_times,
    over_limit,
    strange_codec,
)
from visionllm_interaction.video.decoding.demuxer import JOINABLE, TIME_UNIT, Joint, Walk, timed
from visionllm_interaction.video.decoding.frame_sampling import ChangeSampler, IntervalSampler, Met
from visionllm_interaction.video.decoding.protocol import (
    Begin,
    Finished,
    Opened,
    Order,
    Refused,
    Walked,
    pack,
    picture_shape,
    read_exactly,
    read_packed,
    write_all,
)
from visionllm_interaction.video.decoding.sandbox import allow_cpu, lock_down
from visionllm_interaction.video.decoding.stream_selection import choose_stream, entry_of, sound_stream, video_streams

_IN, _OUT = 0, 1
_NOTES_AT_ONCE = 256
_GIF_CPU_S, _GIF_CPU_S_PER_S = 3.0, 0.25
"""A GIF can ask for gigabytes of pixels with a few bytes; honest ones are small and short."""


def main() -> int:
    """Obey one order; the exit code is 0 unless the parent is gone."""
    order = _receive(Order)
    if order is None:
        return 1
    shared = mmap.mmap(order.shared_fd, order.shared_bytes)
    with os.fdopen(order.video_fd, "rb", buffering=0, closefd=False) as video:
        lock_down(max_memory_bytes=order.max_memory_bytes + order.shared_bytes)
        allow_cpu(order.stall_cpu_s)
        try:
            _decode(video, shared, order)
        except VideoError as error:
            _send(Refused(error.message, error.expected, error.found, error.fix))
        except MemoryError:
            memory = f"at most {order.max_memory_bytes >> 20} MB of memory for decoding (max_memory_mb)"
            limit = over_limit(expected=memory, found="a file that needs more")
            _send(Refused(limit.message, limit.expected, limit.found, limit.fix))
        except BrokenPipeError:
            return 1
    return 0


def _decode(video: BinaryIO, shared: mmap.mmap, order: Order) -> None:
    try:
        # The file is read through its descriptor, so the name of no protocol or file can matter; none is allowed.
        container = av.open(video, format=order.container, options={"protocol_whitelist": "none"})
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, MemoryError):
            raise
        raise broken(order.container, str(error)) from error
    with container:
        if order.sound:
            _listen(container, order)
            return
        stream = choose_stream(container, order.stream)
        if stream is None:
            raise no_stream()
        _Decoding(order, shared, container, stream).run()


def _listen(container: Any, order: Order) -> None:
    """Send the sound, if there is any."""
    stream, joints = sound_stream(container), [Joint(*joint) for joint in order.joints]
    for sound in read_sound(container, stream, joints=joints) if stream is not None else ():
        check_limits(order, sound.begin_s, 0)
        _send(sound)
    _send(Finished())


class _Decoding:
    """One pass through an open container."""

    def __init__(self, order: Order, shared: mmap.mmap, container: Any, stream: Any) -> None:
        self._order, self._shared = order, shared
        self._container, self._stream = container, stream
        self._interval = IntervalSampler(order.sample_fps)
        self._change = ChangeSampler(
            change=order.adaptive_change, gap_s=order.adaptive_gap_s, margin_s=order.adaptive_margin_s
        )
        self._walk = Walk(container, stream)
        self._walked = Walked([], [])
        self._met = self._good = self._raw = self._resized = 0

    def run(self) -> None:
        """Say what the file is, wait for the word to begin, and send its frames."""
        self._check_header()
        frames = timed(self._within_limits())
        held = []
        for item in frames:
            held.append(item)
            if item[0] is not None:
                break
        else:
            raise no_times(self._raw) if self._raw and not held else no_frames(len(held))
        self._aspect = pixel_aspect(self._stream)
        self._canvas = Canvas.of(held[-1][0], self._aspect)
        self._check_canvas()
        _send(self._opened())
        begin = _receive(Begin)
        if begin is None:
            return
        self._prepare(begin)
        for item in _chain(held, frames):
            if self._take(*item, begin=begin):
                break
        else:
            for met in self._change.end():
                self._tell(met)
            if not self._good and begin.only_index is None:
                raise no_frames(self._met)
        _send(self._walked)
        joints = [(joint.at_s, joint.by_s) for joint in self._walk.joints]
        _send(Finished(self._walk.reached_s, joints, self._resized))

    def _within_limits(self) -> Iterator[tuple[Any, float | None, str]]:
        last_s = 0.0
        for frame, time_s, note in self._walk.frames():
            last_s = last_s if time_s is None else time_s
            self._raw += 1
            check_limits(self._order, last_s, self._raw)
            yield frame, time_s, note

    def _check_header(self) -> None:
        codec, order = self._stream.codec_context, self._order
        strange_codec(codec.name)
        if codec.width * codec.height > order.max_pixels:
            found = f"{codec.width} x {codec.height}"
            raise over_limit(expected=f"at most {order.max_pixels / 1e6:g} megapixels", found=found)
        # Of files that can be joined from parts the length is only estimated, and wrong if they were.
        duration_s = None if order.container in JOINABLE else self._duration_s()
        if duration_s is not None and duration_s > order.max_duration_s:
            raise over_limit(expected=f"at most {order.max_duration_s:g} s", found=f"{duration_s:.0f} s")
        self._stream.thread_type, codec.thread_count = "AUTO", order.threads
        # The decoder itself refuses larger images, also those that come in the middle of a stream.
        codec.options = {"max_pixels": str(order.max_pixels)}

    def _duration_s(self) -> float | None:
        return self._container.duration / TIME_UNIT if self._container.duration else None

    def _check_canvas(self) -> None:
        width, height = self._canvas.upright_px
        if width * height > self._order.max_pixels:
            found = f"{width} x {height} in square pixels"
            raise over_limit(expected=f"at most {self._order.max_pixels / 1e6:g} megapixels", found=found)

    def _opened(self) -> Opened:
        stream, canvas = self._stream, self._canvas
        return Opened(
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
        )

    def _prepare(self, begin: Begin) -> None:
        self._slots: NDArray[np.uint8] | None = None
        self._shown = IntervalSampler(begin.per_s)
        opened = self._opened()
        shape = picture_shape(begin.picture, opened.width, opened.height)
        size = begin.slots * int(np.prod(shape))
        if size:
            self._slots = np.frombuffer(self._shared, np.uint8, size).reshape(begin.slots, *shape)

    def _take(self, frame: Any, at_s: float, note: str, *, begin: Begin) -> bool:
        """Take one frame and tell of those that are decided upon; True when nothing more is wanted."""
        index = self._met
        self._met += 1
        self._resized += frame is not None and not self._canvas.fits(frame)
        if begin.only_index is not None:
            note = note if index == begin.only_index else NOT_SAMPLED
        elif note == OK and not self._interval.wants(at_s):
            note = NOT_SAMPLED
        met = Met(at_s, note, frame if note == OK else None)
        adaptive = self._order.adaptive and begin.only_index is None
        for decided in self._change.add(met) if adaptive else (met,):
            self._tell(decided)
        return index == begin.only_index

    def _tell(self, met: Met) -> None:
        """Log what has become of a frame, and send its image if it is one to look at."""
        self._walked.times_s.append(met.time_s)
        self._walked.notes.append(met.note)
        if met.note == OK:
            self._good += 1
            if self._shown.wants(met.time_s):
                self._flush(self._show(met.frame))
        if len(self._walked.notes) >= _NOTES_AT_ONCE:
            self._flush(None)

    def _show(self, frame: Any) -> int | None:
        """Put the image into a free slot; returns its number."""
        if self._slots is None:
            return None
        answer = read_exactly(_IN, 1)
        if answer is None:
            raise BrokenPipeError
        slot = self._slots[answer[0]]
        slot[...] = self._canvas.draw(frame, slot.shape)
        return answer[0]

    def _flush(self, slot: int | None) -> None:
        if self._walked.notes and (slot is not None or len(self._walked.notes) >= _NOTES_AT_ONCE):
            _send(msgspec.structs.replace(self._walked, slot=slot))
            self._walked = Walked([], [])


def check_limits(order: Order, time_s: float, met: int) -> None:
    """Stop at what takes too long, of the file's time or the processor's.

    Raises:
        VideoError: if a limit of ``order`` is passed.
    """
    allow_cpu(order.stall_cpu_s)
    if time_s > order.max_duration_s or met > order.max_frames:
        raise over_limit(
            expected=f"at most {order.max_duration_s:g} s and {order.max_frames} frames",
            found=f"frame {met} at {time_s:.1f} s and no end",
        )
    used_s = time.process_time()
    least_s, per_s = float(order.stall_cpu_s), order.cpu_s_per_s
    if order.container == "gif":
        least_s, per_s = min(least_s, _GIF_CPU_S), min(per_s, _GIF_CPU_S_PER_S)
    if used_s > least_s + per_s * time_s:
        raise over_limit(
            expected=f"at most {least_s:g} s of work, and {per_s:g} s for each second of video",
            found=f"{used_s:.1f} s for {time_s:.1f} s",
        )


def _chain(held: list[Any], rest: Any) -> Any:
    """The frames already met, then the others; those met are let go at once."""
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
