"""Linear interpolation of gaps in tracks: short ones, and longer ones of a person occluded by another person."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_area_px, box_intersection_px
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.tracking.continued_or_newcomer import fit_of_one
from visionllm_interaction.video.tracking.stitching import Tracklet, tracklets_of

_OCCLUDED_AREA = 0.5
"""A box is occluded if another person's box covers this share of it …"""
_OCCLUDED_FRAMES = 0.8
"""… in this share of the frames of a gap."""
_LEAST_FIT = 0.5
"""How well size and place before and after must fit one person."""


def interpolate_gaps(rows: DetectionTable, frames: FrameTable, *, config: TrackConfig) -> DetectionTable:
    """Interpolate boxes in gaps of tracks.

    Gaps up to ``fill_gap_s`` are interpolated, and gaps up to ``hidden_s`` in which another person occludes the person,
    if size and place before and after fit one person.
    The confidence of an interpolated box is the smaller one of the two boxes at the gap.

    Args:
        rows: tracked detections, boxes xyxy in pixels.
        frames: all frames of the video.
        config: lengths of gaps.

    Returns:
        The rows and the interpolated ones (marked ``interpolated``), ordered by frame.
    """
    index = frames.frame_index[frames.processed]
    times = frames.timestamp_s[frames.processed]
    pieces = [p for t in tracklets_of(rows, rows.track_id) for p in _interpolated_rows(rows, t, index, times, config)]
    if not pieces:
        return rows
    return DetectionTable.concat([rows, *pieces])


def _interpolated_rows(
    rows: DetectionTable,
    tracklet: Tracklet,
    index: NDArray[np.int64],
    times: NDArray[np.float64],
    config: TrackConfig,
) -> Iterator[DetectionTable]:
    own = tracklet.rows
    positions = np.searchsorted(index, rows.frame_index[own])
    is_person = tracklet.category in PERSON_CATEGORIES
    longest_s = max(config.fill_gap_s, config.hidden_s if is_person else 0.0)
    for n in np.flatnonzero(np.diff(positions) > 1).tolist():
        before, after = int(own[n]), int(own[n + 1])
        gap_s = rows.timestamp_s[after] - rows.timestamp_s[before]
        if gap_s > longest_s + 1e-9:
            continue
        missing = np.arange(positions[n] + 1, positions[n + 1])
        piece = _between(rows, before, after, frame_index=index[missing], timestamp_s=times[missing])
        is_one = fit_of_one(rows, own[: n + 1], own[n + 1 :]) >= _LEAST_FIT
        if gap_s <= config.fill_gap_s + 1e-9 or (is_one and _is_occluded(rows, piece)):
            yield piece


def _is_occluded(rows: DetectionTable, piece: DetectionTable) -> bool:
    """Whether a tracked person occludes the boxes of ``piece`` (one in each frame)."""
    begin, end = np.searchsorted(rows.frame_index, [piece.frame_index[0], piece.frame_index[-1] + 1])
    there = np.arange(begin, end)
    followed = rows.track_id[there] != UNTRACKED
    there = there[followed & np.isin(rows.category[there].astype(str), sorted(PERSON_CATEGORIES))]
    at = np.searchsorted(piece.frame_index, rows.frame_index[there])
    shared = box_intersection_px(piece.boxes_xyxy[at], rows.boxes_xyxy[there])
    occluded = np.zeros(len(piece), np.bool_)
    np.logical_or.at(occluded, at, shared >= _OCCLUDED_AREA * np.maximum(box_area_px(piece.boxes_xyxy[at]), 1.0))
    return bool(occluded.mean() >= _OCCLUDED_FRAMES)


def _between(
    rows: DetectionTable,
    before: int,
    after: int,
    *,
    frame_index: NDArray[np.int64],
    timestamp_s: NDArray[np.float64],
) -> DetectionTable:
    begin_s, end_s = rows.timestamp_s[[before, after]]
    share = ((timestamp_s - begin_s) / (end_s - begin_s))[:, None]
    boxes = (1 - share) * rows.boxes_xyxy[before] + share * rows.boxes_xyxy[after]
    n = len(frame_index)
    return DetectionTable(
        frame_index,
        timestamp_s,
        np.full(n, rows.category[before], dtype=object),
        np.full(n, rows.confidence[[before, after]].min(), np.float32),
        boxes.astype(np.float32),
        np.full(n, rows.track_id[before]),
        np.ones(n, np.bool_),
    )
