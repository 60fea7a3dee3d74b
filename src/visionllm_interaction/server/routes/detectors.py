"""``/v1/detectors``: the detectors of this machine, and the change to another one."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import ConfigDict, Field

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
from visionllm_interaction.server.auth.roles import Principal
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.state import context_of
from visionllm_interaction.server.training.detectors import find_detector, known_detectors
from visionllm_interaction.server.training.run_reports import find_run
from visionllm_interaction.server.training.schemas import Activation, DetectorList
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS], tags=["training"])


class ActivationRequest(DescribedModel):
    """On what a detector is compared with the one that serves."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"run": "20261130T101500_000000Z"}},
    )

    run: str | None = Field(default=None, max_length=100)
    """The run whose validation split is used; default: that of the detector. A detector that was trained or chosen on
    those images looks better on them than it is."""


@router.get("/detectors", summary="Detectors that could serve", dependencies=[requires("viewer")])
def get_detectors(request: Request) -> DetectorList:
    """The serving one first; then those of runs, and the ready-made ones that are on this machine.

    Runs, and the last change, are told to keys that see the project of the runs.
    """
    service, principal = context_of(request).service, known_principal(request)
    found = known_detectors(_artifacts(service, principal), service.detector.checkpoint)
    seen = principal.sees(service.config.artifacts_project)
    activation = service.activations.last if seen else Activation(state="none")  # it names a run, and its figures
    return DetectorList(detectors=[one.view for one in found], activation=activation)


@router.post(
    "/detectors/{model}/activation",
    summary="Let another detector serve, if it passes the gates",
    status_code=202,
    responses=problems(403, 404, 409),
    dependencies=[requires("admin", audit="activate")],
)
def activate(
    request: Request,
    model: Annotated[str, Path(max_length=100, examples=["20261130T101500_000000Z"])],
    body: ActivationRequest,
) -> Activation:
    """Both are compared on the same images and held against the section `promote`; only then they change places.

    Where none serves yet, there is nothing to compare with, and no gate is checked. The detector is that of all
    projects: only a key of all projects may change it. Images that are being detected keep their detector.
    `GET /v1/detectors` says how far it is.
    """
    service, principal = context_of(request).service, known_principal(request)
    if principal.projects is not None:
        raise http_problem(
            403,
            "The detector serves all projects.",
            code="PROJECT",
            expected="a key of all projects",
            found=f"a key of {', '.join(sorted(principal.projects))}"[:200],
            fix="ask for a key made with `visionllm keys create NAME --role admin`, without --project",
        )
    artifacts, serving = _artifacts(service, principal), service.detector.checkpoint
    candidate = find_detector(artifacts, serving, model)
    if candidate is None:
        raise not_found("detector", model)
    run = body.run or candidate.view.run
    folder = find_run(artifacts, run) if artifacts and run else None
    if folder is None or not (folder / STAGE_MANIFESTS["transform"]).is_file():
        raise http_problem(
            409,
            "There are no images to compare the detectors on.",
            code="NO-DATA",
            expected="a run whose stages 1-3 are done",
            found=run or "no run",
            fix="name one as `run`; GET /v1/runs lists them",
        )
    current = next((one for one in known_detectors(artifacts, serving) if one.view.serving), None)
    return service.activations.start(candidate, current, data=folder / STAGE_MANIFESTS["transform"], run=folder.name)


def _artifacts(service: Service, principal: Principal) -> FilePath | None:
    """The folder of runs, for keys that see their project."""
    return service.config.artifacts_dir if principal.sees(service.config.artifacts_project) else None
