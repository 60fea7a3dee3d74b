"""What the service answers, as typed objects. Members that a newer service adds are left out."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import ConfigDict, Field

from visionllm_interaction.utils.schema_from_docstrings import DescribedModel


class _Remote(DescribedModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RemoteJob(_Remote):
    """The analysis or an export of one video."""

    job_id: str
    kind: Literal["analysis", "export"] = "analysis"
    video_id: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    attempts: int = 0
    progress: float | None = None
    """Share of the frames that are processed, in [0, 1]."""
    seconds_left: float | None = None
    options: dict[str, Any] | None = None
    """What an export writes, and how."""
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    """`message`, `expected`, `found` and `fix` of a job that failed."""

    @property
    def has_ended(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.status not in ("queued", "running")


class RemoteProject(_Remote):
    """A project of the service: its rules, and how many of its videos are due or without consent."""

    project: str
    consent_required: bool
    retain_until: date | None = None
    """The last day on which its videos may be kept."""
    erase_when_due: bool = False
    videos: int
    due: int
    """Number of videos that should have been erased."""
    consents: dict[str, int]
    """Number of videos by the state of their consent: `given`, `withdrawn`, `not recorded`."""


class RemoteConsent(_Remote):
    """The consent for one video."""

    video_id: str
    state: Literal["given", "withdrawn", "not recorded"]
    child: str | None = None
    sessions: list[str] = Field(default=[])
    required: bool
    may_be_exported: bool


class RemoteConsents(_Remote):
    """Who consented in a project."""

    videos: list[RemoteConsent]
    records: list[dict[str, Any]]
    """`about`, `name`, `state`, `who`, `at` and `note` of each record, oldest first."""
    concerned: int | None = None
    """Number of videos that a new record is about: 0 for a name that nothing has, which is likely a mistake."""


class RemoteVideo(_Remote):
    """One video of the service."""

    video_id: str
    analysed: bool
    playable: bool
    damaged: str | None = None
    """Why it cannot be read from the store; None where it can."""
    project: str | None = None
    name: str | None = None
    uploaded_at: str | None = None
    analysed_at: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    view: Literal["room", "ego"] | None = None
    tracks: int | None = None
    covariates: dict[str, float | str] = Field(default={})
    """`child`, `age_months`, `group`, `camera`, `light`, `recorded_on` and others."""
    registered: bool = False
    """Whether the file lies in a folder of the service's machine."""
    job: RemoteJob | None = None


class RemoteRefusal(_Remote):
    """A file that was not registered, and why."""

    name: str
    reason: str


class RemoteRegistration(_Remote):
    """What became of the files of a folder."""

    jobs: list[RemoteJob]
    refused: list[RemoteRefusal]
    left: int
    """Number of files that were not looked at yet."""


class RemoteTrack(_Remote):
    """One object followed through a video."""

    track_id: int
    category: str
    role: str | None
    begin_s: float
    end_s: float
    n_detections: int
    mean_confidence: float
    visible: list[tuple[float, float]] = Field(default=[])
    """Intervals `[begin_s, end_s)` in which it is detected."""


class RemoteRelation(_Remote):
    """One bout of a relation, `[begin_s, end_s)`."""

    subject_track_id: int
    predicate: str
    object_track_id: int
    begin_s: float
    end_s: float
    confidence: float


class RemoteEvent(_Remote):
    """An event at a time."""

    event_id: str
    kind: str
    track_ids: list[int]
    begin_s: float
    end_s: float
    confidence: float


class RemoteTimeline(_Remote):
    """Tracks, relations, events and coded lanes of one video, on its own clock in seconds."""

    video_id: str
    name: str
    width: int
    height: int
    duration_s: float
    tracks: list[RemoteTrack]
    relations: list[RemoteRelation]
    events: list[RemoteEvent]
    lanes: list[dict[str, Any]] = Field(default=[])


class RemoteDetection(_Remote):
    """One object in an image."""

    category: str
    category_id: int
    confidence: float
    box_xyxy: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the image, x to the right, y down."""


class RemoteDetections(_Remote):
    """The objects in one image, highest confidence first."""

    width: int
    height: int
    detections: list[RemoteDetection]
    seconds: float


class RemoteValue(_Remote):
    """One value of a measure."""

    video_id: str
    subject: str | None
    object: str | None
    predicate: str | None
    value: float | None
    unit: str | None
    processed_s: float | None
    begin_s: float | None
    end_s: float | None
    bin_begin_s: float | None
    bin_end_s: float | None
    missing: str | None
    """Why there can be no value; None where nothing was found."""
    basis: str | None
    values: str | None = None
    corrected: float | None
    corrected_low: float | None
    corrected_high: float | None


class RemoteCorrection(_Remote):
    """One correction of a video, and what became of it."""

    id: int
    kind: str
    action: str
    target: dict[str, Any]
    old: dict[str, Any]
    new: dict[str, Any]
    who: str
    made_at: str
    undone_by: int | None
    state: str
    reason: str | None


class RemoteCorrections(_Remote):
    """The corrections of a video, oldest first; ``revision`` names this state of them."""

    video_id: str
    revision: str
    corrections: list[RemoteCorrection]
    orphaned: list[int]


class RemoteMeasures(_Remote):
    """The values of one measure."""

    measure: dict[str, str]
    """Its name, definition, unit and source."""
    rows: list[RemoteValue]
    command: str
    """The command that computes the table anew."""
