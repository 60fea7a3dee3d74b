"""``/v1/healthz``, ``/v1/readyz`` and ``/metrics``, for operating the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from visionllm_interaction.server.auth.route_roles import requires
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.readiness import is_ready, part_reasons, part_states
from visionllm_interaction.server.schemas.access import Readiness
from visionllm_interaction.server.state import context_of

OPEN: dict[str, Any] = {"security": []}
"""Needs no key."""

router = APIRouter(tags=["operation"], dependencies=[KNOWN_PARAMETERS])


@router.get("/v1/healthz", summary="Liveness", openapi_extra=OPEN, dependencies=[requires("anyone")])
async def healthz() -> dict[str, str]:
    """Answers while the process runs. Needs no key."""
    return {"status": "alive"}


@router.get(
    "/v1/readyz",
    summary="Readiness",
    dependencies=[requires("anyone")],
    openapi_extra=OPEN,
    responses={503: {"model": Readiness, "description": "A part of the service is not ready."}},
)
def readyz(request: Request, response: Response) -> Readiness:
    """The state of the detector, the store and the jobs; 503 until all are ready. Needs no key."""
    service = context_of(request).service
    parts = part_states(service)
    ready = is_ready(parts)
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "not ready", parts=parts, reasons=part_reasons(service))


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    dependencies=[requires("viewer")],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Metrics in the text format of Prometheus."""
    return Response(generate_latest(context_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/openapi.json", include_in_schema=False, dependencies=[requires("viewer")])
def openapi_document(request: Request) -> JSONResponse:
    """The document that describes this interface."""
    return JSONResponse(request.app.openapi())
