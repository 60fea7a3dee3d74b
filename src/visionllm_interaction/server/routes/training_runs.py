"""``/v1/runs``: data sets and trainings of the pipeline, with the images of issues and of errors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.server.state import context_of
from visionllm_interaction.server.training import run_reports
from visionllm_interaction.server.training.run_images import MEDIA_TYPE, list_issues
from visionllm_interaction.server.training.schemas import IssuePage, RunList, RunReport

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS], tags=["training"])
RunName = Annotated[str, Path(max_length=100, examples=["20261130T101500_000000Z"])]
Row = Annotated[int, Path(ge=0, le=2**31)]
IMAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/runs", summary="Runs of the pipeline", dependencies=[requires("viewer")])
def get_runs(request: Request) -> RunList:
    """Newest first. None for keys that do not see the project of the runs (`serve.artifacts_project`)."""
    config = context_of(request).service.config
    seen = config.artifacts_dir is not None and known_principal(request).sees(config.artifacts_project)
    folders = list_runs(config.artifacts_dir) if seen and config.artifacts_dir else []
    runs = [run_reports.summarise(folder) for folder in reversed(folders)]
    return RunList(runs=runs, configured=config.artifacts_dir is not None)


@router.get(
    "/runs/{run}",
    summary="One run: validation, splits, training, trials, evaluation, cards",
    responses=problems(404, 409),
    dependencies=[requires("viewer", audit="view")],
)
def get_run(request: Request, run: RunName) -> RunReport:
    """What its manifests say."""
    found = _manifests(request, run)
    return run_reports.report(found.folder)


@router.get(
    "/runs/{run}/issues",
    summary="Issues of one code",
    responses=problems(404, 409),
    dependencies=[requires("viewer", audit="view")],
)
def get_issues(
    request: Request,
    run: RunName,
    code: Annotated[str, Query(max_length=60, examples=["BOX-OUT-OF-BOUNDS"])],
    split: Annotated[Literal["train", "val"] | None, Query(description="default: what is about no split")] = None,
    begin: Annotated[int, Query(ge=0, le=2**31, description="how many are left out")] = 0,
    count: Annotated[int, Query(ge=1, le=200)] = 24,
) -> IssuePage:
    """In the order of the run's table of issues."""
    return list_issues(_manifests(request, run), code, split, begin=begin, count=count)


@router.get(
    "/runs/{run}/issues/{row}/image",
    summary="The image of an issue, with its boxes",
    response_class=Response,
    dependencies=[requires("viewer")],
    responses={**problems(404, 409), **IMAGE},
)
def get_issue_image(request: Request, run: RunName, row: Row) -> Response:
    """The box at fault is bold, the others of the image are thin."""
    content = context_of(request).service.run_images.issue(_manifests(request, run), row)
    return Response(content, media_type=MEDIA_TYPE)


@router.get(
    "/runs/{run}/worst-images/{row}",
    summary="An image with many errors of the detector",
    response_class=Response,
    dependencies=[requires("viewer")],
    responses={**problems(404, 409), **IMAGE},
)
def get_worst_image(request: Request, run: RunName, row: Row) -> Response:
    """What was found, found wrongly and missed has a colour each."""
    content = context_of(request).service.run_images.worst(_manifests(request, run), row)
    return Response(content, media_type=MEDIA_TYPE)


def _manifests(request: Request, name: str) -> run_reports.RunManifests:
    """The manifests of a run that the key sees; 404 if there is none, 409 if they are damaged."""
    config = context_of(request).service.config
    seen = config.artifacts_dir is not None and known_principal(request).sees(config.artifacts_project)
    folder = run_reports.find_run(config.artifacts_dir, name) if seen and config.artifacts_dir else None
    if folder is None:
        raise not_found("run", name)
    try:
        return run_reports.RunManifests.read(folder)
    except ManifestError as error:
        fix = "run the stage again"
        raise http_problem(409, error.message, code="DAMAGED-RUN", found=str(error.found), fix=fix) from error
