"""Faces, hands and poses of the people in a few images at once.

Each step takes all people of all images: the requests of a step are computed side by side, and the next image's crops
are cut while earlier ones are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.bodies import BODY_KINDS, BodyKind
from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.face_age import FaceAgeEstimator
from visionllm_interaction.video.bodies.faces import LANDMARKS_HOLD, Face, FaceEstimator
from visionllm_interaction.video.bodies.hand_finder import FrameSequence, HandFinder, KnownFrame, OwnedHand
from visionllm_interaction.video.bodies.hands import HandEstimator
from visionllm_interaction.video.bodies.head_pose import profile_yaw_deg
from visionllm_interaction.video.bodies.image_people import (
    Floats,
    Image,
    Person,
    distinct_rows,
    is_met,
    whole_images,
)
from visionllm_interaction.video.bodies.ownership import owner_of_face
from visionllm_interaction.video.bodies.poses import Point, Pose, PoseEstimator
from visionllm_interaction.video.bodies.search_regions import (
    face_guess,
    face_searches,
    has_head,
    is_usable,
    shows_face,
)


@dataclass(frozen=True)
class BodyModels:
    """Files of the models; a kind without files is not looked for.

    Attributes:
        pose: landmark model of poses.
        palms: detector of palms.
        hands: landmark model of hands.
        face_detector: detector of faces.
        face_landmarks: landmark model of faces.
        face_age: age predictor of faces; needs the other two.
    """

    pose: Path | None = None
    palms: Path | None = None
    hands: Path | None = None
    face_detector: Path | None = None
    face_landmarks: Path | None = None
    face_age: Path | None = None

    @property
    def finds(self) -> tuple[BodyKind, ...]:
        """What these models find."""
        there = {
            "hands": bool(self.palms and self.hands),
            "faces": bool(self.face_detector and self.face_landmarks),
            "pose": bool(self.pose),
        }
        return tuple(kind for kind in BODY_KINDS if there[kind])

    def files(self) -> tuple[Path, ...]:
        """The files, in the order of the attributes."""
        return tuple(path for path in (getattr(self, one.name) for one in fields(self)) if path is not None)


@dataclass(frozen=True, eq=False)
class OwnedFace:
    """A face and the row of the person whose it is; None: of nobody whose box is known."""

    person: int | None
    face: Face


@dataclass(frozen=True, eq=False)
class Bodies:
    """What was found of the people in one image.

    Attributes:
        poses: for each person; None: there is none, or no pose was asked for.
        faces: at most one for each person, and those of nobody whose box is known.
        hands: at most two for each person, and those of nobody whose box is known.
    """

    poses: tuple[Pose | None, ...]
    faces: tuple[OwnedFace, ...] = ()
    hands: tuple[OwnedHand, ...] = ()

    def known(self, track_ids: NDArray[np.int64]) -> KnownFrame:
        """What hands of the next frame are followed from.

        Args:
            track_ids: (n,) tracks of the people.

        Returns:
            The hands, and the poses by track.
        """
        ids = track_ids.tolist()
        poses = {track: pose for track, pose in zip(ids, self.poses, strict=True) if pose is not None}
        return KnownFrame(self.hands, poses, ids)


class BodyEstimator:
    """Finds faces, hands and poses of people whose boxes are known.

    Args:
        models: files of the models.
        config: thresholds.

    Raises:
        CheckpointError: if a file is missing or unreadable.
    """

    def __init__(self, models: BodyModels, *, config: BodiesConfig = BodiesConfig()) -> None:
        self._config = config
        self._poses = PoseEstimator(models.pose) if models.pose else None
        self._hands = (
            HandFinder(HandEstimator(models.palms, models.hands), config=config)
            if models.palms and models.hands
            else None
        )
        faces = models.face_detector, models.face_landmarks
        self._faces = FaceEstimator(faces[0], faces[1]) if faces[0] and faces[1] else None
        self._ages = FaceAgeEstimator(models.face_age) if self._faces and models.face_age else None

    def estimate(
        self, images_rgb: Sequence[Image], boxes_xyxy: Sequence[Floats], sequence: FrameSequence | None = None
    ) -> list[Bodies]:
        """Find faces, hands and poses.

        Args:
            images_rgb: (H, W, 3) uint8 each.
            boxes_xyxy: for each image the boxes of its people, (n, 4) pixels.
            sequence: if the images are frames of one video: which are searched for hands; these are followed through
                the others. None: every image is searched.

        Returns:
            For each image what was found; rows of people as in ``boxes_xyxy``.
        """
        people = [
            Person(number, row, image, box)
            for number, (image, boxes) in enumerate(zip(images_rgb, boxes_xyxy, strict=True))
            for row, box in enumerate(np.asarray(boxes, np.float32).reshape(-1, 4))
        ]
        people = self._with_poses(people)
        groups: list[list[Person]] = [[] for _ in images_rgb]
        for person in people:
            groups[person.image].append(person)
        faces = self._find_faces(images_rgb, people, groups)
        hands = [[]] * len(groups) if self._hands is None else self._hands.find(images_rgb, groups, sequence)
        low = self._config.min_pose
        return [
            Bodies(
                tuple(p.pose if p.pose is not None and p.pose.score >= low else None for p in group),
                tuple(faces[number]),
                tuple(hands[number]),
            )
            for number, group in enumerate(groups)
        ]

    def _with_poses(self, people: Sequence[Person]) -> list[Person]:
        if self._poses is None:
            return list(people)
        poses = self._poses.estimate([p.image_rgb for p in people], [p.box_xyxy for p in people])
        return [Person(p.image, p.row, p.image_rgb, p.box_xyxy, pose) for p, pose in zip(people, poses, strict=True)]

    def _find_faces(
        self, images_rgb: Sequence[Image], people: Sequence[Person], groups: Sequence[list[Person]]
    ) -> list[list[OwnedFace]]:
        found: list[list[Face]] = [[] for _ in groups]
        if self._faces is None:
            return [[] for _ in groups]
        config = self._config
        searches = [*whole_images(images_rgb)]
        searches += [(p.image, region) for p in people for region in face_searches(p.box_xyxy, p.pose)]
        searched = [images_rgb[number] for number, _ in searches], [region for _, region in searches]
        for (number, _), faces in zip(searches, self._faces.find(*searched, min_score=config.min_face), strict=True):
            found[number] += faces
        guesses = [
            (p, place)
            for p in people
            if p.pose is not None and (place := face_guess(p.pose)) and not is_met(place.x, place.y, found[p.image])
        ]
        guessed = [p.image_rgb for p, _ in guesses], [place for _, place in guesses]
        measured = self._faces.measure(*guessed, [config.min_face] * len(guesses))
        for (p, _), face in zip(guesses, measured, strict=True):
            if face.presence >= LANDMARKS_HOLD:
                found[p.image].append(face)
        owned = [_own_faces(faces, group) for faces, group in zip(found, groups, strict=True)]
        return self._with_ages(images_rgb, owned)

    def _with_ages(self, images_rgb: Sequence[Image], owned: Sequence[list[OwnedFace]]) -> list[list[OwnedFace]]:
        """Faces of people, with their ages where there is a model and landmarks hold."""
        if self._ages is None:
            return list(owned)
        places = [
            (number, row, face.landmarks_xy)
            for number, faces in enumerate(owned)
            for row, (person, face) in enumerate((one.person, one.face) for one in faces)
            if person is not None and face.landmarks_xy is not None and face.presence >= LANDMARKS_HOLD
        ]
        images = [images_rgb[number] for number, _, _ in places]
        ages = self._ages.estimate(images, [points for _, _, points in places])
        aged = [list(faces) for faces in owned]
        for (number, row, _), age in zip(places, ages, strict=True):
            one = aged[number][row]
            aged[number][row] = OwnedFace(one.person, replace(one.face, age_years=age))
        return aged


_SURE_FACE = 0.6


def _own_faces(faces: Sequence[Face], people: Sequence[Person]) -> list[OwnedFace]:
    boxes, poses = [p.box_xyxy for p in people], [p.pose for p in people]
    taken: set[int] = set()
    owned = []
    for row in distinct_rows([f.box_xyxy for f in faces], [f.score + f.presence for f in faces]):
        face = faces[row]
        owner = owner_of_face(face.box_xyxy, boxes, poses, taken=taken)
        pose = None if owner is None else poses[owner]
        if face.presence < LANDMARKS_HOLD and not _may_be_profile(face, pose):
            continue
        if owner is not None:
            taken.add(owner)
            face = _turned_as_pose(face, pose)
        owned.append(OwnedFace(owner, face))
    return owned


def _may_be_profile(face: Face, pose: Pose | None) -> bool:
    """Whether a face on which no landmarks lie is one all the same.

    The detector takes backs of heads for faces. A pose tells them apart; where it fails, only a sure face counts.
    """
    if pose is None:
        return False
    return shows_face(pose) if is_usable(pose) else face.score >= _SURE_FACE


def _turned_as_pose(face: Face, pose: Pose | None) -> Face:
    """A face whose landmarks do not hold, with the yaw that the pose gives."""
    if face.presence >= LANDMARKS_HOLD or pose is None or not has_head(pose):
        return face
    points = pose.points_xy
    yaw = profile_yaw_deg(
        points[[Point.LEFT_EAR, Point.RIGHT_EAR]],
        points[Point.NOSE],
        mouth_xy=points[[Point.MOUTH_LEFT, Point.MOUTH_RIGHT]].mean(axis=0),
        eyes_xy=points[[Point.LEFT_EYE, Point.RIGHT_EYE]].mean(axis=0),
    )
    return replace(face, yaw_deg=yaw)
