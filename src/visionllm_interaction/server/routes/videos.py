"""``/v1/videos``: upload, registration, list, metadata, results, deletion."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.server.auth.roles import PROJECT_NAME, PROJECT_PATTERN, Principal
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.idempotency_keys import (
    HEADER,
    IDEMPOTENT,
    IDEMPOTENT_STREAM,
    IdempotentRoute,
    answered_once,
)
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS, Seconds, check_window
from visionllm_interaction.server.intake.uploads import IncomingFile, JobOptions
from visionllm_interaction.server.intake.video_intake import AcceptedUpload
from visionllm_interaction.server.multipart import ReceivedFile, receive_file
from visionllm_interaction.server.openapi import file_body, problems
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.results.list_pages import Cursor, Limit
from visionllm_interaction.server.results.video_lists import VideoFilter
from visionllm_interaction.server.results.video_results import read_detections
from visionllm_interaction.server.schemas.detections import DetectionColumns
from visionllm_interaction.server.schemas.jobs import InWork, VideoJob
from visionllm_interaction.server.schemas.timelines import VideoTimeline
from visionllm_interaction.server.schemas.videos import (
    FileRefused,
    Registered,
    RegisterRequest,
    Video,
    VideoList,
    VideoPatch,
)
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.state import context_of

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS], route_class=IdempotentRoute)
COPY_WAIT_S, POSTER_WAIT_S = 1.0, 30.0
VideoId = Annotated[str, Path(max_length=200, examples=["play-3f6c1d2e4b5a"])]
LOOK = requires("viewer")
VIEW = requires("viewer", audit="view")
_OPTION_FIELDS = {
    "view": {"type": "string", "enum": ["room", "ego"], "default": "room"},
    "sample_fps": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 240,
        "description": "frames processed per second",
    },
    "project": {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        "description": "project of the video; default: the only one of the key, else `default`",
    },
}


@router.post(
    "/videos",
    status_code=202,
    tags=["videos"],
    summary="Upload a video for analysis",
    responses=problems(400, 409, 413, 422, 503, 507),
    dependencies=[requires("analyst", audit="upload"), IDEMPOTENT_STREAM],
    response_model=VideoJob,
    openapi_extra=file_body("A video.", "video/*", _OPTION_FIELDS),
)
async def upload_video(
    request: Request,
    _name: Annotated[str, Query(alias="name", max_length=1000, description="name of a bare file")] = "",
) -> Response:
    """Send the video as the form part `file`, and options as further parts (`view`, `sample_fps`).

    The file must be a video that can be decoded, or the job is not accepted. `Location` is the address of the job. If
    the same bytes are sent again, the response is the same job.
    """
    service, metrics, _ = context_of(request)
    service.check_capacity(_announced_bytes(request))
    limit = int(service.config.limits.max_video_mb * 1e6)
    with service.uploads.receiving() as incoming:
        received = await receive_file(request, incoming.write, limit_bytes=limit)

        async def accept() -> Response:
            accepted = await run_in_threadpool(_accept, service, incoming, received, known_principal(request))
            request.state.audit_video = accepted.upload.video_id
            if accepted.is_new:
                metrics.upload_bytes.inc(accepted.upload.bytes)
            job = await run_in_threadpool(service.job_control.get, accepted.upload.job_id)
            return job_response(VideoJob.of(job))

        key = request.headers.get(HEADER)
        if key is None:
            return await accept()
        sent = f"{incoming.sha256} {received.name} {sorted(received.fields.items())}"
        return await answered_once(request, key, sent.encode(), accept)


def _announced_bytes(request: Request) -> int:
    """The size of the request's body as its header states it; 0 where it states none."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _accept(service: Service, incoming: IncomingFile, received: ReceivedFile, principal: Principal) -> AcceptedUpload:
    fields = dict(received.fields)
    project = project_field(fields.pop("project", None), service, principal)
    try:
        options = JobOptions.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
    if incoming.bytes == 0:
        raise http_problem(422, "The file is empty.", code="VIDEO", found="0 bytes")
    return service.intake.accept(incoming.received(), name=received.name, options=options, project=project)


def project_field(asked: str | None, service: Service, principal: Principal) -> str:
    """The project of an upload, from what the client says.

    Args:
        asked: what it says; None: nothing.
        service: the service.
        principal: who uploads.

    Returns:
        The project.

    Raises:
        RequestValidationError: if it is no name of a project.
    """
    if asked is not None and not PROJECT_NAME.match(asked):
        raise RequestValidationError([{"loc": ("body", "project"), "msg": "must be 1–64 letters, digits, . _ -"}])
    return service.projects.project_for(asked, principal)


@router.post(
    "/videos/register",
    status_code=202,
    tags=["videos"],
    summary="Analyse videos of the service's machine where they lie",
    responses=problems(400, 403, 409, 422, 503, 507),
    dependencies=[requires("analyst", audit="upload"), IDEMPOTENT],
)
def register_videos(request: Request, body: RegisterRequest) -> Registered:
    """A file or a folder in one of `serve.media_dirs`. Nothing is copied, and erasing such a video leaves its file."""
    service = context_of(request).service
    project = service.projects.project_for(body.project, known_principal(request))
    options = JobOptions(view=body.view, sample_fps=body.sample_fps)
    found = service.intake.register(body.path, options=options, project=project)
    return Registered(
        jobs=[VideoJob.of(service.job_control.get(one.upload.job_id)) for one in found.accepted],
        refused=[FileRefused(name=one.name, reason=one.reason) for one in found.refused],
        left=found.left,
    )


