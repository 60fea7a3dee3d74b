"""In whose hands an object is while several people touch it: each of its movements is put down to one of them.

The object changes hands as rarely as can be: who alone touches it afterwards has taken it, who alone touched it before
has put it down, and who merely stands beside it has done nothing. It changes hands while it rests on the floor rather
than while it moves, and while it moves rather than while it is held still in the air.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.interactions.intervals import Span
from visionllm_interaction.interactions.track_grid import TrackGrid

_ON_FLOOR, _IN_MOVEMENT, _IN_AIR = 0.5, 1.0, 1.5
"""What a change of hands costs: put down and picked up, handed over in one movement, or while it is held still."""
LAST = 3
"""Frames at the end of a contact in which it is seen where the object is."""
_OFF_FLOOR = 0.2
"""An object is off the floor if its lower edge is this share of the person's height above the person's."""


@dataclass(frozen=True, eq=False)
class Contact:
    """One bout of contact between a person and an object."""

    person: TrackGrid
    object: TrackGrid
    span: Span


@dataclass(frozen=True, eq=False)
class Touch:
    """A contact in frames ``[first, after)``, and the movements in it; frames are positions in the grid."""

    contact: Contact
    first: int
    after: int
    movements: list[tuple[int, int]]


@dataclass(frozen=True)
class Movement:
    """Frames ``[first, after)`` in which somebody has the object, and the touches (positions in a list) it may be.

    It moves in them, or one frame is left to those who touch it when another lets go of it in the air.
    """

    first: int
    after: int
    touches: tuple[int, ...]


def find_movements(touches: list[Touch]) -> list[Movement]:
    """All movements in order, cut where the touches they may be in change, and who is left with it in the air."""
    bounds = np.array([(touch.first, touch.after) for touch in touches]).reshape(-1, 2)
    begins, ends = (sorted(m[side] for touch in touches for m in touch.movements) for side in (0, 1))
    found = []
    for first, after in pairwise(sorted({*begins, *ends, *bounds.ravel().tolist()})):
        if bisect_right(begins, first) > bisect_right(ends, first):
            found.append(Movement(first, after, _inside(bounds, first, after)))
    return sorted([*found, *_left_in_hand(touches, bounds, found)], key=lambda m: (m.first, m.after))


def _left_in_hand(touches: list[Touch], bounds: NDArray[np.int64], movements: list[Movement]) -> Iterator[Movement]:
    """Moments at rest at which somebody lets go of an object off the floor, which others still touch: they have it."""
    begins = [movement.first for movement in movements]
    for after in sorted({touch.after for touch in touches}):
        others = _inside(bounds, after, after + 1)
        last = bisect_right(begins, after) - 1
        rests = last < 0 or movements[last].after <= after
        if others and rests and all(is_off_floor(touches[n], after - LAST, after) for n in others):
            yield Movement(after, after + 1, others)


def _inside(bounds: NDArray[np.int64], first: int, after: int) -> tuple[int, ...]:
    """Which of the touches with ``bounds`` (n, 2) span frames ``[first, after)``."""
    return tuple(np.flatnonzero((bounds[:, 0] <= first) & (bounds[:, 1] >= after)).tolist())


def fewest_hands(touches: list[Touch], movements: list[Movement], is_rest: Callable[[int, int], bool]) -> list[int]:
    """For each movement the touch it is put down to, so that changes of hands cost least (shortest path).

    ``is_rest`` says whether there is a rest between a movement that ends before one frame and one that begins at the
    other.
    """
    if not movements:
        return []
    costs = dict.fromkeys(movements[0].touches, 0.0)
    came_from: list[dict[int, int]] = []
    for former, movement in pairwise(movements):
        rests = is_rest(former.after, movement.first)
        price = _price(touches, former, movement) if rests else _IN_MOVEMENT
        ways = {touch: _cheapest(touches, touch, costs, price) for touch in movement.touches}
        costs = {touch: cost for touch, (cost, _) in ways.items()}
        came_from.append({touch: origin for touch, (_, origin) in ways.items()})
    chosen = [min(costs, key=lambda touch: costs[touch])]
    for origins in reversed(came_from):
        chosen.append(origins[chosen[-1]])
    return chosen[::-1]


def _cheapest(touches: list[Touch], touch: int, costs: dict[int, float], price: float) -> tuple[float, int]:
    """The least cost of coming to ``touch``, and where from; if that is all the same, from itself."""
    person = touches[touch].contact.person
    ways = [
        (cost + (0.0 if touches[origin].contact.person is person else price), origin != touch, origin)
        for origin, cost in costs.items()
    ]
    cost, _, origin = min(ways)
    return cost, origin


def _price(touches: list[Touch], former: Movement, later: Movement) -> float:
    """Of a change of hands while the object rests between two movements."""
    there = [touches[n] for n in {*former.touches, *later.touches}]
    off = [is_off_floor(touch, former.after, later.first) for touch in there]
    return _IN_AIR if any(off) else _ON_FLOOR


def is_off_floor(touch: Touch, first: int, after: int) -> bool:
    """Whether the object is off the floor in frames ``[first, after)``, as far as both are seen."""
    both = (touch.contact.person, touch.contact.object)
    rows = [t.boxes_xyxy[max(first - t.first, 0) : max(after - t.first, 0)] for t in both]
    person, thing = (np.nanmedian(r[:, 3]) if np.isfinite(r).any() else np.nan for r in rows)
    return bool(person - thing >= _OFF_FLOOR * person_height(touch.contact.person, touch.first, touch.after))


def person_height(person: TrackGrid, first: int, after: int) -> float:
    """The largest in frames ``[first, after)``, in pixels: for a while somebody is half hidden, or bent down."""
    boxes = person.boxes_xyxy[first - person.first : after - person.first]
    return float(np.nanmax(boxes[:, 3] - boxes[:, 1]))
