"""Requests and responses of the API as models, from which the OpenAPI document is made."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from visionllm_interaction.server.auth.roles import PROJECT_PATTERN
from visionllm_interaction.server.jobs.exports import ExportOptions
from visionllm_interaction.server.jobs.previews import browser_plays
from visionllm_interaction.server.jobs.queue import JobRecord
from visionllm_interaction.server.jobs.uploads import JobOptions
from visionllm_interaction.server.video_state import VideoState
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel

MAX_TURNS = 50
"""Most earlier questions that a question may lean on."""


class _Model(DescribedModel):
    model_config = ConfigDict(frozen=True)


class DetectedObject(_Model):
    """One detection."""

    category: str
    """Name of the category."""
    category_id: int
    """The category's id in the annotations the detector was trained with (COCO's, sparse)."""
    confidence: float
    """In [0, 1]."""
    box_xyxy: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the image, x to the right, y down."""


class DetectResult(_Model):
    """Detections of one image, highest confidence first."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "width": 640,
                "height": 480,
                "detections": [
                    {
                        "category": "child",
                        "category_id": 1,
                        "confidence": 0.98,
                        "box_xyxy": [102.4, 80.0, 250.1, 430.7],
                    }
                ],
                "model": {"name": "fasterrcnn_best.pt", "sha256": "9f2c…"},
                "seconds": 0.21,
            }
        },
    )

    width: int
    """In pixels, after rotating the image upright by its EXIF orientation."""
    height: int
    detections: list[DetectedObject]
    model: dict[str, str]
    """Name and SHA-256 of the checkpoint."""
    seconds: float
    """Time of the detector in seconds."""


class JobError(_Model):
    """Why a job failed."""

    code: str
    message: str
    expected: str | None = None
    found: str | None = None
    fix: str | None = None


class VideoJob(_Model):
    """The analysis or an export of one video."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "job_id": "job-4b1c2a90c7d54e0f8a11",
                "kind": "analysis",
                "video_id": "play-3f6c1d2e4b5a",
                "status": "done",
                "created_at": "2026-01-12T09:30:00+00:00",
                "started_at": "2026-01-12T09:30:01+00:00",
                "finished_at": "2026-01-12T09:31:40+00:00",
                "attempts": 1,
                "result": {"frames": 500, "processed": 100, "detections": 612, "tracks": 7, "seconds": 97.2},
            }
        },
    )

    job_id: str
    kind: Literal["analysis", "export"]
    video_id: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    created_at: str | None = None
    started_at: str | None = None
    """Time of the last start, if the job was resumed."""
    finished_at: str | None = None
    attempts: int
    """Number of starts; more than 1 if the service stopped during the job."""
    progress: float | None = None
    """Share of the frames that are processed, in [0, 1]; null where it is not known."""
    seconds_left: float | None = None
    """Estimated seconds until a running job is done."""
    options: ExportOptions | None = None
    """What an export writes, and how."""
    result: dict[str, Any] | None = None
    """Of an analysis the video's entry of `visionllm analyze --json`; of an export the `files` that it wrote."""
    error: JobError | None = None

    @classmethod
    def of(cls, record: JobRecord) -> VideoJob:
        """The public form of a job record, without paths of the server."""
        hidden = {"path"}
        result = {k: v for k, v in record.result.items() if k not in hidden} if record.result else None
        error = (
            JobError.model_validate({k: v for k, v in record.error.items() if k in JobError.model_fields})
            if (record.error)
            else None
        )
        return cls(
            job_id=record.job_id,
            kind=record.kind,
            video_id=record.video_id,
            status=record.state,
            created_at=record.created_at,
            started_at=record.started_at,
            finished_at=record.finished_at,
            attempts=record.attempts,
            progress=record.progress,
            seconds_left=record.seconds_left,
            options=record.options,
            result=result,
            error=error,
        )


class JobList(_Model):
    """Jobs, newest first."""

    jobs: list[VideoJob]
    next: str | None = None
    """`cursor` of the next page; null: this is the last."""


