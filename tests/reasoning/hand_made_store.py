"""A store of two ToyRoom-like videos whose every measure can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import VideoRecord

FPS = 10.0
NAMES = ("child", "caregiver", "ball", "book", "cup", "teddy bear", "car", "block")

# (track_id, category, begin_s, end_s), half-open
FIRST_SPANS = [
    (1, "child", 1.0, 15.0),
    (2, "caregiver", 5.0, 18.0),
    (3, "ball", 0.0, 4.0),
    (3, "ball", 6.0, 12.0),  # after a pause of 2 s
    (4, "book", 2.0, 3.0),
    (5, "cup", 8.0, 14.0),
    (6, "teddy bear", 0.0, 20.0),
    (7, "car", 0.0, 5.0),
    (8, "car", 3.0, 9.0),  # two cars at once for 2 s
    (9, "block", 0.0, 20.0),
    (10, "block", 0.0, 20.0),
    (11, "block", 10.0, 20.0),
]
FIRST_RELATIONS = [
    Relation(1, "near", 2, 6.0, 9.0, 0.9),
    Relation(1, "near", 2, 11.0, 12.0, 0.9),
    Relation(1, "near", 3, 1.5, 4.0, 0.9),
    Relation(1, "in_contact", 3, 2.0, 3.5, 0.9),
    Relation(1, "in_contact", 3, 7.0, 7.4, 0.9),
    Relation(1, "holding", 5, 9.0, 10.0, 0.9),
    Relation(1, "holding", 5, 11.0, 13.5, 0.9),
    Relation(1, "holding", 4, 2.2, 2.9, 0.9),
]
SECOND_SPANS = [(1, "child", 0.0, 10.0), (2, "ball", 4.0, 6.0), (3, "caregiver", 8.0, 10.0)]


def _record(video_id: str, duration_s: float, names: Sequence[str]) -> VideoRecord:
    return made_record(
        video_id,
        duration_s=duration_s,
        fps=FPS,
        categories=tuple(names),
        n_frames=int(duration_s * FPS),
    )


def _detections(spans: Sequence[tuple[int, str, float, float]]) -> DetectionTable:
    rows = sorted((f, t, c) for t, c, begin, end in spans for f in range(round(begin * FPS), round(end * FPS)))
    frames = np.array([row[0] for row in rows])
    return DetectionTable(
        frames,
        frames / FPS,
        np.array([row[2] for row in rows], dtype=object),
        np.full(len(rows), 0.9, np.float32),
        np.tile(np.array([0, 0, 10, 10], np.float32), (len(rows), 1)),
        np.array([row[1] for row in rows]),
    )


def _tracks(spans: Sequence[tuple[int, str, float, float]]) -> list[Track]:
    tracks = []
    for track_id in dict.fromkeys(span[0] for span in spans):
        own = [span for span in spans if span[0] == track_id]
        category = own[0][1]
        role = category if category in ("child", "caregiver") else None
        tracks.append(Track(track_id, category, role, own[0][2], own[-1][3], 1, 0.9))
    return tracks


def publish(
    store: Path,
    video_id: str,
    *,
    duration_s: float,
    spans: Sequence[tuple[int, str, float, float]],
    relations: Sequence[Relation] = (),
    names: Sequence[str] = NAMES,
    events: Sequence[Event] = (),
) -> None:
    index = np.arange(int(duration_s * FPS))
    publish_video(
        store,
        _record(video_id, duration_s, names),
        frames=FrameTable.from_times(index, index / FPS, processed=np.ones(len(index), dtype=bool)),
        detections=_detections(spans),
        tracks=_tracks(spans),
        relations=list(relations),
        events=list(events),
    )
