"""Results of one video in the store, in the form of the API."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc
from pydantic_core import to_json

from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.results.timelines.code_lanes import code_lanes, linked_recordings, session_of_video
from visionllm_interaction.server.results.timelines.time_not_known import time_not_known
from visionllm_interaction.server.results.video_list_facts import shown_from
from visionllm_interaction.server.schemas.detections import DetectionColumns
from visionllm_interaction.store.reader import Store

_COLUMNS = ("frame_index", "timestamp_s", "track_id", "category", "confidence", "x1", "y1", "x2", "y2", "interpolated")


def timeline_json(store: Store, video_id: str) -> bytes:
    """Tracks, relations, events, codes, recordings and unknown time of one video.

    Args:
        store: the open store.
        video_id: a video in the store.

    Returns:
        The JSON of :class:`.schemas.timelines.VideoTimeline`. Two hours have tens of thousands of bouts, so they are
        written as they are read: what the store holds was checked when it was published.
    """
    content = store.timeline(video_id)
    seen = store.sightings(video_id)
    for track in content["tracks"]:
        track["visible"] = seen.get(track["track_id"], [])
    record: Any = store.video(video_id)
    duration_s = float(record["duration_s"])
    beside = {
        "detector": record["detector"],
        "min_confidence": shown_from(record),
        "lanes": code_lanes(store.codes(video_id), duration_s=duration_s),
        "recordings": linked_recordings(store, video_id),
        "session": session_of_video(store, video_id),
        "unknown": time_not_known(store, video_id, duration_s=duration_s),
    }
    return to_json({**content, **beside}, inf_nan_mode="null")


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