class RegisterRequest(JobOptions):
    """Videos of the service's machine, to be analysed where they lie."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"path": "/data/visits/2026-01", "view": "room"}},
    )

    path: str = Field(min_length=1, max_length=1000)
    """A file or a folder in one of `serve.media_dirs`; folders in it are not searched."""
    project: str | None = Field(default=None, pattern=PROJECT_PATTERN)
    """Project of the videos; null: the only one of the key, else `default`."""


class FileRefused(_Model):
    """A file that was not registered."""

    name: str
    reason: str


class Registered(_Model):
    """What became of the files, by name."""

    jobs: list[VideoJob]
    """The analyses; of a video that was known, the job that it had."""
    refused: list[FileRefused]
    left: int
    """Number of files that were not looked at yet: send the request again."""


class VideoPatch(_Model):
    """What is changed of a video; what is left out stays, and null takes a value away (but not the project)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"child": "C07", "age_months": 18.5, "recorded_on": "2026-01-12"}},
    )

    project: str | None = Field(default=None, pattern=PROJECT_PATTERN)
    """Project of the video; its id stays."""
    child: str | None = Field(default=None, max_length=200, pattern=r"\S")
    """Id of the child; videos of one child depend on each other."""
    age_months: float | None = Field(default=None, ge=0, le=1200, allow_inf_nan=False)
    """Age of the child in months."""
    group: str | None = Field(default=None, max_length=200, pattern=r"\S")
    camera: str | None = Field(default=None, max_length=200, pattern=r"\S")
    light: str | None = Field(default=None, max_length=200, pattern=r"\S")
    recorded_on: date | None = None
    """Day of the recording."""

    def covariates(self) -> dict[str, Any]:
        """The changes of covariates: name → value, None to take it away."""
        changed = self.model_dump(mode="json", exclude_unset=True, exclude={"project"})
        return dict(changed)


class Video(_Model):
    """One video: uploaded, in the store, or both."""

    video_id: str
    analysed: bool
    """Whether it is in the store, so that it can be asked about."""
    damaged: str | None = None
    """Why it cannot be read from the store; null where it can, or is not there."""
    project: str | None = None
    """Its project; null where the record of its upload is damaged."""
    playable: bool
    """Whether the service has its file (`/v1/videos/{video_id}/file`)."""
    browser_plays: bool = False
    """Whether browsers play the file as it is; else `/v1/videos/{video_id}/copy` gives one that they play."""
    name: str | None = None
    """Name of the file."""
    uploaded_at: str | None = None
    analysed_at: str | None = None
    tracks: int | None = None
    """Number of tracks."""
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    view: Literal["room", "ego"] | None = None
    covariates: dict[str, float | str] = Field(default={})
    """What is known beside the images: `child`, `age_months`, `group`, `camera`, `light`, `recorded_on` and others."""
    registered: bool = False
    """Whether the file lies in a folder of the service's machine; erasing the video leaves it there."""
    job: VideoJob | None = None

    @classmethod
    def of(cls, state: VideoState) -> Video:
        """The public form of a video's state."""
        upload, stored = state.upload, state.stored
        facts = upload.facts if upload else stored
        options = upload.options if upload else stored
        return cls(
            video_id=state.video_id,
            analysed=state.analysed,
            damaged=state.damaged,
            project=state.project,
            playable=state.media is not None,
            browser_plays=state.media is not None and facts is not None and browser_plays(facts.container, facts.codec),
            name=upload.name if upload else stored.name if stored else None,
            uploaded_at=upload.uploaded_at if upload else None,
            analysed_at=stored.analysed_at if stored else None,
            tracks=stored.n_tracks if stored else None,
            bytes=upload.bytes if upload else stored.file_bytes if stored else None,
            width=facts.width if facts else None,
            height=facts.height if facts else None,
            duration_s=(stored.duration_s if stored else None) or (facts.duration_s if facts else None),
            view=options.view if options else None,
            covariates=dict(state.covariates),
            registered=upload is not None and upload.registered is not None,
            job=VideoJob.of(state.job) if state.job else None,
        )


class VideoList(_Model):
    """All videos, newest upload first."""

    videos: list[Video]
    next: str | None = None
    """`cursor` of the next page; null: this is the last."""


class VisibleTrack(_Model):
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


