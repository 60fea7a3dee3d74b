"""``video.json``: the record of a video and of its analysis, as a model and as the plain JSON document that it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from visionllm_interaction.store.layout import RECORD_FILE, check_video_id


class SourceFile(BaseModel):
    """The video file: where it was, its sha256 and size in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    name: str
    sha256: str
    bytes: int


class DetectorRecord(BaseModel):
    """Where the detections came from; ``categories`` are all names it can find, seen or not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["checkpoint", "file", "truth", "none"]
    name: str
    digest: str
    categories: tuple[str, ...]


class RoleGuess(BaseModel):
    """A role guessed from sizes; ``confidence`` is the share of time that speaks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    confidence: float


class SamplingRecord(BaseModel):
    """How densely a video was processed, and what follows from that.

    Attributes:
        step_s: usual time between processed frames.
        expected_errors: predicate (or ``visible``) → relative error to expect of its durations, as measured on
            simulated videos; what is not there was not measured at this rate.
        unknown: predicate or kind of event → why it is not known at this rate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step_s: float
    expected_errors: dict[str, float] = {}
    unknown: dict[str, str] = {}


class WeakSighting(BaseModel):
    """A category with detections of which none became a track.

    Attributes:
        seconds: processed time with at least one detection of it.
        max_confidence: the highest confidence of these detections.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float
    max_confidence: float


class ReturnGuess(BaseModel):
    """A track of somebody who may have been there before: both look alike.

    Attributes:
        track_id: the later track.
        former_track_id: the earlier one.
        begin_s: when the later one begins.
        former_end_s: when the earlier one ends.
        distance: of their looks; 0: equal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    track_id: int
    former_track_id: int
    begin_s: float
    former_end_s: float
    distance: float

    @property
    def away_s(self) -> float:
        """Seconds between them."""
        return self.begin_s - self.former_end_s


class BodiesRecord(BaseModel):
    """What was looked for in the people of a video, and by which models.

    Attributes:
        finds: of ``hands``, ``faces`` and ``pose``.
        models: name of the file → its sha256.
        per_s: at most so many frames a second were looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    finds: tuple[str, ...]
    models: dict[str, str]
    per_s: float | None = None


