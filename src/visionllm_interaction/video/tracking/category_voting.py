"""One thing, one category: tracklets of different categories in the same place are one thing seen in two ways.

A detector that is unsure calls a ball a ball in one frame and a cup in the next. Each category is linked by itself, so
the thing ends up in two tracklets that take turns, or run side by side. Here they become one, and the category is the
one with the larger sum of confidences. Things that merely pass each other share their place too briefly to be merged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.video.config import TrackConfig

Ids = NDArray[np.int64]


def settle_categories(rows: DetectionTable, ids: Ids, *, config: TrackConfig) -> tuple[DetectionTable, Ids]:
    """``rows`` with settled categories and their tracklet ids; a second sighting of a thing in a frame is untracked.

    Two tracklets are one thing if both are people or both are objects, and ``same_place_share`` of the shorter one's
    boxes overlap (IoU ≥ ``same_place_iou``) the other's box nearest in time, at most ``lost_s`` away.
    """
    groups = _groups(rows, ids, config)
    category, ids = rows.category.copy(), ids.copy()
    for members in groups:
        own = np.flatnonzero(np.isin(ids, members))
        category[own] = _vote(rows, own)
        ids[own] = members[0]
        ids[second_sightings(rows, own)] = UNTRACKED
    settled = DetectionTable(
        rows.frame_index, rows.timestamp_s, category, rows.confidence, rows.boxes_xyxy, rows.track_id, rows.interpolated
    )
    return settled, ids


def _groups(rows: DetectionTable, ids: Ids, config: TrackConfig) -> list[list[int]]:
    """Ids of tracklets that are one thing, for each thing that has several."""
    members = {int(i): np.flatnonzero(ids == i) for i in np.unique(ids[ids != UNTRACKED])}
    by_length = sorted(members, key=lambda i: -len(members[i]))
    groups: list[list[int]] = []
    for tracklet in by_length:
        home = next((g for g in groups if _is_one_thing(rows, members[g[0]], members[tracklet], config)), None)
        if home is None:
            groups.append([tracklet])
        else:
            home.append(tracklet)
    return [group for group in groups if len(group) > 1]


def _is_one_thing(rows: DetectionTable, longer: Ids, shorter: Ids, config: TrackConfig) -> bool:
    first, second = str(rows.category[longer[0]]), str(rows.category[shorter[0]])
    if first == second or (first in PERSON_CATEGORIES) != (second in PERSON_CATEGORIES):
        return False
    nearest = nearest_in_time(rows.timestamp_s[longer], rows.timestamp_s[shorter])
    away_s = np.abs(rows.timestamp_s[longer][nearest] - rows.timestamp_s[shorter])
    iou = box_iou(rows.boxes_xyxy[longer][nearest], rows.boxes_xyxy[shorter])
    same = (iou >= config.same_place_iou) & (away_s <= config.lost_s)
    return bool(same.mean() >= config.same_place_share)


def nearest_in_time(times_s: NDArray[np.float64], wanted_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) position of the one of ``times_s`` (rising) that is nearest to each of ``wanted_s``."""
    after = np.clip(np.searchsorted(times_s, wanted_s), 1, max(len(times_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    closer = np.abs(times_s[before] - wanted_s) <= np.abs(times_s[after] - wanted_s)
    return np.where(closer, before, after)


def _vote(rows: DetectionTable, own: Ids) -> str:
    names, which = np.unique(rows.category[own].astype(str), return_inverse=True)
    return str(names[np.argmax(np.bincount(which, weights=rows.confidence[own]))])


def second_sightings(rows: DetectionTable, own: Ids) -> Ids:
    """Of several rows in one frame all but the surest."""
    order = own[np.lexsort((-rows.confidence[own], rows.frame_index[own]))]
    repeated = np.flatnonzero(np.diff(rows.frame_index[order], prepend=-1) == 0)
    return order[repeated]