class RelationBout(_Model):
    """One bout of a relation, `[begin_s, end_s)`."""

    subject_track_id: int
    predicate: str
    object_track_id: int
    begin_s: float
    end_s: float
    confidence: float


class VideoEvent(_Model):
    """An event at a time."""

    event_id: str
    kind: str
    track_ids: list[int]
    begin_s: float
    end_s: float
    confidence: float


class DetectorUsed(_Model):
    """The source of the detections; `categories` are all names that it can detect."""

    kind: Literal["checkpoint", "file", "truth", "none"]
    name: str
    digest: str
    categories: list[str]


class LaneInterval(_Model):
    """One coded interval, `[begin_s, end_s)`; both are equal for a moment."""

    begin_s: float
    end_s: float
    label: str


class CodeLane(_Model):
    """What was coded of somebody: looks, speech, names or a tier."""

    kind: str
    """`gaze`, `speech`, `naming`, `word` or `code`."""
    tier: str
    participant: str
    intervals: list[LaneInterval]
    uncoded: list[tuple[float, float]]
    """Time of which nothing is known, because it was not coded, or the eyes were lost; empty where no file says so."""


class LinkedRecording(_Model):
    """Sound, a tracker, another camera or a coded file beside the video."""

    name: str
    kind: Literal["video", "audio", "tracker", "codes"]
    offset_s: float
    """Second of the video at which its own clock shows 0."""
    drift_ppm: float
    known_by: str
    residual_s: float | None


class SessionPlace(_Model):
    """One video of the session, on the session's clock."""

    video_id: str
    name: str
    camera: str | None
    begin_s: float
    end_s: float


class VideoSession(_Model):
    """The session that the video is part of."""

    session: str
    offset_s: float
    """Second of the session at which the video's clock shows 0."""
    videos: list[SessionPlace]


class PoorTime(_Model):
    """Time of which less is known than of the rest, for one reason."""

    reason: Literal["not_processed", "dark", "blurred", "moving_camera", "small", "edge"]
    """`not_processed`: no frame stands for it, so nothing is known; the others are the flags of `poor_quality`."""
    intervals: list[tuple[float, float]]
    """`[begin_s, end_s)`, disjoint and in order."""
    seconds: float
    """Their length in all."""


class TimeNotKnown(_Model):
    """What the analysis does not know of a video, or knows less well."""

    quality_measured: bool
    """Whether light, blur and motion were looked at; if not, nothing can be said of them."""
    poor: list[PoorTime]
    """By reason; reasons that never hold are left out."""


class VideoTimeline(_Model):
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


class PersonCrop(_Model):
    """Where somebody can be seen well."""

    time_s: float
    box_xyxy: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the upright image."""


class TrackedPerson(_Model):
    """Somebody who was tracked, and what is known of the role."""

    video_id: str
    track_id: int
    role: str | None
    """What counts now; null: unknown."""
    reviewed: bool
    """Whether somebody gave it."""
    child_probability: float | None
    """As estimated from images; null: nothing was seen, or looked for."""
    evidence: list[str]
    """What the estimate rests on."""
    begin_s: float
    end_s: float
    crops: list[PersonCrop] = Field(default=[])
    """Up to five places, spread over the time in which the person is there; only in the answer for one video."""


class VideoPeople(_Model):
    """Everybody who was tracked in a video, by track id."""

    video_id: str
    people: list[TrackedPerson]


class RolesToConfirm(_Model):
    """People whose role nobody has confirmed: unknown roles first, then the least certain."""

    total: int
    people: list[TrackedPerson]
    """The first of them, as many as were asked for."""
    names: dict[str, str]
    """Video id → name of its file."""


class RoleChoices(_Model):
    """Roles that somebody gives to people."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"roles": {"2": "child", "3": "caregiver"}}},
    )

    roles: dict[
        Annotated[str, Field(pattern=r"^[0-9]{1,6}$")],
        Literal["child", "caregiver", "other", "unknown", "estimated"],
    ] = Field(min_length=1, max_length=1000, json_schema_extra={"additionalProperties": False})
    """Track id → role; `estimated` takes a reviewed role away."""


