"""Stitch tracklets once the whole video is known, extend them to their first detection, and remove noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable, usual_steps
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.tracking.category_voting import duplicate_detections, nearest_in_time
from visionllm_interaction.video.tracking.continued_or_newcomer import Appearances, begins_of, could_be_one, turned_back
from visionllm_interaction.video.tracking.identity_switch_correction import BLINK_S, TrackAppearance

_SAME_BOX_IOU = 0.3
_STEADY_IOU = 0.5
"""Detections that are too weak for a tracker to begin with belong to a track if so much of them overlaps."""
_MIN_OBJECT_SIZE = 0.4
"""Least size, in heights of a person, to measure distances of small objects with: people carry them."""
_EDGE = 0.02
"""A box is truncated if it is within this share of the image's width or height from an edge."""
_TAIL_S = 0.25
"""A tracklet may overlap in time with its continuation for this long …"""
_DOUBLE_S = 1.5
"""… and for this long if each overlaps the other in space. In a huddle an object may be detected twice, once alone and
once together with what occludes it, and the tracker changes from one to the other. They may also alternate: an object
that was lost for a moment gets a new tracklet, and then the old one again."""
_TOGETHER_S, _LEAST_TOGETHER, _LOST_SHARE = 0.2, 2, 0.6
"""If at least so many tracklets, and this share of all, end within this time of each other, the camera was jerked."""
_UNKNOWN = 0.5
"""Cost of an unknown appearance distance; the largest allowed distance costs 1."""
_EDGE_ROWS = 3
"""Number of rows at an end of a tracklet that are compared."""
_ROUNDING_S = 1e-6
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Tracklet:
    """The rows of a tracklet (n,), its category, and its begin and end in seconds."""

    id: int
    rows: Ids
    category: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class _GapLimits:
    """Longest gap in seconds, and longest distance across it in box heights."""

    gap_s: float
    heights: float
    heights_per_s: float
    size_px: tuple[int, int] | None

    @classmethod
    def of(cls, config: TrackConfig, *, moving: bool, size_px: tuple[int, int] | None) -> _GapLimits:
        """The limits for a camera at rest, or for one that moves."""
        if moving:
            return cls(config.moving_rejoin_s, config.moving_rejoin_reach, config.rejoin_speed, None)
        return cls(config.rejoin_s, config.rejoin_reach, config.rejoin_speed, size_px)

    def exited_elsewhere(self, last_xyxy: NDArray[np.float32], first_xyxy: NDArray[np.float32], gap_s: float) -> bool:
        """Whether one tracklet leaves the image at an edge at which the other does not enter."""
        if self.size_px is None or gap_s <= BLINK_S:
            return False
        out = _sides(last_xyxy, self.size_px)
        # People often touch the lower edge; they leave at the left or right one.
        out = out & {"left", "right"} or out
        return bool(out) and not out & _sides(first_xyxy, self.size_px)


def extend_to_first_detection(
    rows: DetectionTable, ids: Ids, frames: FrameTable, *, config: TrackConfig, widening: float = 1.0
) -> Ids:
    """Extend tracklets to the unlinked detections from before the tracker confirmed them, frame by frame.

    A tracker goes on with weak detections and begins with none: without this whoever walks in would be there later
    than they are.

    Args:
        rows: detections, boxes xyxy in pixels.
        ids: (n,) tracklet ids.
        frames: all frames of the video.
        config: number of detections after which the tracker confirms a track. Those before, for as long as the
            shortest track lasts, must overlap more: the further back, the likelier they are of somebody else. They are
            left out where with them the whole track would be too uncertain.
        widening: how many times as far objects move between frames as at the full rate; boxes then overlap less.

    Returns:
        (n,) tracklet ids.
    """
    ids = ids.copy()
    position = {int(index): n for n, index in enumerate(frames.frame_index[frames.processed])}
    times = frames.timestamp_s[frames.processed]
    free: dict[tuple[str, int], list[int]] = {}
    for row in np.flatnonzero(ids == UNTRACKED).tolist():
        free.setdefault((str(rows.category[row]), position[int(rows.frame_index[row])]), []).append(row)
    for tracklet in tracklets_of(rows, ids):
        first = int(tracklet.rows[0])
        at = position[int(rows.frame_index[first])]
        confidences = rows.confidence[tracklet.rows].tolist()
        for step in range(1, at + 1):
            if step > config.min_hits and times[at] - times[at - step] > config.min_duration_s + _ROUNDING_S:
                break
            candidates = [r for r in free.get((tracklet.category, at - step), []) if ids[r] == UNTRACKED]
            overlap = _SAME_BOX_IOU if step <= config.min_hits else _STEADY_IOU
            best = _most_overlapping(rows, first, candidates, least_iou=overlap / widening)
            if best is None:
                break
            confidences.append(float(rows.confidence[best]))
            if step > config.min_hits and np.mean(confidences) < _least_confidence(tracklet.category, config):
                break
            ids[best] = tracklet.id
            first = best
    return ids


