"""Faces, hands, poses and roles of the people in a video, one row each. Boxes and points in pixels, xy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BodyKind = Literal["hands", "faces", "pose"]
BODY_KINDS: Final[tuple[BodyKind, ...]] = ("hands", "faces", "pose")
"""What can be looked for in the people of a video."""

Posture = Literal["standing", "sitting", "lying", "held"]
POSTURES: Final[tuple[Posture, ...]] = ("standing", "sitting", "lying", "held")

HAND_POINTS: Final = 21
POSE_POINTS: Final = 33


@dataclass(frozen=True, eq=False, slots=True)
class HandRow:
    """One hand in one frame.

    Attributes:
        frame_index: of the frame.
        timestamp_s: its time.
        track_id: of the person whose it is; −1: nobody who is tracked.
        side: the side of the person's body.
        confidence: probability that it is a hand.
        box_xyxy: (4,).
        points_xy: (21, 2) the wrist, then four points of each finger from its base, thumb first.
    """

    frame_index: int
    timestamp_s: float
    track_id: int
    side: Literal["left", "right"]
    confidence: float
    box_xyxy: NDArray[np.float32]
    points_xy: NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class FaceRow:
    """One face in one frame.

    Attributes:
        frame_index: of the frame.
        timestamp_s: its time.
        track_id: of the person whose it is; −1: nobody who is tracked.
        confidence: of the detector.
        box_xyxy: (4,).
        yaw_deg: turn of the head, positive towards the image's right, 0 towards the camera.
        pitch_deg: positive upwards; NaN where it is not known: in profile.
        age_years: apparent age; NaN where it was not estimated.
    """

    frame_index: int
    timestamp_s: float
    track_id: int
    confidence: float
    box_xyxy: NDArray[np.float32]
    yaw_deg: float
    pitch_deg: float
    age_years: float = math.nan


@dataclass(frozen=True, eq=False, slots=True)
class PoseRow:
    """The pose of one person in one frame.

    Attributes:
        frame_index: of the frame.
        timestamp_s: its time.
        track_id: of the person.
        confidence: probability that the key points are of a person.
        posture: what the key points say; None: they do not show it.
        points_xy: (33, 2) key points in the order of :class:`.video.bodies.poses.Point`.
        visibility: (33,) probability that a point is in the image and not occluded.
        child_look: log-odds that the whole person looks like a child; NaN where it was not estimated.
    """

    frame_index: int
    timestamp_s: float
    track_id: int
    confidence: float
    posture: Posture | None
    points_xy: NDArray[np.float32]
    visibility: NDArray[np.float32]
    child_look: float = math.nan


@dataclass(frozen=True, slots=True)
class PostureBout:
    """An interval ``[begin_s, end_s)`` in which a person has a posture; ``share`` of its frames with a pose say so."""

    track_id: int
    posture: Posture
    begin_s: float
    end_s: float
    share: float


@dataclass(frozen=True, slots=True)
class HoldingEvidence:
    """What a bout of *holding* rests on.

    Attributes:
        subject_track_id: the person.
        object_track_id: the object.
        begin_s: begin of the bout.
        end_s: end of the bout.
        frames: frames of the bout in which a hand of the person was looked for and seen.
        touching: those of them in which a hand touches the object.
        evidence: ``hands``: a hand touches the object in most of them; ``boxes``: no hand was seen, boxes alone;
            ``unsure``: hands were seen, mostly off the object.
    """

    subject_track_id: int
    object_track_id: int
    begin_s: float
    end_s: float
    frames: int
    touching: int
    evidence: Literal["hands", "boxes", "unsure"]


Role = Literal["child", "caregiver", "other"]
ROLES: Final[tuple[Role, ...]] = ("child", "caregiver", "other")
"""Roles that somebody can give: ``other`` is neither the child nor a caregiver."""


@dataclass(frozen=True, slots=True)
class RoleEstimate:
    """What images say about the role of one track.

    Attributes:
        track_id: of the person.
        role: ``child``, ``caregiver``, or None where it is unknown.
        child_probability: that it is a child; None where nothing is seen that says so.
        frames: images with a pose or a face that say something.
        evidence: of ``face`` (apparent age), ``proportions``, ``look`` (of the whole person) and ``size`` (against
            others at the same place).
    """

    track_id: int
    role: str | None
    child_probability: float | None
    frames: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class BodyTables:
    """Everything found of the bodies in one video.

    Attributes:
        hands: by frame.
        faces: by frame.
        poses: by frame.
        postures: by begin.
        holdings: by begin.
        roles: of people, by track id.
    """

    hands: tuple[HandRow, ...] = ()
    faces: tuple[FaceRow, ...] = ()
    poses: tuple[PoseRow, ...] = ()
    postures: tuple[PostureBout, ...] = ()
    holdings: tuple[HoldingEvidence, ...] = ()
    roles: tuple[RoleEstimate, ...] = ()
