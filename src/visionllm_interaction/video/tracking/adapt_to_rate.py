"""Adapt the settings of tracking to the rate at which frames were processed.

Settings are in seconds and in numbers of detections. At one frame a second neither "two detections in a row" nor "lost
for a second" can mean what it means at 25: one frame stands for a second there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_centres
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.video.config import TrackConfig

ALONE_CONFIDENCE = 0.5
"""Least confidence of a single detection that is a track."""
_NEXT_FRAME = 1.5
"""An object is looked for in the next processed frame at least, which may come half a step late."""
_FULL_STEP_S, _WIDEST = 0.1, 4.0
"""Between frames further apart objects move further, so boxes are enlarged in proportion, up to so many times."""
_ROUNDING_S = 1e-6


def stands_alone(config: TrackConfig, step_s: float | None) -> bool:
    """Whether one frame stands for at least ``min_duration_s``, so that one detection is long enough for a track."""
    return step_s is not None and step_s >= config.min_duration_s - _ROUNDING_S


def widening_at(step_s: float | None) -> float:
    """How many times as far objects move from frame to frame as at ten frames a second; at least 1, at most 4."""
    return 1.0 if step_s is None else float(np.clip(step_s / _FULL_STEP_S, 1.0, _WIDEST))


def adapt_to_rate(config: TrackConfig, step_s: float | None) -> TrackConfig:
    """The settings for frames that are ``step_s`` seconds apart; the same ones at ten frames a second and above.

    * ``lost_s`` reaches the next processed frame at least.
    * ``box_buffer`` and ``object_buffer`` grow with the step, because objects move further between frames.
    * ``min_detections`` is at most the number of frames in ``min_duration_s``.
    * Where one frame stands for ``min_duration_s``, one detection is a track, from :data:`ALONE_CONFIDENCE` on.

    Args:
        config: the settings as given.
        step_s: usual time between processed frames in seconds; ``None``: unknown.

    Returns:
        The adapted settings.
    """
    if step_s is None:
        return config
    in_duration = max(1, math.ceil(config.min_duration_s / max(step_s, _ROUNDING_S) - 0.01))
    wider = widening_at(step_s)
    changes: dict[str, float | int] = {
        "lost_s": max(config.lost_s, _NEXT_FRAME * step_s),
        "min_detections": min(config.min_detections, in_duration),
        "box_buffer": config.box_buffer * wider,
        "object_buffer": config.object_buffer * wider,
    }
    if stands_alone(config, step_s):
        changes |= {"min_hits": 1, "new_track_confidence": min(config.new_track_confidence, ALONE_CONFIDENCE)}
    return config.model_copy(update=changes)


def add_single_detections(
    rows: DetectionTable, ids: NDArray[np.int64], *, config: TrackConfig, step_s: float | None
) -> NDArray[np.int64]:
    """Give each unlinked detection a tracklet of its own where one frame is long enough for a track.

    Presence needs no identity: an object seen in half of the processed frames is present in half of them, although no
    tracker could follow it.

    Args:
        rows: detections.
        ids: (n,) tracklet ids.
        config: adapted settings.
        step_s: usual time between processed frames in seconds.

    Returns:
        (n,) tracklet ids.
    """
    if not stands_alone(config, step_s):
        return ids
    alone = np.flatnonzero((ids == UNTRACKED) & (rows.confidence >= config.new_track_confidence))
    ids = ids.copy()
    ids[alone] = max(int(ids.max(initial=0)), 0) + 1 + np.arange(len(alone))
    return ids


def adopt_between(
    rows: DetectionTable, ids: NDArray[np.int64], frames: FrameTable, *, config: TrackConfig, step_s: float | None
) -> NDArray[np.int64]:
    """Add unlinked detections to a track that was lost before them and found again after them.

    Between frames that are far apart, a toy that is picked up moves further than its own size: the tracker loses it
    while it moves. A detection of the same category in such a gap, within reach of both its ends, belongs to the track.

    Args:
        rows: detections, boxes xyxy in pixels.
        ids: (n,) track ids.
        frames: all frames of the video.
        config: settings of the tracker.
        step_s: usual time between processed frames in seconds.

    Returns:
        (n,) track ids.
    """
    if step_s is None or step_s <= _FULL_STEP_S + _ROUNDING_S:
        return ids
    ids = ids.copy()
    position = {int(index): n for n, index in enumerate(frames.frame_index[frames.processed])}
    place = np.array([position[int(index)] for index in rows.frame_index], dtype=np.int64)
    free = np.flatnonzero((ids == UNTRACKED) & (rows.confidence >= config.high_confidence))
    for track_id in np.unique(ids[ids != UNTRACKED]).tolist():
        own = np.flatnonzero(ids == track_id)
        for n in np.flatnonzero(np.diff(place[own]) > 1).tolist():
            before, after = int(own[n]), int(own[n + 1])
            if rows.timestamp_s[after] - rows.timestamp_s[before] > config.lost_s + step_s:
                continue
            within = free[(place[free] > place[before]) & (place[free] < place[after]) & (ids[free] == UNTRACKED)]
            within = within[rows.category[within] == rows.category[before]]
            for at in np.unique(place[within]).tolist():
                candidates = within[place[within] == at]
                away = _distance(rows, candidates, before, after)
                if away.min() <= config.rejoin_reach:
                    ids[candidates[int(np.argmin(away))]] = track_id
    return ids


def _distance(rows: DetectionTable, candidates: NDArray[np.int64], before: int, after: int) -> NDArray[np.float64]:
    """(k,) distance of the candidates' centres from the farther end of a gap, in its length and two box heights."""
    centres = box_centres(rows.boxes_xyxy.astype(np.float64))
    heights = rows.boxes_xyxy[:, 3] - rows.boxes_xyxy[:, 1]
    length = float(np.hypot(*(centres[after] - centres[before])))
    reach = length + 2.0 * float(heights[[before, after]].mean())
    away = np.stack([np.hypot(*(centres[candidates] - centres[end]).T) for end in (before, after)])
    return np.asarray(away.max(axis=0) / max(reach, 1.0))
