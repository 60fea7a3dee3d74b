"""Apparent age of faces, from crops that are aligned by five landmarks.

Source: the age predictor of dlib-models (Cydral Technology, CC0 1.0); its crops are those of dlib's five-point
alignment. The age is that of a look, not of a person: see docs/roles.md for how far it can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.bodies.crop_regions import Region
from visionllm_interaction.video.bodies.network import Network

Floats = NDArray[np.float32]

_MEAN_RGB = (122.781998, 117.000999, 104.297997)
_DIVISOR = 256.0
_LANDMARKS = (263, 362, 33, 133, 2)
"""Of the 468 landmarks: outer and inner corner of the eye at the image's right and left, base of the nose."""
_PADDING = 0.2
_ALIGNED = np.array(
    [[0.8596, 0.2135], [0.6461, 0.2290], [0.1206, 0.2137], [0.3341, 0.2291], [0.4901, 0.6278]], np.float64
)
"""Where these landmarks lie in an upright face, in shares of its square before the padding."""
_YEARS = np.concatenate([[0.25], np.arange(1, 81)]).astype(np.float32)


class FaceAgeEstimator:
    """Estimates the apparent age of faces whose landmarks are known.

    Args:
        path: the age predictor as ONNX, 64 x 64 pixels in, probabilities of 81 years out.

    Raises:
        CheckpointError: if the file is missing or unreadable.
    """

    def __init__(self, path: Path) -> None:
        self._network = Network(path, outputs=(0,), mean_rgb=_MEAN_RGB, divisor=_DIVISOR)

    def estimate(self, images_rgb: Sequence[NDArray[np.uint8]], landmarks_xy: Sequence[Floats]) -> list[float]:
        """Estimate ages.

        Args:
            images_rgb: for each face the image, (H, W, 3) uint8.
            landmarks_xy: for each face its landmarks, (468, 2) pixels.

        Returns:
            The expected age of each face in years, 0.25 to 80.
        """
        side = self._network.side_px
        crops = (
            aligned_region(points).crop(image, side) for image, points in zip(images_rgb, landmarks_xy, strict=True)
        )
        return [float(np.dot(probabilities, _YEARS)) for (probabilities,) in self._network.run(crops)]


def aligned_region(landmarks_xy: Floats) -> Region:
    """The square in which eyes and nose lie where the age predictor expects them.

    Args:
        landmarks_xy: (468, 2) pixels.

    Returns:
        The square; the best turn, shift and scale in the sense of least squares.
    """
    aligned = (_ALIGNED + _PADDING) / (1 + 2 * _PADDING)
    seen = np.asarray(landmarks_xy, np.float64)[list(_LANDMARKS)]
    # Points as complex numbers: turn and scale are one factor, and least squares one division.
    there = (aligned - aligned.mean(axis=0)) @ (1, 1j)
    here = (seen - seen.mean(axis=0)) @ (1, 1j)
    factor = np.vdot(there, here) / np.vdot(there, there)
    middle = seen.mean(axis=0) @ (1, 1j) + factor * ((0.5 - aligned.mean(axis=0)) @ (1, 1j))
    return Region(float(middle.real), float(middle.imag), max(float(abs(factor)), 1.0), float(np.angle(factor)))
