"""Events between two people: approaches, withdraws, joint_handling; see docs/measures.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from visionllm_interaction.core.boxes import box_centres
from visionllm_interaction.core.tracks_relations_events import Relation
from visionllm_interaction.interactions.config import EventsConfig
from visionllm_interaction.interactions.track_grid import SceneGrid, TrackGrid

MomentaryEvent = tuple[float, str, tuple[int, ...], float]
"""time_s, kind, track ids (the person who moves, then the other), confidence."""
DurativeEvent = tuple[float, str, tuple[int, ...], float, float]
"""begin_s, kind, track ids, end_s, confidence."""


def find_approaches(relations: Sequence[Relation], grid: SceneGrid, config: EventsConfig) -> Iterator[MomentaryEvent]:
    """Find events *approaches* and *withdraws* at the begin and end of bouts of *near* between two people.

    Both must be visible and apart for ``approach_s`` before (after) the bout. The actor is the person whose centre
    moves farther in that time.

    Args:
        relations: bouts of all predicates.
        grid: the tracks over the processed frames.
        config: lengths of time.

    Yields:
        (time in seconds, kind, track ids with the actor first, confidence).
    """
    people = {track.track.track_id: track for track in grid.tracks if track.is_person}
    near = [r for r in relations if r.predicate == "near" and r.object_track_id in people]
    for bout in near:
        pair = people[bout.subject_track_id], people[bout.object_track_id]
        ids = (bout.subject_track_id, bout.object_track_id)
        same = [r for r in near if (r.subject_track_id, r.object_track_id) == ids]
        before = bout.begin_s - config.approach_s, bout.begin_s
        if _apart(pair, same, before, grid):
            yield bout.begin_s, "approaches", _mover_first(pair, before, grid), bout.confidence
        after = bout.end_s, bout.end_s + config.approach_s
        if _apart(pair, same, after, grid):
            yield bout.end_s, "withdraws", _mover_first(pair, after, grid), bout.confidence


def find_joint_handling(relations: Sequence[Relation], config: EventsConfig) -> list[DurativeEvent]:
    """Intervals in which one person holds an object that another is in contact with."""
    touching: dict[int, list[Relation]] = {}
    for relation in relations:
        if relation.predicate == "in_contact":
            touching.setdefault(relation.object_track_id, []).append(relation)
    return [item for r in relations if r.predicate == "holding" for item in _joint(r, touching, config)]


def _joint(hold: Relation, touching: Mapping[int, Sequence[Relation]], config: EventsConfig) -> Iterator[DurativeEvent]:
    for touch in touching.get(hold.object_track_id, ()):
        begin_s, end_s = max(hold.begin_s, touch.begin_s), min(hold.end_s, touch.end_s)
        if touch.subject_track_id != hold.subject_track_id and end_s - begin_s >= config.joint_s - 1e-6:
            ids = (hold.subject_track_id, touch.subject_track_id, hold.object_track_id)
            yield begin_s, "joint_handling", ids, end_s, min(hold.confidence, touch.confidence)


def _positions(window: tuple[float, float], grid: SceneGrid) -> tuple[int, int]:
    first, after = np.searchsorted(grid.begins_s, [window[0] - 1e-9, window[1] - 1e-9]).tolist()
    return int(first), int(after)


def _apart(
    pair: tuple[TrackGrid, TrackGrid], near: Sequence[Relation], window: tuple[float, float], grid: SceneGrid
) -> bool:
    """Whether both are visible and never near in ``window`` (s); False if it extends beyond the video."""
    first, after = _positions(window, grid)
    if window[0] < grid.begins_s[0] - 1e-9 or window[1] > grid.ends_s[-1] + 1e-9 or first >= after:
        return False
    if any(r.begin_s < window[1] - 1e-9 and r.end_s > window[0] + 1e-9 for r in near):
        return False
    return all(t.first <= first and after <= t.after and t.seen[first - t.first : after - t.first].all() for t in pair)


def _mover_first(pair: tuple[TrackGrid, TrackGrid], window: tuple[float, float], grid: SceneGrid) -> tuple[int, int]:
    first, after = _positions(window, grid)
    moved = []
    for track in pair:
        centres = box_centres(track.boxes_xyxy[[first - track.first, after - 1 - track.first]])
        moved.append(float(np.hypot(*(centres[1] - centres[0]))))
    one, other = (track.track.track_id for track in pair)
    return (one, other) if moved[0] >= moved[1] else (other, one)
