"""Errors as RFC 9457 problem details (``application/problem+json``).

===============  ======================================================================================
error            status
===============  ======================================================================================
UsageError       400
ConsentMissing   403
InputDataError   422
ServiceError     503
anything else    500, with the request id only; the details are in the log
===============  ======================================================================================

Paths on the server (``where``) are never sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import compile_path

from visionllm_interaction.errors import ConsentMissing, InputDataError, ServiceError, UsageError, VisionLLMError

_log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20
"""Most invalid fields that an answer lists: a list of thousands may have as many."""

_TOLD = ("expected", "found", "fix")
_UNEXPECTED = {
    "detail": "An unexpected error occurred; the log of the service has the details under this request id.",
    "code": "INTERNAL",
}


class FieldProblem(BaseModel):
    """One invalid field of a request."""

    where: str = Field(description="place in the request, for example body.question")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details, with the members that every error of this program has."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:visionllm:problem:VIDEO",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "The file is not a video.",
                "instance": "/v1/videos",
                "code": "VIDEO",
                "expected": "a video in a format listed in the documentation",
                "found": "notes.txt",
                "fix": "upload an MP4, MOV, MKV, WebM or AVI file",
                "request_id": "5f1c0f4e8f4b4b6f9d7c0c6a5d1e2f3a",
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str | None = None
    expected: str | None = None
    found: str | None = None
    fix: str | None = None
    errors: list[FieldProblem] | None = None


def http_problem(
    status: int, message: str, *, code: str, headers: dict[str, str] | None = None, **more: str
) -> HTTPException:
    """An exception that is answered with problem details; ``more`` is ``expected``, ``found`` and ``fix``."""
    return HTTPException(status, {"detail": message, "code": code, **more}, headers)


def not_found(what: str, name: str) -> HTTPException:
    """The exception for an unknown id, and for one that is not the asker's to know."""
    return http_problem(404, f"There is no {what} with this id.", code="NOT-FOUND", found=name[:100])


def build_problem(status: int, *, path: str, request_id: str | None, members: Mapping[str, Any]) -> Problem:
    """Build problem details.

    Args:
        status: the HTTP status.
        path: path of the request.
        request_id: id of the request.
        members: ``code`` and ``detail``, and perhaps ``expected``, ``found``, ``fix`` and ``errors``.

    Returns:
        The problem, with the phrase of the status as its title.
    """
    content = {
        "type": f"urn:visionllm:problem:{members['code']}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "instance": path,
        "request_id": request_id,
    }
    return Problem.model_validate({**content, **members})


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response with a problem, without its empty members."""
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def problem_bytes(problem: Problem) -> bytes:
    """The body of the response with a problem."""
    return problem.model_dump_json(exclude_none=True).encode()


def install(app: FastAPI) -> None:
    """Answer every exception of ``app`` with problem details."""
    app.add_exception_handler(StarletteHTTPException, _from_http)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(VisionLLMError, _from_package_error)
    app.add_exception_handler(Exception, _from_unexpected)


def problem_of(request: Request, error: BaseException) -> Problem:
    """The problem of an error that comes when the answer has begun, so that it can have no status of its own.

    Args:
        request: the request.
        error: any error; one that nobody expects is logged, and the client is told its request id only.

    Returns:
        The problem with the status that the answer would have had.
    """
    if isinstance(error, HTTPException) and isinstance(error.detail, dict):
        status, members = error.status_code, dict(error.detail)
    elif isinstance(error, VisionLLMError):
        status, members = error_status(error), _members(error)
    else:
        status, members = 500, _UNEXPECTED
    if status == 500:
        _log.error("request failed", exc_info=error)
    request_id = getattr(request.state, "request_id", None)
    return build_problem(status, path=request.url.path, request_id=request_id, members=members)


def error_status(error: VisionLLMError) -> int:
    """The HTTP status of an error of this package."""
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, ConsentMissing):
        return 403
    if isinstance(error, InputDataError):
        return 422
    return 503 if isinstance(error, ServiceError) else 500


def _respond(
    request: Request, status: int, members: dict[str, Any], headers: dict[str, str] | None = None
) -> JSONResponse:
    request_id = getattr(request.state, "request_id", None)
    problem = build_problem(status, path=request.url.path, request_id=request_id, members=members)
    return problem_response(problem, headers)


async def _from_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    if isinstance(error.detail, dict):
        members = dict(error.detail)
    else:
        members = {"detail": error.detail, "code": HTTPStatus(error.status_code).name.replace("_", "-")}
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed_methods(request, headers.get("Allow", ""))
    return _respond(request, error.status_code, members, headers)


def _allowed_methods(request: Request, of_route: str) -> str:
    """All methods of an address: the framework names those of one route, and an address may have several."""
    found = {name.strip() for name in of_route.split(",") if name.strip()}
    paths = request.app.openapi()["paths"]
    if request.url.path in paths:  # not those of a template that fits as well, as /v1/videos/{video_id} does
        found = {name.upper() for name in paths[request.url.path]}
    else:
        fitting = [template for template in paths if compile_path(template)[0].match(request.url.path)]
        found |= {name.upper() for template in fitting for name in paths[template]}
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))


async def _from_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    errors = [{"where": ".".join(map(str, e["loc"])), "message": str(e["msg"])} for e in found[:MOST_ERRORS]]
    members: dict[str, Any] = {
        "code": "VALIDATION",
        "detail": "The request does not match the interface.",
        "errors": errors,
    }
    if len(found) > MOST_ERRORS:
        members["found"] = f"{len(found)} errors; the first {MOST_ERRORS} are listed"
    return _respond(request, 422, members)


async def _from_package_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VisionLLMError)
    status = error_status(error)
    if status == 500:
        _log.error("request failed", exc_info=error)
    return _respond(request, status, _members(error))


def _members(error: VisionLLMError) -> dict[str, Any]:
    return {"detail": error.message, "code": error.code, **{name: getattr(error, name) for name in _TOLD}}


async def _from_unexpected(request: Request, _: Exception) -> JSONResponse:
    # The server logs the exception; clients must not see its message.
    return _respond(request, 500, _UNEXPECTED, {"X-Request-ID": getattr(request.state, "request_id", "")})
