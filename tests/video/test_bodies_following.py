"""Hands followed through frames of a video that are not searched for palms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from visionllm_interaction.core.frame_table import Frame
from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.crop_regions import Region
from visionllm_interaction.video.bodies.estimator import Bodies, BodyEstimator, BodyModels
from visionllm_interaction.video.bodies.find_bodies import batches, plan_searches
from visionllm_interaction.video.bodies.hand_finder import FrameSequence, HandFinder, KnownFrame, OwnedHand
from visionllm_interaction.video.bodies.hands import Hand, HandEstimator
from visionllm_interaction.video.bodies.image_people import Person
from visionllm_interaction.video.bodies.poses import Point, Pose, PoseEstimator

PIXELS = np.zeros((4, 4, 3), np.uint8)


def _frames(times_s: Sequence[float]) -> list[Frame]:
    return [Frame(n, time_s, PIXELS) for n, time_s in enumerate(times_s)]


def _searched(times_s: Sequence[float], every_s: float) -> list[int]:
    return [frame.frame_index for frame, searched in plan_searches(_frames(times_s), every_s) if searched]


@pytest.mark.parametrize(
    ("times_s", "every_s", "searched"),
    [
        (np.arange(10) / 5, 0.8, [0, 4, 8, 9]),  # the last one, too
        (np.arange(10) / 5, 0.0, list(range(10))),
        (np.arange(6) / 1, 0.8, list(range(6))),  # too far apart to follow anything
        ([0, 0.2, 0.4, 5.0, 5.2, 5.4, 5.6, 5.8], 0.8, [0, 2, 3, 7]),  # both sides of a gap
        (np.arange(20) / 100, 0.8, [0, 9, 18, 19]),  # only so many are kept in memory
        (0.19 * np.arange(10), 0.8, [0, 4, 8, 9]),  # 0.04 s early is no reason to wait for another frame
        ([], 0.8, []),
    ],
)
def test_frames_between_those_that_are_searched_are_close_to_each_other(
    times_s: Sequence[float], every_s: float, searched: list[int]
) -> None:
    assert _searched(times_s, every_s) == searched


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 40])
def test_the_size_of_a_batch_changes_neither_what_is_searched_nor_what_can_be_followed(size: int) -> None:
    planned = list(plan_searches(_frames(np.arange(30) / 5), 0.8))
    made = list(batches(planned, size))
    assert [(frame, one) for frames, searched in made for frame, one in zip(frames, searched, strict=True)] == planned
    assert all(searched[-1] for _, searched in made)
    assert all(len(frames) >= size for frames, _ in made[:-1])


class _Seen(HandEstimator):
    """Finds hands at known places of frames; the first pixel of an image says which frame it is.

    Args:
        hands: frame → middles of hands.
        no_palms: frames in which hands do not show their palms.
    """

    def __init__(self, hands: dict[int, list[tuple[float, float]]], no_palms: Sequence[int] = ()) -> None:
        self.hands, self.no_palms = hands, no_palms
        self.searches: list[tuple[int, float]] = []
        self.looks: list[int] = []

    def find(self, images_rgb: Sequence[np.ndarray], regions: Sequence[Region], *, min_palm: float) -> list[list[Hand]]:
        found = []
        for image, region in zip(images_rgb, regions, strict=True):
            frame = int(image[0, 0, 0])
            self.searches.append((frame, region.side))
            there = [] if frame in self.no_palms else self.hands.get(frame, [])
            found.append([_hand(x, y) for x, y in there if max(abs(x - region.x), abs(y - region.y)) < region.side / 2])
        return found

    def measure(self, images_rgb: Sequence[np.ndarray], places: Sequence[Region]) -> list[Hand]:
        found = []
        for image, place in zip(images_rgb, places, strict=True):
            frame = int(image[0, 0, 0])
            self.looks.append(frame)
            near = [at for at in self.hands.get(frame, []) if np.hypot(at[0] - place.x, at[1] - place.y) < 12]
            found.append(_hand(*near[0]) if near else _hand(place.x, place.y, score=0.1))
        return found


def _hand(x: float, y: float, *, score: float = 0.9) -> Hand:
    """A hand of 20 pixels, fingers up."""
    points = np.tile(np.array([x, y], np.float32), (21, 1))
    points[0] = (x, y + 10)
    points[[5, 9, 13, 17]] = [(x - 6, y - 10), (x - 2, y - 10), (x + 2, y - 10), (x + 6, y - 10)]
    return Hand(np.array([x - 10, y - 10, x + 10, y + 10], np.float32), score, 0.5, points)


def _images(n: int) -> list[np.ndarray]:
    images = [np.zeros((480, 640, 3), np.uint8) for _ in range(n)]
    for number, image in enumerate(images):
        image[0, 0, 0] = number
    return images


def _find(seen: _Seen, searched: Sequence[bool], groups: Sequence[list[Person]] | None = None) -> list[list[tuple]]:
    """For each frame the middles of the hands that are found."""
    finder = HandFinder(seen, config=BodiesConfig())
    own = groups or [[] for _ in searched]
    sequence = FrameSequence(searched, [np.arange(len(group)) + 7 for group in own])
    found = finder.find(_images(len(searched)), own, sequence)
    middles = [[(one.hand.box_xyxy[:2] + one.hand.box_xyxy[2:]) / 2 for one in hands] for hands in found]
    return [sorted((round(float(x)), round(float(y))) for x, y in one) for one in middles]


def test_hands_are_found_between_searched_frames_without_any_search() -> None:
    seen = _Seen({n: [(100 + 8 * n, 200), (400, 300)] for n in range(5)}, no_palms=[1, 2, 3])
    found = _find(seen, [True, False, False, False, True])
    assert found == [sorted(seen.hands[n]) for n in range(5)]
    assert {frame for frame, _ in seen.searches} == {0, 4}


def test_a_hand_that_came_after_a_searched_frame_is_followed_back_from_the_next() -> None:
    seen = _Seen({n: [(400, 300)] for n in (2, 3, 4)}, no_palms=[1, 2, 3])
    assert _find(seen, [True, False, False, False, True]) == [[], [], [(400, 300)], [(400, 300)], [(400, 300)]]


def test_a_lost_hand_is_searched_near_where_it_was() -> None:
    at = {0: [(100, 200)], 1: [(125, 200)], 2: [(125, 200)], 3: [(125, 200)]}
    seen = _Seen(dict(at))
    assert _find(seen, [True, False, False, True]) == [at[n] for n in range(4)]
    near = [side for frame, side in seen.searches if frame == 1]
    assert len(near) == 1 and near[0] < 200
    gone = _Seen({0: at[0], 3: at[3]})
    assert _find(gone, [True, False, False, True]) == [at[0], [], [], at[3]]
    assert [frame for frame, _ in gone.searches if frame == 2] == [], "once is enough"


def _person(frame: int, wrist_x: float, image: np.ndarray) -> Person:
    points = np.zeros((33, 2), np.float32)
    points[:] = (320, 100)
    points[Point.LEFT_WRIST] = (wrist_x, 210)
    points[[Point.LEFT_INDEX, Point.LEFT_PINKY]] = (wrist_x, 220)
    seen = np.zeros(33, np.float32)
    seen[Point.LEFT_WRIST] = 1.0
    pose = Pose(points, np.zeros(33, np.float32), seen, np.ones(33, np.float32), 0.9)
    return Person(frame, 0, image, np.array([0, 0, 640, 480], np.float32), pose)


def test_a_quick_hand_is_looked_for_where_the_wrist_went() -> None:
    """The pose does not place it exactly enough to find it by itself: its wrist is 20 pixels beside the hand's."""
    at = {n: [(100 + 60 * n, 200)] for n in range(4)}
    seen = _Seen(dict(at), no_palms=[1, 2])
    groups = [[_person(n, 120 + 60 * n, image)] for n, image in enumerate(_images(4))]
    assert _find(seen, [True, False, False, True], groups) == [at[n] for n in range(4)]
    assert _find(_Seen(dict(at), no_palms=[1, 2]), [True, False, False, True])[1:3] == [[], []]


