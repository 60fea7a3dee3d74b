"""What the process that decodes and the process that asked for it say to each other.

Messages are msgpack of typed, frozen structures, each after its length: nothing that arrives from a decoder, which may
have been taken over by a hostile file, is ever run or unpickled. Pixels go through shared memory, by slot number.
"""

from __future__ import annotations

import os
import struct
from typing import Literal

import msgspec

MAX_MESSAGE_BYTES = 1 << 20
_LENGTH = struct.Struct("<I")

Picture = Literal["rgb", "grey", "none"]
"""RGB at full size; a grey one of at most :data:`GREY_WIDTH` pixels' width; times alone."""
GREY_WIDTH = 240


class Order(msgspec.Struct, frozen=True):
    """What to open and how far it may go. Descriptors are numbers in the child; times in seconds.

    With ``sound`` the sound is sent and no image; ``joints`` are then those of :class:`Finished`.
    """

    video_fd: int
    shared_fd: int
    shared_bytes: int
    container: str
    stream: int | None
    sound: bool
    joints: list[tuple[float, float]]
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


class Begin(msgspec.Struct, frozen=True):
    """Start reading: which images, and how many slots there are for them.

    Images are of one frame only, of ``per_s`` of the frames to look at a second, or of all of them.
    """

    picture: Picture
    slots: int
    only_index: int | None = None
    per_s: float | None = None


class StreamEntry(msgspec.Struct, frozen=True):
    """A video stream of the file; its size in stored pixels."""

    index: int
    codec: str
    width: int
    height: int


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The header; sizes in pixels of the upright image, mirrored and turned counter-clockwise by ``rotation_deg``.

    ``width`` and ``height`` are in square pixels, the ``stored`` ones not; ``aspect`` is the width of a stored pixel
    over its height, as a fraction. ``streams`` are all video streams, covers left out.
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


class Walked(msgspec.Struct, frozen=True, tag=True):
    """Times and notes of the next frames; ``slot`` holds the image of the last of them, if it is one to look at."""

    times_s: list[float]
    notes: list[str]
    slot: int | None = None


class Sound(msgspec.Struct, frozen=True, tag=True):
    """Sound from ``begin_s`` on: 16-bit samples, channels interleaved."""

    begin_s: float
    rate: int
    channels: int
    samples: bytes


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The file has been read to its end.

    ``reached_s`` is the end of the last packet of any stream; ``joints`` are (time, jump in seconds) where the clock
    began again; ``resized`` is the number of images of another size than the first.
    """

    reached_s: float = 0.0
    joints: list[tuple[float, float]] = []
    resized: int = 0


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Why the file cannot be read; the words of a :class:`~visionllm_interaction.errors.VideoError`."""

    message: str
    expected: str | None
    found: str | None
    fix: str | None


Report = Opened | Walked | Sound | Finished | Refused


def pack(message: msgspec.Struct) -> bytes:
    """Length and content."""
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


def read_packed(fd: int) -> bytes | None:
    """The content of the next message, or ``None`` at the end.

    Raises:
        ValueError: if a message is longer than any we send.
    """
    head = read_exactly(fd, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return read_exactly(fd, length)


def read_exactly(fd: int, count: int) -> bytes | None:
    """``count`` bytes, or ``None`` if the other side is gone."""
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


def picture_shape(picture: Picture, width: int, height: int) -> tuple[int, ...]:
    """Shape of the images of an upright video of ``width`` x ``height`` pixels; empty for times alone."""
    if picture == "rgb":
        return (height, width, 3)
    if picture == "grey":
        small = min(GREY_WIDTH, width)
        return (max(1, round(height * small / width)), small)
    return (0,)
