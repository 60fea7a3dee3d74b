"""Holding: contact in which the object moves with the person.

Boxes cannot show a grip; what they show is an object that is touched and moves. For each interval of contact:

* holding *begins* when the object, touched, begins to move;
* it *goes on* while contact lasts, also while both keep still, if the object moves again within that contact;
* it *ends* when the object has come to rest for the last time within that contact (it was put down and the person stays
  beside it or goes away), or when contact ends while the object moves (it was taken or thrown).

Where contact ends because one of the two is no longer seen or the video ends, an object that is off the floor is
still held, unless its last movement lowered it: it was set down on a table.

One object has one holder at a time. A movement while several people touch it is assigned to one of them, with as few
changes of holder as possible (see :mod:`.holder_assignment`). A change within a movement is placed at the pause between
bringing and taking.

An object *moves* when both its left and right edges, or both its upper and lower edges, are displaced to the same side:
something passing in front of it changes one edge only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from visionllm_interaction.core.tracks_relations_events import Relation
from visionllm_interaction.interactions.config import HoldingConfig
from visionllm_interaction.interactions.holder_assignment import (
    FINAL_FRAMES,
    Contact,
    ContactMovements,
    Movement,
    assign_holders,
    find_movements,
    height_above_floor,
    is_off_floor,
    person_height,
)
from visionllm_interaction.interactions.spans import Span, runs
from visionllm_interaction.interactions.track_grid import Floats, SceneGrid, TrackGrid

_PAUSE_S = 1.0
"""Longest pause between bringing and taking."""
_DIP = 0.7
"""A movement slower than this share of the movements before and after it is a pause between two movements."""
_LOWERED, _LOWERING_S = 0.06, 1.5
"""An object that a last movement lowered by this share of the person's height, in so many seconds, was set down."""
_WALKED = 0.3
"""A person who moved by this share of their height while an object rested does not hold it."""
_DECIMALS = 6
"""Parts of a frame that count."""


@dataclass(frozen=True, eq=False)
class _Hold:
    contact: Contact
    span: Span


def find_holding(contacts: Sequence[Contact], grid: SceneGrid, *, config: HoldingConfig) -> list[Relation]:
    """Bouts of holding within ``contacts``."""
    ordered = sorted(contacts, key=lambda c: (c.object.track.track_id, c.span.begin_s))
    found: list[Relation] = []
    for _, group in groupby(ordered, key=lambda c: c.object.track.track_id):
        touches = [_touch(contact, grid, config) for contact in group]
        holds = _holds(touches, grid)
        found += [_relation(hold) for hold in _merged(_one_holder(holds, grid, config), config)]
    return found


def displacement_px(boxes_xyxy: Floats, times_s: Floats, *, window_s: float) -> Floats:
    """Displacement of a box in x and y within a window around each frame.

    For each axis it is the smaller displacement of both edges if they move to the same side, else 0. Boxes are
    interpolated between frames, so that the result does not depend on the frame rate.

    Args:
        boxes_xyxy: (n, 4) in pixels; NaN where not visible.
        times_s: (n,) times of the frames.
        window_s: length of the window.

    Returns:
        (n, 2) in pixels; 0 where unknown.
    """
    shift = _boxes_at(boxes_xyxy, times_s, times_s + window_s / 2) - _boxes_at(
        boxes_xyxy, times_s, times_s - window_s / 2
    )
    low, high = shift[:, :2], shift[:, 2:]
    with np.errstate(invalid="ignore"):
        lesser = np.where(np.abs(low) < np.abs(high), low, high)
        return np.asarray(np.nan_to_num(np.where(np.sign(low) == np.sign(high), lesser, 0.0)))


def _boxes_at(boxes_xyxy: Floats, times_s: Floats, when_s: Floats) -> Floats:
    """(n, 4) interpolated boxes at ``when_s``; constant before the first and after the last frame."""
    if len(times_s) < 2:
        return boxes_xyxy
    after = np.clip(np.searchsorted(times_s, when_s, side="right"), 1, len(times_s) - 1)
    before = after - 1
    share = np.clip((when_s - times_s[before]) / (times_s[after] - times_s[before]), 0.0, 1.0)
    # Rounded, because times are never quite 0.04 s apart, and half a NaN is NaN.
    share = np.round(share, _DECIMALS)[:, None]
    there = (1 - share) * boxes_xyxy[before] + share * boxes_xyxy[after]
    there = np.where(share == 0.0, boxes_xyxy[before], there)
    return np.asarray(np.where(share == 1.0, boxes_xyxy[after], there))


