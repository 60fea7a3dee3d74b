"""``/v1/videos/{video_id}/corrections``: what people correct of a video, with who and when; undone one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as StorePath
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from visionllm_interaction.server.auth.roles import LOCAL
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.idempotency_keys import IDEMPOTENT, IdempotentRoute
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.server.state import context_of
from visionllm_interaction.store.corrections.changes import AnyChange
from visionllm_interaction.store.corrections.recording import (
    CorrectionConflict,
    NoSuchCorrection,
    VideoCorrections,
    add_correction,
    list_corrections,
    undo_correction,
)

router = APIRouter(
    prefix="/v1/videos", dependencies=[KNOWN_PARAMETERS], tags=["corrections"], route_class=IdempotentRoute
)
VideoId = Annotated[str, Path(max_length=200, examples=["play-3f6c1d2e4b5a"])]
CorrectionId = Annotated[int, Path(ge=1, le=10_000_000)]
IfMatch = Annotated[
    str | None,
    Header(
        max_length=200,
        description="The ETag of the corrections that were read: 412 if somebody has corrected the video since.",
    ),
]
Who = Annotated[
    str | None,
    Query(max_length=60, description="Who corrects, where several people share a key. Default: the name of the key."),
]
CORRECT = requires("analyst", audit="correct")
NOBODY = "page"
"""Who corrects where the service knows nobody's name."""


class CorrectionRow(BaseModel):
    """One correction, and what became of it."""

    model_config = ConfigDict(extra="forbid")

    id: int
    kind: str = Field(description="box, category, role, identity, bout, event, or undo")
    action: str
    target: dict[str, Any] = Field(description="what is corrected")
    old: dict[str, Any] = Field(description="the value before")
    new: dict[str, Any] = Field(description="the value after")
    who: str
    made_at: str = Field(description="UTC")
    undone_by: int | None = Field(description="the correction that undoes this one")
    state: str = Field(description="applied, not needed, orphaned or undone")
    reason: str | None = Field(description="why it is orphaned or not needed")


class CorrectionList(BaseModel):
    """The corrections of a video."""

    model_config = ConfigDict(extra="forbid")

    video_id: str
    revision: str = Field(description="names this state; also the ETag")
    corrections: list[CorrectionRow] = Field(description="oldest first")
    orphaned: list[int] = Field(description="those about something that the present analysis does not show")


_REFUSALS = problems(400, 404, 409, 412, 422)


@router.get(
    "/{video_id}/corrections",
    summary="Corrections of a video",
    responses=problems(404, 409),
    dependencies=[requires("viewer", audit="view")],
)
def get_corrections(request: Request, response: Response, video_id: VideoId) -> CorrectionList:
    """All of them, undone and orphaned ones too. `ETag` is for `If-Match`."""
    service = context_of(request).service
    with service.analysed.opened(video_id, known_principal(request)):
        return _listed(list_corrections(service.config.store_dir, video_id), response)


@router.post(
    "/{video_id}/corrections",
    status_code=201,
    summary="Correct something",
    responses=_REFUSALS,
    dependencies=[CORRECT, IDEMPOTENT],
)
def post_correction(
    request: Request,
    response: Response,
    video_id: VideoId,
    change: AnyChange,
    if_match: IfMatch = None,
    who: Who = None,
) -> CorrectionList:
    """Boxes, categories, roles, identities, bouts and events. The machine's values stay beside the corrected ones."""
    with _correcting(request, video_id) as store:
        found = add_correction(store, video_id, change, who=_person(request, who), if_revision=_revision(if_match))
    return _listed(found, response)


@router.delete(
    "/{video_id}/corrections/{correction_id}",
    summary="Undo a correction, or an undo",
    responses=_REFUSALS,
    dependencies=[CORRECT],
)
def delete_correction(
    request: Request,
    response: Response,
    video_id: VideoId,
    correction_id: CorrectionId,
    if_match: IfMatch = None,
    who: Who = None,
) -> CorrectionList:
    """The correction stays in the list, as undone; undoing the line that undid it restores it."""
    with _correcting(request, video_id) as store:
        found = undo_correction(
            store, video_id, correction_id, who=_person(request, who), if_revision=_revision(if_match)
        )
    return _listed(found, response)


@contextmanager
def _correcting(request: Request, video_id: str) -> Iterator[StorePath]:
    """The store of a video that the key sees; what was answered before is forgotten once it is corrected."""
    service = context_of(request).service
    with service.analysed.opened(video_id, known_principal(request)):
        try:
            yield service.config.store_dir
        except CorrectionConflict as conflict:
            raise _conflict(conflict) from conflict
        except NoSuchCorrection as missing:
            raise not_found("correction", missing.found or "") from missing
    service.visible.forget_answers()


def _listed(found: VideoCorrections, response: Response) -> CorrectionList:
    response.headers["ETag"] = f'"{found.revision}"'
    return CorrectionList.model_validate(found.to_dict())


def _revision(if_match: str | None) -> str | None:
    """The revision in a header; None: whichever there is."""
    if if_match is None or if_match.strip() == "*":
        return None
    return if_match.strip().removeprefix("W/").strip('"')


def _person(request: Request, who: str | None) -> str:
    """Who corrects: the name given, or that of the key."""
    principal = known_principal(request)
    key = None if principal == LOCAL else principal.name
    given = " ".join((who or "").split())
    if given and key and given != key:
        return f"{given} ({key})"
    return given or key or NOBODY


def _conflict(conflict: CorrectionConflict) -> Exception:
    return http_problem(
        412,
        conflict.message,
        code=conflict.code,
        expected=conflict.expected or "",
        found=conflict.found or "",
        fix=conflict.fix or "",
    )
