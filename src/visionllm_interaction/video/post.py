"""What is done with tracklets once the whole video is known: first sightings, rejoining, noise, short gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.geometry import box_centres, box_iou
from visionllm_interaction.core.tables import UNTRACKED, DetectionTable
from visionllm_interaction.video.config import TrackConfig

_SAME_BOX_IOU = 0.3
_THING_SIZE = 0.4
"""How far a thing may have got is counted in shares of a person's height if it is small: people carry things."""
_TAIL_S = 0.25
"""A tracklet may go on for so long beside the one that continues it."""
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class _Tracklet:
    """Rows of one tracklet and where and when it begins and ends; boxes xyxy pixels."""

    id: int
    rows: Ids
    category: str
    begin_s: float
    end_s: float


def take_first_sightings(rows: DetectionTable, ids: Ids, frames: FrameTable, *, config: TrackConfig) -> Ids:
    """Give each tracklet the unlinked detections just before its first: a tracker names a track only when confirmed."""
    ids = ids.copy()
    position = {int(index): n for n, index in enumerate(frames.frame_index[frames.processed])}
    free: dict[tuple[str, int], list[int]] = {}
    for row in np.flatnonzero(ids == UNTRACKED).tolist():
        free.setdefault((str(rows.category[row]), position[int(rows.frame_index[row])]), []).append(row)
    for tracklet in _tracklets(rows, ids):
        first = int(tracklet.rows[0])
        at = position[int(rows.frame_index[first])]
        for step in range(1, config.min_hits + 1):
            candidates = [r for r in free.get((tracklet.category, at - step), []) if ids[r] == UNTRACKED]
            best = _most_overlapping(rows, first, candidates)
            if best is None:
                break
            ids[best] = tracklet.id
            first = best
    return ids


def rejoin(rows: DetectionTable, ids: Ids, *, config: TrackConfig) -> Ids:
    """Make one of tracklets of a category when the later begins where the earlier may have got to meanwhile.

    For things that were hidden for longer than the tracker waits (someone behind a sofa). No appearance is compared:
    two alike things that take turns at one place become one track, which is why counts are of things seen *at once*.
    """
    ids = ids.copy()
    if not config.rejoin_s:
        return ids
    tracklets = sorted(_tracklets(rows, ids), key=lambda t: t.begin_s)
    least_size = _THING_SIZE * _person_height(rows)
    ends: dict[int, _Tracklet] = {}
    for tracklet in tracklets:
        costs = {
            key: _rejoin_cost(rows, former, tracklet, config, least_size=least_size) for key, former in ends.items()
        }
        possible = {key: cost for key, cost in costs.items() if cost is not None}
        key = min(possible, key=lambda k: possible[k]) if possible else tracklet.id
        if key in ends:
            # The tail of the earlier one, kept alive by something else, would put the thing in two places at once.
            former = ends[key].rows
            ids[former[rows.timestamp_s[former] >= tracklet.begin_s]] = UNTRACKED
        ids[tracklet.rows] = key
        ends[key] = tracklet
    return ids


def drop_noise(rows: DetectionTable, ids: Ids, frames: FrameTable, *, config: TrackConfig) -> Ids:
    """Take the id from tracks too short, too unsure or too patchy, and number the rest 1, 2, … by first sighting."""
    out = np.full(len(ids), UNTRACKED, dtype=np.int64)
    times = frames.timestamp_s[frames.processed]
    step_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    kept = [t for t in _tracklets(rows, ids) if _is_real(rows, t, step_s, config)]
    for number, tracklet in enumerate(sorted(kept, key=lambda t: (t.begin_s, t.id)), start=1):
        out[tracklet.rows] = number
    return out


def fill_gaps(rows: DetectionTable, frames: FrameTable, *, config: TrackConfig) -> DetectionTable:
    """Add straight-line boxes in gaps up to ``fill_gap_s`` inside tracks, marked ``interpolated``, as sure as the less
    sure neighbour."""
    index = frames.frame_index[frames.processed]
    times = frames.timestamp_s[frames.processed]
    pieces = [p for t in _tracklets(rows, rows.track_id) for p in _fillings(rows, t, index, times, config)]
    if not pieces:
        return rows
    return merge_tables([rows, *pieces])


