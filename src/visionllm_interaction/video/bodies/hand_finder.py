"""Hands of the people in images: searched in each, or in frames of a video followed from those that were searched.

Searching looks for palms in many regions, most of which show none. Where hands were a moment before and are a moment
later is known, and their key points alone say whether they are still there.

Source: Zhang et al., MediaPipe Hands: On-device Real-time Hand Tracking, 2020, for following by key points; that it
goes in both directions, and by the wrists of poses, is our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.crop_regions import Region
from visionllm_interaction.video.bodies.hands import Hand, HandEstimator, region_of_points
from visionllm_interaction.video.bodies.image_people import Image, Person, distinct_rows, is_met, whole_images
from visionllm_interaction.video.bodies.ownership import Side, is_within, owner_of_hand
from visionllm_interaction.video.bodies.poses import Pose, is_far_off
from visionllm_interaction.video.bodies.search_regions import ARMS, hand_guess, hand_searches, wrist_of

_EVEN = 0.5
_SURE = 0.5
"""A hand that is followed with less is searched as well, even if weaker hands are wanted."""
_LOST_SCALE = 2.5
"""A hand that was lost is searched in a square so much larger than its own."""


@dataclass(frozen=True, eq=False)
class OwnedHand:
    """A hand, the row of the person whose it is (None: of nobody whose box is known), and the side of the body."""

    person: int | None
    side: Side
    hand: Hand


@dataclass(frozen=True, eq=False)
class KnownFrame:
    """Hands of a frame that others are followed from.

    Attributes:
        hands: the hands.
        poses: of the people whose hands they may be, by track.
        track_ids: of the people, by row.
    """

    hands: Sequence[OwnedHand]
    poses: Mapping[int, Pose]
    track_ids: Sequence[int]


@dataclass(frozen=True, eq=False)
class FrameSequence:
    """Says of images that they are frames of one video, one soon after the other.

    Attributes:
        searched: for each frame whether hands are searched in it; in the others they are followed.
        track_ids: for each frame the tracks of its people, (n,), in the order of their boxes.
        before: the frame before the first one, if there is one.
    """

    searched: Sequence[bool]
    track_ids: Sequence[NDArray[np.int64]]
    before: KnownFrame | None = None


@dataclass(eq=False)
class _Frames:
    """What is known of the frames of one call while hands are followed through them."""

    images_rgb: Sequence[Image]
    groups: Sequence[Sequence[Person]]
    sequence: FrameSequence
    min_pose: float
    found: list[list[Hand]]
    owned: dict[int, list[OwnedHand]] = field(default_factory=dict)

    def known(self, number: int) -> KnownFrame | None:
        """A frame whose hands are known; -1 is the one before the first; None: there is none."""
        if number < 0:
            return self.sequence.before
        if number not in self.owned:
            return None
        return KnownFrame(self.owned[number], self.poses(number), self.sequence.track_ids[number].tolist())

    def poses(self, number: int) -> dict[int, Pose]:
        """Poses of a frame by track."""
        ids = self.sequence.track_ids[number].tolist()
        return {ids[p.row]: p.pose for p in self.groups[number] if p.pose and p.pose.score >= self.min_pose}

    def arms(self, number: int) -> Iterable[tuple[Person, str]]:
        """Arms at whose ends a hand may be: the frame before had one there, or not the person."""
        before = self.known(number - 1) or KnownFrame([], {}, [])
        had = {(before.track_ids[one.person], one.side) for one in before.hands if one.person is not None}
        track_ids = self.sequence.track_ids[number].tolist()
        for person in self.groups[number]:
            track_id = track_ids[person.row]
            yield from ((person, side) for side in ARMS if track_id not in before.track_ids or (track_id, side) in had)

    def own(self, numbers: Iterable[int]) -> None:
        """Tell whose the hands of some frames are."""
        for number in numbers:
            self.owned[number] = own_hands(self.found[number], self.groups[number])

    def rounds(self, step: int) -> list[list[int]]:
        """Frames that are not searched, by their distance from the last one that is; ``step`` is 1 or -1 in time."""
        searched = self.sequence.searched
        order = range(len(searched))[::step]
        by_distance: dict[int, list[int]] = {}
        distance = 0
        for number in order:
            distance = 0 if searched[number] else distance + 1
            if distance:
                by_distance.setdefault(distance, []).append(number)
        return [by_distance[key] for key in sorted(by_distance)]


class HandFinder:
    """Finds hands of people whose boxes are known, and of others.

    Args:
        hands: finds palms in regions, and key points.
        config: thresholds.
    """

    def __init__(self, hands: HandEstimator, *, config: BodiesConfig) -> None:
        self._hands = hands
        self._config = config

    def find(
        self,
        images_rgb: Sequence[Image],
        groups: Sequence[Sequence[Person]],
        sequence: FrameSequence | None = None,
    ) -> list[list[OwnedHand]]:
        """Find hands.

        Args:
            images_rgb: (H, W, 3) uint8 each.
            groups: for each image its people.
            sequence: if the images are frames of one video; None: each is searched.

        Returns:
            For each image its hands.
        """
        found = self._searched(images_rgb, groups, range(len(images_rgb)) if sequence is None else _chosen(sequence))
        if sequence is None:
            return [own_hands(hands, group) for hands, group in zip(found, groups, strict=True)]
        frames = _Frames(images_rgb, groups, sequence, self._config.min_pose, found)
        frames.own(_chosen(sequence))
        # From each searched frame on first, then back from the next one: hands that were not yet seen in the former.
        for numbers in frames.rounds(1):
            self._follow(frames, numbers, step=1)
        for numbers in frames.rounds(-1):
            self._follow(frames, numbers, step=-1)
        return [frames.owned[number] for number in range(len(images_rgb))]

    def _searched(
        self, images_rgb: Sequence[Image], groups: Sequence[Sequence[Person]], numbers: Sequence[int]
    ) -> list[list[Hand]]:
        """For each image the hands that are found by searching; none in images that are not among ``numbers``."""
        found: list[list[Hand]] = [[] for _ in images_rgb]
        wanted = set(numbers)
        people = [p for number in numbers for p in groups[number]]
        searches = [one for one in whole_images(images_rgb) if one[0] in wanted]
        searches += [(p.image, region) for p in people for region in hand_searches(p.box_xyxy, p.pose)]
        self._search(images_rgb, searches, found)
        self._try_poses([(p, side) for p in people for side in ARMS], found)
        return found

    def _search(
        self, images_rgb: Sequence[Image], searches: Sequence[tuple[int, Region]], found: list[list[Hand]]
    ) -> None:
        """Look for palms in regions of images, and add the hands that these lead to."""
        searched = [images_rgb[number] for number, _ in searches], [region for _, region in searches]
        hands = self._hands.find(*searched, min_palm=self._config.min_palm)
        for (number, _), ones in zip(searches, hands, strict=True):
            found[number] += [hand for hand in ones if hand.score >= self._config.min_hand]

    def _try_poses(self, arms: Iterable[tuple[Person, str]], found: list[list[Hand]]) -> None:
        """Add hands where poses have them: those whose palms are hidden or turned; the key points decide."""
        guesses = [
            (p, place)
            for p, side in arms
            if p.pose is not None
            and (place := hand_guess(p.pose, side))
            and not is_met(place.x, place.y, found[p.image])
        ]
        first = self._hands.measure([p.image_rgb for p, _ in guesses], [place for _, place in guesses])
        again = [
            (p, region_of_points(hand.points_xy))
            for (p, _), hand in zip(guesses, first, strict=True)
            if hand.score >= self._config.min_hand
        ]
        second = self._hands.measure([p.image_rgb for p, _ in again], [place for _, place in again])
        for (p, _), hand in zip(again, second, strict=True):
            if hand.score >= self._config.min_hand:
                found[p.image].append(hand)

    def _follow(self, frames: _Frames, numbers: Sequence[int], *, step: int) -> None:
        """Look for the hands of the frames before (``step`` 1) or after (-1) in frames that are not searched."""
        places = [
            (number, place)
            for number in numbers
            if (source := frames.known(number - step)) is not None
            for one in source.hands
            if not is_met((place := _moved(one, source, frames.poses(number))).x, place.y, frames.found[number])
        ]
        hands = self._looked_at([frames.images_rgb[number] for number, _ in places], [place for _, place in places])
        for (number, _), hand in zip(places, hands, strict=True):
            if hand is not None:
                frames.found[number].append(hand)
        if step > 0:
            lost = [one for one, hand in zip(places, hands, strict=True) if hand is None]
            near = [(number, replace(place, side=place.side * _LOST_SCALE, angle=0.0)) for number, place in lost]
            self._search(frames.images_rgb, near, frames.found)
            self._try_poses([arm for number in numbers for arm in frames.arms(number)], frames.found)
        frames.own(numbers)

    def _looked_at(self, images_rgb: Sequence[Image], places: Sequence[Region]) -> list[Hand | None]:
        """The hands at places; None: there is none. Where a place was far off, the better one is looked at as well."""
        hands = self._hands.measure(images_rgb, places)
        wanted = [region_of_points(hand.points_xy) for hand in hands]
        least = max(self._config.min_hand, _SURE)
        again = [n for n, hand in enumerate(hands) if hand.score >= least and is_far_off(places[n], wanted[n])]
        second = self._hands.measure([images_rgb[n] for n in again], [wanted[n] for n in again])
        for n, hand in zip(again, second, strict=True):
            hands[n] = max(hand, hands[n], key=lambda one: one.score)
        return [hand if hand.score >= least else None for hand in hands]


def _chosen(sequence: FrameSequence) -> list[int]:
    return [number for number, searched in enumerate(sequence.searched) if searched]


def _moved(one: OwnedHand, source: KnownFrame, poses: Mapping[int, Pose]) -> Region:
    """Where a hand of one frame is looked for in the next: it goes with the wrist, if that is seen in both."""
    place = region_of_points(one.hand.points_xy)
    if one.person is None:
        return place
    track_id = source.track_ids[one.person]
    if track_id not in poses or track_id not in source.poses:
        return place
    old, new = wrist_of(source.poses[track_id], one.side), wrist_of(poses[track_id], one.side)
    if old is None or new is None:
        return place
    x, y = new - old
    return replace(place, x=place.x + float(x), y=place.y + float(y))


def own_hands(hands: Sequence[Hand], people: Sequence[Person]) -> list[OwnedHand]:
    """Each hand once, with the person whose it is.

    Args:
        hands: of one image; several may be of one hand.
        people: of that image.

    Returns:
        At most two hands of each person, and those of nobody whose box is known.
    """
    boxes, poses = [p.box_xyxy for p in people], [p.pose for p in people]
    taken: set[tuple[int, Side]] = set()
    owned = []
    for row in distinct_rows([h.box_xyxy for h in hands], [h.score for h in hands]):
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
