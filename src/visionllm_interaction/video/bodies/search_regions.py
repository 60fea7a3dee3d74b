"""Where to look for the hands and the face of a person: in the person's box, and where the pose says they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.bodies.crop_regions import Region, angle_of, around_box
from visionllm_interaction.video.bodies.poses import Point, Pose

ARMS = {
    "left": (Point.LEFT_ELBOW, Point.LEFT_WRIST, Point.LEFT_INDEX, Point.LEFT_PINKY),
    "right": (Point.RIGHT_ELBOW, Point.RIGHT_WRIST, Point.RIGHT_INDEX, Point.RIGHT_PINKY),
}
"""Side of the body → elbow, wrist, and the bases of two fingers."""
MIN_POSE = 0.3
"""A pose below this score says nothing about where hands and face are."""
_MIN_PRESENCE = 0.3
_MIN_VISIBILITY = 0.3
"""Around a wrist that the pose takes for occluded no hand is found: looking there costs time and gives false ones."""
_GOOD_POSE = 0.5
_PERSON_SCALE = 1.1
_WRIST_SHARE, _FOREARMS = 0.6, 2.5
"""Side of the square around a wrist: so much of the person's longer side, and at least so many forearms."""
_BEYOND_WRIST = 0.8
_HAND_LENGTHS, _HAND_FOREARMS = 2.4, 0.9
_HEAD = list(range(Point.MOUTH_RIGHT + 1))
_HEAD_SCALE, _FACE_SCALE = 3.0, 2.2
_LEAST_PX = 8.0
_HAS_HEAD = 0.5
_FROM_BEHIND = 0.3
"""Distance between the eyes, in sizes of the head, from which on their order counts: in profile they are together."""


def is_usable(pose: Pose | None) -> bool:
    """Whether a pose says where hands and face are."""
    return pose is not None and pose.score >= MIN_POSE


def hand_searches(
    box_xyxy: NDArray[np.floating], pose: Pose | None, *, min_visibility: float = _MIN_VISIBILITY
) -> list[Region]:
    """Squares in which to look for palms: around the person, and around each visible wrist.

    Somebody of whom a good pose shows both wrists occluded is not looked at.

    Args:
        box_xyxy: (4,) pixels.
        pose: of the person, if known.
        min_visibility: wrists below it are left out; 0: all in the image are looked at.

    Returns:
        None to three squares.
    """
    found = [around_box(box_xyxy, scale=_PERSON_SCALE)]
    if pose is None or not is_usable(pose):
        return found
    longer = float((box_xyxy[2:] - box_xyxy[:2]).max())
    for elbow, wrist, index, pinky in ARMS.values():
        if not _is_seen(pose, wrist, min_visibility):
            continue
        points = pose.points_xy
        x, y = points[wrist] + _BEYOND_WRIST * ((points[index] + points[pinky]) / 2 - points[wrist])
        forearm = float(np.hypot(*(points[wrist] - points[elbow])))
        side = max(_FOREARMS * forearm, _WRIST_SHARE * longer, 2 * _LEAST_PX)
        found.append(Region(float(x), float(y), side))
    return found if len(found) > 1 or pose.score < _GOOD_POSE else []


def hand_guess(pose: Pose, side: str, *, min_visibility: float = _MIN_VISIBILITY) -> Region | None:
    """The square for the key points of a hand as the pose has it; None: the hand is not in the image or occluded."""
    elbow, wrist, index, pinky = ARMS[side]
    if not is_usable(pose) or not _is_seen(pose, wrist, min_visibility):
        return None
    points = pose.points_xy
    middle = (2 * points[index] + points[pinky]) / 3
    length, forearm = (float(np.hypot(*(points[wrist] - other))) for other in (middle, points[elbow]))
    side_px = max(_HAND_LENGTHS * length, _HAND_FOREARMS * forearm, _LEAST_PX)
    angle = angle_of(points[wrist], middle, upright_deg=90.0)
    return Region(float(middle[0]), float(middle[1]), side_px, angle)


def wrist_of(pose: Pose, side: str) -> NDArray[np.float32] | None:
    """(2,) pixels of a wrist; None: it is not in the image, or occluded."""
    wrist = ARMS[side][1]
    return pose.points_xy[wrist] if is_usable(pose) and _is_seen(pose, wrist, _MIN_VISIBILITY) else None


def _is_seen(pose: Pose, point: Point, min_visibility: float) -> bool:
    return bool(pose.presence[point] >= _MIN_PRESENCE and pose.visibility[point] >= min_visibility)


def face_searches(box_xyxy: NDArray[np.floating], pose: Pose | None) -> list[Region]:
    """Squares in which to look for the face: the upper end of the person, and where the pose has the head.

    Args:
        box_xyxy: (4,) pixels.
        pose: of the person, if known.

    Returns:
        One or two squares.
    """
    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    side = max(min(x2 - x1, y2 - y1), _LEAST_PX)
    found = [Region((x1 + x2) / 2, y1 + side / 2, side * _PERSON_SCALE)]
    if pose is not None and has_head(pose):
        x, y = pose.points_xy[_HEAD].mean(axis=0)
        found.append(Region(float(x), float(y), _head_px(pose) * _HEAD_SCALE))
    return found


def face_guess(pose: Pose) -> Region | None:
    """The square for the landmarks of a face as the pose has it; None: the face is not in the image or turned away."""
    if not has_head(pose):
        return None
    x, y = pose.points_xy[_HEAD].mean(axis=0)
    angle = _roll(pose)
    return Region(float(x), float(y), _head_px(pose) * _FACE_SCALE, angle)


def has_head(pose: Pose) -> bool:
    """Whether the head is in the image and its points may be used."""
    return is_usable(pose) and float(pose.presence[_HEAD].min()) >= _HAS_HEAD


def shows_face(pose: Pose) -> bool:
    """Whether a head is not seen from behind: there the left eye would be far to the left of the right one."""
    if not has_head(pose):
        return False
    across = float(pose.points_xy[Point.LEFT_EYE, 0] - pose.points_xy[Point.RIGHT_EYE, 0])
    return across >= -_FROM_BEHIND * _head_px(pose)


def _head_px(pose: Pose) -> float:
    head = pose.points_xy[_HEAD]
    return max(float((head.max(axis=0) - head.min(axis=0)).max()), _LEAST_PX)


def _roll(pose: Pose) -> float:
    """Turn of the head in the image, from the line between eyes and mouth: it is there in profile, too."""
    points = pose.points_xy
    eyes = (points[Point.LEFT_EYE] + points[Point.RIGHT_EYE]) / 2
    mouth = (points[Point.MOUTH_LEFT] + points[Point.MOUTH_RIGHT]) / 2
    return angle_of(mouth, eyes, upright_deg=90.0)
