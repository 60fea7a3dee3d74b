"""Who is a child: proportions and faces to features, features to a probability, and *unknown* in between."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visionllm_interaction.core.bodies import FaceRow, PoseRow
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.video.bodies.face_age import aligned_region
from visionllm_interaction.video.bodies.poses import Point
from visionllm_interaction.video.config import RolesConfig
from visionllm_interaction.video.roles.estimate import estimate_roles, probability, read_role_model
from visionllm_interaction.video.roles.proportions import FEATURES, PersonView, person_features
from visionllm_interaction.video.tracking.role_inference import RoleProxy

BOX = np.array([100, 50, 180, 350], np.float32)


def standing(*, head_px: float = 30.0, arm_px: float = 90.0, leg_px: float = 160.0) -> np.ndarray:
    """Key points of somebody whose trunk is 100 pixels long."""
    points = np.zeros((33, 2), np.float32)
    for side, x in (("LEFT", 130.0), ("RIGHT", 150.0)):
        points[Point[f"{side}_SHOULDER"]] = x, 110
        points[Point[f"{side}_HIP"]] = x, 210
        points[Point[f"{side}_ELBOW"]] = x, 110 + arm_px / 2
        points[Point[f"{side}_WRIST"]] = x, 110 + arm_px
        points[Point[f"{side}_KNEE"]] = x, 210 + leg_px / 2
        points[Point[f"{side}_ANKLE"]] = x, 210 + leg_px
    points[: Point.MOUTH_RIGHT + 1] = 140, 70
    points[[Point.LEFT_EAR, Point.RIGHT_EAR]] = [[140 - head_px / 2, 70], [140 + head_px / 2, 70]]
    return points


def view(**changes: object) -> PersonView:
    values = {"points_xy": standing(), "visibility": np.ones(33, np.float32), "pose_score": 0.9}
    return PersonView(BOX, (640, 480), **{**values, **changes})  # type: ignore[arg-type]


def feature(name: str, seen: PersonView) -> float:
    return float(person_features(seen)[FEATURES.index(name)])


def test_lengths_are_compared_with_the_trunk() -> None:
    assert feature("arm_trunk", view()) == pytest.approx(math.log(0.9))
    assert feature("leg_trunk", view()) == pytest.approx(math.log(1.6))
    assert feature("head_trunk", view()) == pytest.approx(math.log(0.3))
    assert feature("neck_trunk", view()) == pytest.approx(math.log(0.4))


def test_a_limb_that_points_at_the_camera_does_not_count() -> None:
    points = standing()
    points[[Point.LEFT_ELBOW, Point.LEFT_WRIST]] = 130, 112
    assert feature("arm_trunk", view(points_xy=points)) == pytest.approx(math.log(0.9))


def test_what_is_not_seen_is_not_known() -> None:
    hidden = np.ones(33, np.float32)
    hidden[[Point.LEFT_HIP, Point.RIGHT_HIP]] = 0.1
    assert np.isnan(person_features(view(visibility=hidden))).all()
    assert np.isnan(person_features(PersonView(BOX, (640, 480)))).all()
    assert np.isnan(person_features(view(pose_score=0.2))).all()


def test_the_share_of_the_face_needs_feet() -> None:
    face = np.array([120, 50, 160, 100], np.float32)
    assert feature("face_share", view(face_xyxy=face)) == pytest.approx(math.log(50 / 300))
    cut = np.ones(33, np.float32)
    cut[[Point.LEFT_ANKLE, Point.RIGHT_ANKLE]] = 0.0
    assert math.isnan(feature("face_share", view(face_xyxy=face, visibility=cut)))


def test_the_age_of_a_tiny_face_says_nothing() -> None:
    small, large = np.array([0, 0, 15, 20], np.float32), np.array([0, 0, 40, 50], np.float32)
    assert math.isnan(feature("face_age", view(face_xyxy=small, age_years=3.0)))
    assert feature("face_age", view(face_xyxy=large, age_years=3.0)) == 8.0
    assert feature("face_age", view(face_xyxy=large, age_years=70.0)) == 32.0
    assert math.isnan(feature("face_age", view(face_xyxy=large)))


def test_the_model_that_ships_says_what_growth_says() -> None:
    """Weights have the signs of growth: a younger face, and a look of a child, speak for a child."""
    model = read_role_model()
    weights = dict(zip(FEATURES, model.weights.tolist(), strict=True))
    assert weights["face_age"] < 0 < weights["look"]
    assert np.isnan(model.logits(np.full((1, len(FEATURES)), np.nan))).all()


def test_the_base_rate_shifts_the_probability() -> None:
    assert probability(0.0, child_share=0.5) == pytest.approx(0.5)
    assert probability(0.0, child_share=0.1) == pytest.approx(0.1)


def estimated(age: float, look: float, *, n: int = 5, config: RolesConfig | None = None, size: str | None = None):
    """The estimate of one track with a face of an age and a look in each of its frames."""
    frames = np.arange(n)
    boxes = np.tile(BOX, (n, 1))
    table = DetectionTable(
        frames, frames / 5, np.full(n, "person", dtype=object), np.full(n, 0.9, np.float32), boxes, np.full(n, 4)
    )
    face = np.array([120, 50, 160, 100], np.float32)
    faces = [FaceRow(f, f / 5, 4, 0.9, face, 0.0, 0.0, age) for f in frames.tolist() if not math.isnan(age)]
    seen = np.ones(33, np.float32)
    poses = [PoseRow(f, f / 5, 4, 0.9, None, standing(), seen, look) for f in frames.tolist() if not math.isnan(look)]
    [found] = estimate_roles(
        table,
        [Track(4, "person", None, 0.0, 1.0, n, 0.9)],
        poses=poses,
        faces=faces,
        proxies={4: RoleProxy(size, 0.9)} if size else {},
        image_px=(640, 480),
        config=config or RolesConfig(),
    )
    return found


def test_a_toddler_and_an_adult_are_told_apart() -> None:
    child, adult = estimated(2.0, 1.5), estimated(45.0, -4.0)
    assert (child.role, adult.role) == ("child", "caregiver")
    assert child.child_probability > 0.85 and adult.child_probability < 0.15
    assert child.evidence == ("face", "proportions", "look") and child.frames == 5


def test_an_adult_is_called_what_the_settings_say() -> None:
    assert estimated(45.0, -4.0, config=RolesConfig(adult="other")).role == "other"


def test_whoever_is_in_between_is_unknown() -> None:
    assert estimated(20.0, -1.4).role is None


def test_of_whom_nothing_is_seen_nothing_is_said() -> None:
    nobody = estimated(math.nan, math.nan)
    assert (nobody.role, nobody.child_probability, nobody.frames, nobody.evidence) == (None, None, 0, ())


def test_size_adds_to_what_else_is_known() -> None:
    smaller, alone = estimated(20.0, -1.4, size="child-proxy"), estimated(20.0, -1.4)
    assert smaller.child_probability > alone.child_probability
    assert "size" in smaller.evidence


def test_faces_are_aligned_as_the_age_predictor_expects() -> None:
    """A face that is turned, shifted and twice as large is cut out alike."""
    points = np.zeros((468, 2), np.float32)
    points[[263, 362, 33, 133, 2]] = [[86, 21], [65, 23], [12, 21], [33, 23], [49, 63]]
    upright = aligned_region(points)
    assert upright.angle == pytest.approx(0.0, abs=0.02)
    assert upright.side == pytest.approx(140.0, rel=0.02)
    turn = np.array([[0.0, -2.0], [2.0, 0.0]], np.float32)
    turned = aligned_region(points @ turn.T + (300, 400))
    assert turned.side == pytest.approx(2 * upright.side, rel=1e-3)
    assert turned.angle == pytest.approx(upright.angle + math.pi / 2, abs=1e-3)
