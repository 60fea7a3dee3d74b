"""Bilinear resizing of an image for the input of a network, as torch's ``interpolate`` does it, without torch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def resize_bilinear(image_rgb: NDArray[np.uint8], *, height: int, width: int) -> NDArray[np.float32]:
    """Resize by linear interpolation between pixel centres, without smoothing before.

    Args:
        image_rgb: (H, W, 3) uint8.
        height: of the result, in pixels.
        width: of the result, in pixels.

    Returns:
        (height, width, 3) float32 in 0…255, not rounded.

    Raises:
        ValueError: on another shape or type.
    """
    if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8:
        raise ValueError(f"expected (H, W, 3) uint8, found {image_rgb.shape} {image_rgb.dtype}")
    pixels = np.ascontiguousarray(image_rgb, dtype=np.float32)
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
