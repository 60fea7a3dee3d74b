"""What is done with tracklets once the whole video is known: first sightings, rejoining, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frames import FrameTable, usual_steps
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.tracking.category_voting import nearest_in_time, second_sightings
from visionllm_interaction.video.tracking.identity_switches import Known

_SAME_BOX_IOU = 0.3
_THING_SIZE = 0.4
"""How far a thing may have got is counted in shares of a person's height if it is small: people carry things."""
_EDGE = 0.02
"""Share of the image's width or height from its edge at which a box is taken to be cut by it."""
_BLINK_S = 0.5
"""In a shorter gap nobody goes out at one side and in at another."""
_TAIL_S = 0.25
"""A tracklet may go on for so long beside the one that continues it …"""
_DOUBLE_S = 1.5
"""… and for so long if the later one begins on top of it and it ends on top of the later one: in a huddle a detector
sees one thing twice, as itself and as itself with what is before it, and the tracker changes from one to the other.
Or if they take turns: a thing that was lost for a moment gets a new tracklet, and then the old one back."""
_UNKNOWN = 0.5
"""What not knowing whether two look alike costs; looking as different as may be costs 1."""
_EDGE_ROWS = 3
"""Rows of a begin or an end that are compared."""
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Tracklet:
    """Rows of one tracklet, and when it begins and ends."""

    id: int
    rows: Ids
    category: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class _Reach:
    """How long something may be out of sight, and how far it may get meanwhile in heights of its box."""

    gap_s: float
    heights: float
    heights_per_s: float
    size_px: tuple[int, int] | None

    @classmethod
    def of(cls, config: TrackConfig, *, moving: bool, size_px: tuple[int, int] | None) -> _Reach:
        """The limits for a camera at rest, or for one that moves."""
        if moving:
            return cls(config.moving_rejoin_s, config.moving_rejoin_reach, config.rejoin_speed, None)
        return cls(config.rejoin_s, config.rejoin_reach, config.rejoin_speed, size_px)

    def left_elsewhere(self, last_xyxy: NDArray[np.float32], first_xyxy: NDArray[np.float32], gap_s: float) -> bool:
        """Whether the one went out at a side of the image at which the other did not come in."""
        if self.size_px is None or gap_s <= _BLINK_S:
            return False
        out = _sides(last_xyxy, self.size_px)
        # People stand at the lower edge all the time; it is the left or right one they go out at.
        out = out & {"left", "right"} or out
        return bool(out) and not out & _sides(first_xyxy, self.size_px)


def take_first_sightings(rows: DetectionTable, ids: Ids, frames: FrameTable, *, config: TrackConfig) -> Ids:
    """Give each tracklet the unlinked detections just before its first: a tracker names a track only when confirmed."""
    ids = ids.copy()
    position = {int(index): n for n, index in enumerate(frames.frame_index[frames.processed])}
    free: dict[tuple[str, int], list[int]] = {}
    for row in np.flatnonzero(ids == UNTRACKED).tolist():
        free.setdefault((str(rows.category[row]), position[int(rows.frame_index[row])]), []).append(row)
    for tracklet in tracklets_of(rows, ids):
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


def rejoin(
    rows: DetectionTable,
    ids: Ids,
    *,
    config: TrackConfig,
    moving: bool = False,
    size_px: tuple[int, int] | None = None,
    known: Known | None = None,
) -> Ids:
    """Make one of tracklets of a category when the later begins where the earlier may have got to meanwhile.

    For things that were hidden for longer than the tracker waits (someone behind a sofa). If looks are ``known``, what
    looks different does not continue it; two alike things that take turns at one place still become one track, which
    is why counts are of things seen *at once*.
    Who has left the image (of ``size_px``, width and height) comes back where he left it, or is someone else. With a
    ``moving`` camera things are out of sight because it looks away, so more is allowed.
    """
    ids = ids.copy()
    limits = _Reach.of(config, moving=moving, size_px=size_px)
    if not limits.gap_s:
        return ids
    tracklets = sorted(tracklets_of(rows, ids), key=lambda t: t.begin_s)
    least_size = _THING_SIZE * _person_height(rows)
    ends: dict[int, Tracklet] = {}
    for tracklet in tracklets:
        costs = {
            key: _rejoin_cost(rows, former, tracklet, limits, least_size=least_size) for key, former in ends.items()
        }
        costs = {key: _with_looks(cost, known, ends[key], tracklet, config) for key, cost in costs.items()}
        possible = {key: cost for key, cost in costs.items() if cost is not None}
        key = min(possible, key=lambda k: possible[k]) if possible else tracklet.id
        ids[tracklet.rows] = key
        if key in ends:
            ids[_doubles(rows, ends[key], tracklet)] = UNTRACKED
        ends[key] = tracklet
    return ids


