"""Supported video containers and codecs, recognised by the first bytes of a file.

The container format is recognised by its first bytes and forced; playlists (HLS, concat, DASH, image sequences) are
not among the formats. Decoding happens in a process that can open nothing (see :mod:`.sandbox`), so no file, whatever
it contains, makes the decoder read a second file or the network.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.errors import VideoError
from visionllm_interaction.utils.path_type import StrPath

_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot")
_HEAD_BYTES = 1400
_TS_PACKETS = 5
"""So many packets in a row must begin with a sync byte where the file does not begin with one."""
_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"OggS", "ogg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"FLV\x01", "flv"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01", "mxf"),
    (b"\x1f\x07\x00\x3f", "dv"),  # of 525 lines, next of 625 lines
    (b"\x1f\x07\x00\xbf", "dv"),
)
FORMAT_NAMES = "MP4/MOV, Matroska/WebM, AVI, GIF, MPEG-TS, MPEG-PS, Ogg, WMV, DV, FLV, MXF"
CODECS = frozenset(
    {
        *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9", "vvc"),
        *("mpeg4", "mpeg2video", "mpeg1video", "h263", "flv", "msmpeg4", "msmpeg4v2", "wmv1", "wmv2", "wmv3", "vc1"),
        *("mjpeg", "theora", "gif", "dvvideo", "prores", "dnxhd", "cfhd", "ffv1", "huffyuv", "ffvhuff", "utvideo"),
        *("rawvideo", "v210", "png", "qtrle", "svq3", "cinepak"),
    }
)
"""Video decoders that may be used; FFmpeg's many others serve old games and programs and are little tested."""

