"""Stores whose paths can be worked out by hand: a ball crosses the image, a child stands still."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.store.video_record import DetectorRecord
from visionllm_interaction.store.writer import publish_video

FRAMES, STEP_S, WIDTH, STEP_PX = 10, 0.1, 200, 10


def make_store(path: Path) -> Path:
    """``room``: ball and child; ``ego``: the same from a head camera; ``blind``: nobody looked for a ball."""
    _publish(path, "room", view="room", with_ball=True)
    _publish(path, "ego", view="ego", with_ball=True)
    _publish(path, "blind", view="room", with_ball=False)
    return path


def _publish(store: Path, video_id: str, *, view: str, with_ball: bool) -> None:
    times = np.arange(FRAMES) * STEP_S
    frames = FrameTable.from_times(np.arange(FRAMES), times, processed=np.ones(FRAMES, bool))
    rows = [(n, "child", 1, (100, 20, 140, 120)) for n in range(FRAMES)]
    if with_ball:
        rows += [(n, "ball", 2, (STEP_PX * n, 100, STEP_PX * n + 20, 120)) for n in range(FRAMES)]
    rows.sort(key=lambda row: row[:1])
    index = np.array([row[0] for row in rows])
    detections = DetectionTable(
        index,
        times[index],
        np.array([row[1] for row in rows], object),
        np.full(len(rows), 0.9, np.float32),
        np.array([row[3] for row in rows], np.float32),
        np.array([row[2] for row in rows]),
    )
    tracks = [Track(1, "child", "child", 0.0, 1.0, FRAMES, 0.9)]
    if with_ball:
        tracks.append(Track(2, "ball", None, 0.0, 1.0, FRAMES, 0.9))
    record = made_record(
        video_id,
        duration_s=FRAMES * STEP_S,
        fps=10.0,
        width=WIDTH,
        height=160,
        n_frames=FRAMES,
        n_detections=len(rows),
        n_tracks=len(tracks),
        view=view,
        detector=DetectorRecord(
            kind="file", name="d.json", digest="0" * 64, categories=("child", "ball") if with_ball else ("child",)
        ),
    )
    publish_video(store, record, frames=frames, detections=detections, tracks=tracks, relations=[], events=[])
