"""The store's rows of one video in the shapes the interface gives."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from visionllm_interaction.scenes.store import Store
from visionllm_interaction.serve.problems import refusal
from visionllm_interaction.serve.schemas import DetectionColumns, Timeline

_COLUMNS = ("frame_index", "timestamp_s", "track_id", "category", "confidence", "x1", "y1", "x2", "y2", "interpolated")


def read_timeline(store: Store, video_id: str) -> Timeline:
    """Tracks, relations and events of one video."""
    detector = store.video(video_id)["detector"]
    return Timeline.model_validate({**store.timeline(video_id), "detector": detector})


def read_detections(
    store: Store, video_id: str, *, begin_s: float, end_s: float | None, max_rows: int
) -> DetectionColumns:
    """Detections with ``begin_s`` ≤ time < ``end_s``.

    Raises:
        HTTPException: 413 if they are more than ``max_rows``.
    """
    rows = _window(store.detections(video_id), begin_s, end_s)
    if rows.num_rows > max_rows:
        raise refusal(
            413,
            "The window holds too many detections.",
            code="TOO-MANY-ROWS",
            expected=f"at most {max_rows}",
            found=str(rows.num_rows),
            fix="ask for a shorter window with begin_s and end_s",
        )
    frames = _window(store.frames(video_id), begin_s, end_s)
    looked_at = frames.filter(frames["processed"])
    columns = {name: rows[name].to_pylist() for name in _COLUMNS}
    return DetectionColumns(video_id=video_id, processed_s=looked_at["timestamp_s"].to_pylist(), **columns)


def _window(table: Any, begin_s: float, end_s: float | None) -> Any:
    keep = pc.greater_equal(table["timestamp_s"], begin_s)
    if end_s is not None:
        keep = pc.and_(keep, pc.less(table["timestamp_s"], end_s))
    return table.filter(keep)
