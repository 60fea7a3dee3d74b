"""Holding: contact in which the object moves with the person.

Boxes cannot show a grip; what they show is an object that is touched and moves. For each stretch of contact:

* holding *begins* when the object, touched, begins to move;
* it *goes on* while contact lasts, also while both keep still, if the object moves again within that contact;
* it *ends* when the object has come to rest for the last time within that contact (it was put down and the person stays
  beside it or goes away), or when contact ends while the object moves (it was taken or thrown).

Where contact ends because one of the two is no longer seen or the video ends, an object that is off the floor is
still held. One object has one holder at a time: where stretches of two people overlap, the first holds it until
the moment between, when the object moves least.

An object *moves* when both its left and right edges, or both its upper and lower edges, are displaced to the same side:
something passing in front of it changes one edge only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from visionllm_interaction.core.symbols import Relation
from visionllm_interaction.scenes.config import HoldingConfig
from visionllm_interaction.scenes.grid import Floats, SceneGrid, TrackGrid
from visionllm_interaction.scenes.spans import Span, runs

_CHANGE_S = 1.0
"""The object changes hands within this time before the first person's contact with it ends."""
_OFF_FLOOR = 0.2
"""An object is off the floor if its lower edge is this share of the person's height above the person's."""


@dataclass(frozen=True, eq=False)
class Contact:
    """One bout of contact between a person and an object."""

    person: TrackGrid
    object: TrackGrid
    span: Span


@dataclass(frozen=True, eq=False)
class _Hold:
    contact: Contact
    span: Span


def find_holding(contacts: Sequence[Contact], grid: SceneGrid, *, config: HoldingConfig) -> list[Relation]:
    """Bouts of holding within ``contacts``."""
    ordered = sorted(contacts, key=lambda c: (c.object.track.track_id, c.span.begin_s))
    found: list[Relation] = []
    for _, group in groupby(ordered, key=lambda c: c.object.track.track_id):
        holds = [h for contact in group if (h := _hold(contact, grid, config)) is not None]
        found += [_relation(hold) for hold in _merged(_one_holder(holds, grid, config), config)]
    return found


def moved_px(boxes_xyxy: Floats, *, steps: int) -> Floats:
    """(n,) pixels by which a box is displaced over ``steps`` frames around each frame; 0 where not known.

    Per axis it is the lesser displacement of the two opposite edges if both go to the same side, else none.
    """
    half = max(steps // 2, 1)
    padded = np.pad(boxes_xyxy, ((half, half), (0, 0)), mode="edge")
    shift = padded[2 * half :] - padded[: -2 * half]
    low, high = shift[:, :2], shift[:, 2:]
    with np.errstate(invalid="ignore"):
        same = np.sign(low) == np.sign(high)
        lesser = np.where(same, np.minimum(np.abs(low), np.abs(high)), 0.0)
    return np.asarray(np.nan_to_num(np.hypot(lesser[:, 0], lesser[:, 1])))


def _hold(contact: Contact, grid: SceneGrid, config: HoldingConfig) -> _Hold | None:
    first, after = _positions(contact.span, grid)
    height = _height(contact.person, first, after)
    moved = _moved(contact.object, grid, config)[first - contact.object.first : after - contact.object.first]
    episodes = runs(moved >= config.min_move * height)
    if not episodes:
        return None
    begin, end = first + episodes[0][0], first + episodes[-1][1]
    if _cut_off(contact, after, grid) and _off_floor(contact, after, height):
        end = after
    return _Hold(contact, Span(float(grid.begins_s[begin]), float(grid.ends_s[end - 1])))


def _moved(track: TrackGrid, grid: SceneGrid, config: HoldingConfig) -> Floats:
    return moved_px(track.boxes_xyxy, steps=grid.samples(config.window_s))


def _positions(span: Span, grid: SceneGrid) -> tuple[int, int]:
    first = int(np.searchsorted(grid.begins_s, span.begin_s - 1e-9))
    return first, int(np.searchsorted(grid.begins_s, span.end_s - 1e-9))


def _height(person: TrackGrid, first: int, after: int) -> float:
    boxes = person.boxes_xyxy[first - person.first : after - person.first]
    return float(np.nanmax(boxes[:, 3] - boxes[:, 1]))


def _cut_off(contact: Contact, after: int, grid: SceneGrid) -> bool:
    """Whether contact ended because one of the two was no longer seen."""
    if after >= len(grid.begins_s):
        return True
    return not all(_seen_at(track, after) for track in (contact.person, contact.object))


def _seen_at(track: TrackGrid, position: int) -> bool:
    return track.first <= position < track.after and bool(track.seen[position - track.first])


def _off_floor(contact: Contact, after: int, height: float) -> bool:
    rows = [t.boxes_xyxy[max(after - 3 - t.first, 0) : after - t.first] for t in (contact.person, contact.object)]
    person, thing = (np.nanmedian(r[:, 3]) if np.isfinite(r).any() else np.nan for r in rows)
    return bool(person - thing >= _OFF_FLOOR * height)


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
    """The moment late in the overlap of two people's stretches at which the object moves least."""
    thing = one.contact.object
    begin_s = max(other.span.begin_s, one.span.end_s - _CHANGE_S)
    first, after = _positions(Span(begin_s, one.span.end_s), grid)
    moved = _moved(thing, grid, config)[first - thing.first : after - thing.first]
    if not len(moved):
        return one.span.end_s
    return float(grid.begins_s[first + int(np.argmin(moved))])


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
    person, thing = hold.contact.person.track, hold.contact.object.track
    confidence = min(person.mean_confidence, thing.mean_confidence)
    return Relation(person.track_id, "holding", thing.track_id, hold.span.begin_s, hold.span.end_s, confidence)