def drop_noise(rows: DetectionTable, ids: Ids, frames: FrameTable, *, config: TrackConfig) -> Ids:
    """Take the id from tracks too short, too unsure or too patchy, and number the rest 1, 2, … by first sighting."""
    out = np.full(len(ids), UNTRACKED, dtype=np.int64)
    times = frames.timestamp_s[frames.processed]
    kept = [t for t in tracklets_of(rows, ids) if _is_real(rows, t, times, config)]
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
    rows: DetectionTable, former: Tracklet, later: Tracklet, limits: _Reach, *, least_size: float
) -> float | None:
    gap_s = later.begin_s - former.end_s
    contained = later.end_s <= former.end_s or later.begin_s <= former.begin_s
    if former.category != later.category or contained or not -_DOUBLE_S <= gap_s <= limits.gap_s:
        return None
    if gap_s < -_TAIL_S:
        return 0.0 if _is_double(rows, former, later) else None
    if limits.left_elsewhere(rows.boxes_xyxy[former.rows[-1]], rows.boxes_xyxy[later.rows[0]], gap_s):
        return None
    gap_s = max(gap_s, 0.0)
    # Median boxes: the first and last ones are often cut by whatever hides the thing.
    old = np.median(rows.boxes_xyxy[former.rows[-5:]], axis=0)
    new = np.median(rows.boxes_xyxy[later.rows[:5]], axis=0)
    size = max(float((old[3] - old[1] + new[3] - new[1]) / 2.0), least_size, 1.0)
    reach = max(limits.heights + limits.heights_per_s * gap_s, 1e-6)
    distance = float(np.hypot(*_shift(old, new))) / size
    return distance / reach + gap_s / max(limits.gap_s, 1e-6) if distance <= reach else None


def _with_looks(
    cost: float | None, known: Known | None, former: Tracklet, later: Tracklet, config: TrackConfig
) -> float | None:
    """``cost`` with that of looking different, at most 1, or ``None`` if they look too different."""
    if cost is None or known is None:
        return cost
    unlike, limit = known.change(former.rows, later.rows, former.end_s, later.begin_s), config.appearance_limit
    if unlike is None:
        return cost + _UNKNOWN
    return cost + unlike / limit if unlike <= limit else None


def _is_double(rows: DetectionTable, former: Tracklet, later: Tracklet) -> bool:
    """Whether ``former`` ends on top of ``later``, and ``later`` begins on top of ``former`` or takes turns with it."""
    tail = former.rows[rows.timestamp_s[former.rows] >= later.begin_s]
    if not _is_on_top(rows, tail[-_EDGE_ROWS:], later.rows):
        return False
    shared = np.isin(rows.frame_index[former.rows], rows.frame_index[later.rows])
    return not shared.any() or _is_on_top(rows, later.rows[:_EDGE_ROWS], former.rows)


def _is_on_top(rows: DetectionTable, own: Ids, other: Ids) -> bool:
    """Whether boxes ``own`` overlap the ``other`` ones nearest in time."""
    beside = other[nearest_in_time(rows.timestamp_s[other], rows.timestamp_s[own])]
    return bool(np.median(box_iou(rows.boxes_xyxy[own], rows.boxes_xyxy[beside])) >= _SAME_BOX_IOU)


def _doubles(rows: DetectionTable, former: Tracklet, later: Tracklet) -> Ids:
    """Rows of the time both share that would put one thing in two places at once: in each frame the less sure one, and
    of a short tail, which something else kept alive, all that the earlier one has.
    """
    tail = former.rows[rows.timestamp_s[former.rows] >= later.begin_s]
    if former.end_s - later.begin_s <= _TAIL_S:
        return tail
    return second_sightings(rows, np.concatenate([tail, later.rows]))


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
    """(x, y) from one box to another: that of the side or middle which moved least.

    What is half hidden, by a sofa or by the edge of the image, is in its place with one side only.
    """
    sides = new_xyxy - old_xyxy
    middle = (sides[:2] + sides[2:]) / 2
    least: NDArray[np.float32] = np.abs(np.stack([sides[:2], sides[2:], middle])).min(axis=0)
    return least


def _is_real(rows: DetectionTable, tracklet: Tracklet, times_s: NDArray[np.float64], config: TrackConfig) -> bool:
    own_s = rows.timestamp_s[tracklet.rows]
    at = np.searchsorted(times_s, own_s)
    followed = np.diff(own_s) <= np.maximum(config.lost_s, 1.5 * usual_steps(times_s)[at[:-1]])
    followed_s = float(np.diff(own_s)[followed].sum() + usual_steps(times_s)[at[-1]])
    chances = int(np.diff(at)[followed].sum()) + 1  # frames looked at while it was followed
    return (
        len(own_s) >= config.min_detections
        and followed_s >= config.min_duration_s - 1e-9
        and float(rows.confidence[tracklet.rows].mean()) >= config.min_mean_confidence
        and len(own_s) >= config.min_density * chances
    )
