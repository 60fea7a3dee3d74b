"""Whose hands and faces are, what is looked at in a video, and real people where the models are there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_files import write_video

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.errors import CheckpointError
from visionllm_interaction.interactions.head_direction import heads_of_faces
from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.crop_regions import Region
from visionllm_interaction.video.bodies.estimator import Bodies, BodyEstimator, BodyModels, OwnedFace
from visionllm_interaction.video.bodies.faces import Face
from visionllm_interaction.video.bodies.find_bodies import find_bodies
from visionllm_interaction.video.bodies.hand_finder import FrameSequence, OwnedHand
from visionllm_interaction.video.bodies.hands import Hand, HandEstimator
from visionllm_interaction.video.bodies.ownership import is_within, owner_of_face, owner_of_hand
from visionllm_interaction.video.bodies.poses import Point, Pose
from visionllm_interaction.video.bodies.search_regions import face_searches, hand_guess, hand_searches, shows_face
from visionllm_interaction.video.decoding.reader import VideoReader

PERSON = np.array([0, 0, 100, 200], np.float32)
OTHER = np.array([60, 0, 160, 200], np.float32)


def _pose(x: float = 50.0, *, score: float = 0.9) -> Pose:
    """A person towards the camera around ``x``: the left hand is at the image's right."""
    points = np.zeros((33, 2), np.float32)
    points[:11] = (x, 20)
    points[Point.LEFT_EYE], points[Point.RIGHT_EYE] = (x + 6, 15), (x - 6, 15)
    points[Point.LEFT_EAR], points[Point.RIGHT_EAR] = (x + 12, 18), (x - 12, 18)
    points[Point.MOUTH_LEFT], points[Point.MOUTH_RIGHT] = (x + 4, 30), (x - 4, 30)
    for side, out in (("LEFT", 1), ("RIGHT", -1)):
        points[Point[f"{side}_ELBOW"]] = (x + 30 * out, 80)
        points[Point[f"{side}_WRIST"]] = (x + 35 * out, 110)
        points[Point[f"{side}_INDEX"]] = (x + 37 * out, 122)
        points[Point[f"{side}_PINKY"]] = (x + 34 * out, 122)
    ones = np.ones(33, np.float32)
    return Pose(points, np.zeros(33, np.float32), ones, ones, score)


def _hand(x: float, y: float, *, right: float = 0.5) -> Hand:
    points = np.tile(np.array([x, y], np.float32), (21, 1))
    points[12] = (x, y + 20)
    return Hand(np.array([x - 10, y, x + 10, y + 20], np.float32), 0.9, right, points)


def test_a_hand_belongs_to_the_nearest_wrist_and_its_side() -> None:
    people, poses = [PERSON, OTHER], [_pose(50), _pose(110)]
    assert owner_of_hand(_hand(86, 112), people, poses, taken=()) == (0, "left")
    assert owner_of_hand(_hand(146, 112), people, poses, taken=()) == (1, "left")
    assert owner_of_hand(_hand(74, 112), people, poses, taken=()) == (1, "right")


def test_where_wrists_are_together_the_look_of_the_hand_decides() -> None:
    pose = _pose()
    pose.points_xy[[Point.LEFT_WRIST, Point.RIGHT_WRIST]] = [(48, 100), (52, 100)]
    assert owner_of_hand(_hand(50, 100, right=0.98), [PERSON], [pose], taken=()) == (0, "right")
    assert owner_of_hand(_hand(50, 100, right=0.02), [PERSON], [pose], taken=()) == (0, "left")
    assert owner_of_hand(_hand(50, 100, right=0.02), [PERSON], [pose], taken={(0, "left")}) == (0, "right")


def test_without_a_pose_the_box_tells_whose_and_the_look_which() -> None:
    assert owner_of_hand(_hand(50, 100, right=0.9), [PERSON], [None], taken=()) == (0, "right")
    assert owner_of_hand(_hand(300, 100, right=0.9), [PERSON], [None], taken=()) is None


def test_a_hand_far_from_all_wrists_is_nobodys() -> None:
    assert owner_of_hand(_hand(50, 180), [PERSON], [_pose()], taken=()) is None
    assert is_within(_hand(50, 170).box_xyxy, [PERSON], [_pose()])
    assert not is_within(_hand(50, 170).box_xyxy, [PERSON], [_pose(score=0.1)])


def test_faces_belong_to_the_nearest_head() -> None:
    face = np.array([98, 5, 122, 35], np.float32)
    assert owner_of_face(face, [PERSON, OTHER], [_pose(50), _pose(110)], taken=()) == 1
    assert owner_of_face(face, [PERSON, OTHER], [_pose(50), _pose(110)], taken={1}) is None
    assert owner_of_face(np.array([40, 5, 60, 35], np.float32), [PERSON], [None], taken=()) == 0


