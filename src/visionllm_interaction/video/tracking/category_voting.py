"""Merge tracklets of different categories that belong to the same object, and vote on its category.

An unsure detector labels an object as a ball in one frame and as a cup in the next. Each category is linked
separately, so the object has two tracklets that alternate or overlap. They are merged here, and the category with
the larger sum of confidences is used. Objects that merely pass each other overlap too briefly to be merged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.video.config import TrackConfig

Ids = NDArray[np.int64]


def vote_categories(rows: DetectionTable, ids: Ids, *, config: TrackConfig) -> tuple[DetectionTable, Ids]:
    """Merge tracklets of the same object and assign one category to each object.

    Two tracklets belong to the same object if both are people or both are not, and if enough of their boxes overlap.
    That is the share ``same_place_share`` of the shorter tracklet's boxes. Each is compared (IoU ≥ ``same_place_iou``)
    with the other tracklet's box nearest in time, at most ``lost_s`` away.

    Args:
        rows: detections, boxes xyxy in pixels.
        ids: (n,) tracklet ids.
        config: thresholds.

    Returns:
        The rows with voted categories, and (n,) tracklet ids; duplicate detections of an object are untracked.
    """
    groups = _groups(rows, ids, config)
    category, ids = rows.category.copy(), ids.copy()
    for members in groups:
        own = np.flatnonzero(np.isin(ids, members))
        category[own] = _vote(rows, own)
        ids[own] = members[0]
        ids[duplicate_detections(rows, own)] = UNTRACKED
    return rows.replace(category=category), ids


def _groups(rows: DetectionTable, ids: Ids, config: TrackConfig) -> list[list[int]]:
    """Ids of the tracklets of each object that has several."""
    members = {int(i): np.flatnonzero(ids == i) for i in np.unique(ids[ids != UNTRACKED])}
    by_length = sorted(members, key=lambda i: -len(members[i]))
    groups: list[list[int]] = []
    ends_s = {
        i: (rows.timestamp_s[own[0]] - config.lost_s, rows.timestamp_s[own[-1]] + config.lost_s)
        for i, own in members.items()
    }
    spans_s = np.zeros((len(members), 2))
    for tracklet in by_length:
        begin_s, end_s = ends_s[tracklet]
        known = spans_s[: len(groups)]
        near = np.flatnonzero((known[:, 0] <= end_s) & (begin_s <= known[:, 1])).tolist()
        together = (groups[n] for n in near)
        home = next((g for g in together if _is_same_object(rows, members[g[0]], members[tracklet], config)), None)
        if home is None:
            spans_s[len(groups)] = ends_s[tracklet]
            groups.append([tracklet])
        else:
            home.append(tracklet)
    return [group for group in groups if len(group) > 1]


def _is_same_object(rows: DetectionTable, longer: Ids, shorter: Ids, config: TrackConfig) -> bool:
    first, second = str(rows.category[longer[0]]), str(rows.category[shorter[0]])
    if first == second or (first in PERSON_CATEGORIES) != (second in PERSON_CATEGORIES):
        return False
    nearest = nearest_in_time(rows.timestamp_s[longer], rows.timestamp_s[shorter])
    away_s = np.abs(rows.timestamp_s[longer][nearest] - rows.timestamp_s[shorter])
    iou = box_iou(rows.boxes_xyxy[longer][nearest], rows.boxes_xyxy[shorter])
    same = (iou >= config.same_place_iou) & (away_s <= config.lost_s)
    return bool(same.mean() >= config.same_place_share)


def nearest_in_time(times_s: NDArray[np.float64], wanted_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) position in ``times_s`` (increasing) of the time nearest to each of ``wanted_s`` (n,)."""
    after = np.clip(np.searchsorted(times_s, wanted_s), 1, max(len(times_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    closer = np.abs(times_s[before] - wanted_s) <= np.abs(times_s[after] - wanted_s)
    return np.where(closer, before, after)


def _vote(rows: DetectionTable, own: Ids) -> str:
    names, which = np.unique(rows.category[own].astype(str), return_inverse=True)
    return str(names[np.argmax(np.bincount(which, weights=rows.confidence[own]))])


def duplicate_detections(rows: DetectionTable, own: Ids) -> Ids:
    """Rows that share a frame with a more confident row of ``own``."""
    order = own[np.lexsort((-rows.confidence[own], rows.frame_index[own]))]
    repeated = np.flatnonzero(np.diff(rows.frame_index[order], prepend=-1) == 0)
    return order[repeated]
