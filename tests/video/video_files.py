"""Small video files made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

TICKS = 1000


def write_video(
    path: Path,
    *,
    times_ms: Sequence[int],
    size: tuple[int, int] = (64, 48),
    rotation: int = 0,
    codec: str = "libx264",
) -> Path:
    """A video whose frame n has the grey level ``10 * n`` (modulo 250), shown at ``times_ms[n]``.

    The upper left quarter of each image is white, so that turning it can be seen.
    """
    images = np.stack([np.full((size[1], size[0], 3), 10 * n % 250, np.uint8) for n in range(len(times_ms))])
    images[:, : size[1] // 2, : size[0] // 2] = 255
    write_images(path, images, times_ms=times_ms, codec=codec)
    if rotation:
        _set_rotation(path, rotation)
    return path


def write_images(path: Path, images: NDArray[np.uint8], *, times_ms: Sequence[int], codec: str = "libx264") -> Path:
    """A video of RGB images (n, H, W, 3), the n-th shown at ``times_ms[n]``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        if codec == "libx264":
            stream.options = {"bf": "0", "crf": "1", "g": "5"}
        for image, time_ms in zip(images, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _set_rotation(path: Path, degrees: int) -> None:
    """Put a quarter turn into the track header's matrix of an MP4 (16.16 fixed point)."""
    one = 0x10000
    turn = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[degrees]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    for place, value in zip((0, 4, 12, 16), turn, strict=True):
        data[at + place : at + place + 4] = (value & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(bytes(data))


def write_sound(path: Path) -> Path:
    """An MP4 with sound only."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        samples = np.zeros((1, 1024), np.float32)
        for n in range(8):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, n * 1024, Fraction(1, 8000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
