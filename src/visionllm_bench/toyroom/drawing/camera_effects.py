"""What a camera does to an image: light, blur, noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

_NOISE_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Optics:
    """One camera in one room: colour of the light, its fall-off, softness of the lens, noise of the sensor.

    Attributes:
        tint: factor per colour channel.
        fall: how much darker the side away from the light is (0 none).
        side: where the light comes from, −1 left … 1 right.
        vignette: how much darker the corners are.
        blur_px: standard deviation of the lens blur.
        noise: standard deviation of the sensor noise in grey levels.
    """

    tint: tuple[float, float, float]
    fall: float
    side: float
    vignette: float
    blur_px: float
    noise: float


def random_optics(rng: np.random.Generator, *, gentle: bool) -> Optics:
    """A camera; ``gentle`` for videos, where noise costs much and is the same all the time."""
    level, warmth = float(rng.uniform(0.92, 1.22)), float(rng.uniform(-0.07, 0.07))
    return Optics(
        tint=(level * (1 + warmth), level, level * (1 - warmth)),
        fall=float(rng.uniform(0.0, 0.2)),
        side=float(rng.choice([-1.0, 1.0])),
        vignette=float(rng.uniform(0.0, 0.18)),
        blur_px=0.0 if gentle else float(rng.uniform(0.0, 1.0)),
        noise=float(rng.uniform(1.0, 1.4 if gentle else 7.0)),
    )


def expose(image: Image.Image, optics: Optics, *, rng: np.random.Generator) -> Image.Image:
    """The image as the camera records it."""
    if optics.blur_px > 0.25:
        image = image.filter(ImageFilter.GaussianBlur(optics.blur_px))
    lit = np.multiply(np.asarray(image), _light(image.size, optics), dtype=np.uint16)
    lit >>= 7
    values = lit.view(np.int16)
    values += _grain(image.size, optics.noise, rng)
    np.clip(values, 0, 255, out=values)
    return Image.fromarray(values.astype(np.uint8))


@lru_cache(maxsize=4)
def _light(size: tuple[int, int], optics: Optics) -> NDArray[np.uint16]:
    """Brightness factor × 128, (H, W, 3); 255 × 128 × 2 still fits 16 bits."""
    width, height = size
    x = np.linspace(-1, 1, width)[None, :]
    y = np.linspace(-1, 1, height)[:, None]
    light = 1.0 - optics.fall * (1 - optics.side * x) / 2 - optics.vignette * (x**2 + y**2) / 2
    return np.asarray((light[..., None] * np.array(optics.tint) * 128).astype(np.uint16))


@lru_cache(maxsize=8)
def _noise_field(strength: int) -> NDArray[np.int16]:
    """A fixed square of noise; images take random windows of it. ``strength`` is in hundredths."""
    field = np.random.default_rng(strength).normal(0.0, strength / 100, (_NOISE_SIDE, _NOISE_SIDE))
    return np.asarray(np.rint(field).astype(np.int16))


def _grain(size: tuple[int, int], noise: float, rng: np.random.Generator) -> NDArray[np.int16]:
    """(H, W, 1) or larger-tiled noise, the same for the three channels."""
    width, height = size
    field = _noise_field(max(1, round(noise)) * 100)
    reach_x, reach_y = -(-width // _NOISE_SIDE) + 1, -(-height // _NOISE_SIDE) + 1
    if reach_x > 2 or reach_y > 2:
        field = np.tile(field, (reach_y, reach_x))
    top = int(rng.integers(field.shape[0] - height + 1)) if field.shape[0] > height else 0
    left = int(rng.integers(field.shape[1] - width + 1)) if field.shape[1] > width else 0
    return np.asarray(field[top : top + height, left : left + width, None])
