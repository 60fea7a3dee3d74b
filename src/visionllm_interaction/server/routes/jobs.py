"""``/v1/jobs``: analyses and exports: list, state, events, retry, cancel, and another analysis of a video."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.event_streams import Snapshot, described_events, stream_changes
from visionllm_interaction.server.http.idempotency_keys import IDEMPOTENT, IdempotentRoute
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.intake.uploads import JobOptions
from visionllm_interaction.server.jobs.queue import Kind, State
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.results.list_pages import Cursor, Limit, page_of
from visionllm_interaction.server.results.video_lists import JobFilter, place_of_job
from visionllm_interaction.server.routes.videos import LOOK, VideoId, job_response
from visionllm_interaction.server.schemas.jobs import JobList, VideoJob
from visionllm_interaction.server.state import context_of

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS], tags=["jobs"], route_class=IdempotentRoute)
JobId = Annotated[str, Path(max_length=200, examples=["job-4b1c2a90c7d54e0f8a11"])]
Status = Annotated[State | None, Query(description="only those in this state")]
OneKind = Annotated[Kind | None, Query(description="only of this kind")]
OneVideo = Annotated[str | None, Query(max_length=200, description="only of this video")]
Seconds = Annotated[float, Query(ge=0, le=3600, allow_inf_nan=False, description="longest time to stream in seconds")]
_EVENTS = described_events("job", "gone")


@router.get("/jobs", summary="All jobs", responses=problems(422), dependencies=[LOOK])
def list_jobs(
    request: Request,
    status: Status = None,
    kind: OneKind = None,
    video_id: OneVideo = None,
    cursor: Cursor = None,
    limit: Limit = None,
) -> JobList:
    """Analyses and exports of the projects that the key sees, newest first."""
    service, wanted = context_of(request).service, JobFilter(status, kind, video_id)
    jobs = service.lists.jobs_of(known_principal(request), wanted)
    found = page_of(jobs, place_of_job, cursor=cursor, limit=limit, newest_first=True)
    return JobList(jobs=[VideoJob.of(one) for one in found.entries], next=found.next)


@router.get(
    "/jobs/events",
    summary="Changes of jobs, as they happen",
    response_class=StreamingResponse,
    responses={**problems(503), **_EVENTS},
    dependencies=[LOOK],
)
def stream_jobs(
    request: Request,
    status: Status = None,
    kind: OneKind = None,
    video_id: OneVideo = None,
    seconds: Seconds = 600.0,
) -> StreamingResponse:
    """Server-sent events: first the jobs that wait or run, then each one that changes or is erased.

    `event: job` brings a job as JSON, `event: gone` the id of one whose video was erased.
    """
    service, principal = context_of(request).service, known_principal(request)
    wanted = JobFilter(status, kind, video_id)

    def look() -> Snapshot:
        return {one.job_id: VideoJob.of(one).model_dump_json() for one in service.lists.jobs_of(principal, wanted)}

    return stream_changes(request, look, event="job", is_over=lambda _: False, is_told_first=_is_open, seconds=seconds)


@router.get("/jobs/{job_id}", summary="One job", responses=problems(404), dependencies=[LOOK])
def get_job(request: Request, job_id: JobId) -> VideoJob:
    """Poll this until `status` is `done`, `failed` or `cancelled`; or follow its events."""
    return VideoJob.of(context_of(request).service.job_control.get(job_id))


@router.get(
    "/jobs/{job_id}/events",
    summary="Progress of a job, as it happens",
    response_class=StreamingResponse,
    responses={**problems(404, 503), **_EVENTS},
    dependencies=[LOOK],
)
def stream_job(request: Request, job_id: JobId, seconds: Seconds = 600.0) -> StreamingResponse:
    """Server-sent events (`event: job`, the job as JSON): its state now, then each change, to the end of the job."""
    service = context_of(request).service
    service.job_control.get(job_id)

    def look() -> Snapshot:
        return {name: VideoJob.of(one).model_dump_json() for name, one in service.jobs.get([job_id]).items()}

    return stream_changes(
        request, look, event="job", is_over=lambda now: not any(map(_is_open, now.values())), seconds=seconds
    )


@router.post(
    "/videos/{video_id}/analysis",
    status_code=202,
    summary="Analyse a video again",
    response_model=VideoJob,
    responses=problems(404, 409, 422, 503),
    dependencies=[requires("analyst", audit="analyse"), IDEMPOTENT],
)
def post_analysis(request: Request, video_id: VideoId, options: JobOptions) -> Response:
    """A new job for an uploaded or registered video, with these options in place of those of the upload.

    What is up to date is not computed again; corrections stay.
    """
    return job_response(VideoJob.of(context_of(request).service.job_control.analyse_again(video_id, options)))


@router.post(
    "/jobs/{job_id}/retry",
    status_code=202,
    summary="Try a failed job again",
    response_model=VideoJob,
    responses=problems(404, 409, 503, 507),
    dependencies=[requires("analyst", audit="retry"), IDEMPOTENT],
)
def retry_job(request: Request, job_id: JobId) -> Response:
    """A new job for the same video and options. `Location` is its address."""
    job = context_of(request).service.job_control.retry(job_id)
    request.state.audit_video = job.video_id
    return job_response(VideoJob.of(job))


@router.post(
    "/jobs/{job_id}/cancel",
    summary="Cancel a job",
    responses=problems(404, 409),
    dependencies=[requires("analyst", audit="cancel")],
)
def cancel_job(request: Request, job_id: JobId) -> VideoJob:
    """A job that runs is stopped within two seconds, on whichever host. Its video stays and can be tried again."""
    service = context_of(request).service
    request.state.audit_video = service.job_files.video_of(job_id)
    return VideoJob.of(service.job_control.cancel(job_id))


def _is_open(job: str) -> bool:
    """Whether a job, as JSON, waits or runs."""
    return json.loads(job)["status"] in ("queued", "running")
