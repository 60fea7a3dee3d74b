"""A store in memory, whose timelines are whole milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Span = tuple[int, int]
NAMES = ("child", "caregiver", "ball", "cup")
"""The categories of the tracks 1, 2, 3 and 4."""


@dataclass
class Timeline:
    """One video, in milliseconds.

    Attributes:
        processed: what was processed.
        seen: track → when it is seen, disjoint.
        related: (predicate, person's track, other track) → when, disjoint.
        events: kind, tracks and time of each event.
        speech: participant, begin and end of each utterance.
        coded: the time in which speech was coded; empty: the file does not say.
    """

    processed: list[Span]
    seen: dict[int, list[Span]] = field(default_factory=dict)
    related: dict[tuple[str, int, int], list[Span]] = field(default_factory=dict)
    events: list[tuple[str, tuple[int, ...], int]] = field(default_factory=list)
    speech: list[tuple[str, int, int]] = field(default_factory=list)
    coded: list[Span] = field(default_factory=list)


class MemoryStore:
    """Answers what expressions ask of a store.

    Args:
        videos: timelines by video id.
    """

    has_sessions = False
    path = Path("nowhere: kept in memory")

    def __init__(self, videos: Mapping[str, Timeline]) -> None:
        self.videos = dict(sorted(videos.items()))

    def video_ids(self) -> list[str]:
        return list(self.videos)

    def video(self, video_id: str) -> dict[str, Any]:
        detector = {"kind": "truth", "categories": list(NAMES)}
        source = {"name": f"{video_id}.mp4"}
        return {"detector": detector, "width": 64, "height": 48, "n_detections": 0, "source": source}

    def values_of(self, video_ids: Iterable[str] | None = None) -> str:
        return "detected"

    def read_columns(
        self, video_id: str, name: str, columns: Sequence[str], *, encode: Callable[..., Any] | None = None
    ) -> dict[str, Any]:
        rows = getattr(self, f"_{name}")(self.videos[video_id])
        found: dict[str, Any] = {}
        for column in columns:
            values = [row[column] for row in rows]
            if column in ("category", "role", "predicate", "kind", "tier", "participant", "label", "source", "posture"):
                assert encode is not None
                found[column] = encode(values)
            elif column == "track_ids":
                found[column] = np.array([number for value in values for number in value], dtype=np.int64)
                found["track_ids:length"] = np.array([len(value) for value in values], dtype=np.int64)
            else:
                found[column] = np.array(values, dtype=np.float64 if column.endswith("_s") else np.int64)
        return found

    def words(self, video_id: str, name: str, columns: Sequence[str]) -> set[str]:
        return {str(row[c]) for row in getattr(self, f"_{name}")(self.videos[video_id]) for c in columns if row[c]}

    def _detections(self, video: Timeline) -> list[dict[str, Any]]:
        return []

    def _quality(self, video: Timeline) -> list[dict[str, Any]]:
        return []

    def _postures(self, video: Timeline) -> list[dict[str, Any]]:
        return []

    def _frames(self, video: Timeline) -> list[dict[str, Any]]:
        return [
            {"frame_index": n, "timestamp_s": b / 1000, "duration_s": (e - b) / 1000, "processed": 1}
            for n, (b, e) in enumerate(video.processed)
        ]

    def _tracks(self, video: Timeline) -> list[dict[str, Any]]:
        return [
            {"track_id": n, "category": name, "role": None, "begin_s": 0.0, "end_s": 9.0}
            for n, name in enumerate(NAMES, start=1)
        ]

    def _sightings(self, video: Timeline) -> list[dict[str, Any]]:
        return [
            {"track_id": track, "begin_s": b / 1000, "end_s": e / 1000}
            for track, spans in video.seen.items()
            for b, e in spans
        ]

    def _relations(self, video: Timeline) -> list[dict[str, Any]]:
        return [
            {
                "subject_track_id": one,
                "predicate": predicate,
                "object_track_id": other,
                "begin_s": b / 1000,
                "end_s": e / 1000,
            }
            for (predicate, one, other), spans in video.related.items()
            for b, e in spans
        ]

    def _events(self, video: Timeline) -> list[dict[str, Any]]:
        return [
            {"kind": kind, "track_ids": tracks, "begin_s": at / 1000, "end_s": at / 1000}
            for kind, tracks, at in video.events
        ]

    def _codes(self, video: Timeline) -> list[dict[str, Any]]:
        said = [("words", "speech", who, "da", b, e) for who, b, e in video.speech]
        said += [("coded", "coded", "", "", b, e) for b, e in video.coded]
        return [
            {
                "tier": tier,
                "kind": kind,
                "participant": who,
                "label": label,
                "begin_s": b / 1000,
                "end_s": e / 1000,
                "source": "words.eaf",
            }
            for tier, kind, who, label, b, e in said
        ]
