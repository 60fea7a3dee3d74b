"""``/v1/uploads``: resumable uploads by tus 1.0 (core, creation, expiration, termination), https://tus.io.

Any client of tus works: it creates an upload, sends the bytes in as many requests as it takes, and asks how many have
arrived after a connection was cut. When the last byte is here, the video is checked and its job queued, as after
``POST /v1/videos``; ``GET /v1/uploads/{upload_id}`` names the job.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from email.utils import formatdate
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.idempotency_keys import IDEMPOTENT, IdempotentRoute
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.intake.resumable_uploads import ResumableUpload
from visionllm_interaction.server.intake.uploads import JobOptions, safe_name
from visionllm_interaction.server.multipart import too_large
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.server.routes.videos import project_field
from visionllm_interaction.server.schemas.videos import UnfinishedUpload, UnfinishedUploads
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.state import context_of

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination"
CONTENT_TYPE = "application/offset+octet-stream"
UploadId = Annotated[str, Path(max_length=200, examples=["5f1c0f4e8f4b4b6f9d7c0c6a5d1e2f3a"])]


def _check_version(request: Request, response: Response) -> None:
    """Every request but OPTIONS and GET says which version of tus it speaks; every answer says ours."""
    response.headers["Tus-Resumable"] = VERSION
    spoken = request.headers.get("tus-resumable")
    if request.method not in ("OPTIONS", "GET") and spoken != VERSION:
        raise http_problem(
            412,
            "The request does not speak this version of tus.",
            code="TUS-VERSION",
            expected=f"the header Tus-Resumable: {VERSION}",
            found=(spoken or "none")[:50],
            headers={"Tus-Version": VERSION, "Tus-Resumable": VERSION},
        )


router = APIRouter(
    prefix="/v1/uploads",
    tags=["uploads"],
    dependencies=[KNOWN_PARAMETERS, requires("analyst"), Depends(_check_version)],
    route_class=IdempotentRoute,
)


def _header(name: str, description: str, *, required: bool = True, **schema: Any) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": required, "description": description, "schema": schema}


_TUS = _header("Tus-Resumable", "the version of tus", type="string", enum=[VERSION])
_LENGTH = _header("Upload-Length", "bytes of the whole file", type="integer", minimum=1)
_METADATA = _header(
    "Upload-Metadata",
    "pairs of a name and a value in base64, separated by commas: filename, view, sample_fps, project, fingerprint",
    required=False,
    type="string",
    maxLength=4000,
)
_OFFSET = _header("Upload-Offset", "number of bytes that have arrived", type="integer", minimum=0)
_BYTES = {"content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}, "required": True}


@router.options("", status_code=204, summary="What this service can do of tus")
def tus_options(request: Request, response: Response) -> None:
    """`Tus-Version`, `Tus-Extension` and `Tus-Max-Size` are in the headers."""
    limits = context_of(request).service.config.limits
    response.headers["Tus-Version"] = VERSION
    response.headers["Tus-Extension"] = EXTENSIONS
    response.headers["Tus-Max-Size"] = str(int(limits.max_video_mb * 1e6))


@router.get("", summary="Uploads that are not complete")
def list_uploads(request: Request) -> UnfinishedUploads:
    """Uploads that wait for bytes, newest first, of the projects that the key sees."""
    service, principal = context_of(request).service, known_principal(request)
    found = [one for one in service.resumable.all() if one.job_id is None and principal.sees(one.project)]
    return UnfinishedUploads(uploads=[_described(service, one) for one in found])


@router.post(
    "",
    status_code=201,
    response_class=Response,
    summary="Begin a resumable upload",
    responses=problems(400, 409, 412, 413, 422, 503, 507),
    dependencies=[IDEMPOTENT],
    openapi_extra={"parameters": [_TUS, _LENGTH, _METADATA]},
)
def create_upload(request: Request) -> Response:
    """`Location` is the address to send the bytes to. Nothing is written if the disk has no room for all of them."""
    service, principal = context_of(request).service, known_principal(request)
    length = _whole_number(request, "upload-length", least=1)
    limit = int(service.config.limits.max_video_mb * 1e6)
    if length > limit:
        raise too_large(limit)
    fields = _metadata(request.headers.get("upload-metadata", ""))
    name, fingerprint = safe_name(fields.pop("filename", "")), fields.pop("fingerprint", "")[:128]
    project = project_field(fields.pop("project", None), service, principal)
    try:
        options = JobOptions.model_validate(fields)
    except ValidationError as error:
        where = ("header", "Upload-Metadata")
        raise RequestValidationError([{**one, "loc": (*where, *one["loc"])} for one in error.errors()]) from error
    service.check_capacity(length)
    upload = service.resumable.create(
        name=name, length=length, options=options, project=project, fingerprint=fingerprint
    )
    place, expires = f"/v1/uploads/{upload.upload_id}", _expires(service, upload)
    return Response(status_code=201, headers={"Location": place, "Upload-Expires": expires, "Tus-Resumable": VERSION})


@router.get("/{upload_id}", summary="One resumable upload, and its job once it is complete", responses=problems(404))
def get_upload(request: Request, response: Response, upload_id: UploadId) -> UnfinishedUpload:
    """What has arrived; `job_id` once all has, and the video was accepted. `HEAD` gives the headers of tus."""
    service = context_of(request).service
    upload = _found(service, upload_id)
    response.headers["Upload-Offset"] = str(service.resumable.offset(upload))
    response.headers["Upload-Length"] = str(upload.length)
    response.headers["Upload-Expires"] = _expires(service, upload)
    return _described(service, upload)


@router.patch(
    "/{upload_id}",
    status_code=204,
    summary="Send the next bytes",
    responses=problems(400, 404, 409, 412, 413, 415, 422, 503),
    dependencies=[requires("analyst", audit="upload")],
    openapi_extra={"parameters": [_TUS, _OFFSET], "requestBody": _BYTES},
)
async def append_bytes(request: Request, response: Response, upload_id: UploadId) -> None:
    """The bytes from `Upload-Offset` on. With the last one the video is checked and its job queued."""
    service = context_of(request).service
    upload = _found(service, upload_id)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != CONTENT_TYPE:
        raise http_problem(
            415, "The bytes have another type.", code="TUS-TYPE", expected=f"Content-Type: {CONTENT_TYPE}"
        )
    offset = _whole_number(request, "upload-offset", least=0)
    arrived = service.resumable.offset(upload)
    if offset != arrived:
        raise http_problem(
            409,
            "The bytes do not follow those that have arrived.",
            code="TUS-OFFSET",
            expected=f"Upload-Offset: {arrived}",
            found=str(offset),
            fix=f"ask with HEAD /v1/uploads/{upload_id[:40]}, and go on from there",
        )
    if upload.job_id is None:
        try:
            arrived = await _append(request, service, upload, offset)
        except FileNotFoundError:  # it was given up meanwhile
            raise not_found("upload", upload_id) from None
    audited = None
    if arrived == upload.length:
        audited = await run_in_threadpool(_complete, request, service, upload)
    request.state.audit_video = audited
    if audited is None:
        request.state.audit_action = None  # only the last byte makes a video
    response.headers["Upload-Offset"] = str(arrived)
    response.headers["Upload-Expires"] = _expires(service, upload)


@router.delete("/{upload_id}", status_code=204, summary="Give up a resumable upload", responses=problems(404, 412))
def delete_upload(request: Request, upload_id: UploadId) -> None:
    """Delete what has arrived. A video that was accepted already stays."""
    service = context_of(request).service
    service.resumable.delete(_found(service, upload_id).upload_id)


async def _append(request: Request, service: Service, upload: ResumableUpload, offset: int) -> int:
    """Write what the request brings; bytes that came before it was cut off stay."""
    file = service.resumable.open(upload, offset)
    try:
        async for chunk in request.stream():
            if not await run_in_threadpool(file.write, chunk):
                message = "The request has more bytes than the upload."
                raise http_problem(413, message, code="TUS-LENGTH", expected=f"{upload.length} bytes in all")
        return file.offset
    finally:
        # Shielded: it is closed also where the client has hung up. In a thread: the others are answered meanwhile.
        await asyncio.shield(run_in_threadpool(service.resumable.close, upload, file))


def _complete(request: Request, service: Service, upload: ResumableUpload) -> str | None:
    """Accept the video of a complete upload; gives its id, None if that was done before."""
    accepted = service.intake.complete(upload.upload_id)
    if accepted is None:
        return None
    if accepted.is_new:
        context_of(request).metrics.upload_bytes.inc(accepted.upload.bytes)
    return accepted.upload.video_id


def _found(service: Service, upload_id: str) -> ResumableUpload:
    upload = service.resumable.get(upload_id)
    if upload is None:
        raise not_found("upload", upload_id)
    return upload


def _described(service: Service, upload: ResumableUpload) -> UnfinishedUpload:
    return UnfinishedUpload(
        upload_id=upload.upload_id,
        name=upload.name or None,
        fingerprint=upload.fingerprint or None,
        length=upload.length,
        offset=service.resumable.offset(upload),
        project=upload.project,
        created_at=upload.created_at,
        job_id=upload.job_id,
    )


def _expires(service: Service, upload: ResumableUpload) -> str:
    return formatdate(service.resumable.expires_at(upload), usegmt=True)


def _whole_number(request: Request, name: str, *, least: int) -> int:
    text = request.headers.get(name, "")
    if text.isascii() and text.isdigit() and len(text) < 19 and int(text) >= least:
        return int(text)
    raise RequestValidationError([{"loc": ("header", name), "msg": f"must be a whole number of at least {least}"}])


def _metadata(text: str) -> dict[str, str]:
    """The pairs of ``Upload-Metadata``."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            message = f"the value of {name[:40]} is not text in base64"
            raise RequestValidationError([{"loc": ("header", "Upload-Metadata"), "msg": message}]) from error
    return found
