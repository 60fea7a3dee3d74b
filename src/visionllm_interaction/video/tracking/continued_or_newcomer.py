"""Whether an interrupted track of a person is continued by another one, or whether somebody else came.

In a room where three people play, a child that is lost behind an adult and a child that is found there two seconds
later are one child. In a street, somebody else has come by in the meantime. The video itself tells which it is: how
often people appear at a place is counted over the whole video, and two tracks are one person only if hardly anybody
would have appeared there by chance in the time between them. Size, place and direction must fit as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_centres
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.tracking.appearance import AppearanceFeatures
from visionllm_interaction.video.tracking.identity_switch_correction import TrackAppearance, least_distance

_MAX_CHANCE = 0.2
"""Number of people expected to appear there by chance, above which two tracks are two people."""
_LEAST_GAP_S = 0.5
_LEAST_REACH = 0.3
"""In heights. Where somebody is lost and found again is not known more exactly, nor when, because of occlusion."""
_UNUSUAL = 0.1
"""How often one person does not fit: has bent or risen meanwhile, or has not gone on as before."""
_SIZE_SCATTER = 0.08
"""Deviation of the logarithm of one person's height before and after."""
_PLACE_SCATTER, _PLACE_SCATTER_PER_S = 0.2, 0.3
"""Deviation of one person's place after from where they were before, in heights, and for each second between."""
_TURN_S, _WALKING, _TURNED = 1.0, 0.15, -0.5
"""Nobody who walks (heights per second) turns back (cosine of the angle) within this time."""
_SPEED_S, _SPEED_ROWS = 1.0, 4
"""Velocities are taken over this time and at least so many detections."""
_END_S = 0.25
"""Places and sizes are medians over this time."""
_SIDE = 0.02
"""A box is cut by a side of the image if it is within this share of the width from it …"""

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Appearances:
    """Where tracks of one category begin.

    Attributes:
        centres: (n, 2) first place of each track, in pixels.
        at_side: (n,) whether the left or right edge of the image cuts its first box.
        length_s: time over which they were counted.
        area_px: area in which they can begin.
    """

    centres: Floats
    at_side: NDArray[np.bool_]
    length_s: float
    area_px: float

    def expected(self, centre: Floats, *, at_side: bool, reach_px: float, gap_s: float) -> float:
        """Number of people who would appear within ``reach_px`` of ``centre`` by chance in ``gap_s`` seconds.

        One of those counted is the track in question. Where nobody else appeared, it is taken from those who appeared
        anywhere, or, at a side of the image, at either side.
        """
        near = int((np.hypot(*(self.centres - centre).T) <= reach_px).sum()) - 1
        share = min(1.0, np.pi * reach_px**2 / max(self.area_px, 1.0))
        elsewhere = (self.at_side.sum() - 1) / 2 if at_side else (len(self.centres) - 1) * share
        return max(near, float(elsewhere), 0.0) * gap_s / max(self.length_s, gap_s, 1e-6)


def begins_of(
    rows: DetectionTable, begins: list[Ids], *, size_px: tuple[int, int], step_s: float, length_s: float
) -> Appearances:
    """Where tracks begin.

    Args:
        rows: detections, boxes xyxy in pixels.
        begins: rows of each track.
        size_px: width and height of the images.
        step_s: usual time between processed frames in seconds.
        length_s: time over which they began.

    Returns:
        Their places.
    """
    centres = [box_centres(_end_box(rows, own, last=False)[None])[0] for own in begins]
    at_side = [came_in(rows, own, width_px=size_px[0], step_s=step_s) for own in begins]
    return Appearances(
        np.array(centres, np.float64).reshape(-1, 2),
        np.array(at_side, np.bool_),
        length_s,
        float(size_px[0]) * float(size_px[1]),
    )


