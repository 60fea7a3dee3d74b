"""Postures: standing, sitting, lying from the key points of a pose; held from where a small person is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.bodies import PoseRow, Posture, PostureBout
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.interactions.spans import Span, clean_spans

SHOULDERS: Final = (11, 12)
HIPS: Final = (23, 24)
KNEES: Final = (25, 26)
"""Rows of the key points that postures are read from."""
WRISTS: Final = (15, 16)
_SEEN = 0.5
"""Key points below this visibility say nothing."""
_LYING_DEG = 60.0
"""A trunk that is turned from the vertical by more is lying; the camera is taken to be upright."""
_STRAIGHT_DEG = 145.0
"""A trunk and thighs at a larger angle are those of somebody standing …"""
_BENT_DEG = 125.0
"""… at a smaller one, of somebody sitting; between them it is not known."""
_HELD_SMALLER = 0.75
_HELD_INSIDE = 0.5
_HELD_RAISED = 0.12
"""Somebody is held whose box is at most so high as another's, lies to this share inside it, and ends so far above its
lower edge (in shares of the other's height)."""
_SMOOTH_S = 1.0
_MERGE_S = 0.5
_LEAST_S = 0.6


def posture_of(points_xyz: NDArray[np.floating], visibility: NDArray[np.floating]) -> Posture | None:
    """The posture that the key points of one person show.

    Args:
        points_xyz: (33, 3) key points: x to the right, y down, depth away from the camera, all in pixels.
        visibility: (33,) probability that a point is seen.

    Returns:
        The posture; None where hips, shoulders or knees are not seen, or the angle between trunk and thighs says
        neither standing nor sitting.
    """
    points = np.asarray(points_xyz, np.float64)
    if min(visibility[[*SHOULDERS, *HIPS]]) < _SEEN:
        return None
    shoulders, hips = points[list(SHOULDERS)].mean(axis=0), points[list(HIPS)].mean(axis=0)
    trunk = shoulders - hips
    if np.degrees(np.arctan2(abs(trunk[0]), -trunk[1])) > _LYING_DEG:
        return "lying"
    angles = [
        _angle_deg(trunk, points[knee] - points[hip])
        for hip, knee in zip(HIPS, KNEES, strict=True)
        if visibility[knee] >= _SEEN
    ]
    if not angles:
        return None
    # One bent leg is a step or a knee on the floor; somebody who sits bends both.
    widest = max(angles)
    if widest >= _STRAIGHT_DEG:
        return "standing"
    return "sitting" if widest <= _BENT_DEG else None


def _angle_deg(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(one @ other / max(length, 1e-9), -1, 1))))


def is_held(box_xyxy: NDArray[np.floating], other_xyxy: NDArray[np.floating]) -> bool:
    """Whether a person is held by another, from their boxes (4,) in one frame."""
    height, other = float(box_xyxy[3] - box_xyxy[1]), float(other_xyxy[3] - other_xyxy[1])
    if height <= 0 or height > _HELD_SMALLER * other or other_xyxy[3] - box_xyxy[3] < _HELD_RAISED * other:
        return False
    sides = np.minimum(box_xyxy[2:], other_xyxy[2:]) - np.maximum(box_xyxy[:2], other_xyxy[:2])
    area = float(np.prod(np.maximum(box_xyxy[2:] - box_xyxy[:2], 1e-6)))
    return float(np.clip(sides, 0, None).prod()) >= _HELD_INSIDE * area


def find_postures(poses: Sequence[PoseRow], frames: FrameTable, *, per_s: float | None = None) -> list[PostureBout]:
    """Bouts of each posture of each person, from the postures in single frames.

    In each frame the most frequent posture of the frames around it holds, so that one odd pose ends no bout.

    Args:
        poses: by frame.
        frames: all frames of the video.
        per_s: poses were looked for at this rate; None: in every processed frame.

    Returns:
        Bouts by begin.
    """
    begin_of = dict(zip(frames.frame_index.tolist(), frames.timestamp_s.tolist(), strict=True))
    found: list[PostureBout] = []
    for track in sorted({row.track_id for row in poses}):
        rows = [row for row in poses if row.track_id == track]
        begins_s = np.array([begin_of[row.frame_index] for row in rows])
        steps_s = np.diff(begins_s)
        usual_s = float(np.median(steps_s)) if len(steps_s) else 1.0 / (per_s or 1.0)
        ends_s = np.minimum(np.append(begins_s[1:], np.inf), begins_s + 1.5 * usual_s)
        names = [row.posture for row in rows]
        for posture in sorted({name for name in names if name}):
            mask = np.array([_most(names, begins_s, n) == posture for n in range(len(rows))])
            # A span for each frame: between frames without a pose nobody knows.
            each = [Span(float(begins_s[n]), float(ends_s[n])) for n in np.flatnonzero(mask)]
            spans = clean_spans(each, merge_gap_s=_MERGE_S, min_duration_s=_LEAST_S)
            for span in spans:
                inside = (begins_s >= span.begin_s - 1e-9) & (begins_s < span.end_s - 1e-9)
                said = [name for name, here in zip(names, inside, strict=True) if here and name]
                share = said.count(posture) / len(said) if said else 0.0
                found.append(PostureBout(track, posture, span.begin_s, span.end_s, share))
    return sorted(found, key=lambda bout: (bout.begin_s, bout.track_id, bout.posture))


def _most(names: Sequence[Posture | None], begins_s: NDArray[np.float64], place: int) -> Posture | None:
    """The most frequent posture within half of :data:`_SMOOTH_S` of a frame; its own in case of a tie."""
    low = int(np.searchsorted(begins_s, begins_s[place] - _SMOOTH_S / 2 - 1e-9))
    high = int(np.searchsorted(begins_s, begins_s[place] + _SMOOTH_S / 2 + 1e-9))
    around = [name for name in names[low:high] if name]
    if not around:
        return None
    return max(sorted(set(around)), key=lambda name: (around.count(name), name == names[place]))


def held_in(detections: DetectionTable, frame_index: int, track_id: int) -> bool:
    """Whether a person is held by another one in a frame, by their boxes; see :func:`is_held`."""
    begin, after = np.searchsorted(detections.frame_index, [frame_index, frame_index + 1])
    here = range(int(begin), int(after))
    own = [n for n in here if detections.track_id[n] == track_id]
    others = [n for n in here if detections.track_id[n] >= 0 and detections.track_id[n] != track_id]
    return any(is_held(detections.boxes_xyxy[a], detections.boxes_xyxy[b]) for a in own for b in others)
