"""``/v1/videos`` and ``/v1/jobs``: upload, follow, look, erase."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.server.jobs.uploads import Incoming, JobOptions, Upload
from visionllm_interaction.server.multipart import receive_file
from visionllm_interaction.server.openapi import file_body, problems
from visionllm_interaction.server.problem_details import refusal
from visionllm_interaction.server.schemas import DetectionColumns, Job, Timeline, Video, VideoList
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.state import current
from visionllm_interaction.server.timeline_view import read_detections, read_timeline

router = APIRouter(prefix="/v1")
VideoId = Annotated[str, Path(max_length=200, examples=["play-3f6c1d2e4b5a"])]
_OPTION_FIELDS = {
    "view": {"type": "string", "enum": ["room", "ego"], "default": "room"},
    "sample_fps": {"type": "number", "description": "frames looked at per second"},
}


@router.post(
    "/videos",
    status_code=202,
    tags=["videos"],
    summary="Upload a video and have it analysed",
    responses=problems(400, 409, 413, 422, 503, 507),
    openapi_extra=file_body("A video.", "video/*", _OPTION_FIELDS),
)
async def upload_video(request: Request, response: Response) -> Job:
    """Send the video as the form part `file`, options as further parts (`view`, `sample_fps`).

    The file is checked for being a video before the job is accepted. `Location` names the job. The same bytes sent
    again give the same job, not a second one.
    """
    service, metrics = current(request)
    service.check_room()
    limit = int(service.config.limits.max_video_mb * 1e6)
    with service.uploads.arriving() as incoming:
        name, fields = await receive_file(request, incoming.write, limit_bytes=limit)
        upload, is_new = await run_in_threadpool(_accept, service, incoming, name, fields)
    if is_new:
        metrics.upload_bytes.inc(upload.bytes)
    job = await run_in_threadpool(service.job, upload.job_id)
    response.headers["Location"] = f"/v1/jobs/{upload.job_id}"
    return Job.of(job)


def _accept(service: Service, incoming: Incoming, name: str, fields: dict[str, str]) -> tuple[Upload, bool]:
    try:
        options = JobOptions.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
    if incoming.bytes == 0:
        raise refusal(422, "The file is empty.", code="VIDEO", found="0 bytes")
    return service.accept(incoming, name=name, options=options)


@router.get("/videos", tags=["videos"], summary="All videos")
def list_videos(request: Request) -> VideoList:
    """Uploads, newest first, then what the store has from elsewhere."""
    return VideoList(videos=[Video.of(state) for state in current(request).service.videos()])


@router.get("/videos/{video_id}", tags=["videos"], summary="One video", responses=problems(404))
def get_video(request: Request, video_id: VideoId) -> Video:
    """The video and its job."""
    return Video.of(current(request).service.video(video_id))


@router.delete("/videos/{video_id}", status_code=204, tags=["videos"], summary="Erase a video", responses=problems(404))
def delete_video(request: Request, video_id: VideoId) -> None:
    """Erase the kept copy, the job and everything in the store about this video. A running job is stopped."""
    current(request).service.erase(video_id)


@router.get(
    "/videos/{video_id}/timeline",
    tags=["videos"],
    summary="Tracks, relations and events of a video",
    responses=problems(404, 409),
)
def get_timeline(request: Request, video_id: VideoId) -> Timeline:
    """Who and what was there when, what was near or held, and what happened."""
    with current(request).service.analysed_video(video_id) as store:
        return read_timeline(store, video_id)


@router.get(
    "/videos/{video_id}/detections",
    tags=["videos"],
    summary="Detections of a time window",
    responses=problems(404, 409, 413),
)
def get_detections(
    request: Request,
    video_id: VideoId,
    begin_s: Annotated[float, Query(ge=0)] = 0.0,
    end_s: Annotated[float | None, Query(gt=0)] = None,
) -> DetectionColumns:
    """Boxes with their time stamps, as columns."""
    service = current(request).service
    with service.analysed_video(video_id) as store:
        return read_detections(store, video_id, begin_s=begin_s, end_s=end_s, max_rows=service.config.limits.max_rows)


@router.get(
    "/videos/{video_id}/file",
    tags=["videos"],
    summary="The kept copy of an uploaded video",
    response_class=FileResponse,
    responses={**problems(404), 200: {"content": {"video/*": {}}}},
)
def get_file(request: Request, video_id: VideoId) -> FileResponse:
    """Answers range requests, so that a player can seek."""
    service = current(request).service
    state = service.video(video_id)
    if state.upload is None:
        raise refusal(404, "No copy of this video is kept here.", code="NO-COPY", found=video_id)
    return FileResponse(service.uploads.path(state.upload), headers={"Cache-Control": "private, no-store"})


@router.get("/jobs/{job_id}", tags=["videos"], summary="How a job stands", responses=problems(404))
def get_job(request: Request, job_id: Annotated[str, Path(max_length=200)]) -> Job:
    """Poll this until `status` is `done` or `failed`."""
    return Job.of(current(request).service.job(job_id))
