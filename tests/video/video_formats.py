"""Tiny videos in many formats, and what FFmpeg's own program says about them."""

from __future__ import annotations

import io
import itertools
import json
import random
import struct
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.anonymization.blur import blur_video
from visionllm_interaction.video.decoding.reader import VideoReader

SIZE = (96, 64)
FLASH_S, SECONDS = 0.6, 1.4
_BRIGHT, _DARK = 235, 30
MATRICES: dict[str, tuple[int, int, int, int]] = {
    "upright": (1, 0, 0, 1),
    "90": (0, 1, -1, 0),
    "180": (-1, 0, 0, -1),
    "270": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "flipped": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transversed": (0, -1, -1, 0),
}
"""Turn → a, b, c, d of the display matrix: (x, y) goes to (a x + c y, b x + d y)."""
VIDEO = {
    "mp4": ("libx264", "libx264-b", "mpeg4", "mpeg4-b", "mjpeg", "libvpx-vp9"),
    "mov": ("libx264", "libx264-b", "prores_ks", "mjpeg"),
    "mkv": ("libx264", "libx264-b", "mpeg4-b", "ffv1", "libvpx", "mpeg2video-b"),
    "webm": ("libvpx", "libvpx-vp9"),
    "avi": ("libx264", "libx264-b", "mpeg4", "mpeg4-b", "mjpeg"),
    "ts": ("libx264", "libx264-b", "mpeg2video-b"),
    "mpg": ("mpeg2video", "mpeg2video-b"),
    "wmv": ("wmv2",),
}
"""Ending → encoders; ``-b`` with B-frames."""
AUDIO = {
    "mp4": ("aac", "ac3", "libmp3lame"),
    "mov": ("aac", "pcm_s16be", "pcm_s24le"),
    "mkv": ("aac", "libopus", "flac", "pcm_s16le"),
    "webm": ("libopus",),
    "avi": ("pcm_s16le", "libmp3lame"),
    "ts": ("aac", "ac3", "mp2"),
    "mpg": ("mp2",),
    "wmv": ("wmav2",),
}
RATES = {"10": 10.0, "25": 25.0, "ntsc": 30000 / 1001, "uneven": 0.0}
RATIOS = ("1", "64/45", "8/9", "4/3")
OFFSETS = {"together": (0.0, 0.0), "sound late": (0.0, 0.4), "image late": (0.4, 0.0)}
_FIXED = frozenset({"avi", "mpg"})
"""Formats whose images come at one rate."""
_MS_SOUND_RATE = 48_000


@dataclass(frozen=True)
class Spec:
    """One video to make."""

    ending: str
    codec: str
    rate: str
    turn: str
    ratio: str
    order: str
    sound: str | None
    offset: str

    @property
    def name(self) -> str:
        """A file name that says it all."""
        parts = (self.codec, self.rate, self.turn, self.ratio.replace("/", "x"), self.order, self.sound, self.offset)
        return "_".join(str(part).replace(" ", "-") for part in parts) + f".{self.ending}"

    @property
    def times_s(self) -> list[float]:
        """When its images are shown, the offset of its streams left out."""
        if self.rate == "uneven":
            steps = random.Random(self.name).choices((0.033, 0.034, 0.066, 0.1), k=200)
            times = [0.0, *itertools.accumulate(steps)]
            return [round(time, 3) for time in times if time < SECONDS]
        return [n / RATES[self.rate] for n in range(round(SECONDS * RATES[self.rate]))]


