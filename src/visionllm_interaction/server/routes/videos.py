"""``/v1/videos`` and ``/v1/jobs``: upload, status, results, deletion."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS, Seconds, check_window
from visionllm_interaction.server.jobs.uploads import IncomingFile, JobOptions
from visionllm_interaction.server.multipart import ReceivedFile, receive_file
from visionllm_interaction.server.openapi import file_body, problems
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.results.video_results import read_detections
from visionllm_interaction.server.schemas import AnalysisJob, DetectionColumns, InWork, Video, VideoList, VideoTimeline
from visionllm_interaction.server.service import AcceptedUpload, Service
from visionllm_interaction.server.state import context_of

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS])
COPY_WAIT_S, POSTER_WAIT_S = 1.0, 30.0
VideoId = Annotated[str, Path(max_length=200, examples=["play-3f6c1d2e4b5a"])]
_OPTION_FIELDS = {
    "view": {"type": "string", "enum": ["room", "ego"], "default": "room"},
    "sample_fps": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 240,
        "description": "frames processed per second",
    },
}


@router.post(
    "/videos",
    status_code=202,
    tags=["videos"],
    summary="Upload a video for analysis",
    responses=problems(400, 409, 413, 422, 503, 507),
    openapi_extra=file_body("A video.", "video/*", _OPTION_FIELDS),
)
async def upload_video(
    request: Request,
    response: Response,
    _name: Annotated[str, Query(alias="name", max_length=1000, description="name of a bare file")] = "",
) -> AnalysisJob:
    """Send the video as the form part `file`, and options as further parts (`view`, `sample_fps`).

    The file must be a video that can be decoded, or the job is not accepted. `Location` is the address of the job. If
    the same bytes are sent again, the response is the same job.
    """
    service, metrics, _ = context_of(request)
    service.check_capacity(_announced_bytes(request))
    limit = int(service.config.limits.max_video_mb * 1e6)
    with service.uploads.receiving() as incoming:
        received = await receive_file(request, incoming.write, limit_bytes=limit)
        accepted = await run_in_threadpool(_accept, service, incoming, received)
    if accepted.is_new:
        metrics.upload_bytes.inc(accepted.upload.bytes)
    job_id = accepted.upload.job_id
    job = await run_in_threadpool(service.job, job_id)
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return AnalysisJob.of(job)


def _announced_bytes(request: Request) -> int:
    """The size of the request's body as its header states it; 0 where it states none."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _accept(service: Service, incoming: IncomingFile, received: ReceivedFile) -> AcceptedUpload:
    try:
        options = JobOptions.model_validate(received.fields)
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
    if incoming.bytes == 0:
        raise http_problem(422, "The file is empty.", code="VIDEO", found="0 bytes")
    return service.accept(incoming, name=received.name, options=options)


@router.get("/videos", tags=["videos"], summary="All videos")
def list_videos(request: Request) -> VideoList:
    """Uploads, newest first, then the other videos of the store."""
    return VideoList(videos=[Video.of(state) for state in context_of(request).service.videos()])


@router.get("/videos/{video_id}", tags=["videos"], summary="One video", responses=problems(404))
def get_video(request: Request, video_id: VideoId) -> Video:
    """The video and its job."""
    return Video.of(context_of(request).service.video(video_id))


@router.delete("/videos/{video_id}", status_code=204, tags=["videos"], summary="Erase a video", responses=problems(404))
def delete_video(request: Request, video_id: VideoId) -> None:
    """Erase the uploaded file, the job and all results of this video. A running job is stopped."""
    context_of(request).service.erase(video_id)


@router.get(
    "/videos/{video_id}/timeline",
    tags=["videos"],
    summary="Tracks, relations and events of a video",
    response_model=VideoTimeline,
    responses=problems(404, 409),
)
def get_timeline(request: Request, video_id: VideoId) -> Response:
    """Tracks with the intervals in which they are visible, relations and events."""
    return Response(context_of(request).service.timeline_json(video_id), media_type="application/json")


