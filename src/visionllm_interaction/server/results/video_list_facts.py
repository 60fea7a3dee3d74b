"""Facts about the videos of the store for lists of them, read once per video."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.store.covariates import COVARIATES_FILE, read_covariates
from visionllm_interaction.store.layout import RECORD_FILE


@dataclass(frozen=True)
class StoredVideo:
    """What the record of an analysed video says.

    Attributes:
        video_id: its id.
        name: name of the file that was analysed.
        path: where the file was.
        file_bytes: its size.
        width: in pixels, upright.
        height: in pixels, upright.
        duration_s: length in seconds.
        view: a camera in the room, or one on the head (``ego``).
        container: container format, as FFmpeg names it.
        codec: video codec, as FFmpeg names it.
        analysed_at: when it was analysed, ISO 8601, UTC.
        n_tracks: number of tracks.
        min_confidence: tracks were begun by detections of at least this confidence; 0 where nothing says.
    """

    video_id: str
    name: str
    path: Path
    file_bytes: int
    width: int
    height: int
    duration_s: float
    view: Literal["room", "ego"] | None
    container: str
    codec: str
    analysed_at: str | None
    n_tracks: int
    min_confidence: float

    @classmethod
    def of(cls, record: dict[str, Any]) -> StoredVideo:
        """The facts in a ``video.json``."""
        source = record["source"]
        view = record.get("view")
        return cls(
            video_id=record["video_id"],
            name=str(source["name"]),
            path=Path(source["path"]),
            file_bytes=int(source["bytes"]),
            width=int(record["width"]),
            height=int(record["height"]),
            duration_s=float(record["duration_s"]),
            view=cast("Literal['room', 'ego']", view) if view in ("room", "ego") else None,
            container=str(record.get("container") or ""),
            codec=str(record.get("codec") or ""),
            analysed_at=record.get("created_at"),
            n_tracks=int(record.get("n_tracks") or 0),
            min_confidence=shown_from(record),
        )


def shown_from(record: dict[str, Any]) -> float:
    """The confidence from which a detection on no track is worth drawing: what tracks of the analysis begin with."""
    track = record.get("config", {})
    for part in ("video", "track"):
        track = track.get(part, {}) if isinstance(track, dict) else {}
    confidence = track.get("high_confidence", 0.0) if isinstance(track, dict) else 0.0
    detected = record.get("detector", {}).get("kind") == "checkpoint"
    return float(confidence) if detected and isinstance(confidence, int | float) else 0.0


class StoredVideos:
    """The records of a store, each read when it is new or was replaced.

    Args:
        store: the store's folder.
    """

    def __init__(self, store: Path) -> None:
        self._folder = store / "videos"
        self._store = store
        self._known: dict[str, tuple[int, StoredVideo]] = {}
        self._covariates: dict[str, tuple[int, dict[str, float | str]]] = {}

    def get(self, video_id: str) -> StoredVideo | None:
        """The facts of one video; None if its record is missing or damaged."""
        path = self._folder / video_id / RECORD_FILE
        try:
            written = path.stat().st_mtime_ns
            known = self._known.get(video_id)
            if known is None or known[0] != written:
                known = (written, StoredVideo.of(json.loads(path.read_bytes())))
                self._known[video_id] = known
        except (OSError, ValueError, KeyError, TypeError):
            self._known.pop(video_id, None)
            return None
        return known[1]

    def covariates(self, video_id: str) -> dict[str, float | str]:
        """The covariates of one video by name; none where none were set, or their file is damaged."""
        path = self._folder / video_id / COVARIATES_FILE
        try:
            written = path.stat().st_mtime_ns
            known = self._covariates.get(video_id)
            if known is None or known[0] != written:
                found = read_covariates(self._store, video_id)
                known = (written, found.values() if found else {})
                self._covariates[video_id] = known
        except (OSError, VisionLLMError):
            self._covariates.pop(video_id, None)
            return {}
        return known[1]
