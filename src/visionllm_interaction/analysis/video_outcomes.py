"""What became of the videos of an analysis."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class VideoResult:
    """The result of one video.

    Attributes:
        video_id: its id in the store; ``None`` if it failed and none was given.
        path: the video file.
        status: ``"done"``, ``"up_to_date"`` or ``"failed"``.
        frames: how many the file has.
        processed: how many of them were processed.
        detections: how many boxes were found.
        tracks: how many people and objects they belong to.
        untracked: how many of the boxes are on no track.
        seconds: how long it took.
        reason: why it failed.
        changed: why a video that was in the store was analysed again.
        notes: irregularities of the file or of its analysis.
    """

    video_id: str | None
    path: Path
    status: Literal["done", "up_to_date", "failed"]
    frames: int = 0
    processed: int = 0
    detections: int = 0
    tracks: int = 0
    untracked: int = 0
    seconds: float = 0.0
    reason: str | None = None
    changed: str | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The video's part of the JSON of ``visionllm analyze``; empty optional fields are omitted."""
        content = {**asdict(self), "path": str(self.path), "notes": list(self.notes)}
        optional = ("reason", "changed", "notes")
        return {name: value for name, value in content.items() if value or name not in optional}

    def __str__(self) -> str:
        content = self.reason or f"{self.processed} frames, {self.tracks} tracks in {self.seconds:.1f} s"
        return f"{self.status:<10} {self.path}: {content}"


@dataclass(frozen=True)
class AnalysisResult:
    """The results of one analysis.

    Attributes:
        store: the store's folder, or its address in an object store.
        videos: one for each video, in the order they were named.
    """

    store: Path | str
    videos: tuple[VideoResult, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm analyze``."""
        return {"store": str(self.store), "videos": [video.to_dict() for video in self.videos]}

    def to_pandas(self) -> pd.DataFrame:
        """One row for each video; needs pandas."""
        import pandas as pd

        return pd.DataFrame([video.to_dict() for video in self.videos])

    def __repr__(self) -> str:
        lines = "".join(f"\n  {video}" for video in self.videos)
        return f"<{len(self.videos)} video{'' if len(self.videos) == 1 else 's'} in {self.store}>{lines}"
