"""A noisy video with sound and telling metadata, and an independent look at what a copy of it shows and sounds like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FPS, WIDTH, HEIGHT, SOUND_HZ = 25, 96, 64, 48_000
CANARIES = {
    "title": "Visit of Anna Canaryname",
    "location": "+59.9139+010.7522/",
    "creation_time": "2021-03-04T05:06:07.000000Z",
    "make": "Canary Cameras",
    "comment": "SN-CANARY-77",
}
"""Tags of the source → values that must be nowhere in or beside a copy."""
Images = NDArray[np.uint8]
Samples = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Watched:
    """A file as FFmpeg decodes it: when each image is shown, the images (n, H, W, 3), and samples from 0 s on."""

    times_s: NDArray[np.float64]
    images: Images
    samples: Samples

    def shown(self, begin_s: float, end_s: float) -> NDArray[np.bool_]:
        """Which images are on the screen at some moment from ``begin_s`` to ``end_s``."""
        until_s = np.append(self.times_s[1:], np.inf)
        return (self.times_s <= end_s) & (until_s > begin_s)

    def peak_dbfs(self, begin_s: float, end_s: float) -> float:
        """Level of the loudest sample from ``begin_s`` to ``end_s``."""
        part = self.samples[int(begin_s * SOUND_HZ) : int(end_s * SOUND_HZ) + 1]
        return float(20 * np.log10(max(1e-12, np.abs(part).max())))


def noise(seconds: float) -> tuple[Images, Samples]:
    """Coarse random images at 25 a second, and loud random sound with a beat every half second."""
    rng = np.random.default_rng(4)
    blocks = rng.integers(0, 256, (round(seconds * FPS), HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8)
    t = np.arange(round(seconds * SOUND_HZ)) / SOUND_HZ
    loudness = np.where(t % 0.5 < 0.1, 0.8, 0.2)
    return blocks.repeat(4, axis=1).repeat(4, axis=2), loudness * rng.uniform(-1, 1, len(t))


def write_film(
    path: Path,
    images: Images,
    samples: Samples | None = None,
    *,
    times_s: Sequence[float] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """An MP4 of RGB images and mono sound, with tags and, if there are some, a chapter."""
    times = [n / FPS for n in range(len(images))] if times_s is None else times_s
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(tags or {})
        if tags:
            container.set_chapters(
                [{"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "Canaryname"}}]
            )
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = images.shape[1], images.shape[2], "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "8", "g": "1"}  # every image by itself
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
        sound = None if samples is None else container.add_stream("aac", rate=SOUND_HZ, layout="mono")
        for image, time_s in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time_s * 90_000), Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None and samples is not None:
            for at in range(0, len(samples), 1024):
                part = av.AudioFrame.from_ndarray(samples[None, at : at + 1024].astype(np.float32), "fltp", "mono")
                part.sample_rate, part.pts, part.time_base = SOUND_HZ, at, Fraction(1, SOUND_HZ)
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))
    return path


def seconds_of(frame: av.VideoFrame | av.AudioFrame) -> float:
    """When a decoded frame, or the first sample of one, is due."""
    assert frame.pts is not None and frame.time_base is not None
    return float(frame.pts * frame.time_base)


def watch(path: Path) -> Watched:
    """Decode a file with FFmpeg alone."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = np.array([seconds_of(frame) for frame in frames])
        images = np.stack([frame.to_ndarray(format="rgb24") for frame in frames]).astype(np.uint8)
    samples = np.zeros(0)
    with av.open(str(path)) as container:
        if container.streams.audio:
            parts = [(seconds_of(frame), frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
            samples = np.zeros(max(round(begin * SOUND_HZ) + len(part) for begin, part in parts))
            for begin, part in parts:
                at = round(begin * SOUND_HZ)
                samples[max(at, 0) : at + len(part)] = part[max(0, -at) :]
    return Watched(times, images, samples)


def delay_s(before: Samples, after: Samples, *, from_s: float, to_s: float) -> float:
    """By how much ``after`` comes later than ``before``, from the best match of an interval within 0.1 s."""
    one = before[int(from_s * SOUND_HZ) : int(to_s * SOUND_HZ)]
    shifts = range(-4800, 4801, 24)
    at = int(from_s * SOUND_HZ)
    scores = [float(one @ after[at + shift : at + shift + len(one)]) for shift in shifts]
    return shifts[int(np.argmax(scores))] / SOUND_HZ