def all_specs(count: int, *, seed: int = 7) -> list[Spec]:
    """``count`` different ones, every format, codec, turn and sound among them as often as can be."""
    chance, found = random.Random(seed), dict[Spec, None]()
    pairs = [(ending, codec) for ending, codecs in VIDEO.items() for codec in codecs]
    for n in itertools.count():
        ending, codec = pairs[n % len(pairs)]
        turns = tuple(MATRICES) if ending in ("mp4", "mov") else ("upright",)
        orders = ["video first"] + (["sound first"] if ending != "avi" else [])
        orders += ["cover first"] if ending == "mp4" else []
        orders += ["default second"] if ending == "mkv" else []
        offsets = tuple(OFFSETS) if ending in ("mp4", "mov", "mkv", "ts") else ("together",)
        spec = Spec(
            ending,
            codec,
            chance.choice([rate for rate in RATES if rate != "uneven" or ending not in _FIXED]),
            chance.choice(turns),
            chance.choice(RATIOS if ending in ("mp4", "mov", "mkv", "ts") and codec != "mjpeg" else ("1",)),
            chance.choice(orders),
            chance.choice([None, *AUDIO[ending]]),
            chance.choice(offsets),
        )
        if ending == "mpg" and spec.rate == "10":  # a rate that MPEG-2 does not know
            continue
        found.setdefault(spec)
        if len(found) == count:
            return list(found)
    raise AssertionError


def make(spec: Spec, folder: Path) -> Path:
    """Write the video; its upper left quarter is bright, and its lower right one while the tone sounds."""
    path = folder / spec.name
    muxer = {"ts": "mpegts", "mpg": "vob", "wmv": "asf", "mkv": "matroska"}.get(spec.ending, spec.ending)
    with av.open(str(path), "w", format=muxer) as container:
        order = spec.order
        sound = _sound_stream(container, spec) if spec.sound and order == "sound first" else None
        decoy = _video_stream(container, spec, small=True) if order == "default second" else None
        stream = _video_stream(container, spec)
        if decoy is not None:
            decoy.disposition = av.stream.Disposition(0)
            stream.disposition = av.stream.Disposition.default
        if spec.sound and sound is None:
            sound = _sound_stream(container, spec)
        packets = _images(stream, spec, SIZE) + ([] if decoy is None else _images(decoy, spec, (48, 32)))
        packets += [] if sound is None else _tone(sound, spec)
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            container.mux(packet)
    if spec.turn != "upright":
        _set_matrix(path, MATRICES[spec.turn])
    if spec.order == "cover first":
        _add_cover(path)
    return path


def _video_stream(container: Any, spec: Spec, *, small: bool = False) -> Any:
    encoder, has_b = spec.codec.removesuffix("-b"), spec.codec.endswith("-b")
    rate = Fraction(30000, 1001) if spec.rate == "ntsc" else Fraction(int(RATES[spec.rate] or 30))
    options = {
        "libx264": {"preset": "ultrafast" if not has_b else "fast", "g": "12", "threads": "1"},
        "libvpx": {"deadline": "realtime", "cpu-used": "8"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    }.get(encoder, {})
    stream = container.add_stream(encoder, rate=rate, options=dict(options))
    stream.width, stream.height = (48, 32) if small else SIZE
    stream.pix_fmt = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}.get(encoder, "yuv420p")
    stream.codec_context.sample_aspect_ratio = Fraction(spec.ratio)
    stream.codec_context.max_b_frames = 2 if has_b else 0
    if encoder in ("libx264", "libvpx", "libvpx-vp9", "ffv1", "prores_ks", "mjpeg") and spec.ending not in _FIXED:
        stream.codec_context.time_base = Fraction(1, 1000 if spec.rate == "uneven" else 90_000)
    return stream


