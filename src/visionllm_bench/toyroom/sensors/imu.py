"""The inertial sensor of the head camera: how fast the head turns, and where down is."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_bench.toyroom.render.head_camera import EgoCamera
from visionllm_bench.toyroom.sensors.gaze import FIELD_OF_VIEW_DEG

IMU_HZ = 100.0
COLUMNS = (
    "timestamp_s",
    "gyro_x_rad_s",
    "gyro_y_rad_s",
    "gyro_z_rad_s",
    "accel_x_m_s2",
    "accel_y_m_s2",
    "accel_z_m_s2",
)
_GRAVITY_M_S2 = 9.80665


def imu_samples(camera: EgoCamera, *, canvas_height: float, duration_s: float) -> NDArray[np.float64]:
    """What an ideal inertial sensor on the head camera measures.

    The axes are the image's: x to the right, y down, z forward; turns follow the right hand: a head that turns to its
    right turns about +y, one that looks up about +x. The head does not roll. Zoom is not movement. The accelerometer
    measures gravity alone: +9.81 m/s² upwards, so -9.81 on y while the camera is level.

    Args:
        camera: the head camera.
        canvas_height: height of the drawn room in pixels; the camera is level while it looks at its middle.
        duration_s: length of the video in seconds.

    Returns:
        (n, 7) the columns of :data:`COLUMNS`, at :data:`IMU_HZ`.
    """
    t = np.arange(int(duration_s * IMU_HZ)) / IMU_HZ
    left, top, zoom = camera.path[: len(t)].T
    width, height = camera.size
    focal_px = width / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG / 2))
    # Pixels of the canvas to radians: the focal length counts pixels of the image.
    right = (left + width / zoom / 2) / focal_px
    down = (top + height / zoom / 2 - canvas_height / 2) / focal_px
    up = -down
    gyro_x, gyro_y = np.gradient(up, t), np.gradient(right, t)
    zero = np.zeros(len(t))
    accel_y, accel_z = -_GRAVITY_M_S2 * np.cos(up), _GRAVITY_M_S2 * np.sin(up)
    return np.column_stack([t, gyro_x, gyro_y, zero, zero, accel_y, accel_z])


def write_imu(path: Path, samples: NDArray[np.float64]) -> None:
    """Write ``imu.csv``.

    Args:
        path: the file.
        samples: from :func:`imu_samples`.
    """
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows([f"{value:.6f}" for value in row] for row in samples.tolist())
