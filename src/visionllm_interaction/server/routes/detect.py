"""``/v1/detect`` and ``/v1/ask``: one image, one question."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.core import Categories, Detections
from visionllm_interaction.reasoning.models import Answer
from visionllm_interaction.server.multipart import receive_file
from visionllm_interaction.server.openapi import ANSWER_EXAMPLE, file_body, problems
from visionllm_interaction.server.problem_details import refusal
from visionllm_interaction.server.schemas import AskRequest, DetectedObject, DetectResult
from visionllm_interaction.server.state import current

router = APIRouter(prefix="/v1")


@router.post(
    "/detect",
    tags=["detection"],
    summary="Find objects in one image",
    responses=problems(400, 413, 422, 503),
    openapi_extra=file_body("A JPEG, PNG, WebP, BMP, TIFF or GIF image.", "image/*"),
)
async def detect(
    request: Request,
    min_confidence: Annotated[float, Query(ge=0, le=1, description="leave out detections below this")] = 0.5,
) -> DetectResult:
    """Send the image as the form part `file`, or as the bare body."""
    service, metrics = current(request)
    limits = service.config.limits
    service.detector.require()
    data = bytearray()
    await receive_file(request, data.extend, limit_bytes=int(limits.max_image_mb * 1e6))
    image, found, seconds = await run_in_threadpool(
        service.detector.detect,
        bytes(data),
        min_confidence=min_confidence,
        max_megapixels=limits.max_image_megapixels,
    )
    metrics.detect.observe(seconds)
    detector = service.detector.require()
    return DetectResult(
        width=image.shape[1],
        height=image.shape[0],
        detections=detected_objects(found, detector.categories),
        model={"name": detector.name, "sha256": detector.digest},
        seconds=round(seconds, 4),
    )


def detected_objects(found: Detections, categories: Categories) -> list[DetectedObject]:
    """Detections as the interface gives them, best confidence first."""
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


@router.post(
    "/ask",
    tags=["questions"],
    summary="Ask a question about the analysed videos",
    responses={**problems(400, 409, 422, 503), 200: {"content": {"application/json": {"example": ANSWER_EXAMPLE}}}},
)
def ask(request: Request, body: AskRequest) -> Answer:
    """The same answer as `visionllm ask`: claims, each with the evidence it rests on, or a refusal with its reason."""
    service, metrics = current(request)
    longest = service.config.limits.max_question_chars
    if len(body.question) > longest:
        raise refusal(422, "The question is too long.", code="TOO-LONG", expected=f"at most {longest} characters")
    answer = service.ask(body.question, planner=body.planner)
    metrics.questions.labels(answer.status, answer.planner).inc()
    return answer