@router.get(
    "/videos/{video_id}/detections",
    tags=["videos"],
    summary="Detections of a time window",
    responses=problems(404, 409, 413, 422),
)
def get_detections(
    request: Request,
    video_id: VideoId,
    begin_s: Seconds = 0.0,
    end_s: Annotated[float | None, Query(gt=0, allow_inf_nan=False)] = None,
) -> DetectionColumns:
    """Boxes with their time stamps, as columns."""
    check_window(begin_s, end_s)
    service = context_of(request).service
    with service.analysed_video(video_id) as store:
        return read_detections(store, video_id, begin_s=begin_s, end_s=end_s, max_rows=service.config.limits.max_rows)


@router.get(
    "/videos/{video_id}/file",
    tags=["videos"],
    summary="The file of a video",
    response_class=FileResponse,
    responses={
        **problems(400, 404, 416),
        200: {"content": {"video/*": {}, "image/gif": {}}},
        206: {"description": "The part that `Range` asks for.", "content": {"video/*": {}, "image/gif": {}}},
    },
)
def get_file(request: Request, video_id: VideoId) -> FileResponse:
    """The file as it is. Range requests are supported, so that a player can seek."""
    _, path = context_of(request).service.playable_file(video_id)
    return FileResponse(path)


@router.get(
    "/videos/{video_id}/copy",
    tags=["videos"],
    summary="A copy of a video that browsers can play",
    response_class=FileResponse,
    responses={
        **problems(400, 404, 416, 422),
        200: {"content": {"video/mp4": {}}},
        202: {"model": InWork, "description": "The copy is being made."},
        206: {"description": "The part that `Range` asks for.", "content": {"video/mp4": {}}},
    },
)
async def get_copy(request: Request, video_id: VideoId) -> Response:
    """H.264 in MP4, upright, with the time stamps of the video; made when it is first wanted: 202 until it is there."""
    service = context_of(request).service
    _, path = await run_in_threadpool(service.playable_file, video_id)
    copy = await service.previews.wait(video_id, "copy", path, seconds=COPY_WAIT_S)
    return FileResponse(copy) if copy else _in_work()


@router.get(
    "/videos/{video_id}/poster",
    tags=["videos"],
    summary="The first frame of a video, small",
    response_class=FileResponse,
    responses={
        **problems(400, 404, 416, 422),
        200: {"content": {"image/jpeg": {}}},
        202: {"model": InWork, "description": "The poster is being made."},
        206: {"description": "The part that `Range` asks for.", "content": {"image/jpeg": {}}},
    },
)
async def get_poster(request: Request, video_id: VideoId) -> Response:
    """A JPEG of 320 pixels width."""
    service = context_of(request).service
    _, path = await run_in_threadpool(service.playable_file, video_id)
    poster = await service.previews.wait(video_id, "poster", path, seconds=POSTER_WAIT_S)
    return FileResponse(poster) if poster else _in_work()


@router.get("/jobs/{job_id}", tags=["videos"], summary="One job", responses=problems(404))
def get_job(request: Request, job_id: Annotated[str, Path(max_length=200)]) -> AnalysisJob:
    """Poll this until `status` is `done` or `failed`."""
    return AnalysisJob.of(context_of(request).service.job(job_id))


@router.post(
    "/jobs/{job_id}/retry",
    status_code=202,
    tags=["videos"],
    summary="Try a failed job again",
    responses=problems(404, 409, 503),
)
def retry_job(request: Request, response: Response, job_id: Annotated[str, Path(max_length=200)]) -> AnalysisJob:
    """A new job for the same video and options. `Location` is its address."""
    job = context_of(request).service.retry(job_id)
    response.headers["Location"] = f"/v1/jobs/{job.job_id}"
    return AnalysisJob.of(job)


def _in_work() -> Response:
    content = InWork().model_dump_json()
    return Response(content, status_code=202, media_type="application/json", headers={"Retry-After": "2"})