def came_in(rows: DetectionTable, own: Ids, *, width_px: int, step_s: float) -> bool:
    """Whether a track begins at the left or right edge of the image, or was there one processed frame before."""
    x1, _, x2, _ = rows.boxes_xyxy[own[0]].tolist()
    velocity = velocity_of(rows, own, last=False)
    moved_px = 0.0 if velocity is None else float(velocity[0]) * step_s
    margin = _SIDE * width_px
    return bool(min(x1, x1 - moved_px) <= margin or max(x2, x2 - moved_px) >= width_px - margin)


def could_be_one(
    rows: DetectionTable, former: Ids, later: Ids, appearances: Appearances, *, width_px: int, step_s: float
) -> bool:
    """Whether two tracks of people, one after the other, can be one person.

    Args:
        rows: detections, boxes xyxy in pixels.
        former: rows of the earlier track, in order.
        later: rows of the later track.
        appearances: where tracks of their category begin.
        width_px: width of the images.
        step_s: usual time between processed frames in seconds.

    Returns:
        Whether size, place and direction fit, and a chance encounter is unlikely.
    """
    if turned_back(rows, former, later):
        return False
    gap_s = _gap_s(rows, former, later)
    boxes = np.stack([_end_box(rows, former, last=True), _end_box(rows, later, last=False)])
    before, after = box_centres(boxes)
    height = max(float((boxes[:, 3] - boxes[:, 1]).mean()), 1.0)
    at_side = came_in(rows, later, width_px=width_px, step_s=step_s)
    reach_px = max(float(np.hypot(*(after - before))), _LEAST_REACH * height)
    chance = appearances.expected(before, at_side=at_side, reach_px=reach_px, gap_s=max(gap_s, _LEAST_GAP_S))
    return chance <= _MAX_CHANCE * fit_of_one(rows, former, later)


def fit_of_one(rows: DetectionTable, former: Ids, later: Ids) -> float:
    """How well size and place after an interruption fit those before it, if it is one person: 0 to 1.

    Args:
        rows: detections, boxes xyxy in pixels.
        former: rows before it, in order.
        later: rows after it.

    Returns:
        1 if equal.
    """
    gap_s = _gap_s(rows, former, later)
    boxes = np.stack([_end_box(rows, former, last=True), _end_box(rows, later, last=False)])
    before, after = box_centres(boxes)
    heights = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
    # They stopped where they were, or went on as they did before or did after.
    speeds = [v for v in (velocity_of(rows, former, last=True), velocity_of(rows, later, last=False)) if v is not None]
    moved_px = [after - before, *(after - before - gap_s * speed for speed in speeds)]
    away = min(float(np.hypot(*moved)) for moved in moved_px) / float(heights.mean())
    resized = float(np.log(heights[1] / heights[0]))
    return _fit(away / (_PLACE_SCATTER + _PLACE_SCATTER_PER_S * gap_s)) * _fit(resized / _SIZE_SCATTER)


_LISTED = 5


@dataclass(frozen=True)
class PossibleReturn:
    """A track of somebody who may have been there before, under another track.

    Attributes:
        track_id: the later track.
        former_track_id: the earlier track that looks most like it.
        begin_s: when the later one begins.
        former_end_s: when the earlier one ends.
        distance: between the two most similar looks; 0: equal.
    """

    track_id: int
    former_track_id: int
    begin_s: float
    former_end_s: float
    distance: float