def _images(stream: Any, spec: Spec, size: tuple[int, int]) -> list[Any]:
    tick = stream.codec_context.time_base or 1 / stream.codec_context.framerate
    packets = []
    ticks = -1
    for time_s in spec.times_s:
        ticks = max(ticks + 1, round((time_s + OFFSETS[spec.offset][0]) / tick))
        frame = av.VideoFrame.from_ndarray(_image(size, flash=time_s >= FLASH_S - 1e-6), format="rgb24")
        frame.pts, frame.time_base = ticks, tick
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _image(size: tuple[int, int], *, flash: bool) -> NDArray[np.uint8]:
    width, height = size
    image = np.full((height, width, 3), _DARK, np.uint8)
    image[: height // 2, : width // 2] = _BRIGHT
    if flash:
        image[height // 2 :, width // 2 :] = _BRIGHT
    return image


def _sound_stream(container: Any, spec: Spec) -> Any:
    stream = container.add_stream(spec.sound, rate=_MS_SOUND_RATE, layout="mono")
    if spec.sound == "wmav2":  # which opens at few rates
        stream.bit_rate = 96_000
    return stream


def _tone(stream: Any, spec: Spec) -> list[Any]:
    """A tone from the first image with the flash on; sound that begins late is silent until then."""
    image_at, sound_at = OFFSETS[spec.offset]
    onset_s = image_at + next(time for time in spec.times_s if time >= FLASH_S - 1e-6)
    count = int((SECONDS + image_at - sound_at) * _MS_SOUND_RATE)
    times = sound_at + np.arange(count) / _MS_SOUND_RATE
    wave = np.where(times >= onset_s, 0.5 * np.sin(2 * np.pi * 1000 * (times - onset_s)), 0.0)
    packets = []
    for at in range(0, count, 960):
        samples = (wave[None, at : at + 960] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.time_base = _MS_SOUND_RATE, Fraction(1, _MS_SOUND_RATE)
        frame.pts = round(sound_at * _MS_SOUND_RATE) + at
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    data = bytearray(path.read_bytes())
    for at in _places(data, b"tkhd"):
        if struct.unpack_from(">I", data, at + 4 + 76)[0]:  # a width: not the sound's
            a, b, c, d = (value * 65536 for value in matrix)
            struct.pack_into(">iiiiii", data, at + 4 + 40, a, b, 0, c, d, 0)
    path.write_bytes(bytes(data))


def _places(data: bytes | bytearray, what: bytes) -> list[int]:
    found, at = [], data.find(what)
    while at >= 0:
        found.append(at)
        at = data.find(what, at + 4)
    return found


def _add_cover(path: Path) -> None:
    """A cover image before the tracks of an MP4 whose header lies at its end: FFmpeg's first video stream then."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(buffer, "JPEG")

    def box(kind: bytes, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return struct.pack(">I4s", 8 + len(body), kind) + body

    cover = box(b"covr", box(b"data", struct.pack(">II", 13, 0), buffer.getvalue()))
    handler = box(b"hdlr", struct.pack(">II", 0, 0), b"mdirappl", b"\0" * 9)
    added = box(b"udta", box(b"meta", b"\0\0\0\0", handler, box(b"ilst", cover)))
    data = bytearray(path.read_bytes())
    start = data.rfind(b"moov") - 4
    struct.pack_into(">I", data, start, struct.unpack_from(">I", data, start)[0] + len(added))
    first = data.index(b"trak", start) - 4
    data[first:first] = added
    path.write_bytes(bytes(data))


@dataclass(frozen=True)
class Probed:
    """What ffprobe says: times from the container's start (frames without one left out), and the shape of pixels."""

    times_s: list[float]
    ratio: Fraction


def probe(path: Path, stream: int) -> Probed:
    """Ask ffprobe about one stream of a file."""
    entries = "frame=best_effort_timestamp_time:format=start_time:stream=sample_aspect_ratio"
    command = ["ffprobe", "-v", "error", "-select_streams", str(stream), "-show_entries", entries, "-of", "json"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    content = json.loads(done.stdout)
    start_s = float(content["format"].get("start_time") or 0)
    stamps = [frame.get("best_effort_timestamp_time") for frame in content["frames"]]
    ratio = content["streams"][0].get("sample_aspect_ratio", "1:1").replace(":", "/")
    known = ratio.split("/")[0] not in ("0", "N")
    return Probed([float(s) - start_s for s in stamps if s is not None], Fraction(ratio) if known else Fraction(1))


def expected_size(spec: Spec, ratio: Fraction) -> tuple[int, int]:
    """Width and height of the upright images in square pixels."""
    width = SIZE[0] if ratio == 1 else 2 * round(SIZE[0] * ratio / 2)
    size = (width, SIZE[1])
    return size[::-1] if MATRICES[spec.turn][0] == 0 else size


def bright_quarter(image: NDArray[np.uint8]) -> tuple[str, str]:
    """Where the brightest quarter of an image is."""
    height, width = (side // 2 for side in image.shape[:2])
    quarters = {
        ("upper", "left"): image[:height, :width],
        ("upper", "right"): image[:height, width:],
        ("lower", "left"): image[height:, :width],
        ("lower", "right"): image[height:, width:],
    }
    return max(quarters, key=lambda place: float(quarters[place].mean()))


def expected_quarter(spec: Spec) -> tuple[str, str]:
    """Where the stored upper left quarter, (-1, -1) from the middle, is shown."""
    a, b, c, d = MATRICES[spec.turn]
    x, y = -a - c, -b - d
    return "upper" if y < 0 else "lower", "left" if x < 0 else "right"


def sound_lag_s(path: Path, stream: int) -> float | None:
    """By how much the tone begins after the flash, as a player has it."""
    with av.open(str(path)) as container:
        flash = _flash_at(container, container.streams[stream])
    with av.open(str(path)) as container:
        tone = _tone_at(container)
    return None if flash is None or tone is None else tone - flash


def _flash_at(container: Any, stream: Any) -> float | None:
    dark: float | None = None
    for packet in container.demux(stream):
        for frame in packet.decode():
            level = float(frame.to_ndarray(format="gray").mean())
            dark = level if dark is None else dark
            at = frame.time if container.format.name != "avi" or frame.dts is None else frame.dts * stream.time_base
            if level > dark + 25:
                return float(at)
    return None


def _tone_at(container: Any) -> float | None:
    for frame in container.decode(audio=0):
        samples = frame.to_ndarray().astype(np.float64)
        scale = {"s16": 2**15, "s32": 2**31, "flt": 1, "dbl": 1}[frame.format.name.removesuffix("p")]
        loud = np.flatnonzero(np.abs(samples.reshape(-1)) / scale > 0.15)
        if len(loud):
            return float(frame.time) + float(loud[0]) / frame.sample_rate
    return None


@dataclass(frozen=True)
class Verdict:
    """How far a video was read as it should be; ``late_s`` is how much the sound of its copy is off."""

    spec: Spec
    frames: int
    worst_s: float
    upright: bool
    late_s: float | None
    faults: tuple[str, ...]


def judge(spec: Spec, folder: Path) -> Verdict:
    """Make a video, read it, and blur it with its sound; both are compared with what other programs say."""
    path = make(spec, folder)
    reader = VideoReader(path)
    first, *_ = (frame.image_rgb for frame in reader)
    table, told, faults = reader.frame_table(), probe(path, reader.info.stream), []
    mine, good = table.timestamp_s.tolist(), int(table.processed.sum())
    # Where the file has no time for the last frames ffprobe tells none.
    worst_s = max((abs(a - b) for a, b in zip(mine, told.times_s, strict=False)), default=0.0)
    if {good, len(mine)} != {len(spec.times_s)} or len(told.times_s) < len(mine) - 2 or worst_s > 0.001:
        faults.append(f"{len(mine)} frames, {good} good; ffprobe {len(told.times_s)}; off {worst_s:.4f} s")
    size, quarter = first.shape[1::-1], bright_quarter(first)
    upright = size == expected_size(spec, told.ratio) and quarter == expected_quarter(spec)
    if not upright:
        faults.append(f"first image {size[0]}x{size[1]}, bright {quarter}")
    late_s = _blurred_lag(spec, path, reader.info.stream, folder) if spec.sound else None
    if late_s is not None and not abs(late_s) <= 0.02:
        faults.append(f"sound of the copy off by {late_s:.3f} s")
    return Verdict(spec, len(mine), worst_s, upright, late_s, tuple(faults))


def _blurred_lag(spec: Spec, path: Path, stream: int, folder: Path) -> float:
    found = folder / "faces.json"
    face = {"frame_index": 0, "category_id": 1, "bbox": [1, 1, 3, 3], "score": 0.9}
    found.write_text(json.dumps({"categories": [{"id": 1, "name": "face"}], "detections": [face]}))
    copy = folder / f"{path.stem}-{spec.ending}-blurred.mp4"
    blur_video(path, copy, detections=found, keep_audio=True)
    before, after = sound_lag_s(path, stream), sound_lag_s(copy, 0)
    return float("nan") if before is None or after is None else after - before
