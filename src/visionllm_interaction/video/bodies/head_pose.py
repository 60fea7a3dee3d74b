"""Yaw and pitch of a head: from the three-dimensional landmarks of its face, or from eyes, nose and ears in the image.

The landmarks are in weak perspective: depth is in the same units as x and y. The line through points that lie at the
same height on both sides of the face, and the line from the forehead to the chin, are the head's axes. In profile the
landmarks do not hold; there the nose is far from the middle between the ears, and these near each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEFT_OF_IMAGE = (33, 133, 234, 61, 70, 105, 58, 50)
_RIGHT_OF_IMAGE = (263, 362, 454, 291, 300, 334, 288, 280)
"""Pairs of landmarks that a mirrored face exchanges: corners of the eyes and of the mouth, cheeks, brows, jaw."""
_FOREHEAD, _CHIN = 10, 152


def head_angles_deg(points_xyz: NDArray[np.floating]) -> tuple[float, float]:
    """Yaw and pitch of a head.

    Args:
        points_xyz: (468, 3) landmarks in the image's axes: x to the right, y down, z away from the camera, one unit.

    Returns:
        Degrees: yaw, positive towards the image's right; pitch, positive upwards. Both are 0 towards the camera.
    """
    points = np.asarray(points_xyz, np.float64)
    across = points[list(_RIGHT_OF_IMAGE)].mean(axis=0) - points[list(_LEFT_OF_IMAGE)].mean(axis=0)
    down = points[_CHIN] - points[_FOREHEAD]
    away = np.cross(across, down)
    x, y, z = -away / max(float(np.linalg.norm(away)), 1e-12)
    return float(np.degrees(np.arctan2(x, -z))), float(np.degrees(np.arcsin(np.clip(-y, -1, 1))))


_NOSE_BEFORE_EARS = 0.65
"""Distance of the tip of the nose from the line through the ears, in distances between the ears (10 of 15 cm)."""


def profile_yaw_deg(
    ears_xy: NDArray[np.floating],
    nose_xy: NDArray[np.floating],
    *,
    mouth_xy: NDArray[np.floating],
    eyes_xy: NDArray[np.floating],
) -> float:
    """Yaw of a head from a few points in the image, also of a head in profile.

    Args:
        ears_xy: (2, 2) pixels, in any order.
        nose_xy: (2,) the tip.
        mouth_xy: (2,) its middle.
        eyes_xy: (2,) the middle between them.

    Returns:
        Degrees, positive towards the image's right.
    """
    up = np.asarray(eyes_xy, np.float64) - np.asarray(mouth_xy, np.float64)
    up /= max(float(np.hypot(*up)), 1e-9)
    right = np.array([-up[1], up[0]])
    ears = np.asarray(ears_xy, np.float64)
    beside = float((np.asarray(nose_xy, np.float64) - ears.mean(axis=0)) @ right)
    apart = float(np.hypot(*(ears[1] - ears[0])))
    return float(np.degrees(np.arctan2(beside / _NOSE_BEFORE_EARS, apart)))
