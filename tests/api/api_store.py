"""A store of one video: a child, a caregiver near it for a while, and a ball that comes late."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.video_record import DetectorRecord, SourceFile
from visionllm_interaction.store.writer import prepare_store, publish_video

VIDEO = "front-00000000"
STEP_S = 0.1
FRAMES = 10


def make_api_store(path: Path) -> Path:
    """A new store at ``path``; the last of its ten frames was not processed."""
    prepare_store(path)
    processed = np.arange(FRAMES) < FRAMES - 1
    times = np.arange(FRAMES) * STEP_S
    frames = FrameTable(np.arange(FRAMES), times, np.full(FRAMES, STEP_S), processed, np.full(FRAMES, "ok", object))
    rows = [(f, "child", 1, (50, 60, 70, 120)) for f in range(9)]
    rows += [(f, "adult", 2, (80, 20, 120, 140)) for f in range(9)]
    rows += [(f, "ball", 3, (10, 10, 20, 20)) for f in range(4, 9)]
    rows.sort(key=lambda row: row[0])
    index = np.array([row[0] for row in rows])
    detections = DetectionTable(
        index,
        times[index],
        np.array([row[1] for row in rows], object),
        np.full(len(rows), 0.9, np.float32),
        np.array([row[3] for row in rows], np.float32),
        np.array([row[2] for row in rows]),
    )
    tracks = [
        Track(1, "child", "child", 0.0, 0.9, 9, 0.9),
        Track(2, "adult", "caregiver", 0.0, 0.9, 9, 0.9),
        Track(3, "ball", None, 0.4, 0.9, 5, 0.9),
    ]
    record = made_record(
        VIDEO,
        duration_s=FRAMES * STEP_S,
        fps=10.0,
        source=SourceFile(path="/videos/fr<ont>.mp4", name="fr<ont>.mp4", sha256="0" * 64, bytes=1),
        width=160,
        height=160,
        n_frames=FRAMES,
        n_processed=FRAMES - 1,
        n_detections=len(rows),
        n_tracks=3,
        detector=DetectorRecord(kind="file", name="d.json", digest="0" * 64, categories=("child", "adult", "ball")),
        roles={"adult": "caregiver"},
    )
    publish_video(
        path,
        record,
        frames=frames,
        detections=detections,
        tracks=tracks,
        relations=[Relation(1, "near", 2, 0.2, 0.8, 1.0)],
        events=[Event("e1", "approaches", (1, 2), 0.1, 0.2, 1.0)],
    )
    return path
