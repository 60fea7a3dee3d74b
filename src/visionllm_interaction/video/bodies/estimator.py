"""Faces, hands and poses of the people in a few images at once.

Each step takes all people of all images: the requests of a step are computed side by side, and the next image's crops
are cut while earlier ones are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.bodies import BODY_KINDS, BodyKind
from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.crop_regions import Region
from visionllm_interaction.video.bodies.faces import LANDMARKS_HOLD, Face, FaceEstimator
from visionllm_interaction.video.bodies.hands import Hand, HandEstimator, region_of_points
from visionllm_interaction.video.bodies.head_pose import profile_yaw_deg
from visionllm_interaction.video.bodies.ownership import is_within, owner_of_face, owner_of_hand
from visionllm_interaction.video.bodies.poses import Point, Pose, PoseEstimator
from visionllm_interaction.video.bodies.search_regions import (
    ARMS,
    face_guess,
    face_searches,
    hand_guess,
    hand_searches,
    has_head,
    is_usable,
    shows_face,
)

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Side = Literal["left", "right"]


@dataclass(frozen=True)
class BodyModels:
    """Files of the models; a kind without files is not looked for.

    Attributes:
        pose: landmark model of poses.
        palms: detector of palms.
        hands: landmark model of hands.
        face_detector: detector of faces.
        face_landmarks: landmark model of faces.
    """

    pose: Path | None = None
    palms: Path | None = None
    hands: Path | None = None
    face_detector: Path | None = None
    face_landmarks: Path | None = None

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
class OwnedHand:
    """A hand, the row of the person whose it is (None: of nobody whose box is known), and the side of the body."""

    person: int | None
    side: Side
    hand: Hand


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


@dataclass(frozen=True, eq=False)
class _Person:
    """One person of one image."""

    image: int
    row: int
    image_rgb: Image = field(repr=False)
    box_xyxy: Floats
    pose: Pose | None = None


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
        self._hands = HandEstimator(models.palms, models.hands) if models.palms and models.hands else None
        faces = models.face_detector, models.face_landmarks
        self._faces = FaceEstimator(faces[0], faces[1]) if faces[0] and faces[1] else None

    def estimate(self, images_rgb: Sequence[Image], boxes_xyxy: Sequence[Floats]) -> list[Bodies]:
        """Find faces, hands and poses.

        Args:
            images_rgb: (H, W, 3) uint8 each.
            boxes_xyxy: for each image the boxes of its people, (n, 4) pixels.

        Returns:
            For each image what was found; rows of people as in ``boxes_xyxy``.
        """
        people = [
            _Person(number, row, image, box)
            for number, (image, boxes) in enumerate(zip(images_rgb, boxes_xyxy, strict=True))
            for row, box in enumerate(np.asarray(boxes, np.float32).reshape(-1, 4))
        ]
        people = self._with_poses(people)
        groups: list[list[_Person]] = [[] for _ in images_rgb]
        for person in people:
            groups[person.image].append(person)
        faces = self._find_faces(images_rgb, people, groups)
        hands = self._find_hands(images_rgb, people, groups)
        low = self._config.min_pose
        return [
            Bodies(
                tuple(p.pose if p.pose is not None and p.pose.score >= low else None for p in group),
                tuple(faces[number]),
                tuple(hands[number]),
            )
            for number, group in enumerate(groups)
        ]

    def _with_poses(self, people: Sequence[_Person]) -> list[_Person]:
        if self._poses is None:
            return list(people)
        poses = self._poses.estimate([p.image_rgb for p in people], [p.box_xyxy for p in people])
        return [_Person(p.image, p.row, p.image_rgb, p.box_xyxy, pose) for p, pose in zip(people, poses, strict=True)]

    def _find_faces(
        self, images_rgb: Sequence[Image], people: Sequence[_Person], groups: Sequence[list[_Person]]
    ) -> list[list[OwnedFace]]:
        found: list[list[Face]] = [[] for _ in groups]
        if self._faces is None:
            return [[] for _ in groups]
        config = self._config
        searches = [*_whole(images_rgb)]
        searches += [(p.image, region) for p in people for region in face_searches(p.box_xyxy, p.pose)]
        searched = [images_rgb[number] for number, _ in searches], [region for _, region in searches]
        for (number, _), faces in zip(searches, self._faces.find(*searched, min_score=config.min_face), strict=True):
            found[number] += faces
        guesses = [
            (p, place)
            for p in people
            if p.pose is not None and (place := face_guess(p.pose)) and not _is_met(place.x, place.y, found[p.image])
        ]
        guessed = [p.image_rgb for p, _ in guesses], [place for _, place in guesses]
        measured = self._faces.measure(*guessed, [config.min_face] * len(guesses))
        for (p, _), face in zip(guesses, measured, strict=True):
            if face.presence >= LANDMARKS_HOLD:
                found[p.image].append(face)
        return [_own_faces(faces, group) for faces, group in zip(found, groups, strict=True)]

    def _find_hands(
        self, images_rgb: Sequence[Image], people: Sequence[_Person], groups: Sequence[list[_Person]]
    ) -> list[list[OwnedHand]]:
        found: list[list[Hand]] = [[] for _ in groups]
        if self._hands is None:
            return [[] for _ in groups]
        config = self._config
        searches = [*_whole(images_rgb)]
        searches += [(p.image, region) for p in people for region in hand_searches(p.box_xyxy, p.pose)]
        searched = [images_rgb[number] for number, _ in searches], [region for _, region in searches]
        for (number, _), hands in zip(searches, self._hands.find(*searched, min_palm=config.min_palm), strict=True):
            found[number] += [hand for hand in hands if hand.score >= config.min_hand]
        # The pose knows about hands whose palms are hidden or turned; the key points decide whether one is there.
        guesses = [
            (p, place)
            for p in people
            if p.pose is not None
            for side in ARMS
            if (place := hand_guess(p.pose, side)) and not _is_met(place.x, place.y, found[p.image])
        ]
        first = self._hands.measure([p.image_rgb for p, _ in guesses], [place for _, place in guesses])
        again = [
            (p, region_of_points(hand.points_xy))
            for (p, _), hand in zip(guesses, first, strict=True)
            if hand.score >= config.min_hand
        ]
        second = self._hands.measure([p.image_rgb for p, _ in again], [place for _, place in again])
        for (p, _), hand in zip(again, second, strict=True):
            if hand.score >= config.min_hand:
                found[p.image].append(hand)
        return [_own_hands(hands, group) for hands, group in zip(found, groups, strict=True)]


def _whole(images_rgb: Sequence[Image]) -> Iterator[tuple[int, Region]]:
    """The whole of each image: near the camera there are hands and faces of people whose box is not known."""
    for number, image in enumerate(images_rgb):
        height, width = image.shape[:2]
        yield number, Region(width / 2, height / 2, float(max(width, height)))


def _is_met(x: float, y: float, found: Sequence[Face] | Sequence[Hand]) -> bool:
    """Whether a point lies in the box of something that was found already."""
    return any(f.box_xyxy[0] <= x <= f.box_xyxy[2] and f.box_xyxy[1] <= y <= f.box_xyxy[3] for f in found)


_SAME_IOU = 0.4
"""Two boxes that overlap by more are of one hand or face."""
_EVEN = 0.5
_SURE_FACE = 0.6


def _distinct(boxes: Sequence[Floats], scores: Sequence[float]) -> list[int]:
    """Rows without those that overlap a better one, best first."""
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda n: -scores[n]):
        if not kept or box_iou(boxes[row], np.array([boxes[n] for n in kept])).max() < _SAME_IOU:
            kept.append(row)
    return kept


def _own_faces(faces: Sequence[Face], people: Sequence[_Person]) -> list[OwnedFace]:
    boxes, poses = [p.box_xyxy for p in people], [p.pose for p in people]
    taken: set[int] = set()
    owned = []
    for row in _distinct([f.box_xyxy for f in faces], [f.score + f.presence for f in faces]):
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


def _own_hands(hands: Sequence[Hand], people: Sequence[_Person]) -> list[OwnedHand]:
    boxes, poses = [p.box_xyxy for p in people], [p.pose for p in people]
    taken: set[tuple[int, Side]] = set()
    owned = []
    for row in _distinct([h.box_xyxy for h in hands], [h.score for h in hands]):
        hand = hands[row]
        owner = owner_of_hand(hand, boxes, poses, taken=taken)
        if owner is None and is_within(hand.box_xyxy, boxes, poses):
            continue  # the pose of this person has the wrists elsewhere: a foot, or an ear
        if owner is None:
            owned.append(OwnedHand(None, "right" if hand.right >= _EVEN else "left", hand))
        else:
            taken.add(owner)
            owned.append(OwnedHand(*owner, hand))
    return owned