def stitch_tracklets(
    rows: DetectionTable,
    ids: Ids,
    *,
    config: TrackConfig,
    moving: bool = False,
    size_px: tuple[int, int] | None = None,
    appearance: TrackAppearance | None = None,
) -> Ids:
    """Stitch tracklets of a category if the later one begins within reach of the earlier one.

    This reconnects objects that are occluded for longer than the tracker waits. Similar objects that alternate at one
    place still become one track, which is why counts refer to objects seen *at once*. Someone who left the image
    returns at the same edge, or is someone else.

    Args:
        rows: detections, boxes xyxy in pixels.
        ids: (n,) tracklet ids.
        config: longest gaps and distances.
        moving: whether the camera moves; objects then leave its view more often, so larger gaps are allowed.
        size_px: width and height of the images.
        appearance: appearance of the objects; tracklets that differ too much are not stitched.

    Returns:
        (n,) tracklet ids after stitching.
    """
    ids = ids.copy()
    limits = _GapLimits.of(config, moving=moving, size_px=size_px)
    if not limits.gap_s:
        return ids
    tracklets = sorted(tracklets_of(rows, ids), key=lambda t: t.begin_s)
    least_size = _MIN_OBJECT_SIZE * _person_height(rows)
    street = None if moving else _Street.of(rows, tracklets, size_px)
    ends: dict[int, Tracklet] = {}
    for tracklet in tracklets:
        # At one frame a second there may be thousands of tracklets; most have ended too long ago to be continued.
        ends = {key: former for key, former in ends.items() if tracklet.begin_s - former.end_s <= limits.gap_s}
        costs = {
            key: _stitching_cost(rows, former, tracklet, limits, street, least_size=least_size)
            for key, former in ends.items()
        }
        costs = {key: _with_appearance(cost, appearance, ends[key], tracklet, config) for key, cost in costs.items()}
        possible = {key: cost for key, cost in costs.items() if cost is not None}
        key = min(possible, key=lambda k: possible[k]) if possible else tracklet.id
        ids[tracklet.rows] = key
        if key in ends:
            ids[_duplicates(rows, ends[key], tracklet)] = UNTRACKED
        ends[key] = tracklet
    return ids


def remove_noise(rows: DetectionTable, ids: Ids, frames: FrameTable, *, config: TrackConfig) -> Ids:
    """Drop tracks that are too short, uncertain or sparse; number the rest 1, 2, … in order of appearance."""
    out = np.full(len(ids), UNTRACKED, dtype=np.int64)
    times = frames.timestamp_s[frames.processed]
    kept = [t for t in tracklets_of(rows, ids) if _is_valid(rows, t, times, config)]
    for number, tracklet in enumerate(sorted(kept, key=lambda t: (t.begin_s, t.id)), start=1):
        out[tracklet.rows] = number
    return out


def tracklets_of(rows: DetectionTable, ids: Ids) -> list[Tracklet]:
    """The tracklets of ``rows`` with ``ids`` (n,), by id."""
    linked = np.flatnonzero(ids != UNTRACKED)
    if not len(linked):
        return []
    order = linked[np.argsort(ids[linked], kind="stable")]
    cuts = np.flatnonzero(np.diff(ids[order])) + 1
    return [
        Tracklet(
            int(ids[part[0]]),
            part,
            str(rows.category[part[0]]),
            float(rows.timestamp_s[part[0]]),
            float(rows.timestamp_s[part[-1]]),
        )
        for part in np.split(order, cuts)
    ]


def _most_overlapping(rows: DetectionTable, row: int, candidates: list[int], *, least_iou: float) -> int | None:
    if not candidates:
        return None
    overlaps = box_iou(rows.boxes_xyxy[row], rows.boxes_xyxy[candidates])
    best = int(np.argmax(overlaps))
    return candidates[best] if overlaps[best] >= least_iou else None


