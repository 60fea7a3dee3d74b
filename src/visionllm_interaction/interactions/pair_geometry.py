"""Spatial relations between two boxes, and whether they approach each other; see docs/measures.md.

Each predicate is a number per frame, relative to a size of the pair, and at most 0 where it holds. One hysteresis
rule therefore serves all.

Sources: cardinal directions between boxes after Goyal & Egenhofer (2001); inside and overlaps after the region
connection calculus of Randell, Cui & Cohn (1992).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visionllm_interaction.core.boxes import box_area_px, box_centres, box_intersection_px
from visionllm_interaction.core.frame_table import usual_steps
from visionllm_interaction.interactions.track_grid import Floats

INSIDE_SHARE = 0.9
"""Share of a box that lies in another one that it is *inside*."""
OVERLAP_SHARE = 0.1
"""Share of the smaller box that is common to boxes that *overlap*."""
APPROACH_PER_S = 0.25
"""Reference heights per second by which the gap shrinks while one object is *approaching* the other."""
_SLACK_S, _SHAKE = 1e-6, 0.1
"""How far time stamps may be off: in seconds, and as a share of a step."""

Values = tuple[str, Floats]


def directions(subject_xyxy: Floats, object_xyxy: Floats, *, heights_px: Floats) -> Iterator[Values]:
    """left_of, right_of, above, below: (n,) each, from (n, 4) boxes; NaN rows stay NaN.

    The centre of each is beyond the edge of the other, in reference heights.
    """
    centres, others = box_centres(subject_xyxy), box_centres(object_xyxy)
    for axis, (before, after) in enumerate((("left_of", "right_of"), ("above", "below"))):
        low, high = axis, axis + 2
        yield (
            before,
            np.maximum(centres[:, axis] - object_xyxy[:, low], subject_xyxy[:, high] - others[:, axis]) / heights_px,
        )
        yield (
            after,
            np.maximum(object_xyxy[:, high] - centres[:, axis], others[:, axis] - subject_xyxy[:, low]) / heights_px,
        )


def containment(subject_xyxy: Floats, object_xyxy: Floats) -> tuple[Floats, Floats, Floats]:
    """Subject inside object, object inside subject, and the two overlapping without that: (n,) each."""
    shared = box_intersection_px(subject_xyxy, object_xyxy)
    areas = [np.maximum(box_area_px(boxes), 1e-9) for boxes in (subject_xyxy, object_xyxy)]
    inside, holds = (INSIDE_SHARE - shared / area for area in areas)
    overlap = OVERLAP_SHARE - shared / np.minimum(*areas)
    return inside, holds, np.maximum(overlap, np.maximum(-inside, -holds))


def approach_deficit(gap: Floats, times_s: Floats, *, window_s: float) -> Floats:
    """How far the speed at which a gap shrinks falls short of :data:`APPROACH_PER_S`.

    The speed at a frame is measured between the outermost frames within the window, at least between its neighbours.

    Args:
        gap: (n,) gaps in reference heights.
        times_s: (n,) times of the frames.
        window_s: length of the window around a frame.

    Returns:
        (n,) reference heights per second; infinite without a gap, NaN at both ends and next to gaps in the time stamps.
    """
    place, speed, steps = np.arange(len(gap)), np.full(len(gap), np.nan), usual_steps(times_s)
    low = np.minimum(np.searchsorted(times_s, times_s - window_s / 2 - _SLACK_S), place - 1)
    high = np.maximum(np.searchsorted(times_s, times_s + window_s / 2 + _SLACK_S, side="right") - 1, place + 1)
    reach = np.maximum(np.floor(window_s / 2 / np.maximum(steps, _SLACK_S) + _SLACK_S), 1) * steps * (1 - _SHAKE)
    known = (low >= 0) & (high < len(gap))
    known &= (times_s - reach >= times_s[:1]) & (times_s + reach <= times_s[-1:])
    low, high = low[known], high[known]
    apart = times_s[high] - times_s[low]
    change = np.where(apart <= window_s + 2 * steps[known], gap[low] - gap[high], np.nan)
    speed[known] = change / apart
    return np.asarray(np.where(gap > 0, APPROACH_PER_S - speed, np.inf))
