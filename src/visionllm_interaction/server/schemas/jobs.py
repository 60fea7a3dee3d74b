"""Jobs: analyses and exports, and what is in work."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from visionllm_interaction.server.jobs.exports import ExportOptions
from visionllm_interaction.server.jobs.queue import JobRecord
from visionllm_interaction.server.schemas.frozen_model import FrozenModel


class JobError(FrozenModel):
    """Why a job failed."""

    code: str
    message: str
    expected: str | None = None
    found: str | None = None
    fix: str | None = None


class VideoJob(FrozenModel):
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


class JobList(FrozenModel):
    """Jobs, newest first."""

    jobs: list[VideoJob]
    next: str | None = None
    """`cursor` of the next page; null: this is the last."""


class InWork(FrozenModel):
    """What was asked for is being made; `Retry-After` says when to ask again."""

    status: Literal["in work"] = "in work"