def merge_tables(tables: list[DetectionTable]) -> DetectionTable:
    """All rows of ``tables``, in order of frames."""
    order = np.argsort(np.concatenate([t.frame_index for t in tables]), kind="stable")
    return DetectionTable(
        np.concatenate([t.frame_index for t in tables])[order],
        np.concatenate([t.timestamp_s for t in tables])[order],
        np.concatenate([t.category for t in tables])[order],
        np.concatenate([t.confidence for t in tables])[order],
        np.concatenate([t.boxes_xyxy for t in tables])[order],
        np.concatenate([t.track_id for t in tables])[order],
        np.concatenate([t.interpolated for t in tables])[order],
    )


def _tracklets(rows: DetectionTable, ids: Ids) -> list[_Tracklet]:
    linked = np.flatnonzero(ids != UNTRACKED)
    if not len(linked):
        return []
    order = linked[np.argsort(ids[linked], kind="stable")]
    cuts = np.flatnonzero(np.diff(ids[order])) + 1
    return [
        _Tracklet(
            int(ids[part[0]]),
            part,
            str(rows.category[part[0]]),
            float(rows.timestamp_s[part[0]]),
            float(rows.timestamp_s[part[-1]]),
        )
        for part in np.split(order, cuts)
    ]


def _most_overlapping(rows: DetectionTable, row: int, candidates: list[int]) -> int | None:
    if not candidates:
        return None
    overlaps = box_iou(rows.boxes_xyxy[row], rows.boxes_xyxy[candidates])
    best = int(np.argmax(overlaps))
    return candidates[best] if overlaps[best] >= _SAME_BOX_IOU else None


def _person_height(rows: DetectionTable) -> float:
    """Median height in pixels of the people detected; 0 if there are none."""
    boxes = rows.boxes_xyxy[np.isin(rows.category.astype(str), sorted(PERSON_CATEGORIES))]
    return float(np.median(boxes[:, 3] - boxes[:, 1])) if len(boxes) else 0.0


def _rejoin_cost(
    rows: DetectionTable, former: _Tracklet, later: _Tracklet, config: TrackConfig, *, least_size: float
) -> float | None:
    gap_s = later.begin_s - former.end_s
    contained = later.end_s <= former.end_s or later.begin_s <= former.begin_s
    if former.category != later.category or contained or not -_TAIL_S <= gap_s <= config.rejoin_s:
        return None
    gap_s = max(gap_s, 0.0)
    # Median boxes: the first and last ones are often cut by whatever hides the thing.
    old = np.median(rows.boxes_xyxy[former.rows[-5:]], axis=0)
    new = np.median(rows.boxes_xyxy[later.rows[:5]], axis=0)
    size = max(float((old[3] - old[1] + new[3] - new[1]) / 2.0), least_size, 1.0)
    reach = max(config.rejoin_reach + config.rejoin_speed * gap_s, 1e-6)
    distance = float(np.hypot(*(box_centres(new) - box_centres(old)))) / size
    return distance / reach + gap_s / max(config.rejoin_s, 1e-6) if distance <= reach else None


def _is_real(rows: DetectionTable, tracklet: _Tracklet, step_s: float, config: TrackConfig) -> bool:
    times = rows.timestamp_s[tracklet.rows]
    gaps = np.diff(times)
    followed_s = float(gaps[gaps <= max(config.lost_s, step_s * 1.5)].sum()) + step_s
    return (
        len(times) >= config.min_detections
        and followed_s >= config.min_duration_s
        and float(rows.confidence[tracklet.rows].mean()) >= config.min_mean_confidence
        and len(times) * step_s >= config.min_density * followed_s
    )


def _fillings(
    rows: DetectionTable,
    tracklet: _Tracklet,
    index: NDArray[np.int64],
    times: NDArray[np.float64],
    config: TrackConfig,
) -> Iterator[DetectionTable]:
    own = tracklet.rows
    positions = np.searchsorted(index, rows.frame_index[own])
    for n in np.flatnonzero(np.diff(positions) > 1).tolist():
        before, after = int(own[n]), int(own[n + 1])
        if rows.timestamp_s[after] - rows.timestamp_s[before] > config.fill_gap_s + 1e-9:
            continue
        missing = np.arange(positions[n] + 1, positions[n + 1])
        yield _between(rows, before, after, frame_index=index[missing], timestamp_s=times[missing])


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
