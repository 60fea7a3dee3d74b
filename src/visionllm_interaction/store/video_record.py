"""``video.json``: what a video is and how it was analysed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from visionllm_interaction.errors import UsageError

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}\Z")


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


class VideoRecord(BaseModel):
    """One analysed video. Sizes in pixels, times in seconds.

    ``roles`` are those given (names of categories, or track ids); ``role_proxies`` those guessed, by track id.
    ``fps`` is the mean rate of the frames' time stamps, ``header_fps`` what the header states; stores written before
    ``header_fps`` was there hold the header's under ``fps``. Sizes are of the upright images in square pixels;
    ``pixel_aspect`` is the width of a stored pixel over its height (``64/45``), ``stored_width`` and ``stored_height``
    are of the upright image in stored pixels (``None``: the same). Stored images were mirrored left to right if
    ``mirrored``, then turned counter-clockwise by ``rotation_deg``. ``stream`` is the file's stream that was analysed,
    as FFmpeg counts.
    ``heads`` is the file that says where heads are turned; without one *facing* is not known.
    ``notes`` say what was wrong with the file, or out of the ordinary in its analysis. ``algorithms`` are the versions
    of the analysis and of the detector's runtime; a record without them was made with the first ones. ``versions`` are
    those of libraries. ``fingerprint`` is the digest of everything the result follows from.
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
    heads: SourceFile | None = None
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


RECORD_FILE = "video.json"


def read_record(folder: Path) -> VideoRecord | None:
    """The record in a video's folder, or ``None`` if there is none that can be read."""
    try:
        return VideoRecord.model_validate_json((folder / RECORD_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def check_video_id(video_id: str) -> str:
    """Return ``video_id`` if it is safe as a folder name.

    Raises:
        UsageError: otherwise; ids are 1-120 letters, digits, dots, dashes, underscores, starting with letter or digit.
    """
    if _SAFE_ID.match(video_id):
        return video_id
    raise UsageError(
        "A video id cannot be used.",
        expected="1 to 120 letters, digits, '.', '_' or '-', beginning with a letter or digit",
        found=repr(video_id[:200]),
    )


def make_video_id(path: Path, sha256: str) -> str:
    """A readable, safe id: the file's name and eight digits of its digest."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "video"
    return f"{stem[:80]}-{sha256[:8]}"
