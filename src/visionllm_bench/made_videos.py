"""Videos that were never filmed, in a store: their records, and those that are filled from a simulated room's truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.video_record import DetectorRecord, SourceFile, VideoRecord
from visionllm_interaction.store.writer import publish_video
from visionllm_interaction.utils.path_type import StrPath


def made_record(
    video_id: str, *, duration_s: float, fps: float, categories: Sequence[str] = (), **fields: Any
) -> VideoRecord:
    """The record of a video of which no file exists.

    Args:
        video_id: its id in the store.
        duration_s: its length in seconds.
        fps: frames per second; there are ``duration_s * fps`` frames, all processed, unless ``fields`` says otherwise.
        categories: what its detector knows.
        **fields: any other fields of :class:`VideoRecord`, instead of those that are made here.

    Returns:
        The record.

    Raises:
        pydantic.ValidationError: a field has another name, or cannot have this value.
    """
    n_frames = int(fields.get("n_frames", round(duration_s * fps)))
    made = {
        "source": SourceFile(path=f"/videos/{video_id}.mp4", name=f"{video_id}.mp4", sha256="0" * 64, bytes=1),
        "width": 640,
        "height": 480,
        "rotation_deg": 0,
        "time_base": "1/10",
        "container": "mp4",
        "codec": "h264",
        "n_frames": n_frames,
        "n_processed": n_frames,
        "n_detections": 0,
        "n_tracks": 0,
        "view": "room",
        "detector": DetectorRecord(kind="none", name="made", digest="0", categories=tuple(categories)),
        "roles": {},
        "config": {},
        "versions": {},
        "fingerprint": "f",
        "created_at": "2026-01-01T00:00:00+00:00",
    }
    return VideoRecord.model_validate({**made, "video_id": video_id, "duration_s": duration_s, "fps": fps, **fields})


def publish_truth(
    store: StrPath,
    video_id: str,
    truth: Mapping[str, Any],
    *,
    events: bool = True,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Put a video of a simulated room into a store as it truly is, as if a perfect detector had seen it.

    Args:
        store: the store's folder; it is created if it does not exist.
        video_id: the video's id there.
        truth: the content of its truth.json; boxes xyxy in pixels, times in seconds.
        events: whether its events are stored, too.
        config: the settings that the analysis is said to have had.
    """
    times = np.array([frame["timestamp_s"] for frame in truth["frames"]])
    rows = [(index, thing) for index, frame in enumerate(truth["frames"]) for thing in frame["objects"]]
    frame_of_row = np.array([index for index, _ in rows], dtype=np.int64)
    record = made_record(
        video_id,
        duration_s=float(truth["duration_s"]),
        fps=float(truth["fps"]),
        width=int(truth["width"]),
        height=int(truth["height"]),
        n_frames=len(times),
        config=dict(config or {}),
    )
    publish_video(
        store,
        record,
        frames=FrameTable.from_times(np.arange(len(times)), times, processed=np.ones(len(times), dtype=bool)),
        detections=DetectionTable(
            frame_of_row,
            times[frame_of_row],
            np.array([thing["category"] for _, thing in rows], dtype=object),
            np.ones(len(rows), np.float32),
            np.array([thing["box_xyxy"] for _, thing in rows], np.float32).reshape(-1, 4),
            np.array([thing["track_id"] for _, thing in rows], dtype=np.int64),
        ),
        tracks=_tracks(truth),
        relations=[Relation(**relation, confidence=1.0) for relation in truth["relations"]],
        events=[
            Event(f"e{number}", event["kind"], tuple(event["track_ids"]), event["begin_s"], event["end_s"], 1.0)
            for number, event in enumerate(truth["events"] if events else (), start=1)
        ],
    )


def _tracks(truth: Mapping[str, Any]) -> list[Track]:
    """A track of everything that is ever visible, from the frame it is first seen in to the end of the last one."""
    begins = [frame["timestamp_s"] for frame in truth["frames"]]
    ends = [*begins[1:], float(truth["duration_s"])]
    seen: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for index, frame in enumerate(truth["frames"]):
        for thing in frame["objects"]:
            seen.setdefault(thing["track_id"], []).append(index)
            names[thing["track_id"]] = thing["category"]
    return [
        Track(
            track_id,
            names[track_id],
            names[track_id] if names[track_id] in ("child", "caregiver") else None,
            begins[own[0]],
            ends[own[-1]],
            len(own),
            1.0,
        )
        for track_id, own in sorted(seen.items())
    ]