def _person_height(rows: DetectionTable) -> float:
    """Median height in pixels of the people detected; 0 if there are none."""
    boxes = rows.boxes_xyxy[np.isin(rows.category.astype(str), sorted(PERSON_CATEGORIES))]
    return float(np.median(boxes[:, 3] - boxes[:, 1])) if len(boxes) else 0.0


@dataclass(frozen=True, eq=False)
class _Street:
    """What tells people who come back from others who come by: where people appear, and how often."""

    rows: DetectionTable
    appearances: Mapping[str, Appearances]
    spans_s: NDArray[np.float64]
    width_px: int
    step_s: float

    @classmethod
    def of(cls, rows: DetectionTable, tracklets: list[Tracklet], size_px: tuple[int, int] | None) -> _Street:
        """Counted over ``tracklets``; people who are there at the begin of the video did not appear."""
        people = [tracklet for tracklet in tracklets if tracklet.category in PERSON_CATEGORIES]
        times = np.unique(rows.timestamp_s)
        step_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        size = size_px or tuple(np.ceil(rows.boxes_xyxy[:, 2:].max(axis=0, initial=1.0)).astype(int).tolist())
        found = {}
        for category in sorted({tracklet.category for tracklet in people}):
            begins = [t.rows for t in people if t.category == category and t.begin_s > times[0] + BLINK_S]
            length_s = float(times[-1] - times[0])
            found[category] = begins_of(rows, begins, size_px=size, step_s=step_s, length_s=length_s)
        spans_s = np.array([(t.begin_s, t.end_s) for t in tracklets], np.float64).reshape(-1, 2)
        return cls(rows, found, spans_s, size[0], step_s)

    def could_be_one(self, former: Tracklet, later: Tracklet) -> bool:
        """Whether two tracklets can be one person; always for things, and where the camera lost what it saw."""
        appearances = self.appearances.get(former.category)
        if appearances is None or self._lost_at_once(former.end_s):
            return True
        return could_be_one(self.rows, former.rows, later.rows, appearances, width_px=self.width_px, step_s=self.step_s)

    def _lost_at_once(self, end_s: float) -> bool:
        """Whether most tracklets end together: the camera was jerked, nobody left."""
        begins_s, ends_s = self.spans_s.T
        there = (begins_s < end_s) & (ends_s >= end_s - _TOGETHER_S)
        lost = there & (ends_s <= end_s + _TOGETHER_S)
        return bool(lost.sum() >= _LEAST_TOGETHER and lost.sum() >= _LOST_SHARE * there.sum())


def _stitching_cost(
    rows: DetectionTable,
    former: Tracklet,
    later: Tracklet,
    limits: _GapLimits,
    street: _Street | None,
    *,
    least_size: float,
) -> float | None:
    gap_s = later.begin_s - former.end_s
    contained = later.end_s <= former.end_s or later.begin_s <= former.begin_s
    if former.category != later.category or contained or not -_DOUBLE_S <= gap_s <= limits.gap_s:
        return None
    if gap_s < -_TAIL_S:
        return 0.0 if _is_duplicate(rows, former, later) and not turned_back(rows, former.rows, later.rows) else None
    if limits.exited_elsewhere(rows.boxes_xyxy[former.rows[-1]], rows.boxes_xyxy[later.rows[0]], gap_s):
        return None
    seen_at_once = gap_s < 0 and not _is_duplicate(rows, former, later)
    if street is not None and (seen_at_once or not street.could_be_one(former, later)):
        return None
    gap_s = max(gap_s, 0.0)
    # Median boxes, because the first and last ones are often partly occluded.
    old = np.median(rows.boxes_xyxy[former.rows[-5:]], axis=0)
    new = np.median(rows.boxes_xyxy[later.rows[:5]], axis=0)
    size = max(float((old[3] - old[1] + new[3] - new[1]) / 2.0), least_size, 1.0)
    reach = max(limits.heights + limits.heights_per_s * gap_s, 1e-6)
    distance = float(np.hypot(*_shift(old, new))) / size
    return distance / reach + gap_s / max(limits.gap_s, 1e-6) if distance <= reach else None


