"""The timeline of a video: tracks, relations, events, coded lanes, and what is not known."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from visionllm_interaction.server.schemas.frozen_model import FrozenModel


class VisibleTrack(FrozenModel):
    """One object followed through the video."""

    track_id: int
    category: str
    role: str | None
    begin_s: float
    end_s: float
    n_detections: int
    mean_confidence: float
    visible: list[tuple[float, float]] = Field(default=[])
    """Intervals `[begin_s, end_s)` of consecutive processed frames in which it is detected."""


class RelationBout(FrozenModel):
    """One bout of a relation, `[begin_s, end_s)`."""

    subject_track_id: int
    predicate: str
    object_track_id: int
    begin_s: float
    end_s: float
    confidence: float


class VideoEvent(FrozenModel):
    """An event at a time."""

    event_id: str
    kind: str
    track_ids: list[int]
    begin_s: float
    end_s: float
    confidence: float


class DetectorUsed(FrozenModel):
    """The source of the detections; `categories` are all names that it can detect."""

    kind: Literal["checkpoint", "file", "truth", "none"]
    name: str
    digest: str
    categories: list[str]


class LaneInterval(FrozenModel):
    """One coded interval, `[begin_s, end_s)`; both are equal for a moment."""

    begin_s: float
    end_s: float
    label: str


class CodeLane(FrozenModel):
    """What was coded of somebody: looks, speech, names or a tier."""

    kind: str
    """`gaze`, `speech`, `naming`, `word` or `code`."""
    tier: str
    participant: str
    intervals: list[LaneInterval]
    uncoded: list[tuple[float, float]]
    """Time of which nothing is known, because it was not coded, or the eyes were lost; empty where no file says so."""


class LinkedRecording(FrozenModel):
    """Sound, a tracker, another camera or a coded file beside the video."""

    name: str
    kind: Literal["video", "audio", "tracker", "codes"]
    offset_s: float
    """Second of the video at which its own clock shows 0."""
    drift_ppm: float
    known_by: str
    residual_s: float | None


class SessionPlace(FrozenModel):
    """One video of the session, on the session's clock."""

    video_id: str
    name: str
    camera: str | None
    begin_s: float
    end_s: float


class VideoSession(FrozenModel):
    """The session that the video is part of."""

    session: str
    offset_s: float
    """Second of the session at which the video's clock shows 0."""
    videos: list[SessionPlace]


class PoorTime(FrozenModel):
    """Time of which less is known than of the rest, for one reason."""

    reason: Literal["not_processed", "dark", "blurred", "moving_camera", "small", "edge"]
    """`not_processed`: no frame stands for it, so nothing is known; the others are the flags of `poor_quality`."""
    intervals: list[tuple[float, float]]
    """`[begin_s, end_s)`, disjoint and in order."""
    seconds: float
    """Their length in all."""


class TimeNotKnown(FrozenModel):
    """What the analysis does not know of a video, or knows less well."""

    quality_measured: bool
    """Whether light, blur and motion were looked at; if not, nothing can be said of them."""
    poor: list[PoorTime]
    """By reason; reasons that never hold are left out."""


class VideoTimeline(FrozenModel):
    """Tracks, relations, events, codes and recordings of one video. Times are seconds of its own time stamps."""

    video_id: str
    name: str
    width: int
    height: int
    duration_s: float
    frames: dict[str, int | None]
    """Index of the first and last frame, number of frames, number of processed frames."""
    detector: DetectorUsed
    min_confidence: float = 0.0
    """Detections on no track are worth drawing from this confidence on: tracks of the analysis begin with it."""
    tracks: list[VisibleTrack]
    relations: list[RelationBout]
    events: list[VideoEvent]
    lanes: list[CodeLane] = Field(default=[])
    recordings: list[LinkedRecording] = Field(default=[])
    session: VideoSession | None = None
    unknown: TimeNotKnown
