"""Videos: uploaded, registered, listed, described."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import ConfigDict, Field

from visionllm_interaction.server.auth.roles import PROJECT_PATTERN
from visionllm_interaction.server.intake.uploads import JobOptions
from visionllm_interaction.server.jobs.previews import browser_plays
from visionllm_interaction.server.schemas.frozen_model import NOT_BLANK, FrozenModel
from visionllm_interaction.server.schemas.jobs import VideoJob
from visionllm_interaction.server.video_state import VideoState


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


class FileRefused(FrozenModel):
    """A file that was not registered."""

    name: str
    reason: str


class Registered(FrozenModel):
    """What became of the files, by name."""

    jobs: list[VideoJob]
    """The analyses; of a video that was known, the job that it had."""
    refused: list[FileRefused]
    left: int
    """Number of files that were not looked at yet: send the request again."""


class VideoPatch(FrozenModel):
    """What is changed of a video; what is left out stays, and null takes a value away (but not the project)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"child": "C07", "age_months": 18.5, "recorded_on": "2026-01-12"}},
    )

    project: str | None = Field(default=None, pattern=PROJECT_PATTERN)
    """Project of the video; its id stays."""
    child: str | None = Field(default=None, max_length=200, pattern=NOT_BLANK)
    """Id of the child; videos of one child depend on each other."""
    age_months: float | None = Field(default=None, ge=0, le=1200, allow_inf_nan=False)
    """Age of the child in months."""
    group: str | None = Field(default=None, max_length=200, pattern=NOT_BLANK)
    camera: str | None = Field(default=None, max_length=200, pattern=NOT_BLANK)
    light: str | None = Field(default=None, max_length=200, pattern=NOT_BLANK)
    recorded_on: date | None = None
    """Day of the recording."""

    def covariates(self) -> dict[str, Any]:
        """The changes of covariates: name → value, None to take it away."""
        changed = self.model_dump(mode="json", exclude_unset=True, exclude={"project"})
        return dict(changed)


class Video(FrozenModel):
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


class VideoList(FrozenModel):
    """All videos, newest upload first."""

    videos: list[Video]
    next: str | None = None
    """`cursor` of the next page; null: this is the last."""


class UnfinishedUpload(FrozenModel):
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


class UnfinishedUploads(FrozenModel):
    """Resumable uploads that wait for bytes, newest first."""

    uploads: list[UnfinishedUpload]
