"""Opening a video file without ever letting the file decide what else is opened.

The container format is recognised by its first bytes and forced; playlists (HLS, concat, DASH, image sequences) are
not among the formats, and the only protocol allowed is ``file``. So no file, whatever it contains, makes the decoder
read a second file or the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from visionllm_interaction.errors import VideoError

_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot")
_HEAD_BYTES = 400
_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"OggS", "ogg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
)
FORMAT_NAMES = "MP4/MOV, Matroska/WebM, AVI, GIF, MPEG-TS, MPEG-PS, Ogg, WMV"


@dataclass(frozen=True)
class VideoInfo:
    """What the header of a video says; sizes in pixels of the upright picture, times in seconds.

    ``rotation_deg`` is how far the stored pictures were turned counter-clockwise to stand upright; ``fps`` is the mean
    rate of the header (time stamps never come from it); ``declared_frames`` is 0 where the header does not say.
    """

    path: Path
    container: str
    codec: str
    width: int
    height: int
    rotation_deg: int
    fps: float | None
    time_base: str
    declared_duration_s: float | None
    declared_frames: int


def sniff_format(head: bytes) -> str | None:
    """The container format that begins like ``head``, or ``None`` if it is none of the allowed ones."""
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head[4:8] in _MP4_BOXES:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    for first, step in ((0, 188), (4, 192)):
        if len(head) > first + step and head[first] == 0x47 and head[first + step] == 0x47:
            return "mpegts"
    return None


@contextmanager
def open_container(path: Path) -> Iterator[tuple[Any, Any, str]]:
    """Yield PyAV's container, its first video stream and the name of the format.

    Raises:
        VideoError: if the file is missing, empty, of another format, broken, or has no video stream.
    """
    name = _recognise(path)
    try:
        container = av.open(f"file:{path}", format=name, options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError) as error:
        raise _refused(path, found=f"a file that begins like {name} and is broken or cut off ({error})") from error
    with container:
        if not container.streams.video:
            raise _refused(path, found="no video stream (sound only?)")
        yield container, container.streams.video[0], name


def _recognise(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise _refused(path, found=error.strerror or str(error)) from error
    if not head:
        raise _refused(path, found="an empty file")
    name = sniff_format(head)
    if name is None:
        raise _refused(path, found=f"a file that begins with {head[:16]!r}")
    return name


def _refused(path: Path, *, found: str) -> VideoError:
    return VideoError(
        "The video cannot be read.",
        expected=f"a video file: {FORMAT_NAMES}",
        found=found,
        where=str(path),
        fix="play the file to see whether it is whole, or convert it: ffmpeg -i IN -c:v libx264 OUT.mp4",
    )
