"""Hands on objects, from the boxes of detected hands: the relation *hand_on*, and what bouts of *holding* rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.bodies import HandRow, HoldingEvidence
from visionllm_interaction.core.boxes import box_gap_px
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.predicates import HAND_GAP
from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.interactions.config import ScenesConfig
from visionllm_interaction.interactions.relations import Pair, bouts_of, pairs_of, relation_of, smoothing_of
from visionllm_interaction.interactions.track_grid import Floats, SceneGrid, build_grid

_MOST = 0.5
"""Holding rests on hands if one touches the object in this share of the frames in which hands were seen …"""
_LEAST_FRAMES = 2
"""… and there are at least so many of these."""


def find_hand_contacts(
    hands: Sequence[HandRow],
    detections: DetectionTable,
    frames: FrameTable,
    tracks: Sequence[Track],
    *,
    config: ScenesConfig = ScenesConfig(),
) -> list[Relation]:
    """Find bouts of *hand_on*: a hand of a person is at an object.

    The gap between the box of the hand and the box of the object is at most :data:`HAND_GAP` times the hand's longer
    side. In frames in which no hand of the person was seen the relation is unknown.

    Args:
        hands: the hands, by frame; boxes in pixels.
        detections: tracked detections, boxes xyxy in pixels.
        frames: all frames of the video.
        tracks: the tracks of ``detections``.
        config: smoothing, hysteresis and durations.

    Returns:
        Bouts by begin; the subject is the person.
    """
    grid, own = build_grid(detections, frames, tracks, smoothing=smoothing_of(config.relations)), _by_person(hands)
    found = []
    for pair in pairs_of(grid):
        if pair.other.is_person:
            continue
        gap = _hand_gap(own, grid, pair)
        for span in bouts_of(gap, grid, pair, limit=HAND_GAP, slack=0.0, config=config.relations):
            found.append(relation_of("hand_on", pair, span, grid))
    return sorted(found, key=lambda r: (r.begin_s, r.subject_track_id, r.object_track_id))


def holding_evidence(
    relations: Sequence[Relation],
    hands: Sequence[HandRow],
    detections: DetectionTable,
    frames: FrameTable,
    tracks: Sequence[Track],
    *,
    config: ScenesConfig = ScenesConfig(),
) -> list[HoldingEvidence]:
    """Say of each bout of *holding* whether hands speak for it, or boxes alone.

    Args:
        relations: of the video; those that are not *holding* are passed over.
        hands: the hands, by frame.
        detections: tracked detections, boxes xyxy in pixels.
        frames: all frames of the video.
        tracks: the tracks of ``detections``.
        config: smoothing.

    Returns:
        One row for each bout, by begin.
    """
    bouts = [relation for relation in relations if relation.predicate == "holding"]
    if not bouts:
        return []
    grid, own = build_grid(detections, frames, tracks, smoothing=smoothing_of(config.relations)), _by_person(hands)
    gaps = {}
    for pair in pairs_of(grid):
        ids = pair.subject.track.track_id, pair.other.track.track_id
        if any(ids == (bout.subject_track_id, bout.object_track_id) for bout in bouts):
            gaps[ids] = (pair.first, _hand_gap(own, grid, pair))
    return [_evidence(bout, grid, gaps) for bout in bouts]


def _evidence(bout: Relation, grid: SceneGrid, gaps: dict[tuple[int, int], tuple[int, Floats]]) -> HoldingEvidence:
    first, gap = gaps.get((bout.subject_track_id, bout.object_track_id), (0, np.zeros(0)))
    begins_s = grid.begins_s[first : first + len(gap)]
    seen = gap[(begins_s >= bout.begin_s - 1e-9) & (begins_s < bout.end_s - 1e-9) & np.isfinite(gap)]
    touching = int((seen <= HAND_GAP).sum())
    if len(seen) < _LEAST_FRAMES:
        return HoldingEvidence(*_key(bout), len(seen), touching, "boxes")
    return HoldingEvidence(*_key(bout), len(seen), touching, "hands" if touching >= _MOST * len(seen) else "unsure")


def _key(bout: Relation) -> tuple[int, int, float, float]:
    return bout.subject_track_id, bout.object_track_id, bout.begin_s, bout.end_s


@dataclass(frozen=True, eq=False)
class _Hands:
    """The hands of one person: (n,) frame and (n, 4) box."""

    frame_index: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float64]


def _by_person(hands: Sequence[HandRow]) -> dict[int, _Hands]:
    rows: dict[int, list[HandRow]] = {}
    for hand in hands:
        rows.setdefault(hand.track_id, []).append(hand)
    return {
        track: _Hands(np.array([h.frame_index for h in own]), np.array([h.box_xyxy for h in own], np.float64))
        for track, own in rows.items()
    }


def _hand_gap(hands: Mapping[int, _Hands], grid: SceneGrid, pair: Pair) -> Floats:
    """(n,) least gap between a hand of the person and the object, in the hand's longer sides; NaN: none was seen."""
    _, boxes = pair.boxes()
    gap = np.full(len(boxes), np.nan)
    own = hands.get(pair.subject.track.track_id)
    if own is None or not len(boxes):
        return gap
    shown = grid.frame_index[pair.first : pair.after]
    place = np.minimum(np.searchsorted(shown, own.frame_index), len(shown) - 1)
    there = np.flatnonzero((shown[place] == own.frame_index) & np.isfinite(boxes[place, 0]))
    place, found = place[there], own.boxes_xyxy[there]
    longer = np.maximum((found[:, 2:] - found[:, :2]).max(axis=1, initial=1.0), 1.0)
    np.fmin.at(gap, place, box_gap_px(found, boxes[place]) / longer)
    return gap
