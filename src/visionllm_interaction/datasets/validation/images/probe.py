"""One image: decode it and note what the rules need. Runs in child processes, on files nobody has checked.

JPEGs are decoded to luminance only. That reads every byte of them, as damage is found in the entropy code, and
leaves time for the rest: a full probe takes no longer than decoding to RGB.
"""

from __future__ import annotations

import resource
import signal
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from visionllm_interaction.core.image_decoding import DAMAGED, FORMATS, is_deep, orientation_of, to_8_bits, to_rgb

THUMB_PX = 32
_WORK_PX = 640
_OVERHEAD_MB = 512

Thumb = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What an image may cost."""

    max_pixels: int
    timeout_s: float
    memory_mb: int


@dataclass(frozen=True, slots=True)
class ImageProbe:
    """What decoding one image file showed.

    ``issue`` is a code if the file cannot be used, with the reason in ``reason``; all else is then empty.
    ``low`` and ``high`` are the 1st and 99th percentile of luminance (0-255), ``sharpness`` the fine detail as a share
    of the coarse detail, ``thumb`` (32, 32) luminance, stretched to a square.
    """

    issue: str | None = None
    reason: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    kind: str = ""
    mode: str = ""
    frames: int = 1
    low: int = 0
    high: int = 255
    sharpness: float = 1.0
    thumb: Thumb | None = None


def limit_process(limits: DecodeLimits) -> None:
    """Called once in each child: memory is capped, and a timer that runs out ends the process."""
    memory = (limits.memory_mb + _OVERHEAD_MB) << 20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends the pool
    Image.MAX_IMAGE_PIXELS = None  # the size is checked before decoding, with our own limit


def probe_all(paths: Sequence[str], limits: DecodeLimits) -> list[ImageProbe]:
    """:func:`probe_image` for each path."""
    return [probe_image(path, limits) for path in paths]


def probe_image(path: str, limits: DecodeLimits) -> ImageProbe:
    """Decode the file at ``path``; every damage of the file is an answer and not an error."""
    signal.setitimer(signal.ITIMER_REAL, limits.timeout_s)
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as image:
            warnings.simplefilter("ignore")  # oddities of metadata, about which no rule has anything to say
            return _probe(image, limits)
    except UnidentifiedImageError:
        return ImageProbe("FILE-NOT-IMAGE", f"not {', '.join(FORMATS)}")
    except MemoryError:
        return ImageProbe("FILE-KILLS-DECODER", f"needs more than {limits.memory_mb} MB")
    except DAMAGED as error:
        return ImageProbe("FILE-TRUNCATED", str(error) or type(error).__name__)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _probe(image: Image.Image, limits: DecodeLimits) -> ImageProbe:
    width, height = image.size
    if width * height > limits.max_pixels:
        return ImageProbe("FILE-TOO-LARGE", f"{width} × {height} pixels")
    kind, mode, frames = image.format or "", image.mode, getattr(image, "n_frames", 1)
    orientation = orientation_of(image)
    if kind in ("JPEG", "MPO"):
        image.draft("L", (min(width, _WORK_PX), min(height, _WORK_PX)))
    image.load()
    grey = _grey(image)
    low, high = _percentiles(grey)
    return ImageProbe(
        width=width,
        height=height,
        orientation=orientation,
        kind=kind,
        mode=mode,
        frames=frames if kind != "MPO" else 1,
        low=low,
        high=high,
        sharpness=_sharpness(np.asarray(grey)),
        thumb=np.asarray(grey.resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX)),
    )


def _grey(image: Image.Image) -> Image.Image:
    """Luminance, 8 bits, at most about ``_WORK_PX`` long, so that figures mean the same at any resolution."""
    if is_deep(image):
        image = to_8_bits(image)
    factor = max(1, round(max(image.size) / _WORK_PX))
    if image.mode != "L":
        image = to_rgb(image)
    if factor > 1:
        image = image.reduce(factor)
    return image if image.mode == "L" else image.convert("L")


def _percentiles(grey: Image.Image) -> tuple[int, int]:
    cumulative = np.cumsum(grey.histogram())
    size = grey.width * grey.height
    return int(np.searchsorted(cumulative, 0.01 * size)), int(np.searchsorted(cumulative, 0.99 * size))


def _sharpness(grey: Thumb) -> float:
    """Mean step between neighbours, as a share of that between pixels eight apart; 1 for tiny or flat images.

    A blur of radius r makes steps of one pixel about r times smaller and leaves long steps alone, whatever the
    contrast of the scene. Every fourth row is enough.
    """
    rows = grey[::4].astype(np.int16)
    if rows.shape[1] < 4 * 8:
        return 1.0
    fine = float(np.abs(rows[:, 1:] - rows[:, :-1]).mean())
    coarse = float(np.abs(rows[:, 8:] - rows[:, :-8]).mean())
    return fine / coarse if coarse > 1.0 else 1.0