def _with_appearance(
    cost: float | None, appearance: TrackAppearance | None, former: Tracklet, later: Tracklet, config: TrackConfig
) -> float | None:
    """``cost`` plus the cost of the appearance distance (at most 1); ``None`` if the distance is too large."""
    if cost is None or appearance is None:
        return cost
    distance, limit = appearance.distance(former.rows, later.rows, former.end_s, later.begin_s), config.appearance_limit
    if distance is None:
        return cost + _UNKNOWN
    if distance > limit:
        return None
    if former.category in PERSON_CATEGORIES and later.begin_s - former.end_s > appearance.blink_s[former.rows[-1]]:
        # Time enough for one person to leave and another to stand in the same place.
        nearest = appearance.nearest(former.rows, later.rows, former.end_s, later.begin_s)
        if nearest is not None and nearest > config.appearance_nearest:
            return None
    return cost + distance / limit


def _is_duplicate(rows: DetectionTable, former: Tracklet, later: Tracklet) -> bool:
    """Whether the end of ``former`` overlaps ``later``, and ``later`` overlaps ``former`` or alternates with it."""
    tail = former.rows[rows.timestamp_s[former.rows] >= later.begin_s]
    if not _is_on_top(rows, tail[-_EDGE_ROWS:], later.rows):
        return False
    shared = np.isin(rows.frame_index[former.rows], rows.frame_index[later.rows])
    return not shared.any() or _is_on_top(rows, later.rows[:_EDGE_ROWS], former.rows)


def _is_on_top(rows: DetectionTable, own: Ids, other: Ids) -> bool:
    """Whether boxes ``own`` overlap the ``other`` ones nearest in time."""
    beside = other[nearest_in_time(rows.timestamp_s[other], rows.timestamp_s[own])]
    return bool(np.median(box_iou(rows.boxes_xyxy[own], rows.boxes_xyxy[beside])) >= _SAME_BOX_IOU)


def _duplicates(rows: DetectionTable, former: Tracklet, later: Tracklet) -> Ids:
    """Rows to drop where both tracklets have a box in the same frame.

    These are the less confident row of each frame, or all rows of ``former`` if the overlap in time is short.
    """
    tail = former.rows[rows.timestamp_s[former.rows] >= later.begin_s]
    if former.end_s - later.begin_s <= _TAIL_S:
        return tail
    return duplicate_detections(rows, np.concatenate([tail, later.rows]))


def _sides(box_xyxy: NDArray[np.float32], size_px: tuple[int, int]) -> set[str]:
    """Which edges of the image cut the box."""
    x1, y1, x2, y2 = box_xyxy.tolist()
    width, height = size_px
    cut = {
        "left": x1 <= _EDGE * width,
        "right": x2 >= (1 - _EDGE) * width,
        "top": y1 <= _EDGE * height,
        "bottom": y2 >= (1 - _EDGE) * height,
    }
    return {side for side, is_cut in cut.items() if is_cut}


def _shift(old_xyxy: NDArray[np.float32], new_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """(x, y) displacement in pixels between two boxes: the smallest one of both sides and the centre.

    A partly occluded or truncated object keeps its position on one side only.
    """
    sides = new_xyxy - old_xyxy
    middle = (sides[:2] + sides[2:]) / 2
    least: NDArray[np.float32] = np.abs(np.stack([sides[:2], sides[2:], middle])).min(axis=0)
    return least


def _least_confidence(category: str, config: TrackConfig) -> float:
    return config.min_mean_confidence if category in PERSON_CATEGORIES else config.object_min_mean_confidence


def _is_valid(rows: DetectionTable, tracklet: Tracklet, times_s: NDArray[np.float64], config: TrackConfig) -> bool:
    own_s = rows.timestamp_s[tracklet.rows]
    at = np.searchsorted(times_s, own_s)
    followed = np.diff(own_s) <= np.maximum(config.lost_s, 1.5 * usual_steps(times_s)[at[:-1]])
    followed_s = float(np.diff(own_s)[followed].sum() + usual_steps(times_s)[at[-1]])
    n_processed = int(np.diff(at)[followed].sum()) + 1  # processed frames while it was tracked
    return (
        len(own_s) >= config.min_detections
        and followed_s >= config.min_duration_s - 1e-9
        and float(rows.confidence[tracklet.rows].mean()) >= _least_confidence(tracklet.category, config)
        and len(own_s) >= config.min_density * n_processed
    )
