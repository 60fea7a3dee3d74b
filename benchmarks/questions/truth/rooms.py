"""ToyRoom videos, and a store filled straight from their truth, so that only the reading of questions is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from truth.room_truth import RoomTruth
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import DetectorRecord, SourceFile, VideoRecord

# Small and coarse: only the truth is used.
CONFIG = ToyRoomConfig(video_width=160, video_height=120, video_seconds=20.0, fps=10.0)


def make_rooms(folder: Path, *, seed: int, videos: int) -> tuple[Path, list[RoomTruth]]:
    """Make videos and a store of them, or read those that ``folder`` has already."""
    toyroom, store = folder / "toyroom", folder / "store"
    if not toyroom.exists():
        make_toyroom(toyroom, images=0, videos=videos, seed=seed, config=CONFIG)
    truths = [RoomTruth.read(path, path.parent.name) for path in sorted(toyroom.glob("**/truth.json"))]
    truths = truths or [
        RoomTruth.read(path, path.name.removesuffix(".truth.json")) for path in sorted(toyroom.glob("**/*truth*.json"))
    ]
    if not store.exists():
        for truth in truths:
            _publish(store, truth)
    return store, truths


def _publish(store: Path, truth: RoomTruth) -> None:
    times = np.array([begin for begin, _, _ in truth.frames])
    publish_video(
        store,
        _record(truth),
        frames=FrameTable.from_times(np.arange(len(times)), times, processed=np.ones(len(times), dtype=bool)),
        detections=_detections(truth),
        tracks=_tracks(truth),
        relations=[Relation(**relation, confidence=1.0) for relation in truth.content["relations"]],
        events=[
            Event(f"e{n}", e["kind"], tuple(e["track_ids"]), e["begin_s"], e["end_s"], 1.0)
            for n, e in enumerate(truth.content["events"], start=1)
        ],
    )


def _detections(truth: RoomTruth) -> DetectionTable:
    rows = [(i, begin, o) for i, (begin, _, objects) in enumerate(truth.frames) for o in objects]
    return DetectionTable(
        np.array([i for i, _, _ in rows]),
        np.array([begin for _, begin, _ in rows]),
        np.array([o["category"] for _, _, o in rows], dtype=object),
        np.ones(len(rows), np.float32),
        np.array([o["box_xyxy"] for _, _, o in rows], np.float32),
        np.array([o["track_id"] for _, _, o in rows]),
    )


def _tracks(truth: RoomTruth) -> list[Track]:
    out = []
    for track_id, category in sorted(truth.names.items()):
        seen = [(b, e) for b, e, objects in truth.frames if any(o["track_id"] == track_id for o in objects)]
        role = category if category in ("child", "caregiver") else None
        out.append(Track(track_id, category, role, seen[0][0], seen[-1][1], len(seen), 1.0))
    return out


def _record(truth: RoomTruth) -> VideoRecord:
    n = len(truth.frames)
    return VideoRecord(
        video_id=truth.video_id,
        source=SourceFile(path=truth.video_id, name=f"{truth.video_id}.mp4", sha256="0" * 64, bytes=1),
        width=int(truth.content["width"]),
        height=int(truth.content["height"]),
        rotation_deg=0,
        duration_s=truth.duration_s,
        fps=float(truth.content["fps"]),
        time_base="1/10",
        container="mp4",
        codec="h264",
        n_frames=n,
        n_processed=n,
        n_detections=0,
        n_tracks=0,
        view="room",
        detector=DetectorRecord(kind="truth", name="truth", digest="0", categories=()),
        roles={},
        # Place is no part of the truth: without this a store would say that nothing is left of anything.
        config={"scenes": {"relations": {"placement": False}}},
        versions={},
        fingerprint="f",
        created_at="2026-01-01T00:00:00+00:00",
    )