def _touch(contact: Contact, grid: SceneGrid, config: HoldingConfig) -> ContactMovements:
    first, after = _positions(contact.span, grid)
    height = person_height(contact.person, first, after)
    moved = np.hypot(*_displacement(contact.object, first, after, grid=grid, config=config).T)
    episodes = _episodes(moved, config.min_move * height)
    return ContactMovements(contact, first, after, [(first + begin, first + end) for begin, end in episodes])


def _holds(touches: list[ContactMovements], grid: SceneGrid) -> list[_Hold]:
    """Holders of the object with their intervals; both have a movement within which the holder changes."""
    movements = find_movements(touches)
    chosen = assign_holders(touches, movements, lambda after, first: grid.rest_s(after, first) > _PAUSE_S + 1e-6)
    holds = []
    for touch, run in groupby(range(len(movements)), key=lambda n: chosen[n]):
        own = list(run)
        first, last = own[0], own[-1]
        while first > 0 and _is_shared(movements, first - 1, first, touch, grid):
            first -= 1
        while last < len(movements) - 1 and _is_shared(movements, last + 1, last, touch, grid):
            last += 1
        next_first = movements[last + 1].first if last < len(movements) - 1 else None
        span = _held(touches[touch], movements[first].first, movements[last].after, next_first, grid)
        if span is not None:
            holds.append(_Hold(touches[touch].contact, span))
    return holds


def _held(touch: ContactMovements, begin: int, end: int, next_first: int | None, grid: SceneGrid) -> Span | None:
    """From the first of the touch's own movements in frames ``[begin, end)`` to the last, or until it is cut off."""
    moving = [m for m in touch.movements if m[0] < end and begin < m[1]]
    if not moving:
        return None
    begin, end = max(begin, moving[0][0]), min(end, moving[-1][1])
    is_last = next_first is None or next_first >= touch.after
    if (
        is_last
        and _cut_off(touch.contact, touch.after, grid)
        and is_off_floor(touch, end - FINAL_FRAMES, min(end + FINAL_FRAMES, touch.after))
        and not _is_set_down(touch, begin, end, grid)
    ):
        end = touch.after
    return Span(float(grid.begins_s[begin]), float(grid.ends_s[end - 1]))


def _is_set_down(touch: ContactMovements, begin: int, after: int, grid: SceneGrid) -> bool:
    """Whether an object held since ``begin`` was set down at the end of its last movement, ``after``.

    The person has walked since while the object rested, or the movement lowered it, as onto a table. An object that was
    only just picked up may have been lowered too: taken from a shelf, to be held.
    """
    if after >= touch.after - FINAL_FRAMES:
        return False
    height, person = person_height(touch.contact.person, touch.first, touch.after), touch.contact.person
    then, last = (person.boxes_xyxy[place - person.first] for place in (after, touch.after - 1))
    if np.hypot((last[[0, 2]] - then[[0, 2]]).mean(), last[3] - then[3]) >= _WALKED * height:
        return True
    first = int(np.searchsorted(grid.begins_s, grid.ends_s[after - 1] - _LOWERING_S))
    if first < begin:
        return False
    before = height_above_floor(touch, first, after)
    now = height_above_floor(touch, after, after + FINAL_FRAMES)
    if not (np.isfinite(before).any() and np.isfinite(now).any()):
        return False
    return bool(np.nanmax(before) - np.nanmedian(now) >= _LOWERED)


def _is_shared(movements: list[Movement], beyond: int, near: int, touch: int, grid: SceneGrid) -> bool:
    """Whether the movement ``beyond`` one's own may be of the same ``touch`` and follows without a pause."""
    one, other = sorted((movements[beyond], movements[near]), key=lambda m: m.first)
    return touch in movements[beyond].touches and grid.rest_s(one.after, other.first) <= _PAUSE_S + 1e-6


def _displacement(track: TrackGrid, first: int, after: int, *, grid: SceneGrid, config: HoldingConfig) -> Floats:
    whole = displacement_px(track.boxes_xyxy, grid.begins_s[track.first : track.after], window_s=config.window_s)
    return whole[first - track.first : after - track.first]