def test_hands_are_followed_from_the_frame_before_the_first() -> None:
    before = KnownFrame([OwnedHand(None, "left", _hand(100, 200))], {}, [])
    seen = _Seen({0: [(104, 200)], 1: []}, no_palms=[0])
    sequence = FrameSequence([False, True], [np.zeros(0, np.int64)] * 2, before)
    found = HandFinder(seen, config=BodiesConfig()).find(_images(2), [[], []], sequence)
    assert [len(hands) for hands in found] == [1, 0]


def test_images_that_are_no_sequence_are_searched_one_by_one() -> None:
    seen = _Seen({0: [(100, 200)], 1: [(104, 200)]}, no_palms=[1])
    found = HandFinder(seen, config=BodiesConfig()).find(_images(2), [[], []])
    assert [len(hands) for hands in found] == [1, 0]
    assert {frame for frame, _ in seen.searches} == {0, 1}


def test_where_a_pose_had_no_hand_a_moment_before_it_is_not_asked_again() -> None:
    """A wrist without a hand costs a look in each frame that is searched; somebody who has just come is looked at."""
    images = _images(4)
    seen = _Seen({})
    groups = [[_person(n, 120, image)] for n, image in enumerate(images)]
    assert _find(seen, [True, False, False, True], groups) == [[], [], [], []]
    assert set(seen.looks) == {0, 3}
    come = _Seen({2: [(120, 220)], 3: [(120, 220)]}, no_palms=[2, 3])
    assert _find(come, [True, False, False, True], [[], [], *groups[2:]]) == [[], [], [(120, 220)], [(120, 220)]]
    assert 2 in come.looks


