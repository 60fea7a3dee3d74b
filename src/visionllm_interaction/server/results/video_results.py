"""Results of one video in the store, in the form of the API."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.core.run_lengths import find_runs
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.results.code_lanes import code_lanes, linked_recordings, session_of_video
from visionllm_interaction.server.results.video_list_facts import shown_from
from visionllm_interaction.server.schemas import DetectionColumns, VideoTimeline
from visionllm_interaction.store.reader import Store

_COLUMNS = ("frame_index", "timestamp_s", "track_id", "category", "confidence", "x1", "y1", "x2", "y2", "interpolated")


def read_timeline(store: Store, video_id: str) -> VideoTimeline:
    """Tracks, relations, events, codes and recordings of one video."""
    content = store.timeline(video_id)
    visible = _visible_intervals(store.frames(video_id), store.detections(video_id))
    for track in content["tracks"]:
        track["visible"] = visible.get(track["track_id"], [])
    record: Any = store.video(video_id)
    timeline = VideoTimeline.model_validate(
        {**content, "detector": record["detector"], "min_confidence": shown_from(record)}
    )
    beside = {
        "lanes": code_lanes(store.codes(video_id), duration_s=timeline.duration_s),
        "recordings": linked_recordings(store, video_id),
        "session": session_of_video(store, video_id),
    }
    return timeline.model_copy(update=beside)


def _visible_intervals(frames: Any, detections: Any) -> dict[int, list[tuple[float, float]]]:
    """Track id → intervals (s) of consecutive processed frames in which the track has a detection."""
    processed = frames.filter(frames["processed"])
    index, times = processed["frame_index"].to_numpy(), processed["timestamp_s"].to_numpy()
    ends = np.append(times[1:], times[-1:] + processed["duration_s"].to_numpy()[-1:])
    track_ids = detections["track_id"].to_numpy()
    places = np.searchsorted(index, detections["frame_index"].to_numpy())
    found: dict[int, list[tuple[float, float]]] = {}
    order = np.argsort(track_ids, kind="stable")  # frames stay in order within each track
    known, begins = np.unique(track_ids[order], return_index=True)
    for track_id, rows in zip(known, np.split(order, begins[1:]), strict=True):
        if track_id == UNTRACKED:
            continue
        seen = np.unique(places[rows])
        runs = find_runs(seen - np.arange(len(seen)))  # consecutive frames have the same difference
        begins_s, ends_s = times[seen[runs.starts]], ends[seen[runs.ends - 1]]
        found[int(track_id)] = list(zip(begins_s.tolist(), ends_s.tolist(), strict=True))
    return found


def read_detections(
    store: Store, video_id: str, *, begin_s: float, end_s: float | None, max_rows: int
) -> DetectionColumns:
    """Detections of a time window.

    Args:
        store: the opened store.
        video_id: id of a video in the store.
        begin_s: begin of the window in seconds.
        end_s: end of the window in seconds, exclusive; ``None``: the end of the video.
        max_rows: largest number of detections.

    Returns:
        The detections as columns, ordered by frame, and the times of all processed frames in the window.

    Raises:
        HTTPException: 413 if the window has more than ``max_rows`` detections.
    """
    rows = _window(store.detections(video_id), begin_s, end_s)
    if rows.num_rows > max_rows:
        raise http_problem(
            413,
            "The window has too many detections.",
            code="TOO-MANY-ROWS",
            expected=f"at most {max_rows}",
            found=str(rows.num_rows),
            fix="request a shorter window with begin_s and end_s",
        )
    frames = _window(store.frames(video_id), begin_s, end_s)
    processed = frames.filter(frames["processed"])
    columns = {name: rows[name].to_pylist() for name in _COLUMNS}
    return DetectionColumns(video_id=video_id, processed_s=processed["timestamp_s"].to_pylist(), **columns)


def _window(table: Any, begin_s: float, end_s: float | None) -> Any:
    keep = pc.greater_equal(table["timestamp_s"], begin_s)
    if end_s is not None:
        keep = pc.and_(keep, pc.less(table["timestamp_s"], end_s))
    return table.filter(keep)
