"""The plain JSON documents of a store, as types: what is in ``video.json`` and what the service sends as a timeline."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


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
    heads: NotRequired[SourceDocument | None]
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


class TimelineDocument(TypedDict):
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
