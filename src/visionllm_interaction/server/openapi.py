"""Parts of the OpenAPI document that the framework cannot infer."""

from __future__ import annotations

from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from visionllm_interaction import __version__
from visionllm_interaction.server.problem_details import MEDIA_TYPE, Problem

DESCRIPTION = """Detect objects in images, analyse videos in durable jobs, and ask questions whose every number
was computed and points at the frames that prove it. Errors are RFC 9457 problem details."""

_REASONS = {
    400: "The request is malformed.",
    401: "No valid API key.",
    403: "The key has not the role or the project, or the request comes from a page of another site.",
    404: "Not found.",
    405: "The address has no such method; `Allow` names those that it has.",
    408: "The rest of the request did not come.",
    409: "Not possible in the present state.",
    412: "Changed since it was read, or another version of tus.",
    413: "Too large.",
    415: "A type that is not taken here.",
    416: "The file has no such range.",
    421: "A host name that is not answered.",
    422: "Understood, but not usable.",
    503: "A part of the service, or a service behind it, is not available.",
    507: "The disk is nearly full.",
}

ANSWER_EXAMPLE: dict[str, Any] = {
    "status": "answered",
    "answer": "The child is visible for 18.4 s in play-3f6c1d2e4b5a.",
    "claims": [{"text": "The child is visible for 18.4 s.", "value": 18.4, "unit": "s", "evidence": ["e1"]}],
    "evidence": [
        {
            "id": "e1",
            "measure": "visible_duration",
            "value": 18.4,
            "unit": "s",
            "video_id": "play-3f6c1d2e4b5a",
            "track_ids": [1],
            "begin_s": 1.2,
            "end_s": 19.8,
            "frames": [30, 495],
            "kind": "computed",
        }
    ],
    "planner": "rules",
    "model": None,
    "dropped_claims": [],
    "left_out": [],
    "reason": None,
    "tokens": 0,
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route."""
    return {
        status: {"description": _REASONS[status], "model": Problem, "content": {MEDIA_TYPE: {}}} for status in statuses
    }


def file_body(description: str, bare_type: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """The request body of a route that streams a file: a form with the part ``file``, or the bare file."""
    properties = {"file": {"type": "string", "format": "binary", "description": description}, **(fields or {})}
    schema = {"type": "object", "required": ["file"], "properties": properties, "additionalProperties": False}
    form = {"schema": schema}
    bare = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": form, bare_type: bare}}}


def install(app: FastAPI) -> None:
    """Give ``app`` an OpenAPI document with the security scheme of keys and with problem details as errors."""
    making = Lock()

    def document() -> dict[str, Any]:
        with making:  # the first requests come together, each in its own thread
            if app.openapi_schema is None:
                app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    content = get_openapi(
        title="VisionLLM Interaction Analysis", version=__version__, description=DESCRIPTION, routes=app.routes
    )
    components = content.setdefault("components", {})
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    _state_limits(content, app)
    _drop_nested_discriminators(content)
    content["security"] = [{"bearer": []}, {"header": []}]
    for operations in content["paths"].values():
        for operation in operations.values():
            _describe_problems(operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(unused, None)
    return content


def _drop_nested_discriminators(node: Any) -> None:
    """Leave out discriminators that lead to a choice in a choice: OpenAPI has names of schemas only in their place."""
    if isinstance(node, list):
        for one in node:
            _drop_nested_discriminators(one)
    if not isinstance(node, dict):
        return
    found = node.get("discriminator")
    if isinstance(found, dict) and not all(isinstance(one, str) for one in found.get("mapping", {}).values()):
        del node["discriminator"]
    for one in node.values():
        _drop_nested_discriminators(one)


def _state_limits(content: dict[str, Any], app: FastAPI) -> None:
    """Say how long a question, and how large an upload, may be on this service."""
    largest = getattr(app.state, "max_upload_bytes", None)
    upload = content["paths"].get("/v1/uploads", {}).get("post", {})
    if largest is not None and "parameters" in upload:
        upload["parameters"] = [
            {**one, "schema": {**one["schema"], "maximum": largest}} if one["name"] == "Upload-Length" else one
            for one in upload["parameters"]
        ]
    longest = getattr(app.state, "max_question_chars", None)
    request = content["components"].get("schemas", {}).get("AskRequest")
    if longest is not None and request is not None:
        properties = request["properties"]
        properties["question"]["maxLength"] = properties["after"]["items"]["maxLength"] = longest


def _describe_problems(operation: dict[str, Any]) -> None:
    """Describe all errors, including those of every route and the framework's 422, as problem details."""
    responses = operation["responses"]
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    everywhere = {421, 422} if operation.get("security") == [] else {401, 403, 421, 422}
    if "requestBody" in operation:
        everywhere |= {400, 408, 413, 503}
    for status in sorted(everywhere):
        responses.setdefault(str(status), {"description": _REASONS[status], "content": problem})
    for response in responses.values():
        if "/Problem" in str(response.get("content")) or "/HTTPValidationError" in str(response.get("content")):
            response["content"] = problem
