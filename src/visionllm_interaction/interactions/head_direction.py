"""The relation *facing* from detected heads, a proxy for gaze; see docs/measures.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_centres
from visionllm_interaction.core.detection_table import DetectionTable, HeadTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.predicates import FACING_DEG
from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.interactions.config import ScenesConfig
from visionllm_interaction.interactions.relations import Pair, bouts_of, pairs_of, relation_of, smoothing_of
from visionllm_interaction.interactions.track_grid import (
    Floats,
    SceneGrid,
    TrackGrid,
    build_grid,
    median_filter,
    windows_of,
)

_HEAD_SHARE = 0.6
"""A head is in the upper part of its person's box …"""
_HEAD_AT = 0.15
"""… and belongs to the person in whose box it is nearest to this share of the height, in the middle."""
_RIGHT_ANGLE_DEG = 90.0


def find_facing(
    heads: HeadTable,
    detections: DetectionTable,
    frames: FrameTable,
    tracks: Sequence[Track],
    *,
    config: ScenesConfig = ScenesConfig(),
) -> list[Relation]:
    """Find bouts of *facing*: a person's head is turned towards another person or an object.

    A head belongs to the person in whose box it lies. It faces an object if it is turned by at least
    :data:`FACING_DEG` towards the side of the object's centre. In frames without a head the relation is unknown.

    Args:
        heads: head positions in pixels and yaw angles in degrees.
        detections: tracked detections, boxes xyxy in pixels.
        frames: all frames of the video.
        tracks: the tracks of ``detections``.
        config: smoothing, hysteresis and durations.

    Returns:
        Bouts by begin; the subject is the person whose head it is.
    """
    grid = build_grid(detections, frames, tracks, smoothing=smoothing_of(config.relations))
    firsts = {track.track.track_id: track.first for track in grid.tracks}
    seen = {}
    for number, values in _heads_of_tracks(heads, grid).items():
        windows = windows_of(grid, firsts[number], len(values), width_s=config.relations.smooth_s)
        seen[number] = median_filter(values, *windows)
    found = []
    for pair in _directed(grid):
        head = seen.get(pair.subject.track.track_id)
        if head is None:
            continue
        missing = _shortfall(head[pair.first - pair.subject.first : pair.after - pair.subject.first], pair.boxes()[1])
        slack = config.relations.placement_slack
        for span in bouts_of(missing, grid, pair, limit=0.0, slack=slack, config=config.relations):
            found.append(relation_of("facing", pair, span, grid))
    return sorted(found, key=lambda r: (r.begin_s, r.subject_track_id, r.object_track_id))


def _directed(grid: SceneGrid) -> Iterator[Pair]:
    for pair in pairs_of(grid):
        yield pair
        if pair.other.is_person:
            yield Pair(pair.other, pair.subject, pair.first, pair.after)


def _shortfall(head: Floats, object_xyxy: Floats) -> Floats:
    """(n,) missing angle, in right angles, of ``head`` (n, 2: x, yaw) to face an object; NaN if unknown."""
    side = np.sign(box_centres(object_xyxy)[:, 0] - head[:, 0])
    return np.asarray((FACING_DEG - side * head[:, 1]) / _RIGHT_ANGLE_DEG)


def _heads_of_tracks(heads: HeadTable, grid: SceneGrid) -> dict[int, Floats]:
    """Track id → (n, 2) x in pixels and yaw in degrees over the frames of the track; NaN without a head."""
    people = [track for track in grid.tracks if track.is_person]
    found = {person.track.track_id: np.full((len(person.confidence), 2), np.nan) for person in people}
    begins = np.searchsorted(grid.frame_index, heads.frame_index, side="left")
    afters = np.searchsorted(grid.frame_index, heads.frame_index, side="right")
    taken: set[tuple[int, int]] = set()
    used: set[int] = set()
    for _, row, person in sorted(_matches(heads, people, begins), key=lambda match: match[0]):
        key = (int(begins[row]), person.track.track_id)
        if row in used or key in taken or begins[row] == afters[row]:
            continue
        used.add(row)
        taken.add(key)
        here = slice(max(begins[row] - person.first, 0), afters[row] - person.first)
        found[person.track.track_id][here] = heads.points_xy[row, 0], heads.yaw_deg[row]
    return {number: values for number, values in found.items() if np.isfinite(values).any()}


def _matches(
    heads: HeadTable, people: Sequence[TrackGrid], positions: NDArray[np.int64]
) -> Iterator[tuple[float, int, TrackGrid]]:
    """(distance in heights, row of ``heads``, person) of all heads that lie in the upper part of a person's box."""
    for person in people:
        inside = (positions >= person.first) & (positions < person.after)
        rows = np.flatnonzero(inside)
        boxes, (x, y) = person.boxes_xyxy[positions[rows] - person.first], heads.points_xy[rows].T
        height = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
        with np.errstate(invalid="ignore"):
            across = (boxes[:, 0] <= x) & (x <= boxes[:, 2])
            high = (boxes[:, 1] <= y) & (y <= boxes[:, 1] + _HEAD_SHARE * height)
        middle = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1] + _HEAD_AT * height
        distance = np.hypot(x - middle[0], y - middle[1]) / height
        for n in np.flatnonzero(across & high).tolist():
            yield float(distance[n]), int(rows[n]), person
