"""From gaze samples and boxes to bouts of looking. *Lost* is never *away*."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visionllm_interaction.interop.gaze.samples import Flags, Floats

Ints = npt.NDArray[np.int64]
AWAY, LOST = -1, -2
"""Targets of a sample that hits no box, and of one in which the eyes were lost."""
_AT_ONCE = 50_000


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
class FrameBoxes:
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


def targets_of(t: Floats, x_px: Floats, y_px: Floats, valid: Flags, boxes: FrameBoxes, *, tolerance_px: float) -> Ints:
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
    padded, ids = _by_frame(boxes)
    if not padded.shape[1]:
        return targets
    asked = np.flatnonzero(valid & (at_frame >= 0))
    for begin in range(0, len(asked), _AT_ONCE):
        part = asked[begin : begin + _AT_ONCE]
        frame = at_frame[part]
        best, is_near = _best_boxes(padded[frame], x_px[part, None], y_px[part, None], tolerance_px)
        targets[part[is_near]] = ids[frame, best][is_near]
    return targets


def _by_frame(boxes: FrameBoxes) -> tuple[Floats, Ints]:
    """Boxes (frames, most boxes in a frame, 4) and their track ids; places without a box are NaN."""
    frames = len(boxes.times_s)
    first = np.searchsorted(boxes.frame, np.arange(frames + 1))
    most = int(np.diff(first).max(initial=0))
    padded = np.full((frames, most, 4), np.nan)
    ids = np.full((frames, most), AWAY, np.int64)
    place = np.arange(len(boxes.frame)) - first[boxes.frame]
    padded[boxes.frame, place] = boxes.boxes_xyxy
    ids[boxes.frame, place] = boxes.track_id
    return padded, ids


def _best_boxes(box: Floats, x: Floats, y: Floats, tolerance_px: float) -> tuple[Ints, Flags]:
    """The box that each sample hits or is nearest to, and whether it counts; ``box`` is (samples, boxes, 4)."""
    dx = np.maximum(np.maximum(box[..., 0] - x, x - box[..., 2]), 0.0)
    dy = np.maximum(np.maximum(box[..., 1] - y, y - box[..., 3]), 0.0)
    distance = np.nan_to_num(np.hypot(dx, dy), nan=np.inf)
    area = (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])
    hit = distance <= 0.0
    # Boxes that are hit come first, the smallest first; then those nearby, the nearest first.
    smallest = np.argmin(np.where(hit, area, np.inf), axis=1)
    best = np.where(hit.any(axis=1), smallest, np.argmin(distance, axis=1))
    return best, distance[np.arange(len(best)), best] <= tolerance_px


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