AUDIO_CODECS = frozenset(
    {
        *("aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "ac3", "ac3_fixed", "eac3", "opus", "libopus"),
        *("vorbis", "libvorbis", "flac", "alac", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb"),
        *("wmav1", "wmav2", "wmapro", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "speex", "libspeex"),
        *("pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"),
        *("pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_dvd", "pcm_bluray"),
    }
)
"""Audio decoders that may be used."""
AUDIO_SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
"""Sample rates (Hz) that AAC supports; others are resampled to 48,000 Hz."""


@dataclass(frozen=True)
class VideoInfo:
    """The header of a video; sizes in pixels of the upright image, times in seconds.

    Attributes:
        path: the video file.
        container: FFmpeg's name of the container format.
        codec: FFmpeg's name of the codec.
        width: width of the analysed images, in square pixels.
        height: height of the analysed images, in square pixels.
        rotation_deg: counter-clockwise rotation that makes stored images upright (0, 90, 180, 270).
        header_fps: mean frame rate stated by the header; time stamps are never derived from it.
        time_base: unit of the time stamps in seconds, as a fraction.
        declared_duration_s: duration stated by the header.
        declared_frames: number of frames stated by the header; 0 if it states none.
        stored_width: width of the upright image as stored; differs from ``width`` if pixels are not square.
        stored_height: height of the upright image as stored.
        pixel_aspect: width over height of a stored pixel, as a fraction such as ``64/45``.
        mirrored: whether stored images are mirrored left to right before the rotation.
        stream: index of the analysed stream, as FFmpeg counts.
        streams: descriptions of all video streams except cover images.
        metadata: names, without values, of what the container holds beside images and sound.
    """

    path: Path
    container: str
    codec: str
    width: int
    height: int
    rotation_deg: int
    header_fps: float | None
    time_base: str
    declared_duration_s: float | None
    declared_frames: int
    stored_width: int = 0
    stored_height: int = 0
    pixel_aspect: str = "1"
    mirrored: bool = False
    stream: int = 0
    streams: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()

    @property
    def stored_to_square(self) -> tuple[float, float]:
        """Factors (x, y) from pixels of the upright stored image to square pixels."""
        return self.width / (self.stored_width or self.width), self.height / (self.stored_height or self.height)


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
    return "mpegts" if any(_is_in_packets(head, size) for size in (188, 192, 204)) else None


def _is_in_packets(head: bytes, size: int) -> bool:
    """Whether a transport stream runs here that was cut in the middle of a packet, as recorders cut their files."""
    return any(head[first::size][:_TS_PACKETS] == b"G" * _TS_PACKETS for first in range(size))


@contextmanager
def open_video(path: StrPath) -> Iterator[tuple[int, str]]:
    """Open a video file for reading and recognise its container format.

    Args:
        path: the video file.

    Yields:
        (file descriptor at the beginning of the file, FFmpeg's name of the container format).

    Raises:
        VideoError: if the file is missing, empty, no plain file, or of another format.
    """
    path = Path(path)
    try:
        # Without waiting: opening a pipe that nobody writes to would otherwise never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise VideoError(
            "There is no such video.",
            expected="a video file",
            found="no file at this path",
            where=str(path),
            fix="correct the path" + ("" if path.is_absolute() else f"; it is looked for in {Path.cwd()}"),
        ) from error
    except OSError as error:
        raise unreadable_video(found=error.strerror or str(error), where=path) from error
    try:
        yield descriptor, _recognise(path, descriptor)
    finally:
        os.close(descriptor)


def _recognise(path: Path, descriptor: int) -> str:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise VideoError(
            "This is a folder, not a video.",
            expected="a video file, or several",
            found="a folder",
            where=str(path),
            fix=f"name the videos in it: {shlex.quote(str(path))}/*.mp4",
        )
    if not stat.S_ISREG(mode):
        raise unreadable_video(found="a device or pipe", where=path)
    head = os.pread(descriptor, _HEAD_BYTES, 0)
    if not head:
        raise unreadable_video(found="an empty file", where=path)
    name = sniff_format(head)
    if name is None:
        raise unreadable_video(found=f"a file that begins with {head[:16]!r}", where=path)
    return name


def unreadable_video(*, found: str, where: Path | None = None) -> VideoError:
    """Error: the file is not in a supported format."""
    return VideoError(
        "The video cannot be read.",
        expected=f"a video file: {FORMAT_NAMES}",
        found=found,
        where=None if where is None else str(where),
        fix="play the file to see whether it is whole, or convert it: ffmpeg -i IN -c:v libx264 OUT.mp4",
    )


def corrupt_video(container: str, reason: str) -> VideoError:
    """Error: the file starts like a supported format but is damaged."""
    return unreadable_video(found=f"a file that begins like {container} and is broken or cut off ({reason})")


def no_stream() -> VideoError:
    """Error: the file has no video stream."""
    return unreadable_video(found="no video stream (sound only?)")


def no_such_stream(index: int, streams: list[str]) -> VideoError:
    """Error: the requested stream does not exist or is not a video stream."""
    return VideoError(
        "The video has no such stream.",
        expected=f"one of its video streams: {', '.join(streams) or 'there is none'}",
        found=f"stream {index}",
        fix="leave out --stream to take the default one; ffprobe FILE lists the streams",
    )


def no_times(n_frames: int) -> VideoError:
    """Error: no frame has a time stamp."""
    return VideoError(
        "The video has no time stamps.",
        expected="frames with a time stamp",
        found=f"{n_frames} frames, none of which has one",
        fix="if you know the rate: ffmpeg -fflags +genpts -r RATE -i IN -c copy OUT.mkv",
    )


def require_supported_codec(name: str) -> None:
    """Refuse video codecs outside :data:`CODECS`.

    Args:
        name: FFmpeg's name of the decoder.

    Raises:
        VideoError: if the codec is not supported; the error names it.
    """
    if name not in CODECS:
        raise unreadable_video(found=f"images coded as {name}, which no camera writes")


def require_supported_audio_codec(name: str) -> None:
    """Refuse audio codecs outside :data:`AUDIO_CODECS`.

    Args:
        name: FFmpeg's name of the decoder.

    Raises:
        VideoError: if the codec is not supported; the error names it.
    """
    if name not in AUDIO_CODECS:
        raise VideoError(
            "The sound of the video cannot be read.",
            expected="sound as cameras record it: AAC, MP3, Opus, Vorbis, FLAC, AC-3, PCM, …",
            found=f"sound coded as {name}",
            fix="convert it first: ffmpeg -i IN -c:v copy -c:a aac OUT.mp4; or leave out --keep-audio",
        )


def no_frames(n_frames: int) -> VideoError:
    """Error: no frame can be decoded."""
    return VideoError(
        "The video holds no frame that can be decoded.",
        expected="at least one whole frame",
        found=f"{n_frames} frames, all damaged" if n_frames else "none",
        fix="copy the file again from the camera; a cut-off MP4 can sometimes be repaired by untrunc",
    )


def over_limit(*, expected: str, found: str) -> VideoError:
    """Error: the file exceeds a limit."""
    return VideoError(
        "The video is over a limit.",
        expected=expected,
        found=found,
        fix="cut or scale the video, or raise the limit in config/analysis.yaml (analysis.video.decode)",
    )
