"""The camera: still in a corner of the room, or on a child's head."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image, ImageFilter

from visionllm_bench.toyroom.render.compositor import Box, Owners


@dataclass(frozen=True, slots=True)
class View:
    """The window of the canvas a camera sees at one moment.

    Attributes:
        left, top: upper left corner of the window on the canvas, in canvas pixels.
        zoom: frame pixels per canvas pixel.
        size: frame (width, height) in pixels.
        smear: how far the image moves while the shutter is open, (x, y) in frame pixels.
        whole: the window is exactly the canvas, nothing has to be resampled.
    """

    left: float
    top: float
    zoom: float
    size: tuple[int, int]
    smear: tuple[float, float] = (0.0, 0.0)
    whole: bool = False

    @property
    def window(self) -> tuple[float, float, float, float]:
        """The window on the canvas, xyxy."""
        width, height = self.size
        return (self.left, self.top, self.left + width / self.zoom, self.top + height / self.zoom)

    def photograph(self, canvas: Image.Image) -> Image.Image:
        """What the camera sees of a drawn canvas."""
        if self.whole:
            return canvas
        image = canvas.resize(self.size, Image.Resampling.BILINEAR, box=self.window)
        return _smeared(image, self.smear)

    def sample(self, owners: Owners) -> Owners:
        """The owner of each frame pixel: that of the canvas pixel at its centre."""
        if self.whole:
            return owners
        width, height = self.size
        columns = np.floor(self.left + (np.arange(width) + 0.5) / self.zoom).astype(np.intp)
        rows = np.floor(self.top + (np.arange(height) + 0.5) / self.zoom).astype(np.intp)
        return np.asarray(owners[rows[:, None], columns[None, :]])

    def project(self, box: Box) -> Box:
        """A canvas box in frame pixels, rounded outwards."""
        if self.whole:
            return box
        x1, y1, x2, y2 = box
        left, top = (x1 - self.left) * self.zoom, (y1 - self.top) * self.zoom
        right, bottom = (x2 - self.left) * self.zoom, (y2 - self.top) * self.zoom
        return (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))


def _smeared(image: Image.Image, smear: tuple[float, float]) -> Image.Image:
    reach = (min(abs(smear[0]) * 0.35, 9.0), min(abs(smear[1]) * 0.35, 9.0))
    return image.filter(ImageFilter.BoxBlur(reach)) if max(reach) >= 0.4 else image


class Camera(Protocol):
    """Anything that knows what it sees at a time."""

    def at(self, time_s: float) -> View:
        """The view at ``time_s``."""
        ...


@dataclass(frozen=True, slots=True)
class RoomCamera:
    """A camera that never moves and sees the whole canvas."""

    size: tuple[int, int]

    def at(self, time_s: float) -> View:  # noqa: ARG002 - it does not move
        """The whole canvas."""
        return View(0.0, 0.0, 1.0, self.size, whole=True)
