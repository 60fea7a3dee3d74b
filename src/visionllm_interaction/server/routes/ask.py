"""``/v1/ask`` and ``/v1/questions``: a question about the analysed videos, and questions that have an answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.reasoning.answers import Answer, AnswerStage, Claim, Tell, tell_nobody
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.event_streams import SendEvent, described_events, stream_work
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import ANSWER_EXAMPLE, problems
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.schemas.questions import AskRequest, QuestionList
from visionllm_interaction.server.state import context_of

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS])


@router.post(
    "/ask",
    tags=["questions"],
    summary="Ask a question about the analysed videos",
    dependencies=[requires("viewer", audit="ask")],
    responses={**problems(400, 409, 422, 503), 200: {"content": {"application/json": {"example": ANSWER_EXAMPLE}}}},
)
def ask(request: Request, body: AskRequest) -> Answer:
    """The answer of `visionllm ask`: claims, each with its evidence, or a refusal with the reason."""
    _check(request, body)
    return _answer(request, body)


@router.post(
    "/ask/events",
    tags=["questions"],
    summary="Ask a question, and follow how it is answered",
    response_class=StreamingResponse,
    dependencies=[requires("viewer", audit="ask")],
    responses={**problems(400, 409, 422, 503), **described_events("stage", "claim", "answer", "problem")},
)
async def stream_answer(request: Request, body: AskRequest) -> StreamingResponse:
    """Server-sent events: each stage when it begins, each claim once it is proven, and at the end the answer.

    `event: stage` brings what is being done (`planning`, `evidence`, `proof`, `wording`), `event: claim` a sentence
    that held when it was computed again, `event: answer` the answer of `POST /v1/ask`. No sentence is sent before it is
    proven. What the last answer rests on (`How do you know?`) is an `answer` alone: nothing is computed. Where a
    language model words the claims, the answer may say them in other words. `event: problem` brings problem details in
    place of the answer.
    """
    await run_in_threadpool(_check, request, body)

    def work(send: SendEvent) -> None:
        def tell(told: AnswerStage | Claim) -> None:
            send("claim" if isinstance(told, Claim) else "stage", told.model_dump_json())

        send("answer", _answer(request, body, tell).model_dump_json())

    return await stream_work(request, work)


def _check(request: Request, body: AskRequest) -> None:
    """Refuse what cannot be asked here, and note for the audit log which video it is about."""
    service = context_of(request).service
    longest = service.config.limits.max_question_chars
    if max(map(len, (body.question, *body.after))) > longest:
        raise http_problem(422, "The question is too long.", code="TOO-LONG", expected=f"at most {longest} characters")
    if body.planner == "llm" and not service.reason.endpoint.base_url:
        raise http_problem(
            409, "This service has no language model.", code="NO-ENDPOINT", fix="ask with planner rules, or without one"
        )
    if body.video_id in service.projects.seen_ids(known_principal(request)):
        request.state.audit_video = body.video_id


def _answer(request: Request, body: AskRequest, tell: Tell = tell_nobody) -> Answer:
    service, metrics, _ = context_of(request)
    questions = service.visible.questions_for(known_principal(request))
    if body.planner is None:
        answer = questions.say(body.question, body.after, video_id=body.video_id, tell=tell).answer
    else:
        answer = questions.ask(body.question, planner=body.planner, video_id=body.video_id, tell=tell)
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
    found = context_of(request).service.analysed.example_questions(video_id, known_principal(request))
    return QuestionList(questions=found)
