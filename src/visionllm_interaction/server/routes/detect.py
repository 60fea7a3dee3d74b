"""``/v1/detect`` and ``/v1/ask``: one image, one question."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.core import Categories, Detections
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.multipart import receive_file
from visionllm_interaction.server.openapi import ANSWER_EXAMPLE, file_body, problems
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.schemas import AskRequest, DetectedObject, DetectResult, QuestionList
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
    service.detector.require()
    data = bytearray()
    received = await receive_file(request, data.extend, limit_bytes=int(limits.max_image_mb * 1e6))
    if received.fields:
        raise RequestValidationError(
            [{"loc": ("body", name[:100]), "msg": "not a part of this form"} for name in sorted(received.fields)]
        )
    found = await run_in_threadpool(
        service.detector.detect,
        bytes(data),
        min_confidence=min_confidence,
        max_megapixels=limits.max_image_megapixels,
    )
    metrics.detect.observe(found.duration_s)
    detector = service.detector.require()
    return DetectResult(
        width=found.width,
        height=found.height,
        detections=detected_objects(found.detections, detector.categories),
        model={"name": detector.name, "sha256": detector.digest},
        seconds=round(found.duration_s, 4),
    )


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


@router.post(
    "/ask",
    tags=["questions"],
    summary="Ask a question about the analysed videos",
    dependencies=[requires("viewer", audit="ask")],
    responses={**problems(400, 409, 422, 503), 200: {"content": {"application/json": {"example": ANSWER_EXAMPLE}}}},
)
def ask(request: Request, body: AskRequest) -> Answer:
    """The answer of `visionllm ask`: claims, each with its evidence, or a refusal with the reason."""
    service, metrics, _ = context_of(request)
    longest = service.config.limits.max_question_chars
    if max(map(len, (body.question, *body.after))) > longest:
        raise http_problem(422, "The question is too long.", code="TOO-LONG", expected=f"at most {longest} characters")
    if body.planner == "llm" and not service.reason.endpoint.base_url:
        raise http_problem(
            409, "This service has no language model.", code="NO-ENDPOINT", fix="ask with planner rules, or without one"
        )
    principal = known_principal(request)
    questions = service.visible.questions_for(principal)
    if body.video_id in service.projects.seen_ids(principal):
        request.state.audit_video = body.video_id
    if body.planner is None:
        answer = questions.say(body.question, body.after, video_id=body.video_id).answer
    else:
        answer = questions.ask(body.question, planner=body.planner, video_id=body.video_id)
    metrics.questions.labels(answer.status, answer.planner).inc()
    return answer


@router.get(
    "/questions",
    tags=["questions"],
    summary="Questions that have an answer",
    dependencies=[requires("viewer")],
    responses=problems(404, 409),
)
def list_questions(
    request: Request,
    video_id: Annotated[str | None, Query(max_length=200, description="default: the video analysed last")] = None,
) -> QuestionList:
    """A few questions made from what is in the video; each was asked of it and is answered."""
    found = context_of(request).service.example_questions(video_id, known_principal(request))
    return QuestionList(questions=found)
