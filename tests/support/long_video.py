"""A video of two hours with 200 tracks in a store, made without a film: coming and going at random."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.store.reader import write_codes
from visionllm_interaction.store.video_record import SourceFile, VideoRecord
from visionllm_interaction.store.writer import prepare_store, publish_video

FPS = 5.0
THINGS = ("ball", "cup", "car", "book", "doll", "block")
SECONDS_IN_VIEW = 20.0


def publish_long_video(
    store: Path, video_id: str, *, hours: float = 2.0, tracks: int = 200, name: str = "", names: list[str] | None = None
) -> None:
    """Publish the video: two people and things that come and go, their relations, events and codes."""
    rng = np.random.default_rng(0)
    length_s = hours * 3600
    n = round(length_s * FPS)
    frames = FrameTable.from_times(np.arange(n), np.arange(n) / FPS, processed=np.ones(n, bool))
    names = names or ["child", "caregiver", *(THINGS[one % len(THINGS)] for one in range(tracks - 2))]
    detections = _detections(frames, names, rng)
    prepare_store(store)
    publish_video(
        store,
        _record(video_id, name or f"{video_id}.mp4", names, n=n, length_s=length_s, detections=len(detections)),
        frames=frames,
        detections=detections,
        tracks=[Track(one, what, None, 0.0, length_s, n // 10, 0.9) for one, what in enumerate(names, start=1)],
        relations=list(_relations(names, length_s, rng)),
        events=list(_events(length_s, rng)),
    )
    write_codes(store, video_id, list(_codes(length_s, rng)))


def _detections(frames: FrameTable, names: list[str], rng: np.random.Generator) -> DetectionTable:
    """Each track is in view for about 20 s, then for nine times as long not."""
    rows, tracks = [], []
    for track in range(len(names)):
        lengths = rng.geometric(1 / (SECONDS_IN_VIEW * FPS), 4000)
        lengths[1::2] *= 9
        edges = np.cumsum(lengths)
        seen = np.flatnonzero(np.searchsorted(edges, np.arange(len(frames)), side="right") % 2 == 0)
        rows.append(seen)
        tracks.append(np.full(len(seen), track))
    order = np.argsort(np.concatenate(rows), kind="stable")
    row, track = np.concatenate(rows)[order], np.concatenate(tracks)[order]
    corner = rng.uniform((0, 0), (500, 380), (len(row), 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 140, (len(row), 2))], axis=1).astype(np.float32)
    confidences = rng.uniform(0.5, 1.0, len(row)).astype(np.float32)
    return DetectionTable(
        row, frames.timestamp_s[row], np.array(names, dtype=object)[track], confidences, boxes, track + 1
    )


def _relations(names: list[str], length_s: float, rng: np.random.Generator) -> Iterator[Relation]:
    for other in range(3, len(names) + 1):
        for predicate, every_s in (("near", 120), ("in_contact", 240), ("holding", 480)):
            count = max(1, int(length_s / every_s))
            places = np.sort(rng.choice(int(length_s / 10), count, replace=False)) * 10.0  # one bout in ten seconds
            for begin in places.tolist():
                yield Relation(1, predicate, other, begin, begin + float(rng.uniform(0.5, 9.0)), 0.9)


def _events(length_s: float, rng: np.random.Generator) -> Iterator[Event]:
    for number, begin in enumerate(np.sort(rng.uniform(1, length_s, max(5, int(length_s / 9)))).tolist()):
        yield Event(f"e{number}", ("picks_up", "puts_down")[number % 2], (1, 3), begin, begin, 0.9)


def _codes(length_s: float, rng: np.random.Generator) -> Iterator[Code]:
    for number, begin in enumerate(np.sort(rng.uniform(0, length_s, max(4, int(length_s / 2)))).tolist()):
        kind, label = (("speech", "words"), ("gaze", "ball"))[number % 2]
        yield Code(f"c{number}", kind, kind, "child", label, begin, begin + 1.0, "made.eaf")


def _record(video_id: str, name: str, names: list[str], *, n: int, length_s: float, detections: int) -> VideoRecord:
    return made_record(
        video_id,
        duration_s=length_s,
        fps=FPS,
        categories=tuple(sorted(set(names))),
        source=SourceFile(path=f"/{video_id}.mp4", name=name, sha256="0" * 64, bytes=1),
        time_base="1/5",
        container="mov",
        n_frames=n,
        n_detections=detections,
        n_tracks=len(names),
        fingerprint="made",
    )
