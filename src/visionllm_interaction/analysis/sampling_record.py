"""What a video's record says about the rate of processed frames, and about detections that are on no track."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable, processed_step_s
from visionllm_interaction.interactions.sampling_error import expected_errors, unknown_at
from visionllm_interaction.store.video_record import SamplingRecord, WeakSighting
from visionllm_interaction.video.config import TrackConfig

_LOST_SHARE = 0.05
_WEAK_S, _WEAK_SHARE = 1.0, 0.02
"""Detections on no track for at least so many seconds, and such a share of the processed time, are no stray ones."""


def sampling_record(frames: FrameTable) -> SamplingRecord | None:
    """How densely ``frames`` were processed; ``None`` for a single one."""
    step_s = processed_step_s(frames)
    if step_s is None:
        return None
    return SamplingRecord(step_s=step_s, expected_errors=expected_errors(step_s), unknown=unknown_at(step_s))


def tracking_notes(detections: DetectionTable, frames: FrameTable, config: TrackConfig) -> Iterator[str]:
    """What the rate does not show, and detections that are on no track although the detector was sure.

    Args:
        detections: all detections of the video.
        frames: its frames.
        config: settings of tracking.

    Yields:
        Notes for the record.
    """
    step_s = processed_step_s(frames)
    unknown = unknown_at(step_s)
    if step_s is not None and unknown:
        yield f"frames {step_s:.2g} s apart (sample_fps) do not show {', '.join(unknown)}: these are not known"
    sure = detections.confidence >= config.new_track_confidence
    lost = int((sure & (detections.track_id == UNTRACKED)).sum())
    if lost > _LOST_SHARE * int(sure.sum()):
        yield f"{lost} of {int(sure.sum())} sure detections are on no track: too short, too far apart or too unsteady"


def weak_sightings(detections: DetectionTable, frames: FrameTable) -> dict[str, WeakSighting]:
    """Categories with detections of which none is on a track, where these are more than stray ones.

    Args:
        detections: all detections of the video.
        frames: its frames.

    Returns:
        Category → how long it was detected.
    """
    categories = detections.category.astype(str)
    lengths_s = dict(zip(frames.frame_index.tolist(), frames.duration_s.tolist(), strict=True))
    processed_s = float(frames.duration_s[frames.processed].sum())
    found = {}
    for category in sorted(set(categories) - set(categories[detections.track_id != UNTRACKED])):
        own = categories == category
        seconds = sum(lengths_s[index] for index in np.unique(detections.frame_index[own]).tolist())
        if seconds >= max(_WEAK_S, _WEAK_SHARE * processed_s):
            highest = float(detections.confidence[own].max())
            found[category] = WeakSighting(seconds=round(seconds, 3), max_confidence=round(highest, 3))
    return found