def test_somebody_seen_from_behind_shows_no_face() -> None:
    assert shows_face(_pose())
    behind = _pose()
    behind.points_xy[[Point.LEFT_EYE, Point.RIGHT_EYE]] = behind.points_xy[[Point.RIGHT_EYE, Point.LEFT_EYE]]
    assert not shows_face(behind)


def test_hands_are_looked_for_in_the_person_and_around_the_wrists() -> None:
    assert len(hand_searches(PERSON, None)) == 1
    assert len(hand_searches(PERSON, _pose(score=0.1))) == 1
    whole, left, right = hand_searches(PERSON, _pose())
    assert whole.side == pytest.approx(220)
    assert (left.x > 80, right.x < 20) == (True, True)
    guess = hand_guess(_pose(), "left")
    assert guess is not None and abs(guess.angle) > math.radians(150), "the fingers point down"
    assert len(face_searches(PERSON, None)) == 1 and len(face_searches(PERSON, _pose())) == 2


def test_no_hand_is_looked_for_around_an_occluded_wrist() -> None:
    seen = np.ones(33, np.float32)
    seen[Point.LEFT_WRIST] = 0.1
    pose = replace(_pose(), visibility=seen)
    assert len(hand_searches(PERSON, pose)) == 2
    assert hand_guess(pose, "left") is None and hand_guess(pose, "right") is not None
    assert len(hand_searches(PERSON, pose, min_visibility=0.0)) == 3, "it is in the image"
    seen[Point.RIGHT_WRIST] = 0.1
    assert hand_searches(PERSON, pose) == []
    assert len(hand_searches(PERSON, replace(pose, score=0.4))) == 1, "a weak pose may be wrong"


class _Answers:
    """A network that gives the same outputs for every crop, and counts the crops."""

    def __init__(self, *outputs: np.ndarray, side_px: int) -> None:
        self._outputs, self.side_px, self.n_crops = outputs, side_px, 0

    def run(self, crops: Iterable[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
        n = len(list(crops))
        self.n_crops += n
        return [self._outputs] * n


@pytest.mark.parametrize(("score", "looks"), [(0.9, 1), (0.1, 2)])
def test_a_second_palm_in_a_hand_that_was_found_is_not_looked_at(score: float, looks: int) -> None:
    """Two palms 8 pixels apart: if the better one leads to a hand, both are of that hand."""
    raw, logits = np.zeros((2016, 18), np.float32), np.full((2016, 1), -9.0, np.float32)
    row = 2 * (12 * 24 + 11)  # the middle of the grid of 24 x 24 cells, two anchors a cell
    for anchor, logit in ((row, 3.0), (row + 2, 2.0)):
        raw[anchor, 2:4] = 12  # a palm of 12 pixels, fingers up
        raw[anchor, 4 + 1], raw[anchor, 8 + 1] = 6, -6
        logits[anchor] = logit
    x, y = np.meshgrid(np.linspace(20, 200, 7), np.linspace(20, 200, 3))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(21)], axis=1).astype(np.float32)
    hands = HandEstimator.__new__(HandEstimator)
    hands._palms = _Answers(raw, logits, side_px=192)  # type: ignore[assignment]
    measured = _Answers(points.reshape(1, 63), np.array([score], np.float32), np.array([0.5], np.float32), side_px=224)
    hands._landmarks = measured  # type: ignore[assignment]
    [found] = hands.find([np.zeros((192, 192, 3), np.uint8)], [Region(96, 96, 192)], min_palm=0.15)
    assert (len(found), measured.n_crops) == (looks, looks)


