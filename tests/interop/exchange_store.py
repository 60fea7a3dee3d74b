"""A store with one video: a child, in view twice, and a cup, which it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import VideoRecord

SEEN = ((1, "child", 10, 50), (1, "child", 60, 100), (2, "cup", 20, 50))


def make_store(path: Path) -> Path:
    """100 frames at 10 a second, of which 30 and 31 were not looked at; boxes of 10 × 10 pixels at the origin."""
    index = np.arange(100)
    rows = sorted((f, t, c) for t, c, begin, end in SEEN for f in range(begin, end))
    in_frame = np.array([row[0] for row in rows])
    publish_video(
        path,
        make_record(),
        frames=FrameTable.from_times(index, index / 10, processed=~np.isin(index, (30, 31))),
        detections=DetectionTable(
            in_frame,
            in_frame / 10,
            np.array([row[2] for row in rows], dtype=object),
            np.full(len(rows), 0.9, np.float32),
            np.tile(np.array([0, 0, 10, 10], np.float32), (len(rows), 1)),
            np.array([row[1] for row in rows]),
        ),
        tracks=[Track(1, "child", "child", 1.0, 10.0, 80, 0.9), Track(2, "cup", None, 2.0, 5.0, 30, 0.9)],
        relations=[
            Relation(1, "near", 2, 2.0, 5.0, 0.9),
            Relation(1, "in_contact", 2, 2.5, 3.0, 0.9),
            Relation(1, "holding", 2, 2.5, 5.0, 0.9),
        ],
        events=[Event("e1", "picks_up", (1, 2), 2.5, 2.5, 0.9), Event("e2", "puts_down", (1, 2), 5.0, 5.0, 0.9)],
    )
    return path


def make_record() -> VideoRecord:
    """The record of the video ``a``."""
    return made_record(
        "a",
        duration_s=10.0,
        fps=10.0,
        categories=("child", "cup"),
        n_processed=98,
        n_detections=110,
        n_tracks=2,
    )