def _episodes(moved: Floats, limit: float) -> list[tuple[int, int]]:
    """Movements ``[first, after)``: at least ``limit`` somewhere, at least half of it throughout."""
    return [(first, after) for first, after in runs(moved >= limit / 2) if (moved[first:after] >= limit).any()]


def _positions(span: Span, grid: SceneGrid) -> tuple[int, int]:
    first = int(np.searchsorted(grid.begins_s, span.begin_s - 1e-9))
    return first, int(np.searchsorted(grid.begins_s, span.end_s - 1e-9))


def _cut_off(contact: Contact, after: int, grid: SceneGrid) -> bool:
    """Whether contact ended because one of the two was no longer visible."""
    if after >= len(grid.begins_s):
        return True
    return not all(_seen_at(track, after) for track in (contact.person, contact.object))


def _seen_at(track: TrackGrid, position: int) -> bool:
    return track.first <= position < track.after and bool(track.seen[position - track.first])


def _one_holder(holds: Iterable[_Hold], grid: SceneGrid, config: HoldingConfig) -> list[_Hold]:
    kept: list[_Hold] = []
    for hold in sorted(holds, key=lambda h: (h.span.begin_s, -h.span.end_s)):
        last = kept[-1] if kept else None
        if last is None or hold.span.begin_s >= last.span.end_s or hold.contact.person is last.contact.person:
            kept.append(hold)
        elif hold.span.end_s > last.span.end_s:
            moment = _change_of_hands(last, hold, grid, config)
            kept[-1] = _Hold(last.contact, Span(last.span.begin_s, moment))
            kept.append(_Hold(hold.contact, Span(moment, hold.span.end_s)))
    return kept


def _change_of_hands(one: _Hold, other: _Hold, grid: SceneGrid, config: HoldingConfig) -> float:
    """Time (s) at which the object passes from one person to the other, within the overlap of their intervals.

    It is the last movement relative to the first person, or the pause within it: the object is brought to a meeting
    point, slows down there, and is taken away. While the first person walks with it, it does not move relative to that
    person.
    """
    item, giver, span = one.contact.object, one.contact.person, Span(other.span.begin_s, one.span.end_s)
    first, after = _positions(span, grid)
    shifts = [_displacement(track, first, after, grid=grid, config=config) for track in (item, giver)]
    moved = np.hypot(*(shifts[0] - shifts[1]).T)
    episodes = _episodes(moved, config.min_move * person_height(giver, first, after))
    if not episodes:
        return span.end_s
    taking = episodes[0]
    for former, later in pairwise(episodes):
        if grid.rest_s(first + former[1], first + later[0]) > _PAUSE_S + 1e-6:
            break
        taking = later
    begin, end = taking
    return float(grid.begins_s[first + begin + _slow_moment(moved[begin:end])])


def _slow_moment(moved: Floats) -> int:
    """Position of the deepest dip between two peaks; 0 where there is no clear one."""
    before = np.maximum.accumulate(moved)
    beyond = np.maximum.accumulate(moved[::-1])[::-1]
    peaks = np.minimum(before, beyond)
    depth = np.where(moved <= _DIP * peaks, peaks - moved, 0.0)
    return int(np.argmax(depth)) if depth.any() else 0


def _merged(holds: list[_Hold], config: HoldingConfig) -> list[_Hold]:
    joined: list[_Hold] = []
    for hold in holds:
        last = joined[-1] if joined else None
        near = last is not None and hold.span.begin_s - last.span.end_s <= config.merge_gap_s + 1e-6
        if last is not None and near and hold.contact.person is last.contact.person:
            joined[-1] = _Hold(last.contact, Span(last.span.begin_s, max(last.span.end_s, hold.span.end_s)))
        else:
            joined.append(hold)
    return [h for h in joined if h.span.duration_s >= config.min_duration_s - 1e-6]


def _relation(hold: _Hold) -> Relation:
    person, item = hold.contact.person.track, hold.contact.object.track
    confidence = min(person.mean_confidence, item.mean_confidence)
    return Relation(person.track_id, "holding", item.track_id, hold.span.begin_s, hold.span.end_s, confidence)
