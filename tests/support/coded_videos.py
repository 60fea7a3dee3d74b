"""A store of one video without people, and codes for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from scenes_builders import FPS, detection_table, frame_table, record

from visionllm_interaction.core.tracks_relations_events import Code, Track
from visionllm_interaction.store.writer import publish_video

Span = tuple[float, float]
_NUMBERS = count()


def code(kind: str, participant: str, label: str, begin_s: float, end_s: float, source: str = "a.csv") -> Code:
    """A code whose tier is called like its kind."""
    return Code(f"{source}#{next(_NUMBERS)}", kind, kind, participant, label, begin_s, end_s, source)


def make_video(store: Path, seen: Mapping[str, Sequence[Span]], video_id: str = "a") -> Path:
    """A video of 20 s at 10 frames a second: category → when it is seen."""
    spans = [
        (track, name, round(begin * FPS), round(end * FPS))
        for track, (name, intervals) in enumerate(seen.items(), start=1)
        for begin, end in intervals
    ]
    tracks = [Track(track, name, None, begin / FPS, end / FPS, end - begin, 0.9) for track, name, begin, end in spans]
    publish_video(
        store,
        record(video_id).model_copy(update={"duration_s": 20.0, "n_frames": 200, "n_processed": 200}),
        frames=frame_table(n=200),
        detections=detection_table(spans),
        tracks=tracks,
        relations=[],
        events=[],
    )
    return store
