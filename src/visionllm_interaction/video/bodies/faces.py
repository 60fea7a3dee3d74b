"""Faces: found in crops of heads, with landmarks, and the yaw and pitch of the head.

Source: Bazarevsky et al., BlazeFace, 2019; Kartynnik et al., Real-time Facial Surface Geometry, 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.bodies.anchors import Anchors, Candidates, decode, distinct, suppress
from visionllm_interaction.video.bodies.crop_regions import Region, angle_of, box_of
from visionllm_interaction.video.bodies.head_pose import head_angles_deg, profile_yaw_deg
from visionllm_interaction.video.bodies.network import Network

Floats = NDArray[np.float32]

ANCHORS = Anchors(128, (8, 16, 16, 16))
MAX_IOU = 0.3
_MARGIN = 1.5
"""Side of the square for the landmarks by the longer side of the face's box."""
_DEPTH = 3
LANDMARKS_HOLD = 0.5
"""Below this presence the landmarks do not tell where the head is turned."""
_LEFT_EYE, _RIGHT_EYE, _NOSE, _MOUTH, _LEFT_EAR, _RIGHT_EAR = range(6)
"""The detector's points; left and right in the image."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face.

    Attributes:
        box_xyxy: (4,) pixels of the image, around the landmarks: forehead to chin.
        score: of the detector.
        presence: probability that the landmarks lie on a face.
        yaw_deg: positive towards the image's right, 0 towards the camera.
        pitch_deg: positive upwards, 0 towards the camera; None where the landmarks do not hold: in profile.
    """

    box_xyxy: Floats
    score: float
    presence: float
    yaw_deg: float
    pitch_deg: float | None


class FaceEstimator:
    """Finds faces in square regions of images.

    Args:
        detector: BlazeFace's short-range model as TFLite.
        landmarks: the face landmark model as TFLite.

    Raises:
        CheckpointError: if a file is missing or unreadable.
    """

    def __init__(self, detector: Path, landmarks: Path) -> None:
        self._detector = Network(detector, outputs=(0, 1), low=-1.0)
        self._landmarks = Network(landmarks, outputs=(0, 1))

    def find(
        self, images_rgb: Sequence[NDArray[np.uint8]], regions: Sequence[Region], *, min_score: float
    ) -> list[list[Face]]:
        """Find faces.

        Args:
            images_rgb: for each region the image, (H, W, 3) uint8.
            regions: where to look; a face should fill a fifth of the side or more.
            min_score: faces below it are left out.

        Returns:
            For each region the faces in it, best first.
        """
        crops = (region.crop(image, ANCHORS.side_px) for image, region in zip(images_rgb, regions, strict=True))
        seen = [
            suppress(decode(raw, logits, ANCHORS, min_score=min_score), max_iou=MAX_IOU)
            for raw, logits in self._detector.run(crops)
        ]
        found = distinct(seen, images_rgb, regions)
        places = [face_region(seen[n], row, regions[n]) for n, row in found]
        scores = [float(seen[n].scores[row]) for n, row in found]
        measured = self.measure([images_rgb[n] for n, _ in found], places, scores)
        faces: list[list[Face]] = [[] for _ in regions]
        for (n, row), face in zip(found, measured, strict=True):
            faces[n].append(face if face.presence >= LANDMARKS_HOLD else _by_points(face, seen[n], row, regions[n]))
        return faces

    def measure(
        self, images_rgb: Sequence[NDArray[np.uint8]], places: Sequence[Region], scores: Sequence[float]
    ) -> list[Face]:
        """Place the landmarks of faces.

        Args:
            images_rgb: for each face the image, (H, W, 3) uint8.
            places: squares half as large again as the faces, turned so that the eyes are level.
            scores: how sure it is that there is a face.

        Returns:
            A face for each place; one without a face in it has a low presence.
        """
        side = self._landmarks.side_px
        crops = (place.crop(image, side) for image, place in zip(images_rgb, places, strict=True))
        faces = []
        for place, score, (values, logit) in zip(places, scores, self._landmarks.run(crops), strict=True):
            points = values.reshape(-1, _DEPTH) / side
            yaw, pitch = head_angles_deg(place.turn(points))
            presence = 1.0 / (1.0 + math.exp(-float(np.clip(logit.reshape(-1)[0], -50, 50))))
            box = box_of(place.to_image(points[:, :2]))
            faces.append(Face(box, score, presence, yaw, pitch))
        return faces


def face_region(found: Candidates, row: int, region: Region) -> Region:
    """The square for the landmarks of a face: around its box, turned so that the eyes are level."""
    points = region.to_image(found.points_xy[row])
    corners = region.to_image(found.boxes_xyxy[row].reshape(2, 2))
    centre, side = corners.mean(axis=0), float((corners[1] - corners[0]).max())
    angle = angle_of(points[0], points[1], upright_deg=0.0)
    return Region(float(centre[0]), float(centre[1]), max(side, 1.0) * _MARGIN, angle)


def _by_points(face: Face, found: Candidates, row: int, region: Region) -> Face:
    """The face with the yaw and the box that the detector's own points and box give."""
    points = region.to_image(found.points_xy[row])
    yaw = profile_yaw_deg(
        points[[_LEFT_EAR, _RIGHT_EAR]],
        points[_NOSE],
        mouth_xy=points[_MOUTH],
        eyes_xy=points[[_LEFT_EYE, _RIGHT_EYE]].mean(axis=0),
    )
    box = box_of(region.to_image(found.boxes_xyxy[row].reshape(2, 2)))
    return replace(face, box_xyxy=box, yaw_deg=yaw, pitch_deg=None)
