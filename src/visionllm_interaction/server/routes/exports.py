"""``/v1/videos/{video_id}/exports``: what was found in a video, as files of other programs; and films of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse

from visionllm_interaction.server.auth.route_roles import requires
from visionllm_interaction.server.http.idempotency_keys import IDEMPOTENT, IdempotentRoute
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.jobs.exports import ExportOptions
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.problem_details import not_found
from visionllm_interaction.server.routes.jobs import JobId
from visionllm_interaction.server.routes.videos import VideoId, job_response
from visionllm_interaction.server.schemas.jobs import VideoJob
from visionllm_interaction.server.state import context_of

router = APIRouter(
    prefix="/v1/videos/{video_id}/exports",
    dependencies=[KNOWN_PARAMETERS],
    tags=["exports"],
    route_class=IdempotentRoute,
)
FileName = Annotated[str, Path(max_length=300, examples=["play-3f6c1d2e4b5a.eaf"])]
_BYTES: dict[str, dict[str, str]] = {"application/octet-stream": {}, "video/mp4": {}}


@router.post(
    "",
    status_code=202,
    summary="Export a video",
    response_model=VideoJob,
    responses=problems(400, 403, 404, 409, 422, 503, 507),
    dependencies=[requires("viewer", audit="export"), IDEMPOTENT],
)
def post_export(request: Request, video_id: VideoId, options: ExportOptions) -> Response:
    """A job; once it is done, its `result.files` name the files to download. They are kept for a week.

    403 where consent was withdrawn, or is required and not recorded.
    """
    service = context_of(request).service
    export = service.export_jobs.start(video_id, options)
    return job_response(VideoJob.of(service.job_control.get(export.job_id)))


@router.get(
    "/{job_id}/files/{name}",
    summary="A file of an export",
    response_class=FileResponse,
    responses={
        **problems(400, 403, 404, 416, 422),
        200: {"content": _BYTES},
        206: {"description": "The part that `Range` asks for.", "content": _BYTES},
    },
    dependencies=[requires("viewer", audit="download")],
)
def get_export_file(request: Request, video_id: VideoId, job_id: JobId, name: FileName) -> FileResponse:
    """Range requests are supported, so that a download that was cut goes on."""
    service = context_of(request).service
    service.data_protection.check_export([video_id])
    path = service.exports.file(service.export_jobs.get(video_id, job_id), name)
    if path is None:
        raise not_found("file", name)
    kind = "video/mp4" if path.suffix == ".mp4" else "application/octet-stream"
    return FileResponse(path, media_type=kind, filename=path.name)


@router.delete(
    "/{job_id}",
    status_code=204,
    summary="Delete an export",
    responses=problems(404),
    dependencies=[requires("analyst", audit="delete export")],
)
def delete_export(request: Request, video_id: VideoId, job_id: JobId) -> None:
    """Its files and its job; one that runs is stopped."""
    service = context_of(request).service
    service.export_jobs.delete(service.export_jobs.get(video_id, job_id))