class _Remembers(BodyEstimator):
    """Finds a hand of each person, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def estimate(
        self,
        images_rgb: Sequence[np.ndarray],
        boxes_xyxy: Sequence[np.ndarray],
        sequence: FrameSequence | None = None,
    ) -> list[Bodies]:
        self.asked += [(int(image[0, 0, 0]), len(boxes)) for image, boxes in zip(images_rgb, boxes_xyxy, strict=True)]
        face = Face(np.array([0, 0, 10, 10], np.float32), 0.9, 0.0, -30.0, None)
        return [
            Bodies(
                tuple(_pose() for _ in boxes),
                (OwnedFace(None, face), *(OwnedFace(n, face) for n in range(len(boxes)))),
                tuple(OwnedHand(n, "left", _hand(5, 5)) for n in range(len(boxes))),
            )
            for boxes in boxes_xyxy
        ]


def _tracked(n: int, *, fps: float) -> tuple[DetectionTable, FrameTable]:
    """Somebody tracked, somebody on no track, and a ball, in every frame."""
    index = np.arange(n)
    frames = FrameTable.from_times(index, index / fps, processed=np.ones(n, np.bool_))
    rows = np.repeat(index, 3)
    names = np.array(["child", "person", "ball"] * n, dtype=object)
    boxes = np.tile(np.array([[0, 0, 20, 40], [30, 0, 50, 40], [5, 5, 9, 9]], np.float32), (n, 1))
    ids = np.array([4, -1, 5] * n)
    return DetectionTable(rows, rows / fps, names, np.full(3 * n, 0.9), boxes, ids), frames


def test_tracked_people_are_looked_at_five_times_a_second(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=range(0, 1000, 50))
    reader = VideoReader(path)
    list(reader.scan())
    estimator = _Remembers()
    found = find_bodies(path, estimator, *_tracked(20, fps=20), posture_of=lambda points, seen: "sitting")
    assert [count for _, count in estimator.asked] == [1] * 5, "the untracked person and the ball are left out"
    assert [hand.frame_index for hand in found.hands] == [0, 4, 8, 12, 16]
    assert {hand.track_id for hand in found.hands} == {4}
    assert [face.track_id for face in found.faces[:2]] == [-1, 4] and math.isnan(found.faces[0].pitch_deg)
    assert {pose.posture for pose in found.poses} == {"sitting"}
    heads = heads_of_faces(found.faces).frame_index.tolist()
    assert heads == [0, 4, 8, 12, 16], "a face of nobody who is tracked turns nobody's head"


def test_frames_that_were_not_processed_are_not_looked_at(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=range(0, 1000, 50))
    detections, frames = _tracked(20, fps=20)
    few = replace(frames, processed=np.isin(frames.frame_index, [3, 9, 15]))
    estimator = _Remembers()
    config = BodiesConfig(batch_size=2)
    found = find_bodies(path, estimator, detections, few, posture_of=lambda points, seen: None, config=config)
    assert [hand.frame_index for hand in found.hands] == [3, 9, 15]
    assert found.n_frames == 3


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        BodyEstimator(BodyModels(pose=tmp_path / "pose.tflite"))
    assert "pose.tflite" in str(caught.value.where)


@pytest.fixture(scope="session")
def models(shared_data: Path) -> BodyModels:
    folder = shared_data.parent / "models" / "mediapipe"
    if not folder.is_dir():
        pytest.skip("the models are not here")
    return BodyModels(
        pose=folder / "pose_landmark_full.tflite",
        palms=folder / "palm_detection_full.tflite",
        hands=folder / "hand_landmark_full.tflite",
        face_detector=folder / "face_detection_short_range.tflite",
        face_landmarks=folder / "face_landmark.tflite",
    )


def _photo(shared_data: Path, number: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(shared_data / "coco-mini" / "val2017" / f"{number:012d}.jpg").convert("RGB"))


def test_a_real_child_has_two_hands_a_face_and_a_pose(shared_data: Path, models: BodyModels) -> None:
    image = _photo(shared_data, 368212)  # a toddler who sits and brushes teeth, towards the camera
    [found] = BodyEstimator(models).estimate([image], [np.array([[15, 50, 382, 605]], np.float32)])
    assert {(hand.person, hand.side) for hand in found.hands} == {(0, "left"), (0, "right")}
    by_side = {hand.side: hand.hand.box_xyxy for hand in found.hands}
    assert by_side["left"][0] > by_side["right"][0], "the left hand of somebody towards the camera"
    [face] = found.faces
    assert face.person == 0 and abs(face.face.yaw_deg) < 15
    [pose] = found.poses
    assert pose is not None and pose.score > 0.5


def test_a_real_head_is_turned_to_the_side_one_sees(shared_data: Path, models: BodyModels) -> None:
    left = BodyEstimator(models).estimate([_photo(shared_data, 547336)], [np.array([[140, 30, 470, 430]], np.float32)])
    mirrored = np.ascontiguousarray(_photo(shared_data, 547336)[:, ::-1])
    right = BodyEstimator(models).estimate([mirrored], [np.array([[170, 30, 500, 430]], np.float32)])
    assert left[0].faces[0].face.yaw_deg < -10
    assert right[0].faces[0].face.yaw_deg > 10
    # The hand on the knee is the left one; in a mirror it is a right one.
    sides = [{hand.side for hand in found[0].hands if hand.hand.box_xyxy[1] > 300} for found in (left, right)]
    assert sides == [{"left"}, {"right"}]


def test_nobody_in_the_image_is_no_error(shared_data: Path, models: BodyModels) -> None:
    nothing = np.zeros((48, 64, 3), np.uint8)
    found = BodyEstimator(models).estimate([nothing, nothing], [np.zeros((0, 4), np.float32)] * 2)
    assert found == [Bodies(()), Bodies(())] or all(not one.hands and not one.faces for one in found)
    assert BodyEstimator(models).estimate([], []) == []