class _Posed(PoseEstimator):
    """People whose left wrist is 10 pixels below the middle of their hand, which it follows; some are not clear.

    Args:
        hands: for each person frame → middle of the hand; the person is known by the left edge of the box.
    """

    def __init__(self, hands: dict[int, Callable[[int], tuple[float, float]]]) -> None:
        self.hands = hands

    def estimate(self, images_rgb: Sequence[np.ndarray], boxes_xyxy: Sequence[np.ndarray]) -> list[Pose]:
        poses = []
        for image, box in zip(images_rgb, boxes_xyxy, strict=True):
            frame = int(image[0, 0, 0])
            x, y = self.hands[int(box[0])](frame)
            points = np.tile(np.array([x, 20], np.float32), (33, 1))
            points[Point.LEFT_WRIST] = (x + 20, y + 10)
            points[[Point.LEFT_INDEX, Point.LEFT_PINKY]] = (x + 20, y + 20)
            seen = np.zeros(33, np.float32)
            seen[Point.LEFT_WRIST] = 1.0
            poses.append(Pose(points, np.zeros(33, np.float32), seen, np.ones(33, np.float32), 0.9 * (frame % 7 != 5)))
        return poses


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("speed", [9.0, 17.0])
@pytest.mark.parametrize("posed", [False, True])
def test_the_size_of_a_batch_changes_no_hand(size: int, speed: float, posed: bool) -> None:
    """Hands that come, move, are lost and leave, over thirty frames; two people, by their boxes or their poses."""
    first: Callable[[int], tuple[float, float]] = lambda n: (100.0 + speed * n, 200.0)  # noqa: E731
    second: Callable[[int], tuple[float, float]] = lambda n: (500.0, 60.0 + 4 * n)  # noqa: E731
    at = {n: [first(n)] * (n % 11 > 1) + [second(n)] * (5 < n < 21) for n in range(30)}
    boxes = np.array([[40, 20, 420, 460], [440, 20, 600, 300]], np.float32)

    def found(size: int, *, carried: bool = True) -> list[list[tuple]]:
        estimator = BodyEstimator(BodyModels())
        estimator._hands = HandFinder(_Seen(at, no_palms=[3, 4, 7, 13]), config=BodiesConfig())
        estimator._poses = _Posed({40: first, 440: second}) if posed else None
        bodies: list[Bodies] = []
        before = None
        frames = [Frame(n, n / 5, image) for n, image in enumerate(_images(30))]
        for batch, searched in batches(plan_searches(frames, 0.8), size):
            sequence = FrameSequence(searched, [np.array([3, 4])] * len(batch), before)
            bodies += estimator.estimate([frame.image_rgb for frame in batch], [boxes] * len(batch), sequence)
            before = bodies[-1].known(np.array([3, 4]))
            if not carried:
                before = replace(before, poses={})
        return [[(one.person, *one.hand.box_xyxy.tolist()) for one in body.hands] for body in bodies]

    assert found(size) == found(40)
    assert sum(map(len, found(size))) >= 30
    if posed and speed > 10:
        assert found(1, carried=False) != found(40), "hands so quick are found by the poses on both sides of a border"
