"""Whose a hand or a face is, and which hand: by the poses of the people in the image, else by their boxes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.bodies.hands import Hand
from visionllm_interaction.video.bodies.poses import Point, Pose
from visionllm_interaction.video.bodies.search_regions import ARMS, has_head, is_usable

Floats = NDArray[np.float32]
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

_REACH = 1.5
"""A wrist is that of a hand if it lies within so many of the hand's longer sides."""
_FAR = 0.7
"""Cost of a hand of somebody whose pose is not known, in the hand's longer sides."""
_OTHER_SIDE = 0.6
"""Cost of a side that the look of the hand speaks against, in the hand's longer sides, where it is quite sure."""


def owner_of_face(
    box_xyxy: Floats, people_xyxy: Sequence[Floats], poses: Sequence[Pose | None], *, taken: Collection[int]
) -> int | None:
    """Whose a face is.

    Args:
        box_xyxy: (4,) of the face, pixels.
        people_xyxy: (4,) boxes of the people.
        poses: of the people, None where not known.
        taken: people who have a face already.

    Returns:
        Row of the person; None: it is nobody's.
    """
    x, y = (box_xyxy[:2] + box_xyxy[2:]) / 2
    side = max(float((box_xyxy[2:] - box_xyxy[:2]).max()), 1.0)
    best, least = None, np.inf
    for row, (person, pose) in enumerate(zip(people_xyxy, poses, strict=True)):
        if row in taken:
            continue
        if pose is not None and has_head(pose):
            cost = float(np.hypot(*(pose.points_xy[: Point.MOUTH_RIGHT + 1].mean(axis=0) - (x, y)))) / side
            if cost > _REACH:
                continue
        elif person[0] <= x <= person[2] and person[1] <= y <= person[3]:
            cost = _REACH + float(y - person[1]) / max(float(person[3] - person[1]), 1.0)
        else:
            continue
        if cost < least:
            best, least = row, cost
    return best


def owner_of_hand(
    hand: Hand,
    people_xyxy: Sequence[Floats],
    poses: Sequence[Pose | None],
    *,
    taken: Collection[tuple[int, Side]],
) -> tuple[int, Side] | None:
    """Whose a hand is, and which.

    Args:
        hand: the hand.
        people_xyxy: (4,) boxes of the people, pixels.
        poses: of the people, None where not known.
        taken: people and sides that have a hand already.

    Returns:
        Row of the person, and the side of the body; None: it is nobody's.
    """
    best, least = None, np.inf
    for owner, cost in _costs(hand, people_xyxy, poses):
        if owner not in taken and cost < least:
            best, least = owner, cost
    return best


def is_within(box_xyxy: Floats, people_xyxy: Sequence[Floats], poses: Sequence[Pose | None]) -> bool:
    """Whether the middle of a box (4,) lies in the box of somebody whose pose is known."""
    x, y = (box_xyxy[:2] + box_xyxy[2:]) / 2
    return any(
        pose is not None and is_usable(pose) and person[0] <= x <= person[2] and person[1] <= y <= person[3]
        for person, pose in zip(people_xyxy, poses, strict=True)
    )


def _costs(
    hand: Hand, people_xyxy: Sequence[Floats], poses: Sequence[Pose | None]
) -> Iterator[tuple[tuple[int, Side], float]]:
    side_px = max(float((hand.box_xyxy[2:] - hand.box_xyxy[:2]).max()), 1.0)
    x, y = (hand.box_xyxy[:2] + hand.box_xyxy[2:]) / 2
    # 1 where the look of the hand speaks clearly against a side, −1 where it speaks for it.
    against = {"left": 2 * hand.right - 1, "right": 1 - 2 * hand.right}
    for row, (person, pose) in enumerate(zip(people_xyxy, poses, strict=True)):
        for side in SIDES:
            looks = _OTHER_SIDE * max(against[side], 0.0)
            if pose is not None and is_usable(pose):
                wrist = pose.points_xy[ARMS[side][1]]
                away = float(np.hypot(*(wrist - hand.points_xy[0]))) / side_px
                if away <= _REACH:
                    yield (row, side), away + looks
            elif person[0] <= x <= person[2] and person[1] <= y <= person[3]:
                yield (row, side), _FAR + looks
