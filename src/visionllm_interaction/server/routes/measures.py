"""``/v1/measures``: the catalogue, and the values of one measure as JSON, CSV or Parquet."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.results.measure_values import (
    MeasureValues,
    Selection,
    repeat_command,
    to_csv,
    to_parquet,
)
from visionllm_interaction.server.schemas.questions import MeasureCatalogue, MeasureDefinition, MeasureRow, MeasureTable
from visionllm_interaction.server.state import context_of

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS], tags=["measures"])
MIN_BIN_S = 0.5
PARQUET = "application/vnd.apache.parquet"
Name = Annotated[str | None, Query(max_length=200)]


def _selection(
    measure: Annotated[str, Path(max_length=200, examples=["visible_duration"])],
    subject: Name = None,
    object: Name = None,
    predicate: Name = None,
    video_id: Name = None,
    bin_s: Annotated[
        float | None, Query(ge=MIN_BIN_S, le=86_400, allow_inf_nan=False, description="length of a time bin in seconds")
    ] = None,
) -> Selection:
    return Selection(measure, subject, object, predicate, video_id, bin_s)


Wanted = Annotated[Selection, Depends(_selection)]


@router.get("/measures", summary="All measures", dependencies=[requires("viewer")])
def list_measures(request: Request) -> MeasureCatalogue:
    """Name, definition, unit and source of each."""
    found = context_of(request).service.visible.measures_for(known_principal(request)).catalogue()
    return MeasureCatalogue(measures=[MeasureDefinition.model_validate(one) for one in found])


@router.get(
    "/measures/{measure}",
    summary="Values of one measure",
    responses=problems(404, 409),
    dependencies=[requires("viewer", audit="view")],
)
def get_measure(request: Request, wanted: Wanted) -> MeasureTable:
    """One row per video, subject and object (and predicate and time bin), as `visionllm measures` writes them."""
    service, principal = context_of(request).service, known_principal(request)
    values = service.visible.measures_for(principal)
    definition = _definition(values, wanted.measure)
    rows = values.rows(wanted).select(list(MeasureRow.model_fields)).to_pylist()
    seen = service.projects.seen_ids(principal)
    names = {one: stored.name for one in seen if (stored := service.stored_videos.get(one))}
    return MeasureTable(
        measure=definition,
        rows=[MeasureRow.model_validate(row) for row in rows],
        choices=values.choices(wanted.measure, bin_s=wanted.bin_s),
        names=names,
        left_out={one: fault for one, fault in service.damaged_videos.find().items() if one in seen},
        command=repeat_command(service.config.store_dir, wanted),
    )


@router.get(
    "/measures/{measure}/csv",
    summary="Values of one measure as CSV",
    response_class=Response,
    dependencies=[requires("viewer", audit="export")],
    responses={**problems(403, 404, 409), 200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def get_measure_csv(request: Request, wanted: Wanted) -> Response:
    """All columns of the tidy table; texts cannot be run as formulas."""
    return _file(request, wanted, "csv")


@router.get(
    "/measures/{measure}/parquet",
    summary="Values of one measure as Parquet",
    response_class=Response,
    dependencies=[requires("viewer", audit="export")],
    responses={
        **problems(403, 404, 409),
        200: {"content": {PARQUET: {"schema": {"type": "string", "format": "binary"}}}},
    },
)
def get_measure_parquet(request: Request, wanted: Wanted) -> Response:
    """All columns of the tidy table, with their types."""
    return _file(request, wanted, "parquet")


def _file(request: Request, wanted: Selection, ending: Literal["csv", "parquet"]) -> Response:
    values = context_of(request).service.visible.measures_for(known_principal(request))
    _definition(values, wanted.measure)
    rows = values.rows(wanted)
    context_of(request).service.data_protection.check_export(rows.column("video_id").unique().to_pylist())
    write, media_type = {"csv": (to_csv, "text/csv"), "parquet": (to_parquet, PARQUET)}[ending]
    headers = {"Content-Disposition": f'attachment; filename="{wanted.measure}.{ending}"'}
    return Response(write(rows), media_type=media_type, headers=headers)


def _definition(values: MeasureValues, measure: str) -> MeasureDefinition:
    """The definition of a measure; 404 if there is none, 409 if nothing is analysed."""
    found = next((one for one in values.catalogue() if one["name"] == measure), None)
    if found is None:
        raise http_problem(
            404, "There is no such measure.", code="NOT-FOUND", found=measure[:100], fix="GET /v1/measures"
        )
    if values.is_empty:
        raise http_problem(409, "There is no analysed video to measure.", code="EMPTY-STORE", fix="upload a video")
    return MeasureDefinition.model_validate(found)
