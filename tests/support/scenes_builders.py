"""A small store with values that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import VideoRecord

FPS = 10.0


def record(video_id: str, *, fingerprint: str = "f") -> VideoRecord:
    """A video record of 100 frames at 10 fps."""
    return made_record(
        video_id,
        duration_s=10.0,
        fps=FPS,
        categories=("child", "ball", "cup", "car"),
        fingerprint=fingerprint,
    )


def frame_table(*, n: int = 100, unprocessed: tuple[int, ...] = ()) -> FrameTable:
    """``n`` frames at 10 fps."""
    index = np.arange(n)
    return FrameTable.from_times(index, index / FPS, processed=~np.isin(index, unprocessed))


def detection_table(spans: list[tuple[int, str, int, int]]) -> DetectionTable:
    """Detections of ``(track_id, category, first frame, last frame + 1)`` spans; boxes do not matter here."""
    rows = sorted((f, t, c) for t, c, begin, end in spans for f in range(begin, end))
    n = len(rows)
    frames = np.array([r[0] for r in rows])
    return DetectionTable(
        frames,
        frames / FPS,
        np.array([r[2] for r in rows], dtype=object),
        np.full(n, 0.9, np.float32),
        np.tile(np.array([0, 0, 10, 10], np.float32), (n, 1)),
        np.array([r[1] for r in rows]),
    )


SPANS = [
    (1, "child", 10, 40),  # 1.0 to 4.0 s
    (1, "child", 43, 60),  # after a pause of 0.3 s, to 6.0 s
    (1, "child", 70, 80),  # after a pause of 1.0 s, to 8.0 s
    (2, "caregiver", 0, 100),
    (3, "cup", 20, 50),
    (4, "cup", 40, 60),  # two cups at once from 4.0 to 5.0 s
    (5, "cup", 48, 50),  # three at once, but only for 0.2 s
    (-1, "cup", 90, 95),  # on no track: not counted
]
RELATIONS = [
    Relation(1, "near", 2, 1.5, 3.0, 0.9),
    Relation(1, "near", 3, 2.0, 4.0, 0.9),
    Relation(1, "near", 4, 3.5, 5.0, 0.8),  # overlaps the bout with the other cup
    Relation(1, "in_contact", 3, 2.5, 3.0, 0.9),
    Relation(1, "holding", 3, 2.5, 2.8, 0.9),
    Relation(1, "holding", 3, 3.1, 3.5, 0.9),  # a pause of 0.3 s
    Relation(1, "holding", 4, 4.5, 4.9, 0.9),  # a pause of 1.0 s
]


def make_store(store: Path) -> Path:
    """Video ``a`` of the spans and relations above (frames 30 and 31 not processed); ``b`` with one car track."""
    tracks = [
        Track(1, "child", "child", 1.0, 8.0, 57, 0.9),
        Track(2, "caregiver", "caregiver", 0.0, 10.0, 100, 0.9),
        Track(3, "cup", None, 2.0, 5.0, 30, 0.9),
        Track(4, "cup", None, 4.0, 6.0, 20, 0.9),
        Track(5, "cup", None, 4.8, 5.0, 2, 0.9),
    ]
    events = [Event("e1", "picks_up", (1, 3), 2.5, 2.6, 0.9)]
    publish_video(
        store,
        record("a"),
        frames=frame_table(unprocessed=(30, 31)),
        detections=detection_table(SPANS),
        tracks=tracks,
        relations=RELATIONS,
        events=events,
    )
    publish_video(
        store,
        record("b"),
        frames=frame_table(n=50),
        detections=detection_table([(1, "car", 5, 10)]),
        tracks=[Track(1, "car", None, 0.5, 1.0, 5, 0.9)],
        relations=[],
        events=[],
    )
    return store