class VideoRecord(BaseModel):
    """One analysed video. Sizes in pixels, times in seconds.

    Attributes:
        video_id: its id in the store.
        source: the video file.
        width: width of the upright image in square pixels.
        height: height of the upright image in square pixels.
        rotation_deg: counter-clockwise rotation of the stored images, in degrees.
        duration_s: length of the video.
        fps: mean rate of the frames' time stamps; stores from before ``header_fps`` hold the header's here.
        header_fps: frame rate that the header states.
        pixel_aspect: width of a stored pixel over its height, for example ``64/45``.
        stored_width: width of the upright image in stored pixels; None: ``width``.
        stored_height: height of the upright image in stored pixels; None: ``height``.
        mirrored: whether stored images were mirrored left to right before they were turned.
        stream: the file's stream that was analysed, as FFmpeg counts.
        time_base: unit of the file's time stamps.
        container: container format.
        codec: video codec.
        n_frames: number of frames.
        n_processed: number of processed frames.
        n_detections: number of detections.
        n_tracks: number of tracks.
        view: a camera in the room, or one on the head (``ego``).
        detector: where the detections came from.
        roles: name of a category, or track id → role, as given.
        role_proxies: track id → role guessed from sizes.
        roles_estimated: whether roles were estimated from faces, poses and looks (``roles.parquet``); somebody
            without a role is then somebody of whom they say too little.
        heads: the file of head directions; without one *facing* is not known.
        bodies: what was looked for in people; None: nothing, as in stores of before.
        n_untracked: number of detections on no track; None: stores of before do not say.
        sampling: how densely the video was processed; None: stores of before do not say.
        weak: categories that were detected but are on no track.
        returns: people who may have been there before, under another track; stores of before have a note only.
        notes: problems of the file, or unusual events of its analysis.
        config: all settings as resolved; a JSON document.
        algorithms: versions of the analysis and of the detector's runtime; a record without them has the first ones.
        versions: versions of libraries.
        fingerprint: digest of everything that determines the result.
        created_at: when the video was analysed, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    video_id: str
    source: SourceFile
    width: int
    height: int
    rotation_deg: int
    duration_s: float
    fps: float | None
    header_fps: float | None = None
    mirrored: bool = False
    pixel_aspect: str = "1"
    stored_width: int | None = None
    stored_height: int | None = None
    stream: int | None = None
    time_base: str
    container: str
    codec: str
    n_frames: int
    n_processed: int
    n_detections: int
    n_tracks: int
    view: Literal["room", "ego"]
    detector: DetectorRecord
    roles: dict[str, str]
    role_proxies: dict[int, RoleGuess] = {}
    roles_estimated: bool = False
    heads: SourceFile | None = None
    bodies: BodiesRecord | None = None
    n_untracked: int | None = None
    sampling: SamplingRecord | None = None
    weak: dict[str, WeakSighting] = {}
    returns: tuple[ReturnGuess, ...] = ()
    notes: tuple[str, ...] = ()
    config: dict[str, Any]
    algorithms: dict[str, int] = {}
    versions: dict[str, str]
    fingerprint: str
    created_at: str

    @field_validator("video_id")
    @classmethod
    def _id_is_safe(cls, value: str) -> str:
        return check_video_id(value)


def read_record(folder: Path) -> VideoRecord | None:
    """The record in a video's folder, or ``None`` if there is none that can be read."""
    try:
        return VideoRecord.model_validate_json((folder / RECORD_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def make_video_id(path: Path, sha256: str) -> str:
    """A readable, safe id: the file's name and eight digits of its digest."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "video"
    return f"{stem[:80]}-{sha256[:8]}"


class SourceDocument(TypedDict):
    """The video file: where it was, its sha256 and size in bytes."""

    path: str
    name: str
    sha256: str
    bytes: int


class DetectorDocument(TypedDict):
    """Where the detections came from, and all names it can find."""

    kind: str
    name: str
    digest: str
    categories: list[str]


class VideoDocument(TypedDict):
    """``video.json`` as it is in the file; ``VideoRecord`` says what each key means.

    Sizes in pixels, times in seconds. Keys that a store of an earlier version may lack are not required.
    """

    video_id: str
    source: SourceDocument
    width: int
    height: int
    rotation_deg: int
    duration_s: float
    fps: float | None
    header_fps: NotRequired[float | None]
    mirrored: NotRequired[bool]
    pixel_aspect: NotRequired[str]
    stored_width: NotRequired[int | None]
    stored_height: NotRequired[int | None]
    stream: NotRequired[int | None]
    time_base: str
    container: str
    codec: str
    n_frames: int
    n_processed: int
    n_detections: int
    n_tracks: int
    view: Literal["room", "ego"]
    detector: DetectorDocument
    roles: dict[str, str]
    role_proxies: NotRequired[dict[str, dict[str, Any]]]
    roles_estimated: NotRequired[bool]
    heads: NotRequired[SourceDocument | None]
    bodies: NotRequired[dict[str, Any] | None]
    returns: NotRequired[list[dict[str, Any]]]
    notes: NotRequired[list[str]]
    config: dict[str, Any]
    algorithms: NotRequired[dict[str, int]]
    versions: dict[str, str]
    fingerprint: str
    created_at: str


class FrameSpan(TypedDict):
    """First and last frame index (None: no frames), number of frames, and number of processed ones."""

    first: int | None
    last: int | None
    count: int
    processed: int


class TimelineContent(TypedDict):
    """Frames, tracks, relations and events of one video; rows as in ``core.interactions``."""

    video_id: str
    name: str
    width: int
    height: int
    duration_s: float
    frames: FrameSpan
    tracks: list[dict[str, Any]]
    relations: list[dict[str, Any]]
    events: list[dict[str, Any]]
