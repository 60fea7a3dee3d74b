"""Hands: palms found in crops of people, then 21 key points, and whether it is a left or a right hand.

Source: Zhang et al., MediaPipe Hands: On-device Real-time Hand Tracking, 2020.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.bodies.anchors import Anchors, Candidates, decode, distinct, suppress
from visionllm_interaction.video.bodies.crop_regions import Region, angle_of, box_of
from visionllm_interaction.video.bodies.network import Network

Floats = NDArray[np.float32]

ANCHORS = Anchors(192, (8, 16, 16, 16))
MAX_IOU = 0.3
BOX_MARGIN = 0.08
"""Flesh around the key points, in sides of the box around these."""
_SCALE, _SHIFT = 2.6, 0.5
"""From the palm to the hand: the square is so much larger, and lies so many palms towards the fingers."""
_WRIST, _MIDDLE = 0, 2
_TRUNK = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
"""The key points without the ends of the fingers, which move most."""
_TRUNK_SCALE, _TRUNK_SHIFT = 2.0, 0.1
_DEPTH = 3
_SURE = 0.5
_BESIDE = 0.35
"""Palms nearer than this share of the hand's square may be of one hand; if so, the better one finds it."""


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand.

    Attributes:
        box_xyxy: (4,) pixels of the image, wrist to finger tips.
        score: probability that the key points lie on a hand.
        right: probability that it is a right hand.
        points_xy: (21, 2) pixels: the wrist, and four points of each finger from its base, thumb first.
    """

    box_xyxy: Floats
    score: float
    right: float
    points_xy: Floats


@dataclass(frozen=True, eq=False)
class _Palm:
    """A palm that was seen: its score, its middle in pixels of the image, and where its hand should be."""

    region: int
    image_rgb: NDArray[np.uint8] = field(repr=False)
    score: float
    x: float
    y: float
    place: Region

    @classmethod
    def of(cls, seen: Candidates, row: int, image_rgb: NDArray[np.uint8], where: Region, *, region: int) -> _Palm:
        """Row ``row`` of what was seen in the region ``where``."""
        x, y = where.to_image(seen.boxes_xyxy[row].reshape(2, 2)).mean(axis=0)
        place = hand_region(seen, row, where)
        return cls(region, image_rgb, float(seen.scores[row]), float(x), float(y), place)

    def is_beside(self, other: _Palm) -> bool:
        """Whether both may be palms of one hand."""
        if self.image_rgb is not other.image_rgb:
            return False
        apart = math.hypot(self.x - other.x, self.y - other.y)
        return apart < _BESIDE * max(self.place.side, other.place.side)

    def is_in(self, other: _Palm, hand: Hand) -> bool:
        """Whether it lies in the hand of another palm."""
        x1, y1, x2, y2 = hand.box_xyxy
        return self.image_rgb is other.image_rgb and bool(x1 <= self.x <= x2 and y1 <= self.y <= y2)


class HandEstimator:
    """Finds hands in square regions of images.

    Args:
        palms: the palm detection model as TFLite.
        landmarks: the hand landmark model as TFLite.

    Raises:
        CheckpointError: if a file is missing or unreadable.
    """

    def __init__(self, palms: Path, landmarks: Path) -> None:
        self._palms = Network(palms, outputs=(0, 1))
        self._landmarks = Network(landmarks, outputs=(0, 1, 2))

    def find(
        self, images_rgb: Sequence[NDArray[np.uint8]], regions: Sequence[Region], *, min_palm: float
    ) -> list[list[Hand]]:
        """Find hands.

        Args:
            images_rgb: for each region the image, (H, W, 3) uint8; the same object for regions of one image.
            regions: where to look; a palm should fill a twentieth of the side or more.
            min_palm: palms below it are left out.

        Returns:
            For each region the hands that may be in it; their scores say how sure that is.
        """
        crops = (region.crop(image, ANCHORS.side_px) for image, region in zip(images_rgb, regions, strict=True))
        seen = [
            suppress(decode(raw, logits, ANCHORS, min_score=min_palm), max_iou=MAX_IOU)
            for raw, logits in self._palms.run(crops)
        ]
        found = distinct(seen, images_rgb, regions)
        palms = [_Palm.of(seen[n], row, images_rgb[n], regions[n], region=n) for n, row in found]
        hands: list[list[Hand]] = [[] for _ in regions]
        for palm, hand in self._hands_of(palms):
            hands[palm.region].append(hand)
        return hands

    def _hands_of(self, palms: Sequence[_Palm]) -> Iterator[tuple[_Palm, Hand]]:
        """The hands of palms, best first; a palm in a hand that a better one beside it led to is no other hand."""
        waiting = sorted(palms, key=lambda palm: -palm.score)
        while waiting:
            now: list[_Palm] = []
            later: list[_Palm] = []
            for palm in waiting:
                (later if any(palm.is_beside(better) for better in now) else now).append(palm)
            found = self.measure([palm.image_rgb for palm in now], [palm.place for palm in now])
            yield from zip(now, found, strict=True)
            sure = [(palm, hand) for palm, hand in zip(now, found, strict=True) if hand.score >= _SURE]
            waiting = [palm for palm in later if not any(palm.is_in(*one) for one in sure)]

    def measure(self, images_rgb: Sequence[NDArray[np.uint8]], places: Sequence[Region]) -> list[Hand]:
        """Place the key points of hands.

        Args:
            images_rgb: for each hand the image, (H, W, 3) uint8.
            places: squares twice as large as the hands, turned so that the fingers point up.

        Returns:
            A hand for each place; one without a hand in it has a low score.
        """
        side = self._landmarks.side_px
        crops = (place.crop(image, side) for image, place in zip(images_rgb, places, strict=True))
        hands = []
        for place, (values, score, right) in zip(places, self._landmarks.run(crops), strict=True):
            points = place.to_image(values.reshape(-1, _DEPTH)[:, :2] / side)
            box = box_of(points, margin=BOX_MARGIN)
            hands.append(Hand(box, float(score.reshape(-1)[0]), float(right.reshape(-1)[0]), points))
        return hands


def region_of_points(points_xy: Floats) -> Region:
    """The square for a second look at a hand whose 21 key points (21, 2) are known roughly."""
    middle = (2 * points_xy[9] + points_xy[5] + points_xy[13]) / 4
    angle = angle_of(points_xy[0], middle, upright_deg=90.0)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    trunk = points_xy[_TRUNK]
    centre = (trunk.min(axis=0) + trunk.max(axis=0)) / 2
    upright = (trunk - centre) @ turn
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = centre + turn @ ((low + high) / 2 - (0.0, _TRUNK_SHIFT * float((high - low)[1])))
    return Region(float(x), float(y), max(float((high - low).max()), 1.0) * _TRUNK_SCALE, angle)


def hand_region(found: Candidates, row: int, region: Region) -> Region:
    """The square for the key points of a hand: beyond the palm, turned so that the fingers point up."""
    points = region.to_image(found.points_xy[row])
    corners = region.to_image(found.boxes_xyxy[row].reshape(2, 2))
    (x, y), side = corners.mean(axis=0), float((corners[1] - corners[0]).max())
    angle = angle_of(points[_WRIST], points[_MIDDLE], upright_deg=90.0)
    x, y = x + _SHIFT * side * math.sin(angle), y - _SHIFT * side * math.cos(angle)
    return Region(float(x), float(y), max(side, 1.0) * _SCALE, angle)
