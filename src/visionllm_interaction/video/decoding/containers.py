"""What a video file may be: containers and codecs that cameras and editors write, told by the first bytes.

The container format is recognised by its first bytes and forced; playlists (HLS, concat, DASH, image sequences) are
not among the formats. Decoding happens in a process that can open nothing (see :mod:`.sandbox`), so no file, whatever
it contains, makes the decoder read a second file or the network.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.errors import VideoError
from visionllm_interaction.utils.paths import StrPath

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
CODECS = frozenset(
    {
        *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9", "vvc"),
        *("mpeg4", "mpeg2video", "mpeg1video", "h263", "msmpeg4", "msmpeg4v2", "wmv1", "wmv2", "wmv3", "vc1"),
        *("mjpeg", "theora", "gif", "dvvideo", "prores", "dnxhd", "cfhd", "ffv1", "huffyuv", "ffvhuff", "utvideo"),
        *("rawvideo", "v210", "png", "qtrle", "svq3", "cinepak"),
    }
)
"""Decoders that may be used; the other hundreds of FFmpeg's are for old games and programs, and little tested."""

SOUND_CODECS = frozenset(
    {
        *("aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "ac3", "ac3_fixed", "eac3", "opus", "libopus"),
        *("vorbis", "libvorbis", "flac", "alac", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb"),
        *("wmav1", "wmav2", "wmapro", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "speex", "libspeex"),
        *("pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"),
        *("pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_dvd", "pcm_bluray"),
    }
)
"""Decoders of sound that may be used."""
SOUND_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
"""Samples per second that AAC knows; others are changed to 48,000."""


@dataclass(frozen=True)
class VideoInfo:
    """What the header of a video says; sizes in pixels of the upright image, times in seconds.

    Attributes:
        width: of the images that are analysed, in square pixels.
        height: the same.
        stored_width: of the upright image as it is stored; differs from ``width`` where pixels are not square.
        stored_height: the same.
        pixel_aspect: width of a stored pixel over its height, as a fraction such as ``64/45``.
        rotation_deg: how far stored images were turned counter-clockwise to stand upright,
        mirrored: after they were mirrored left to right.
        header_fps: the mean rate that the header states; time stamps never come from it.
        declared_frames: 0 where the header does not say.
        stream: which stream of the file it is, as FFmpeg counts.
        streams: all video streams in words, covers left out.
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

    @property
    def stored_to_square(self) -> tuple[float, float]:
        """What x and y in pixels of the upright stored image are multiplied by."""
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
    return None


@contextmanager
def open_video(path: StrPath) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the file, at its beginning, and the name of its container format.

    Raises:
        VideoError: if the file is missing, empty, no plain file, or of another format.
    """
    path = Path(path)
    try:
        # Without waiting: opening a pipe that nobody writes to would otherwise never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise refused(found=error.strerror or str(error), where=path) from error
    try:
        yield descriptor, _recognise(path, descriptor)
    finally:
        os.close(descriptor)


def _recognise(path: Path, descriptor: int) -> str:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise refused(found="a folder, device or pipe", where=path)
    head = os.pread(descriptor, _HEAD_BYTES, 0)
    if not head:
        raise refused(found="an empty file", where=path)
    name = sniff_format(head)
    if name is None:
        raise refused(found=f"a file that begins with {head[:16]!r}", where=path)
    return name


def refused(*, found: str, where: Path | None = None) -> VideoError:
    """The file is not one of the kinds that are read."""
    return VideoError(
        "The video cannot be read.",
        expected=f"a video file: {FORMAT_NAMES}",
        found=found,
        where=None if where is None else str(where),
        fix="play the file to see whether it is whole, or convert it: ffmpeg -i IN -c:v libx264 OUT.mp4",
    )


def broken(container: str, reason: str) -> VideoError:
    """The file begins like one of the kinds and goes on otherwise."""
    return refused(found=f"a file that begins like {container} and is broken or cut off ({reason})")


def no_stream() -> VideoError:
    """The file holds no images."""
    return refused(found="no video stream (sound only?)")


def no_such_stream(index: int, streams: list[str]) -> VideoError:
    """The stream that was asked for is not in the file, or no video."""
    return VideoError(
        "The video has no such stream.",
        expected=f"one of its video streams: {', '.join(streams) or 'there is none'}",
        found=f"stream {index}",
        fix="leave out --stream to take the default one; ffprobe FILE lists the streams",
    )


def no_times(met: int) -> VideoError:
    """Frames without any time stamp: when they were taken is not known."""
    return VideoError(
        "The video has no time stamps.",
        expected="frames with a time stamp",
        found=f"{met} frames, none of which has one",
        fix="if you know the rate: ffmpeg -fflags +genpts -r RATE -i IN -c copy OUT.mkv",
    )


def strange_codec(name: str) -> None:
    """Refuse codecs outside :data:`CODECS`.

    Raises:
        VideoError: naming the codec.
    """
    if name not in CODECS:
        raise refused(found=f"images coded as {name}, which no camera writes")


def strange_sound(name: str) -> None:
    """Refuse sound codecs outside :data:`SOUND_CODECS`.

    Raises:
        VideoError: naming the codec.
    """
    if name not in SOUND_CODECS:
        raise VideoError(
            "The sound of the video cannot be read.",
            expected="sound as cameras record it: AAC, MP3, Opus, Vorbis, FLAC, AC-3, PCM, …",
            found=f"sound coded as {name}",
            fix="convert it first: ffmpeg -i IN -c:v copy -c:a aac OUT.mp4; or leave out --keep-audio",
        )


def no_frames(met: int) -> VideoError:
    """Nothing in the file can be decoded."""
    return VideoError(
        "The video holds no frame that can be decoded.",
        expected="at least one whole frame",
        found=f"{met} frames, all damaged" if met else "none",
        fix="copy the file again from the camera; a cut-off MP4 can sometimes be repaired by untrunc",
    )


def over_limit(*, expected: str, found: str) -> VideoError:
    """The file asks for more than it is given."""
    return VideoError(
        "The video is over a limit.",
        expected=expected,
        found=found,
        fix="cut or scale the video, or raise the limit in config/analysis.yaml (analysis.video.decode)",
    )
