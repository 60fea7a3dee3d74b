"""``/v1/healthz``, ``/v1/readyz`` and ``/metrics``: for those who run the service."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from visionllm_interaction.server.schemas import Readiness
from visionllm_interaction.server.service import is_ready
from visionllm_interaction.server.state import current

router = APIRouter(tags=["operation"])


@router.get("/v1/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Answers as long as the process does; needs no key."""
    return {"status": "alive"}


@router.get(
    "/v1/readyz",
    summary="Can it do its work?",
    responses={503: {"model": Readiness, "description": "A part does not work (yet)."}},
)
def readyz(request: Request, response: Response) -> Readiness:
    """The state of the detector, the store and the jobs; 503 until all work. Needs no key."""
    service = current(request).service
    parts = service.readiness()
    ready = is_ready(parts)
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "not ready", parts=parts, reasons=service.reasons())


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """Text format of Prometheus."""
    return Response(generate_latest(current(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)
