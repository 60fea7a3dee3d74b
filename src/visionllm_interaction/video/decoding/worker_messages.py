"""Messages between the decoding process and its parent.

Messages are typed, frozen structures encoded with msgpack, each preceded by its length. A malicious file may have
taken over the decoder, so nothing received from it is executed or unpickled. Pixels are passed in shared memory.
"""

from __future__ import annotations

import os
import struct
from typing import Literal

import msgspec

MAX_MESSAGE_BYTES = 1 << 20
_LENGTH = struct.Struct("<I")

PixelFormat = Literal["rgb", "grey", "none"]
"""RGB at full size; grey, at most :data:`GREY_WIDTH` pixels wide; no images, only times."""
GREY_WIDTH = 240


class DecodeRequest(msgspec.Struct, frozen=True):
    """The file to decode and its limits. File descriptors are those of the child process; times in seconds.

    With ``sound`` the audio is sent and no images; ``clock_jumps`` are then those of :class:`Finished`. With ``stamps``
    only :class:`ContainerStamps` are sent.
    """

    video_fd: int
    shared_fd: int
    shared_bytes: int
    container: str
    stream: int | None
    sound: bool
    stamps: bool
    clock_jumps: list[tuple[float, float]]
    sample_fps: float | None
    adaptive: bool
    adaptive_change: float
    adaptive_gap_s: float
    adaptive_margin_s: float
    threads: int
    max_pixels: int
    max_duration_s: float
    max_frames: int
    max_memory_bytes: int
    stall_cpu_s: int
    cpu_s_per_s: float


class ReadRequest(msgspec.Struct, frozen=True):
    """Start reading: which images to send, and the number of slots for them in shared memory.

    Images are sent of the frame ``only_index``, of ``per_s`` sampled frames per second, or of all sampled frames.
    """

    pixel_format: PixelFormat
    slots: int
    only_index: int | None = None
    per_s: float | None = None


class StreamEntry(msgspec.Struct, frozen=True):
    """A video stream of the file; its size in stored pixels."""

    index: int
    codec: str
    width: int
    height: int


class StreamHeader(msgspec.Struct, frozen=True, tag=True):
    """The header of the video; sizes in pixels of the upright image.

    ``width`` and ``height`` are in square pixels, ``stored_width`` and ``stored_height`` in stored ones. ``aspect`` is
    the width of a stored pixel over its height, as a fraction. ``rotation_deg`` is counter-clockwise, after mirroring.
    ``streams`` are all video streams except cover images. ``metadata`` names what the container holds beside images and
    sound.
    """

    stream: int
    streams: list[StreamEntry]
    codec: str
    width: int
    height: int
    stored_width: int
    stored_height: int
    aspect: str
    rotation_deg: int
    mirrored: bool
    fps: float | None
    time_base: str
    duration_s: float | None
    frames: int
    metadata: list[str] = []


class FrameBatch(msgspec.Struct, frozen=True, tag=True):
    """Times (s) and quality notes of the next frames; ``slot`` holds the image of the last one if it is sampled."""

    times_s: list[float]
    notes: list[str]
    slot: int | None = None


class AudioChunk(msgspec.Struct, frozen=True, tag=True):
    """Audio samples from ``begin_s`` on: 16-bit integers, channels interleaved."""

    begin_s: float
    rate: int
    channels: int
    samples: bytes


class ContainerStamps(msgspec.Struct, frozen=True, tag=True):
    """What the file says about when it was recorded; the keys are those of :data:`STAMP_KEYS` that it has."""

    entries: dict[str, str]
    duration_s: float | None


STAMP_KEYS = ("creation_time", "com.apple.quicktime.creationdate", "com.android.version", "maker")
"""Metadata that is read: dates, and what tells who wrote them. Names, places and serial numbers are not."""


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The file has been read to its end.

    ``reached_s`` is the end of the last packet of any stream. ``clock_jumps`` are (time, jump), both in seconds, of the
    discontinuities of the clock. ``resized`` is the number of images whose size differs from the first.
    """

    reached_s: float = 0.0
    clock_jumps: list[tuple[float, float]] = []
    resized: int = 0


class DecodeFailure(msgspec.Struct, frozen=True, tag=True):
    """Why the file cannot be read; the fields of a :class:`~visionllm_interaction.errors.VideoError`."""

    message: str
    expected: str | None
    found: str | None
    fix: str | None


WorkerMessage = StreamHeader | FrameBatch | AudioChunk | ContainerStamps | Finished | DecodeFailure


def pack(message: msgspec.Struct) -> bytes:
    """Encode a message, preceded by its length."""
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


def read_packed(fd: int) -> bytes | None:
    """Read the next message.

    Args:
        fd: file descriptor of a pipe.

    Returns:
        The encoded message without its length, or ``None`` at the end of the pipe.

    Raises:
        ValueError: if the message is longer than :data:`MAX_MESSAGE_BYTES`.
    """
    head = read_exactly(fd, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return read_exactly(fd, length)


def read_exactly(fd: int, count: int) -> bytes | None:
    """Read ``count`` bytes; ``None`` if the pipe is closed."""
    parts = []
    while count:
        part = os.read(fd, count)
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def image_shape(pixel_format: PixelFormat, width: int, height: int) -> tuple[int, ...]:
    """Array shape of the images of an upright video of ``width`` x ``height`` pixels; ``(0,)`` without images."""
    if pixel_format == "rgb":
        return (height, width, 3)
    if pixel_format == "grey":
        small = min(GREY_WIDTH, width)
        return (max(1, round(height * small / width)), small)
    return (0,)
