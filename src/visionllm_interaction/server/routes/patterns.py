"""``/v1/look-transitions``, ``/v1/bouts`` and the comparisons of a video: patterns over time, as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from visionllm_interaction.errors import UsageError
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.patterns.bout_raster import bout_raster, raster_csv
from visionllm_interaction.server.patterns.coding_beside_model import compare_codings
from visionllm_interaction.server.patterns.look_transitions import look_transitions, transitions_csv
from visionllm_interaction.server.patterns.schemas import BoutRaster, Coding, LookTransitions, VideoComparisons
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.schemas.frozen_model import NOT_BLANK
from visionllm_interaction.server.state import context_of
from visionllm_interaction.store.layout import list_videos

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS], tags=["measures"])
Expression = Annotated[
    str,
    Query(min_length=1, max_length=1000, pattern=NOT_BLANK, examples=["holding(child)"], description="of the language"),
]
CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def _transitions_of(
    request: Request,
    participant: Annotated[str | None, Query(max_length=200, description="default: the child")] = None,
    video_id: Annotated[str | None, Query(max_length=200, description="default: all videos")] = None,
) -> Callable[..., LookTransitions]:
    service = context_of(request).service
    folder = service.visible.store_for(known_principal(request))
    name = service.config.store_dir.name
    return partial(look_transitions, folder, participant=participant, video_id=video_id, store_name=name)


Transitions = Annotated[Callable[..., LookTransitions], Depends(_transitions_of)]


@router.get(
    "/look-transitions",
    summary="Which target of looks follows which",
    responses=problems(404, 409),
    dependencies=[requires("viewer", audit="view")],
)
def get_look_transitions(found: Transitions) -> LookTransitions:
    """Counts, probabilities and entropies, from imported looks."""
    return found()


@router.get(
    "/look-transitions/csv",
    summary="Transitions of looks as CSV",
    response_class=Response,
    dependencies=[requires("viewer", audit="export")],
    responses={**problems(403, 404, 409), **CSV},
)
def get_look_transitions_csv(request: Request, found: Transitions) -> Response:
    """One line for each pair of targets."""
    check_export = context_of(request).service.data_protection.check_export
    return _csv(transitions_csv(found(check_export=check_export)), "look_transitions")


@router.get(
    "/bouts",
    summary="When something holds, in all videos",
    responses=problems(400, 409),
    dependencies=[requires("viewer", audit="view")],
)
def get_bouts(request: Request, expression: Expression) -> BoutRaster:
    """The intervals or moments of an expression of the language, and the time that is not known."""
    service, principal = context_of(request).service, known_principal(request)
    _check_not_empty(request)
    seen = service.projects.seen_ids(principal)
    return bout_raster(
        service.visible.store_for(principal),
        expression,
        config=service.measures,
        names={one: stored.name for one in seen if (stored := service.stored_videos.get(one))},
        store_name=service.config.store_dir.name,
    )


@router.get(
    "/bouts/csv",
    summary="Bouts of all videos as CSV",
    response_class=Response,
    dependencies=[requires("viewer", audit="export")],
    responses={**problems(400, 403, 409), **CSV},
)
def get_bouts_csv(request: Request, expression: Expression) -> Response:
    """As `visionllm query --csv` writes them."""
    service = context_of(request).service
    _check_not_empty(request)
    folder = service.visible.store_for(known_principal(request))
    check_export = service.data_protection.check_export
    return _csv(raster_csv(folder, expression, config=service.measures, check_export=check_export), "bouts")


@router.get(
    "/videos/{video_id}/comparisons",
    summary="Imported codings beside what the model found",
    responses=problems(400, 404, 409),
    dependencies=[requires("viewer", audit="view")],
)
def get_comparisons(
    request: Request,
    video_id: str,
    state: Annotated[str | None, Query(max_length=300, examples=["child holding ball"])] = None,
    tier: Annotated[str | None, Query(max_length=300)] = None,
    participant: Annotated[str, Query(max_length=300)] = "",
    label: Annotated[str, Query(max_length=1000, description="default: any label of the tier")] = "",
) -> VideoComparisons:
    """With `state` and `tier` those two; without them all whose names say the same."""
    service, principal = context_of(request).service, known_principal(request)
    if tier is None and (participant or label):
        raise UsageError(
            "A coding needs its tier.", expected="tier beside participant and label", found=(participant or label)[:200]
        )
    coding = Coding(tier=tier, participant=participant, label=label) if tier is not None else None
    with service.analysed.opened(video_id, principal) as store:
        return compare_codings(store, video_id, coding=coding, state=state)


def _check_not_empty(request: Request) -> None:
    service = context_of(request).service
    if not list_videos(service.visible.store_for(known_principal(request))):
        raise http_problem(409, "There is no analysed video.", code="EMPTY-STORE", fix="upload a video")


def _csv(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(content, media_type="text/csv", headers=headers)