def find_returns(
    rows: DetectionTable, features: AppearanceFeatures, *, frames: FrameTable, config: TrackConfig
) -> tuple[PossibleReturn, ...]:
    """Tracks of people who may have been there before, under another track.

    Whoever leaves and comes back gets a new track. Where both look alike it may be one person; colours cannot tell.

    Args:
        rows: tracked detections, without interpolated ones.
        features: appearance features of these rows.
        frames: all frames of the video.
        config: how much people may differ who look alike.

    Returns:
        At most one for each track, by track.
    """
    seen = TrackAppearance.of(rows, rows.track_id, features, frames=frames, window_s=config.appearance_window_s)
    people = np.isin(rows.category.astype(str), sorted(PERSON_CATEGORIES)) & (rows.track_id != UNTRACKED)
    tracks = [(int(i), np.flatnonzero(rows.track_id == i)) for i in np.unique(rows.track_id[people])]
    spans = {i: (float(rows.timestamp_s[own[0]]), float(rows.timestamp_s[own[-1]])) for i, own in tracks}
    # At one frame a second there may be thousands of tracks; most are too short to have a look.
    ends = {i: look for i, own in tracks if (look := seen.each_before(own, spans[i][1])) is not None}
    begins = {i: look for i, own in tracks if (look := seen.each_after(own, spans[i][0])) is not None}
    found = []
    for later, begin in begins.items():
        begin_s = spans[later][0]
        alike = [
            (distance, former)
            for former, end in ends.items()
            if spans[former][1] < begin_s
            and (distance := least_distance(end, begin)) is not None
            and distance <= config.appearance_nearest
        ]
        if alike:
            distance, former = min(alike)
            found.append(PossibleReturn(later, former, begin_s, spans[former][1], float(distance)))
    return tuple(found)


def return_notes(returns: tuple[PossibleReturn, ...]) -> tuple[str, ...]:
    """A note on tracks of people who may have been there before.

    Args:
        returns: what :func:`find_returns` found.

    Returns:
        One note that lists them, or none.
    """
    if not returns:
        return ()
    found = [
        f"track {one.track_id} (from {one.begin_s:.1f} s) of "
        f"track {one.former_track_id} (until {one.former_end_s:.1f} s)"
        for one in returns
    ]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return (
        f"may be the same person, as they look alike: {', '.join(found[:_LISTED])}{more}; "
        "merge those who are: visionllm roles review",
    )


def _gap_s(rows: DetectionTable, former: Ids, later: Ids) -> float:
    return max(float(rows.timestamp_s[later[0]] - rows.timestamp_s[former[-1]]), 0.0)


def turned_back(rows: DetectionTable, former: Ids, later: Ids) -> bool:
    """Whether a walker (rows ``former``) would have to turn back at once to be another (rows ``later``)."""
    if rows.timestamp_s[later[0]] - rows.timestamp_s[former[-1]] > _TURN_S:
        return False
    one, other = velocity_of(rows, former, last=True), velocity_of(rows, later, last=False)
    if one is None or other is None:
        return False
    boxes = np.stack([_end_box(rows, former, last=True), _end_box(rows, later, last=False)])
    height = max(float((boxes[:, 3] - boxes[:, 1]).mean()), 1.0)
    speeds = float(np.hypot(*one)), float(np.hypot(*other))
    if min(speeds) < _WALKING * height:
        return False
    return float(one @ other) <= _TURNED * speeds[0] * speeds[1]


def _fit(deviation: float) -> float:
    """How well a deviation (in standard deviations) fits one person: 1 at none, ``_UNUSUAL`` at a large one."""
    return float((1 - _UNUSUAL) * np.exp(-0.5 * deviation**2) + _UNUSUAL)


def _end_box(rows: DetectionTable, own: Ids, *, last: bool) -> Floats:
    """(4,) median box over :data:`_END_S` at one end of a track."""
    times = rows.timestamp_s[own]
    near = own[times >= times[-1] - _END_S] if last else own[times <= times[0] + _END_S]
    return np.asarray(np.median(rows.boxes_xyxy[near], axis=0), np.float64)


def velocity_of(rows: DetectionTable, own: Ids, *, last: bool) -> Floats | None:
    """(2,) pixels per second of the centre at one end of a track; ``None`` if there is too little of it."""
    times = rows.timestamp_s[own]
    near = own[times >= times[-1] - _SPEED_S] if last else own[times <= times[0] + _SPEED_S]
    if len(near) < _SPEED_ROWS:
        return None
    since = rows.timestamp_s[near] - rows.timestamp_s[near].mean()
    centres = box_centres(rows.boxes_xyxy[near].astype(np.float64))
    speed: Floats = (since[:, None] * centres).sum(axis=0) / max(float((since**2).sum()), 1e-9)
    return speed