class DetectionColumns(_Model):
    """Detections of a time window as columns of equal length, ordered by frame."""

    video_id: str
    frame_index: list[int]
    timestamp_s: list[float]
    track_id: list[int]
    """-1 where a detection belongs to no track."""
    category: list[str]
    confidence: list[float]
    x1: list[float]
    y1: list[float]
    x2: list[float]
    y2: list[float]
    interpolated: list[bool]
    """Whether the box was interpolated between two detections."""
    processed_s: list[float]
    """Time stamps of all processed frames, including those without detections."""


class AskRequest(_Model):
    """A question in plain words."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"question": "How long is the child visible?"}},
    )

    question: str = Field(min_length=1, max_length=10_000, pattern=r"\S")
    planner: Literal["rules", "llm"] | None = None
    """The planner that turns the question into a query; default: the configuration of the service."""
    video_id: str | None = Field(default=None, max_length=200)
    """The video it is about, unless it names others; default: all."""
    after: list[Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"\S")]] = Field(
        default=[], max_length=MAX_TURNS
    )
    """The questions before this one that were answered, first to last, so that "and the book?" can lean on them."""


class QuestionList(_Model):
    """Questions that have an answer."""

    questions: list[str]


class MeasureDefinition(_Model):
    """One measure of the catalogue."""

    name: str
    definition: str
    unit: str
    inputs: str
    """`none`: the video; `one`: a subject; `pair`, `bout`, `event`: a subject, perhaps an object; `own`: the lab's."""
    source: str


class MeasureCatalogue(_Model):
    """All measures."""

    measures: list[MeasureDefinition]


class MeasureRow(_Model):
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
    """Why there can be no value; null where nothing was found."""
    basis: str | None
    values: str | None
    corrected: float | None
    corrected_low: float | None
    corrected_high: float | None


class MeasureTable(_Model):
    """The rows of one measure, and how to get them again."""

    measure: MeasureDefinition
    rows: list[MeasureRow]
    choices: dict[str, list[str]]
    """The subjects, objects, predicates and videos that the measure has rows of."""
    names: dict[str, str]
    """Video id → name of its file."""
    left_out: dict[str, str] = Field(default={})
    """Damaged videos that have no rows: id → what is wrong."""
    command: str
    """The command that computes the table anew."""


class Readiness(_Model):
    """Whether the service is ready, and the state of each part."""

    status: Literal["ready", "not ready"]
    parts: dict[str, str]
    reasons: dict[str, str] = Field(default={}, description="why a part failed")


class InWork(_Model):
    """What was asked for is being made; `Retry-After` says when to ask again."""

    status: Literal["in work"] = "in work"


class KeyRights(_Model):
    """What the key of the request may do."""

    name: str
    """Name of the key."""
    role: Literal["viewer", "analyst", "admin"]
    projects: list[str] | None
    """The only projects whose videos it sees; null: all."""
    known_projects: list[str]
    """The projects that it sees and that have a video."""


class UnfinishedUpload(_Model):
    """A resumable upload."""

    upload_id: str
    name: str | None = None
    fingerprint: str | None = None
    """How the client knows the file again, as it sent it."""
    length: int
    """Bytes of the whole file."""
    offset: int
    """Bytes that have arrived."""
    project: str
    created_at: str
    job_id: str | None = None
    """The job, once all bytes are here and the video was accepted."""


class UnfinishedUploads(_Model):
    """Resumable uploads that wait for bytes, newest first."""

    uploads: list[UnfinishedUpload]


class AuditEntry(_Model):
    """One row of the audit log."""

    at: str
    """When, ISO 8601, UTC."""
    who: str
    """Name of the key."""
    action: str
    route: str
    """The address, as a template."""
    subject: str | None = None
    """A random token that stands for the video."""
    video_id: str | None = None
    """The video; null once it is erased, and where a row is about none."""
    project: str | None = None
    missed: int = 0
    """Number of rows before this one that could not be written (a full disk)."""


class AuditPage(_Model):
    """Rows of the audit log, newest first."""

    rows: list[AuditEntry]
    next: str | None = None
    """`cursor` of the next page; null: this is the last."""
    faults: list[str]
    """Rows that were changed or removed."""
