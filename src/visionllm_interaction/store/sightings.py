"""Sightings: runs of consecutive processed frames in which a track is seen; the basis of most measures."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.store.arrow_schemas import SCHEMAS

_TOLERANCE_S = 1e-6
"""Frames follow each other if the gap between them is at most this long, in seconds."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def find_sightings(detections: DetectionTable, frames: FrameTable) -> pa.Table:
    """Compute ``sightings.parquet``: one row per run, by track and time.

    A frame that was not processed ends a run, unless the frame before it stands for its time.

    Args:
        detections: detections of one video, n rows; those on no track are left out.
        frames: its frames.

    Returns:
        The columns of ``SCHEMAS["sightings"]``.
    """
    processed = frames.processed
    return sightings_of(
        detections.track_id,
        detections.frame_index,
        frame_index=frames.frame_index[processed],
        begins_s=frames.timestamp_s[processed],
        durations_s=frames.duration_s[processed],
    )


def seconds_in_view(detections: DetectionTable, frames: FrameTable) -> dict[int, float]:
    """For how long each track is in view: without the time in which it was lost.

    Args:
        detections: detections of one video.
        frames: its frames.

    Returns:
        Track id → seconds.
    """
    found = find_sightings(detections, frames)
    seconds: dict[int, float] = {}
    columns = (found[name].to_pylist() for name in ("track_id", "begin_s", "end_s"))
    for track_id, begin_s, end_s in zip(*columns, strict=True):
        seconds[track_id] = seconds.get(track_id, 0.0) + end_s - begin_s
    return seconds


def sightings_of(
    track_id: Ints, detected_in: Ints, *, frame_index: Ints, begins_s: Floats, durations_s: Floats
) -> pa.Table:
    """As :func:`find_sightings`, from columns.

    Args:
        track_id: track of each detection, (n,).
        detected_in: frame index of each detection, (n,).
        frame_index: indices of the processed frames, (m,).
        begins_s: their times in seconds, (m,).
        durations_s: how long each stands for, in seconds, (m,).

    Returns:
        The columns of ``SCHEMAS["sightings"]``.
    """
    ends_s = _ends(begins_s, durations_s)
    places = np.searchsorted(frame_index, detected_in)
    known = (track_id != UNTRACKED) & (places < len(frame_index))
    known[known] = frame_index[places[known]] == detected_in[known]
    pairs = np.unique(np.stack([track_id[known], places[known]], axis=1), axis=0)
    if not len(pairs):
        return SCHEMAS["sightings"].empty_table()
    ids, seen = pairs[:, 0], pairs[:, 1]
    follows = (np.diff(ids) == 0) & (np.diff(seen) == 1)
    follows &= np.abs(begins_s[seen[1:]] - ends_s[seen[:-1]]) <= _TOLERANCE_S
    first = np.flatnonzero(np.concatenate([[True], ~follows]))
    last = np.append(first[1:] - 1, len(seen) - 1)
    columns = [ids[first], frame_index[seen[first]], frame_index[seen[last]], begins_s[seen[first]], ends_s[seen[last]]]
    arrays = [pa.array(c, type=f.type) for c, f in zip(columns, SCHEMAS["sightings"], strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMAS["sightings"])


def _ends(begins_s: Floats, durations_s: Floats) -> Floats:
    """End of each frame; exactly the begin of the next one where that follows, so that ends of runs compare equal."""
    ends_s = begins_s + durations_s
    if len(ends_s) > 1:
        touching = np.abs(begins_s[1:] - ends_s[:-1]) <= _TOLERANCE_S
        ends_s[:-1][touching] = begins_s[1:][touching]
    return np.asarray(ends_s)
