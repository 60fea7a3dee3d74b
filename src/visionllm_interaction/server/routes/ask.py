"""``/v1/ask`` and ``/v1/questions``: a question about the analysed videos, and questions that have an answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import ANSWER_EXAMPLE, problems
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.schemas import AskRequest, QuestionList
from visionllm_interaction.server.state import context_of

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS])


@router.post(
    "/ask",
    tags=["questions"],
    summary="Ask a question about the analysed videos",
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
    if body.planner is None:
        answer = service.say(body.question, body.after, video_id=body.video_id).answer
    else:
        answer = service.ask(body.question, planner=body.planner, video_id=body.video_id)
    metrics.questions.labels(answer.status, answer.planner).inc()
    return answer


@router.get(
    "/questions",
    tags=["questions"],
    summary="Questions that have an answer",
    responses=problems(404, 409),
)
def list_questions(
    request: Request,
    video_id: Annotated[str | None, Query(max_length=200, description="default: the video analysed last")] = None,
) -> QuestionList:
    """A few questions made from what is in the video; each was asked of it and is answered."""
    return QuestionList(questions=context_of(request).service.questions(video_id))
