"""What one image shows of a person's age: apparent age of the face, and proportions of head, trunk and limbs.

A child's head is large for its body: about a quarter of the height at birth, a sixth at six years, an eighth in adults;
limbs are short for the trunk. Source: Todd, Mark, Shaw and Pittenger, The perception of human growth, 1980; Snyder et
al., Anthropometry of infants, children, and youths to age 18, 1977.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.bodies.poses import Point

Floats = NDArray[np.floating]

FEATURES: Final = ("face_age", "face_share", "face_trunk", "arm_trunk", "leg_trunk", "neck_trunk", "head_trunk", "look")
"""Names of the features, in the order of :func:`person_features`."""
_MIN_FACE_PX = 24.0
"""Faces that are smaller, forehead to chin, show no age."""
_MIN_VISIBILITY = 0.5
_MIN_POSE = 0.5
_MIN_AGE, _MAX_AGE = 8.0, 32.0
"""Apparent ages up to the first say the same, a child, and so do those from the second on: an adult."""
_LEAST_PX = 1.0


@dataclass(frozen=True, eq=False)
class PersonView:
    """One person in one image.

    Attributes:
        box_xyxy: (4,) pixels.
        image_px: width and height of the image.
        points_xy: (33, 2) key points of the pose, pixels; None without a pose.
        visibility: (33,) probability that a point is seen.
        pose_score: probability that the key points are of a person.
        face_xyxy: (4,) box of the face, forehead to chin; None without a face.
        age_years: apparent age of the face; NaN where not estimated.
        child_look: log-odds that the whole person looks like a child; NaN where not estimated.
    """

    box_xyxy: Floats
    image_px: tuple[int, int]
    points_xy: Floats | None = None
    visibility: Floats | None = None
    pose_score: float = 0.0
    face_xyxy: Floats | None = None
    age_years: float = math.nan
    child_look: float = math.nan


def person_features(view: PersonView) -> NDArray[np.float64]:
    """The features of one person in one image.

    Args:
        view: the person.

    Returns:
        (F,) in the order of :data:`FEATURES`: the age in years (8 to 32), natural logarithms of ratios of lengths,
        and the look. NaN where what is measured is not seen.
    """
    face_px = math.nan if view.face_xyxy is None else float(view.face_xyxy[3] - view.face_xyxy[1])
    known = face_px >= _MIN_FACE_PX and not math.isnan(view.age_years)
    age = min(max(view.age_years, _MIN_AGE), _MAX_AGE) if known else math.nan
    lengths = _lengths(view)
    # The box is as high as the person only where it reaches down to the feet.
    height = float(view.box_xyxy[3] - view.box_xyxy[1]) if "foot" in lengths else math.nan
    trunk = lengths.get("trunk", math.nan)
    ratios = [
        (face_px, height),
        (face_px, trunk),
        (lengths.get("arm", math.nan), trunk),
        (lengths.get("leg", math.nan), trunk),
        (lengths.get("neck", math.nan), trunk),
        (lengths.get("head", math.nan), trunk),
    ]
    return np.array([age, *(_log_ratio(*pair) for pair in ratios), view.child_look], np.float64)


def _log_ratio(one: float, other: float) -> float:
    return math.log(max(one, _LEAST_PX) / max(other, _LEAST_PX)) if one == one and other == other else math.nan


def _lengths(view: PersonView) -> dict[str, float]:
    """Lengths in pixels of the parts of the body whose ends are seen."""
    if view.points_xy is None or view.visibility is None or view.pose_score < _MIN_POSE:
        return {}
    points, seen = np.asarray(view.points_xy, np.float64), np.asarray(view.visibility)

    def visible(*rows: int) -> bool:
        return bool(min(seen[list(rows)]) >= _MIN_VISIBILITY)

    def middle(*rows: int) -> NDArray[np.float64]:
        return np.asarray(points[list(rows)].mean(axis=0))

    def length(*rows: int) -> float:
        return float(np.hypot(*np.diff(points[list(rows)], axis=0).T).sum())

    trunk_rows = (Point.LEFT_SHOULDER, Point.RIGHT_SHOULDER, Point.LEFT_HIP, Point.RIGHT_HIP)
    if not visible(*trunk_rows):
        return {}
    shoulders, hips = middle(*trunk_rows[:2]), middle(*trunk_rows[2:])
    found = {"trunk": float(np.hypot(*(shoulders - hips)))}
    limbs = {
        "arm": [
            (Point.LEFT_SHOULDER, Point.LEFT_ELBOW, Point.LEFT_WRIST),
            (Point.RIGHT_SHOULDER, Point.RIGHT_ELBOW, Point.RIGHT_WRIST),
        ],
        "leg": [
            (Point.LEFT_HIP, Point.LEFT_KNEE, Point.LEFT_ANKLE),
            (Point.RIGHT_HIP, Point.RIGHT_KNEE, Point.RIGHT_ANKLE),
        ],
    }
    for name, sides in limbs.items():
        # A limb that points at the camera looks short: the longer one counts.
        whole = [length(*rows) for rows in sides if visible(*rows)]
        if whole:
            found[name] = max(whole)
    if visible(Point.LEFT_ANKLE) or visible(Point.RIGHT_ANKLE):
        found["foot"] = 0.0
    if visible(Point.MOUTH_LEFT, Point.MOUTH_RIGHT):
        found["neck"] = float(np.hypot(*(shoulders - middle(Point.MOUTH_LEFT, Point.MOUTH_RIGHT))))
    head = [Point.LEFT_EYE, Point.RIGHT_EYE, Point.LEFT_EAR, Point.RIGHT_EAR, Point.MOUTH_LEFT, Point.MOUTH_RIGHT]
    if visible(Point.LEFT_EYE, Point.RIGHT_EYE):
        spread = points[head].max(axis=0) - points[head].min(axis=0)
        found["head"] = float(np.hypot(*spread))
    return found
