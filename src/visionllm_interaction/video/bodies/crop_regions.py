"""Square regions of interest, upright or rotated: cut them out of an image, and place what is found in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Region:
    """A square of an image, which may reach beyond it.

    Attributes:
        x: of its centre, in pixels.
        y: of its centre, in pixels.
        side: in pixels.
        angle: radians by which it is turned clockwise; the crop is turned back.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Points (…, 2) in shares of the crop, in pixels of the image."""
        offset = (np.asarray(points, np.float64) - 0.5) * self.side
        return (offset @ _rotation(self.angle).T + (self.x, self.y)).astype(np.float32)

    def turn(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Vectors (…, 2 or 3) of the crop as vectors of the image; a third coordinate, depth, stays as it is."""
        turned = np.array(vectors, np.float64)
        turned[..., :2] = turned[..., :2] @ _rotation(self.angle).T
        return turned

    def crop(self, image_rgb: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
        """The region as an image of (side_px, side_px, 3); what lies outside the image is black."""
        scale = side_px / self.side
        turn = _rotation(-self.angle) * scale
        shift = np.array([side_px / 2, side_px / 2]) - turn @ (self.x, self.y)
        matrix = np.concatenate([turn, shift[:, None]], axis=1)
        # Pixel centres lie at half pixels: without this the crop is shifted by up to half a pixel of the image.
        matrix[:, 2] += turn @ (0.5, 0.5) - 0.5
        cut = cv2.warpAffine(image_rgb, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR)
        return np.asarray(cut, np.uint8)


def around_box(box_xyxy: NDArray[np.floating], *, scale: float = 1.0) -> Region:
    """The upright square around a box (4,): its side is the longer side of the box times ``scale``."""
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    return Region((x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, y2 - y1, 1.0) * scale)


def angle_of(begin_xy: NDArray[np.floating], end_xy: NDArray[np.floating], *, upright_deg: float) -> float:
    """How far something is turned, from two of its points.

    Args:
        begin_xy: (2,) x and y of the first point; y grows downwards.
        end_xy: (2,) of the second.
        upright_deg: direction from the first to the second where nothing is turned, counted counter-clockwise from the
            image's right: 90 is up.

    Returns:
        Radians in [-π, π), clockwise positive.
    """
    x, y = np.asarray(end_xy, np.float64) - np.asarray(begin_xy, np.float64)
    turned = math.radians(upright_deg) - math.atan2(-y, x)
    return turned - 2 * math.pi * math.floor((turned + math.pi) / (2 * math.pi))


def box_of(points_xy: NDArray[np.floating], *, margin: float = 0.0) -> NDArray[np.float32]:
    """(4,) xyxy of the box around points (n, 2), enlarged on each side by ``margin`` times its longer side."""
    low, high = points_xy.min(axis=0), points_xy.max(axis=0)
    more = margin * float((high - low).max())
    return np.concatenate([low - more, high + more]).astype(np.float32)


def _rotation(angle: float) -> NDArray[np.float64]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])
