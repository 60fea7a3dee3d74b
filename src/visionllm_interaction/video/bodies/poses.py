"""Poses: 33 key points of a person, from the crop of the person.

Source: Bazarevsky et al., BlazePose: On-device Real-time Body Pose Tracking, 2020. The model wants a square around the
middle of the hips that the whole body fits in, head up. A person's box gives a first guess; two more outputs of the
model, the hips' middle and a point on the circle around the body, give the square it would rather have had.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.bodies.crop_regions import Region, angle_of, around_box
from visionllm_interaction.video.bodies.network import Network

Floats = NDArray[np.float32]

N_POINTS = 33
_MARGIN = 1.25
"""Side of the model's square by the diameter of the circle around the body."""
_VALUES = 5
_HIPS, _CIRCLE = 33, 34
_TURNED = math.radians(25)
_SHIFTED = 0.15
_SCALED = 1.3
"""The square is taken again if the model would have had it turned, shifted (in sides) or scaled by so much."""


class Point(IntEnum):
    """Rows of a pose's key points; left and right are the person's own."""

    NOSE = 0
    LEFT_EYE = 2
    RIGHT_EYE = 5
    LEFT_EAR = 7
    RIGHT_EAR = 8
    MOUTH_LEFT = 9
    MOUTH_RIGHT = 10
    LEFT_SHOULDER = 11
    RIGHT_SHOULDER = 12
    LEFT_ELBOW = 13
    RIGHT_ELBOW = 14
    LEFT_WRIST = 15
    RIGHT_WRIST = 16
    LEFT_PINKY = 17
    RIGHT_PINKY = 18
    LEFT_INDEX = 19
    RIGHT_INDEX = 20
    LEFT_THUMB = 21
    RIGHT_THUMB = 22
    LEFT_HIP = 23
    RIGHT_HIP = 24
    LEFT_KNEE = 25
    RIGHT_KNEE = 26
    LEFT_ANKLE = 27
    RIGHT_ANKLE = 28
    LEFT_HEEL = 29
    RIGHT_HEEL = 30
    LEFT_FOOT = 31
    RIGHT_FOOT = 32


@dataclass(frozen=True, eq=False)
class Pose:
    """Key points of one person.

    Attributes:
        points_xy: (33, 2) pixels of the image.
        depth: (33,) towards the camera negative, in pixels, from the middle of the hips; rough.
        visibility: (33,) probability that the point is in the image and not occluded.
        presence: (33,) probability that the point is in the image.
        score: probability that there is a person whose pose it is.
    """

    points_xy: Floats
    depth: Floats
    visibility: Floats
    presence: Floats
    score: float


class PoseEstimator:
    """Estimates poses from boxes of people.

    Args:
        path: BlazePose's landmark model, lite or full, as TFLite.

    Raises:
        CheckpointError: if the file is missing or unreadable.
    """

    def __init__(self, path: Path) -> None:
        self._network = Network(path, outputs=(0, 1))

    def estimate(self, images_rgb: Sequence[NDArray[np.uint8]], boxes_xyxy: Sequence[Floats]) -> list[Pose]:
        """Estimate the pose of each person.

        Args:
            images_rgb: for each person the image, (H, W, 3) uint8.
            boxes_xyxy: for each person the box, (4,) pixels.

        Returns:
            A pose for each person, which means something where its score is high.
        """
        regions = [around_box(box, scale=_MARGIN) for box in boxes_xyxy]
        found = self._run(images_rgb, regions)
        wanted = [
            wanted_region(region.to_image(rows[_HIPS:, :2])) for region, (rows, _) in zip(regions, found, strict=True)
        ]
        again = [n for n, (_, score) in enumerate(found) if is_far_off(regions[n], wanted[n])]
        second = self._run([images_rgb[n] for n in again], [wanted[n] for n in again])
        for n, (rows, score) in zip(again, second, strict=True):
            if score > found[n][1]:
                regions[n], found[n] = wanted[n], (rows, score)
        return [pose_of(rows, score, region) for region, (rows, score) in zip(regions, found, strict=True)]

    def _run(self, images_rgb: Sequence[NDArray[np.uint8]], regions: Sequence[Region]) -> list[tuple[Floats, float]]:
        """For each region the rows of its points in shares of the crop, and the score."""
        side = self._network.side_px
        crops = (region.crop(image, side) for image, region in zip(images_rgb, regions, strict=True))
        found = []
        for values, score in self._network.run(crops):
            rows = values.reshape(-1, _VALUES).copy()
            rows[:, :3] /= side
            found.append((rows, float(score.reshape(-1)[0])))
        return found


def wanted_region(points_xy: Floats) -> Region:
    """The square that fits a body, from the middle of its hips and a point on the circle around it (2, 2), pixels."""
    radius = float(np.hypot(*(points_xy[1] - points_xy[0])))
    angle = angle_of(points_xy[0], points_xy[1], upright_deg=90.0)
    return Region(float(points_xy[0, 0]), float(points_xy[0, 1]), max(2.0 * radius * _MARGIN, 1.0), angle)


def is_far_off(used: Region, wanted: Region) -> bool:
    """Whether a square is so different from the one the model would rather have had that it is worth a second try."""
    shift = math.hypot(used.x - wanted.x, used.y - wanted.y) / used.side
    turned = abs((used.angle - wanted.angle + math.pi) % (2 * math.pi) - math.pi)
    return shift > _SHIFTED or turned > _TURNED or not 1 / _SCALED < wanted.side / used.side < _SCALED


def pose_of(rows: Floats, score: float, region: Region) -> Pose:
    """A pose from the model's rows (39, 5: x, y, depth in shares of the crop, logits of visibility and presence)."""
    seen = 1.0 / (1.0 + np.exp(-np.clip(rows[:N_POINTS, 3:], -50, 50)))
    return Pose(
        points_xy=region.to_image(rows[:N_POINTS, :2]),
        depth=(rows[:N_POINTS, 2] * region.side).astype(np.float32),
        visibility=seen[:, 0].astype(np.float32),
        presence=seen[:, 1].astype(np.float32),
        score=min(max(score, 0.0), 1.0),
    )
