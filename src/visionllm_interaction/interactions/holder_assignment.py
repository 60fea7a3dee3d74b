"""Assign each movement of an object to one of the people who touch it.

The assignment with the lowest cost of changes between people is chosen. A person who alone touches the object
afterwards has taken it, and one who alone touched it before has put it down. A bystander has done neither. A change is
cheapest while the object rests on the floor, dearer while it moves, and dearest while it is held still in the air.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.interactions.spans import Span
from visionllm_interaction.interactions.track_grid import TrackGrid

_ON_FLOOR, _IN_MOVEMENT, _IN_AIR = 0.5, 1.0, 1.5
"""Cost of a change of holder: put down and picked up, handed over in one movement, or while held still."""
FINAL_FRAMES = 3
"""Number of frames at the end of a contact that show where the object is."""
_OFF_FLOOR = 0.2
"""An object is off the floor if its lower edge is this share of the person's height above the person's."""


@dataclass(frozen=True, eq=False)
class Contact:
    """One bout of contact between a person and an object."""

    person: TrackGrid
    object: TrackGrid
    span: Span


@dataclass(frozen=True, eq=False)
class ContactMovements:
    """A contact in frames ``[first, after)`` and the object's movements in it; frames are positions in the grid."""

    contact: Contact
    first: int
    after: int
    movements: list[tuple[int, int]]


@dataclass(frozen=True)
class Movement:
    """Frames ``[first, after)`` in which somebody holds the object, and the contacts it may belong to.

    The object moves in these frames. A single frame without movement marks who keeps an object in the air when another
    person releases it.

    Attributes:
        first: position of the first frame in the grid.
        after: position after the last frame.
        touches: positions of the possible contacts in their list.
    """

    first: int
    after: int
    touches: tuple[int, ...]


def find_movements(touches: list[ContactMovements]) -> list[Movement]:
    """All movements in order, split where the possible contacts change, and frames in which an object is kept."""
    bounds = np.array([(touch.first, touch.after) for touch in touches]).reshape(-1, 2)
    begins, ends = (sorted(m[side] for touch in touches for m in touch.movements) for side in (0, 1))
    found = []
    for first, after in pairwise(sorted({*begins, *ends, *bounds.ravel().tolist()})):
        if bisect_right(begins, first) > bisect_right(ends, first):
            found.append(Movement(first, after, _inside(bounds, first, after)))
    return sorted([*found, *_left_in_hand(touches, bounds, found)], key=lambda m: (m.first, m.after))


def _left_in_hand(
    touches: list[ContactMovements], bounds: NDArray[np.int64], movements: list[Movement]
) -> Iterator[Movement]:
    """Frames at rest in which somebody releases an object off the floor that others still touch and so hold."""
    begins = [movement.first for movement in movements]
    for after in sorted({touch.after for touch in touches}):
        others = _inside(bounds, after, after + 1)
        last = bisect_right(begins, after) - 1
        rests = last < 0 or movements[last].after <= after
        if others and rests and all(is_off_floor(touches[n], after - FINAL_FRAMES, after) for n in others):
            yield Movement(after, after + 1, others)


def _inside(bounds: NDArray[np.int64], first: int, after: int) -> tuple[int, ...]:
    """Positions of the contacts with ``bounds`` (n, 2) that span frames ``[first, after)``."""
    return tuple(np.flatnonzero((bounds[:, 0] <= first) & (bounds[:, 1] >= after)).tolist())


def assign_holders(
    touches: list[ContactMovements], movements: list[Movement], is_rest: Callable[[int, int], bool]
) -> list[int]:
    """Assign each movement to a contact so that the changes of holder cost least (shortest path).

    Args:
        touches: all contacts of one object.
        movements: its movements in order.
        is_rest: whether the object rests between the end of one movement and the begin of another, both given as
            frames.

    Returns:
        For each movement the position of its contact in ``touches``.
    """
    if not movements:
        return []
    costs = dict.fromkeys(movements[0].touches, 0.0)
    came_from: list[dict[int, int]] = []
    for former, movement in pairwise(movements):
        rests = is_rest(former.after, movement.first)
        price = _handover_cost(touches, former, movement) if rests else _IN_MOVEMENT
        ways = {touch: _cheapest(touches, touch, costs, price) for touch in movement.touches}
        costs = {touch: cost for touch, (cost, _) in ways.items()}
        came_from.append({touch: origin for touch, (_, origin) in ways.items()})
    chosen = [min(costs, key=lambda touch: costs[touch])]
    for origins in reversed(came_from):
        chosen.append(origins[chosen[-1]])
    return chosen[::-1]


def _cheapest(touches: list[ContactMovements], touch: int, costs: dict[int, float], price: float) -> tuple[float, int]:
    """The least cost of reaching ``touch``, and its predecessor; itself in case of a tie."""
    person = touches[touch].contact.person
    ways = [
        (cost + (0.0 if touches[origin].contact.person is person else price), origin != touch, origin)
        for origin, cost in costs.items()
    ]
    cost, _, origin = min(ways)
    return cost, origin


def _handover_cost(touches: list[ContactMovements], former: Movement, later: Movement) -> float:
    """Cost of a change of holder while the object rests between two movements."""
    there = [touches[n] for n in {*former.touches, *later.touches}]
    off = [is_off_floor(touch, former.after, later.first) for touch in there]
    return _IN_AIR if any(off) else _ON_FLOOR


def is_off_floor(touch: ContactMovements, first: int, after: int) -> bool:
    """Whether the object is off the floor in frames ``[first, after)``, as far as both are seen."""
    both = (touch.contact.person, touch.contact.object)
    rows = [t.boxes_xyxy[max(first - t.first, 0) : max(after - t.first, 0)] for t in both]
    person, item = (np.nanmedian(r[:, 3]) if np.isfinite(r).any() else np.nan for r in rows)
    return bool(person - item >= _OFF_FLOOR * person_height(touch.contact.person, touch.first, touch.after))


def height_above_floor(touch: ContactMovements, first: int, after: int) -> NDArray[np.float64]:
    """(after - first,) height of the object's lower edge over the person's, in the person's heights; NaN: not seen."""
    person, item = (
        track.boxes_xyxy[first - track.first : after - track.first, 3]
        for track in (touch.contact.person, touch.contact.object)
    )
    return np.asarray((person - item) / person_height(touch.contact.person, touch.first, touch.after))


def person_height(person: TrackGrid, first: int, after: int) -> float:
    """Largest height in frames ``[first, after)`` in pixels; a person may be partly occluded or bent down at times."""
    boxes = person.boxes_xyxy[first - person.first : after - person.first]
    return float(np.nanmax(boxes[:, 3] - boxes[:, 1]))
