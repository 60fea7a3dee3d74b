"""``/v1/detect``: the objects in one image."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.core import Categories, Detections
from visionllm_interaction.server.auth.route_roles import requires
from visionllm_interaction.server.detector_slot import ImageDetections
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.monitoring.seen_images import SeenImage
from visionllm_interaction.server.multipart import receive_file
from visionllm_interaction.server.openapi import file_body, problems
from visionllm_interaction.server.schemas.detections import DetectedObject, DetectResult
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.state import context_of

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS])


@router.post(
    "/detect",
    tags=["detection"],
    summary="Detect objects in one image",
    responses=problems(400, 413, 422, 503),
    dependencies=[requires("analyst")],
    openapi_extra=file_body("A JPEG, PNG, WebP, BMP, TIFF or GIF image.", "image/*"),
)
async def detect(
    request: Request,
    min_confidence: Annotated[
        float, Query(ge=0, le=1, allow_inf_nan=False, description="detections below this are left out")
    ] = 0.5,
) -> DetectResult:
    """Send the image as the form part `file`, or as the bare body."""
    service, metrics, _ = context_of(request)
    limits = service.config.limits
    await run_in_threadpool(service.detector.follow)
    service.detector.require()
    data = bytearray()
    received = await receive_file(request, data.extend, limit_bytes=int(limits.max_image_mb * 1e6))
    if received.fields:
        raise RequestValidationError(
            [{"loc": ("body", name[:100]), "msg": "not a part of this form"} for name in sorted(received.fields)]
        )
    found = await run_in_threadpool(_detect_and_count, service, bytes(data), min_confidence=min_confidence)
    metrics.detect.observe(found.duration_s)
    detector = found.detector
    return DetectResult(
        width=found.width,
        height=found.height,
        detections=detected_objects(found.detections, detector.categories),
        model={"name": detector.name, "sha256": detector.digest},
        seconds=round(found.duration_s, 4),
    )


def _detect_and_count(service: Service, data: bytes, *, min_confidence: float) -> ImageDetections:
    """Detect, and have it counted; blocks."""
    found = service.detector.detect(data, min_confidence=min_confidence)
    categories = found.detector.categories
    seen = SeenImage.of(found.detections, categories, min_confidence=min_confidence, brightness=None)
    service.monitor.saw_image(data, seen, by=found.checkpoint)
    return found


def detected_objects(found: Detections, categories: Categories) -> list[DetectedObject]:
    """Detections in the form of the API, highest confidence first."""
    order = np.argsort(-found.confidences, kind="stable")
    return [
        DetectedObject(
            category=categories.by_label[int(found.labels[row])].name,
            category_id=categories.by_label[int(found.labels[row])].category_id,
            confidence=round(float(found.confidences[row]), 4),
            box_xyxy=tuple(round(float(v), 2) for v in found.boxes_xyxy[row]),
        )
        for row in order
    ]