@router.get("/videos", tags=["videos"], summary="All videos", responses=problems(422), dependencies=[LOOK])
def list_videos(
    request: Request,
    project: Annotated[
        str | None, Query(max_length=64, pattern=PROJECT_PATTERN, description="only of this project")
    ] = None,
    name: Annotated[str | None, Query(max_length=200, description="only names with this text")] = None,
    cursor: Cursor = None,
    limit: Limit = None,
) -> VideoList:
    """Uploads, newest first, then the other videos of the store, of the projects that the key sees."""
    principal = known_principal(request)
    found = context_of(request).service.lists.page(principal, VideoFilter(project, name), cursor=cursor, limit=limit)
    return VideoList(videos=[Video.of(state) for state in found.entries], next=found.next)


@router.get("/videos/{video_id}", tags=["videos"], summary="One video", responses=problems(404), dependencies=[LOOK])
def get_video(request: Request, video_id: VideoId) -> Video:
    """The video and its job."""
    return Video.of(context_of(request).service.lists.video(video_id))


@router.patch(
    "/videos/{video_id}",
    tags=["videos"],
    summary="Change what is known of a video",
    responses=problems(400, 403, 404, 409, 422, 503),
    dependencies=[requires("analyst", audit="describe")],
)
def patch_video(request: Request, video_id: VideoId, body: VideoPatch) -> Video:
    """Its project, and covariates such as child, age and day; covariates are of analysed videos."""
    service, principal = context_of(request).service, known_principal(request)
    service.lists.video(video_id)
    project = service.projects.project_for(body.project, principal) if body.project is not None else None
    if body.covariates() and service.changes.describe(video_id, body.covariates()):
        request.state.audit_action = "consent"  # what was withdrawn may be exported again: who did that is kept
    if project is not None:
        service.changes.move_to_project(video_id, project)
    return Video.of(service.lists.video(video_id))


@router.delete(
    "/videos/{video_id}",
    status_code=204,
    tags=["videos"],
    summary="Erase a video",
    responses=problems(404),
    dependencies=[requires("analyst", audit="erase")],
)
def delete_video(request: Request, video_id: VideoId) -> None:
    """Erase the uploaded file, the job and all results of this video. A running job is stopped."""
    context_of(request).service.erase(video_id)


@router.get(
    "/videos/{video_id}/timeline",
    tags=["videos"],
    summary="Tracks, relations and events of a video",
    response_model=VideoTimeline,
    responses=problems(404, 409),
    dependencies=[VIEW],
)
def get_timeline(request: Request, video_id: VideoId) -> Response:
    """Tracks with the intervals in which they are visible, relations and events."""
    content = context_of(request).service.analysed.timeline_json(video_id, known_principal(request))
    return Response(content, media_type="application/json")


@router.get(
    "/videos/{video_id}/detections",
    tags=["videos"],
    summary="Detections of a time window",
    responses=problems(404, 409, 413, 422),
    dependencies=[VIEW],
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
    with service.analysed.opened(video_id) as store:
        return read_detections(store, video_id, begin_s=begin_s, end_s=end_s, max_rows=service.config.limits.max_rows)


@router.get(
    "/videos/{video_id}/file",
    tags=["videos"],
    summary="The file of a video",
    response_class=FileResponse,
    dependencies=[VIEW],
    responses={
        **problems(400, 404, 416),
        200: {"content": {"video/*": {}, "image/gif": {}}},
        206: {"description": "The part that `Range` asks for.", "content": {"video/*": {}, "image/gif": {}}},
    },
)
def get_file(request: Request, video_id: VideoId) -> FileResponse:
    """The file as it is. Range requests are supported, so that a player can seek."""
    path = context_of(request).service.video_files.playable(video_id)
    return FileResponse(path)


@router.get(
    "/videos/{video_id}/copy",
    tags=["videos"],
    summary="A copy of a video that browsers can play",
    response_class=FileResponse,
    dependencies=[VIEW],
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
    path = await run_in_threadpool(service.video_files.playable, video_id)
    copy = await service.previews.wait(video_id, "copy", path, seconds=COPY_WAIT_S)
    return FileResponse(copy) if copy else _in_work()


@router.get(
    "/videos/{video_id}/poster",
    tags=["videos"],
    summary="The first frame of a video, small",
    response_class=FileResponse,
    dependencies=[VIEW],
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
    path = await run_in_threadpool(service.video_files.playable, video_id)
    poster = await service.previews.wait(video_id, "poster", path, seconds=POSTER_WAIT_S)
    return FileResponse(poster) if poster else _in_work()


def job_response(job: VideoJob, status: int = 202) -> Response:
    """The answer to a request that began a job, with its address."""
    headers = {"Location": f"/v1/jobs/{job.job_id}"}
    return Response(job.model_dump_json(), status, headers, media_type="application/json")


def _in_work() -> Response:
    content = InWork().model_dump_json()
    return Response(content, status_code=202, media_type="application/json", headers={"Retry-After": "2"})
