"""From gaze samples and boxes to bouts of looking. *Lost* is never *away*."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visionllm_interaction.interop.gaze.samples import Flags, Floats

Ints = npt.NDArray[np.int64]
AWAY, LOST = -1, -2
"""Targets of a sample that hits no box, and of one in which the eyes were lost."""


@dataclass(frozen=True, slots=True)
class LookLimits:
    """How samples become bouts.

    Attributes:
        tolerance: how far outside a box gaze still counts as on it, as a share of the image's width; a box that is hit
            goes before one that is near.
        max_lost_s: what comes before and after eyes lost for at most this long (a blink) meets in its middle.
        max_away_s: gaze beside a target for at most this long does not end the bout.
        min_look_s: shorter bouts are left out.
        window_s: each sample gets the target of most samples in this time around it.
    """

    tolerance: float = 0.015
    max_lost_s: float = 0.4
    max_away_s: float = 0.1
    min_look_s: float = 0.1
    window_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Look:
    """A bout of looking at a track, ``[begin_s, end_s)``."""

    track_id: int
    begin_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class BoxTable:
    """Boxes of a video by time.

    Attributes:
        times_s: begin of each processed frame, ascending, shape (f,).
        frame: which of these frames a box is in, ascending, shape (n,).
        boxes_xyxy: in pixels, shape (n, 4).
        track_id: shape (n,).
    """

    times_s: Floats
    frame: Ints
    boxes_xyxy: Floats
    track_id: Ints


def targets_of(t: Floats, x_px: Floats, y_px: Floats, valid: Flags, boxes: BoxTable, *, tolerance_px: float) -> Ints:
    """What each sample looks at.

    Args:
        t: times on the video's clock, shape (n,).
        x_px: shape (n,), in pixels of the video.
        y_px: shape (n,).
        valid: False where the eyes were lost.
        boxes: the boxes.
        tolerance_px: how far outside a box still counts.

    Returns:
        Track id, :data:`AWAY` or :data:`LOST` of each sample. Of several boxes that are hit the smallest counts, of
        several that are only near the nearest.
    """
    targets = np.where(valid, AWAY, LOST).astype(np.int64)
    if not len(boxes.times_s):
        return targets
    at_frame = np.searchsorted(boxes.times_s, t + 1e-9, side="right") - 1
    first = np.searchsorted(boxes.frame, np.arange(len(boxes.times_s) + 1))
    area = np.prod(boxes.boxes_xyxy[:, 2:] - boxes.boxes_xyxy[:, :2], axis=1)
    for n in np.flatnonzero(valid & (at_frame >= 0)):
        low, high = first[at_frame[n]], first[at_frame[n] + 1]
        if low == high:
            continue
        box = boxes.boxes_xyxy[low:high]
        dx = np.maximum(np.maximum(box[:, 0] - x_px[n], x_px[n] - box[:, 2]), 0.0)
        dy = np.maximum(np.maximum(box[:, 1] - y_px[n], y_px[n] - box[:, 3]), 0.0)
        distance = np.hypot(dx, dy)
        hit = distance <= 0.0
        if hit.any():
            best = int(np.argmin(np.where(hit, area[low:high], np.inf)))
        else:
            best = int(np.argmin(distance))
            if distance[best] > tolerance_px:
                continue
        targets[n] = boxes.track_id[low + best]
    return targets


def looks_of(t: Floats, targets: Ints, limits: LookLimits = LookLimits()) -> list[Look]:
    """Bouts of looking.

    Args:
        t: times of the samples in seconds, ascending, shape (n,).
        targets: what each looks at; see :func:`targets_of`.
        limits: how samples become bouts.

    Returns:
        The bouts by begin; a bout ends half a sample after its last one.
    """
    if not len(t):
        return []
    step = _step_s(t)
    smooth = _without_short_losses(t, _majority(t, targets, limits.window_s), step, limits.max_lost_s)
    merged: list[Look] = []
    for run in _runs(t, smooth, step, max_gap_s=limits.max_lost_s):
        if run.track_id in (AWAY, LOST):
            continue
        # Between two parts of a look there may be gaze beside the target, or a flicker to another one.
        back = next((n for n in (1, 2) if n <= len(merged) and merged[-n].track_id == run.track_id), 0)
        if back and run.begin_s - merged[-back].end_s <= limits.max_away_s + 1e-9:
            merged[-back:] = [Look(run.track_id, merged[-back].begin_s, run.end_s)]
        else:
            merged.append(run)
    return [look for look in merged if look.end_s - look.begin_s >= limits.min_look_s - 1e-9]


def known_time(t: Floats, valid: Flags, limits: LookLimits = LookLimits()) -> list[tuple[float, float]]:
    """Intervals in which it is known where somebody looks, short losses included.

    Args:
        t: times of the samples in seconds, ascending.
        valid: False where the eyes were lost.
        limits: ``max_lost_s`` counts.

    Returns:
        The intervals by begin.
    """
    step = _step_s(t)
    found: list[tuple[float, float]] = []
    for time in t[valid].tolist():
        if found and time - step / 2 - found[-1][1] <= limits.max_lost_s:
            found[-1] = (found[-1][0], time + step / 2)
        else:
            found.append((time - step / 2, time + step / 2))
    return found


def _step_s(t: Floats) -> float:
    return float(np.median(np.diff(t))) if len(t) > 1 else 0.0


def _majority(t: Floats, targets: Ints, window_s: float) -> Ints:
    """Each sample with a target gets that of most samples around it; lost ones stay lost and do not vote."""
    low = np.searchsorted(t, t - window_s / 2 - 1e-9)
    high = np.searchsorted(t, t + window_s / 2 + 1e-9, side="right")
    changed = targets.copy()
    # Only near a change can the majority differ from the sample itself.
    edges = np.flatnonzero(np.diff(targets) != 0)
    changes = np.searchsorted(edges, high - 1) > np.searchsorted(edges, low)
    for n in np.flatnonzero((targets != LOST) & changes):
        around = targets[low[n] : high[n]]
        names, counts = np.unique(around[around != LOST], return_counts=True)
        best = counts.max()
        if counts[names == targets[n]].max(initial=0) < best:
            changed[n] = names[int(np.argmax(counts))]
    return changed


def _runs(t: Floats, targets: Ints, step: float, *, max_gap_s: float) -> list[Look]:
    """Runs of samples with one target; a pause in the samples ends a run."""
    breaks = np.flatnonzero((np.diff(targets) != 0) | (np.diff(t) > max(max_gap_s, 1.5 * step))) + 1
    starts = np.concatenate([[0], breaks])
    ends = np.concatenate([breaks, [len(t)]])
    return [
        Look(int(targets[a]), float(t[a]) - step / 2, float(t[b - 1]) + step / 2)
        for a, b in zip(starts, ends, strict=True)
    ]


def _without_short_losses(t: Floats, targets: Ints, step: float, max_lost_s: float) -> Ints:
    """Short losses go half to what comes before them, half to what comes after."""
    filled = targets.copy()
    lost = np.concatenate([[False], targets == LOST, [False]])
    starts, ends = np.flatnonzero(~lost[:-1] & lost[1:]), np.flatnonzero(lost[:-1] & ~lost[1:])
    for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
        if a == 0 or b == len(t) or t[b] - t[a - 1] - step > max_lost_s + 1e-9:
            continue
        middle = a + int(np.searchsorted(t[a:b], (t[a - 1] + t[b]) / 2))
        filled[a:middle], filled[middle:b] = targets[a - 1], targets[b]
    return filled
