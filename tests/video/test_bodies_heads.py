"""Yaw and pitch of heads from landmarks: the sign, the size, and that roll does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.video.bodies.head_pose import head_angles_deg, profile_yaw_deg
from visionllm_interaction.video.head_yaw.estimation import yaw_deg


def _face(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """468 points of which the sides, forehead and chin are placed; x right, y down, z away from the camera."""
    points = np.zeros((468, 3))
    pairs = {33: (-45, -30, 5), 133: (-18, -30, 0), 234: (-70, 0, 45), 61: (-25, 40, 0), 70: (-50, -45, 0)}
    pairs |= {105: (-35, -50, -5), 58: (-60, 40, 40), 50: (-40, 10, 0)}
    other = {33: 263, 133: 362, 234: 454, 61: 291, 70: 300, 105: 334, 58: 288, 50: 280}
    for left, (x, y, z) in pairs.items():
        points[left], points[other[left]] = (x, y, z), (-x, y, z)
    points[10], points[152] = (0, -85, 0), (0, 85, 0)
    a, b, c = np.radians([yaw, pitch, roll])
    # Towards the image's right is a turn about the vertical that brings −z to +x.
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    lean = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return points @ (lean @ turn @ nod).T


@pytest.mark.parametrize("yaw", [-60, -20, 0, 20, 60])
@pytest.mark.parametrize("pitch", [-25, 0, 25])
@pytest.mark.parametrize("roll", [0])
def test_angles_of_a_turned_face_are_found(yaw: float, pitch: float, roll: float) -> None:
    found = head_angles_deg(_face(yaw=yaw, pitch=pitch, roll=roll))
    assert found == pytest.approx((yaw, pitch), abs=1e-6)


def test_the_sign_is_that_of_the_landmarks_of_other_detectors() -> None:
    """A nose to the image's right of the eyes' middle is a head turned to the image's right, in both."""
    five = np.array([[[0.0, 0], [60, 0], [45, 30], [15, 60], [45, 60]]])
    assert yaw_deg(five)[0] > 0
    ears = np.array([[-20.0, 5], [80, 5]])
    assert profile_yaw_deg(ears, five[0, 2], mouth_xy=np.array([30.0, 60]), eyes_xy=np.array([30.0, 0])) > 0
    assert head_angles_deg(_face(yaw=30))[0] > 0


@pytest.mark.parametrize(("nose_x", "apart", "low", "high"), [(0, 100, -1, 1), (60, 8, 80, 90), (-60, 8, -90, -80)])
def test_profiles_are_near_ninety_degrees(nose_x: float, apart: float, low: float, high: float) -> None:
    ears = np.array([[-apart / 2, 0.0], [apart / 2, 0.0]])
    points = {"mouth_xy": np.array([0.0, 40]), "eyes_xy": np.array([0.0, -20])}
    assert low <= profile_yaw_deg(ears, np.array([nose_x, 0.0]), **points) <= high
