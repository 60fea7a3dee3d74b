"""Output images: upright, with square pixels, and of one size throughout the video."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MATRIX = struct.Struct("=9i")
_WIDEST = 4
"""Pixels more than so many times as wide as high, or as high as wide, are a mistake of the file."""
_SAME_SHAPE = 0.01
"""Images whose aspect ratios differ by less are scaled; others are letterboxed."""


@dataclass(frozen=True)
class Orientation:
    """How to make a stored image upright: mirror it left to right first, then rotate it.

    Attributes:
        rotation_deg: counter-clockwise rotation: 0, 90, 180 or 270.
        mirrored: whether the image is mirrored before the rotation.
    """

    rotation_deg: int = 0
    mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether width becomes height."""
        return self.rotation_deg % 180 == 90

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``image`` (H, W, …) upright; a view."""
        image = image[:, ::-1] if self.mirrored else image
        return np.rot90(image, self.rotation_deg // 90) if self.rotation_deg else image


def orientation_of(frame: Any) -> Orientation:
    """The orientation that a frame's display matrix asks for, to the nearest quarter turn.

    The matrix maps (x, y), y pointing down, to (a x + c y, b x + d y). A negative determinant mirrors the image.
    """
    try:
        # By number: looking a kind up by its name fails for kinds that PyAV does not know.
        matrix = next((bytes(data) for data in frame.side_data if _is_matrix(data)), None)
    except ValueError:
        matrix = None
    if matrix is None or len(matrix) < _MATRIX.size:
        return Orientation()
    a, b, _, c, d, *_ = _MATRIX.unpack_from(matrix)
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b  # the rest after mirroring left to right
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(0 if a + d >= 0 else 180, mirrored)
    # x goes to b: downwards is clockwise
    return Orientation(270 if b - c > 0 else 90, mirrored)


def _is_matrix(data: Any) -> bool:
    try:
        return bool(data.type.name == "DISPLAYMATRIX")
    except ValueError:
        return False


def pixel_aspect(stream: Any) -> Fraction:
    """Width over height of a stored pixel; 1 if the file does not state it or states an implausible value."""
    ratio = stream.sample_aspect_ratio
    if not ratio or not Fraction(1, _WIDEST) <= ratio <= _WIDEST:
        return Fraction(1)
    return Fraction(ratio)


@dataclass(frozen=True)
class Canvas:
    """The size of all images of a video, from its first frame.

    Attributes:
        stored_px: width and height of that frame as it is stored.
        square_px: the same in square pixels: the width is changed, the height kept.
        orientation: what makes it upright.
    """

    stored_px: tuple[int, int]
    square_px: tuple[int, int]
    orientation: Orientation

    @classmethod
    def of(cls, frame: Any, aspect: Fraction) -> Canvas:
        """The canvas of a video that begins with ``frame``."""
        stored = (frame.width, frame.height)
        width = stored[0] if aspect == 1 else max(2, 2 * round(stored[0] * aspect / 2))
        if abs(width - stored[0]) <= 1:
            width = stored[0]
        return cls(stored, (width, stored[1]), orientation_of(frame))

    @property
    def upright_px(self) -> tuple[int, int]:
        """Width and height of the images handed on."""
        return self.square_px[::-1] if self.orientation.swaps_sides else self.square_px

    @property
    def stored_upright_px(self) -> tuple[int, int]:
        """Width and height of the upright image in stored pixels."""
        return self.stored_px[::-1] if self.orientation.swaps_sides else self.stored_px

    def fits(self, frame: Any) -> bool:
        """Whether ``frame`` has the size of the first one."""
        return (frame.width, frame.height) == self.stored_px

    def draw(self, frame: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """``frame`` as an upright image of ``shape``: (H, W, 3) in RGB, or (H, W) in grey."""
        height, width = shape[1::-1] if self.orientation.swaps_sides else shape[:2]
        grey = len(shape) == 2
        inner = self._inner(frame, width, height)
        image = _pixels(frame, *inner, grey=grey)
        if inner != (width, height):
            whole = np.zeros((height, width, *shape[2:]), np.uint8)
            top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
            whole[top : top + inner[1], left : left + inner[0]] = image
            image = whole
        return self.orientation.apply(image)

    def _inner(self, frame: Any, width: int, height: int) -> tuple[int, int]:
        """Width and height that ``frame`` takes up in an image of ``width`` x ``height``."""
        change = (frame.width / frame.height) / (self.stored_px[0] / self.stored_px[1])
        if abs(change - 1) <= _SAME_SHAPE:
            return width, height
        if change > 1:
            return width, max(1, round(height / change))
        return max(1, round(width * change)), height


def _pixels(frame: Any, width: int, height: int, *, grey: bool) -> NDArray[np.uint8]:
    if grey:
        small = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
        return np.asarray(small.to_ndarray(), dtype=np.uint8)
    if (width, height) == (frame.width, frame.height):
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    sized = frame.reformat(width=width, height=height, format="rgb24", interpolation="BICUBIC")
    return np.asarray(sized.to_ndarray(), dtype=np.uint8)
