"""The states that audits and agreement are about: their intervals, and the time in which they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visionllm_interaction.core.intervals import Intervals, as_intervals, intersection, union
from visionllm_interaction.core.predicates import CONVERSES, DIRECTED_PREDICATES, PREDICATES
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.reader import Store

VISIBLE = "visible"
TOGETHER = "together"
STATES: tuple[str, ...] = (VISIBLE, TOGETHER, *PREDICATES, *DIRECTED_PREDICATES)
BOUT_GAP_S = 0.5
"""Intervals at most this far apart are one bout, as in the measures."""


@dataclass(frozen=True, slots=True)
class StateOfPair:
    """A state of a subject, or of a subject and an object, named by role or category.

    Attributes:
        predicate: one of :data:`STATES`.
        subject: who.
        object: with whom or what; None for *visible*.
    """

    predicate: str
    subject: str
    object: str | None = None

    def __post_init__(self) -> None:
        if self.predicate not in STATES:
            raise UsageError("The state is not known.", expected=f"one of: {', '.join(STATES)}", found=self.predicate)
        if (self.object is None) != (self.predicate == VISIBLE):
            expected = "no object" if self.predicate == VISIBLE else "an object"
            raise UsageError(f"{self.predicate!r} needs {expected}.", expected=expected, found=str(self.object))

    def __str__(self) -> str:
        if self.object is None:
            return f"{self.subject} {self.predicate}"
        return f"{self.subject} {self.predicate} {self.object}"


def intervals_of(store: Store, video_id: str, state: StateOfPair) -> Intervals:
    """When a state holds in a video, as detected.

    Args:
        store: the open store.
        video_id: the video.
        state: the state.

    Returns:
        (M, 2) disjoint intervals in seconds.
    """
    if state.object is None:
        return _seen(store, video_id, state.subject)
    if state.predicate == TOGETHER:
        return _together(store, video_id, state)
    subjects, objects = (_track_ids(store, video_id, name) for name in (state.subject, state.object))
    converse = CONVERSES.get(state.predicate) if state.predicate in DIRECTED_PREDICATES else state.predicate
    found = [
        (r.begin_s, r.end_s)
        for r in store.relations(video_id)
        if (r.predicate == state.predicate and r.subject_track_id in subjects and r.object_track_id in objects)
        or (r.predicate == converse and r.subject_track_id in objects and r.object_track_id in subjects)
    ]
    return union(as_intervals(found))


def known_of(store: Store, video_id: str, state: StateOfPair) -> Intervals | None:
    """The time in which the detector can tell whether a state holds: both are seen.

    Args:
        store: the open store.
        video_id: the video.
        state: the state.

    Returns:
        (M, 2) disjoint intervals in seconds; None for states that are known in every processed frame.
    """
    return None if state.predicate in (VISIBLE, TOGETHER) else _together(store, video_id, state)


def _together(store: Store, video_id: str, state: StateOfPair) -> Intervals:
    """Time in which a track of each is seen, another one each."""
    sightings = store.sightings(video_id)
    parts = [
        intersection(union(as_intervals(sightings.get(a, []))), union(as_intervals(sightings.get(b, []))))
        for a in sorted(_track_ids(store, video_id, state.subject))
        for b in sorted(_track_ids(store, video_id, state.object or ""))
        if a != b
    ]
    return union(np.concatenate([*parts, np.zeros((0, 2))]))


def _seen(store: Store, video_id: str, name: str) -> Intervals:
    sightings = store.sightings(video_id)
    spans = [span for track_id in _track_ids(store, video_id, name) for span in sightings.get(track_id, [])]
    return union(as_intervals(spans))


def _track_ids(store: Store, video_id: str, name: str) -> frozenset[int]:
    return frozenset(track.track_id for track in store[video_id].tracks_named(name))


def bouts(spans: Intervals) -> Intervals:
    """The bouts of a state: pauses up to :data:`BOUT_GAP_S` do not end one."""
    return union(spans, max_gap_s=BOUT_GAP_S)
