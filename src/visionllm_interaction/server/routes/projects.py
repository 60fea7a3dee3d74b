"""``/v1/projects``: the rules of each project, who consented, and what should have been erased."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BeforeValidator, ConfigDict, Field, StrictBool

from visionllm_interaction.server.auth.roles import PROJECT_PATTERN
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.projects.data_protection import ProjectState
from visionllm_interaction.server.state import context_of
from visionllm_interaction.store.data_protection.register import ConsentState, ConsentSubject, ProjectRules
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel

router = APIRouter(prefix="/v1/projects", dependencies=[KNOWN_PARAMETERS], tags=["projects"])
ProjectId = Annotated[str, Path(max_length=64, pattern=PROJECT_PATTERN, examples=["dyads"])]
LOOK = requires("viewer")
ADMIN = requires("admin", audit="change project")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TEXT = r"^[^\x00-\x1f\x7f]*$"


def _written_as_day(value: object) -> object:
    """Refuse what is not a day as text: a number would count from 1970, so that everything is due."""
    if value is not None and not (isinstance(value, str) and DAY.fullmatch(value)):
        raise ValueError("must be a day as text, such as 2027-06-30")
    return value


Day = Annotated[date, BeforeValidator(_written_as_day)]


class _Model(DescribedModel):
    model_config = ConfigDict(extra="forbid")


class Project(_Model):
    """A project: its rules, and what follows from them."""

    project: str
    consent_required: bool
    """Whether videos without a recorded consent may not be exported. Where it was withdrawn, none ever may."""
    retain_until: date | None
    """The last day on which its videos may be kept; null: no such day."""
    erase_when_due: bool
    """Whether the service erases what is due by itself."""
    videos: int
    due: int
    """Number of videos that should have been erased."""
    consents: dict[ConsentState, int]
    """Number of videos by the state of their consent."""


class ProjectList(_Model):
    """Projects, by name."""

    projects: list[Project]
    videos_without_project: int
    """Number of videos whose upload record is damaged, so that nobody knows their project and they are never due."""


class RulesChange(_Model):
    """Rules of a project; those that are left out stay, and null takes that of the whole store."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"consent_required": True, "retain_until": "2027-06-30"}},
    )

    consent_required: StrictBool | None = None
    """Refuse exports of videos without a recorded consent."""
    retain_until: Day | Literal["never"] | None = None
    """The last day on which videos may be kept; `never`: there is none, whatever the whole store says."""
    erase_when_due: StrictBool | None = None
    """Let the service erase what is due by itself, within an hour."""


class ConsentEntry(_Model):
    """One record of consent."""

    about: ConsentSubject
    name: str
    state: ConsentState
    project: str | None
    """The project in which it holds; null: in all."""
    who: str
    at: str
    """UTC."""
    note: str


class ConsentOfVideo(_Model):
    """The consent for one video."""

    video_id: str
    state: ConsentState
    """`withdrawn` if it is for the child, the session or the video; else `given` if it is for one of them."""
    child: str | None
    sessions: list[str]
    required: bool
    may_be_exported: bool


class ProjectConsents(_Model):
    """Who consented in a project."""

    videos: list[ConsentOfVideo]
    records: list[ConsentEntry]
    """Oldest first; the last one about a child, session or video holds."""
    concerned: int | None = None
    """Number of videos that the new record is about, 0 for a name that nothing has; null where none was made."""


class ConsentChange(_Model):
    """What is to be recorded."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"about": "child", "name": "C01", "state": "given", "note": "form 12, folder B"}},
    )

    about: ConsentSubject
    name: str = Field(
        min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"
    )
    """The child's id as in the covariate `child`, the session's name, or the video's id."""
    state: ConsentState
    """`not recorded` takes back what was recorded by mistake."""
    note: str = Field(default="", max_length=500, pattern=TEXT)
    """For example where the signed form is kept."""


class DueList(_Model):
    """The videos of a project that should have been erased."""

    retain_until: date | None
    video_ids: list[str]


class EraseRequest(_Model):
    """The videos to erase, one by one, so that nothing goes that nobody has looked at."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"video_ids": ["play-3f6c1d2e4b5a"]}})

    video_ids: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(min_length=1, max_length=1000)


class Erased(_Model):
    """What was erased."""

    erased: list[str]


@router.get("", summary="All projects", responses=problems(422), dependencies=[LOOK])
def list_projects(request: Request) -> ProjectList:
    """The projects that the key sees: their rules, and how many videos are due or without consent."""
    protection, principal = context_of(request).service.data_protection, known_principal(request)
    return ProjectList(
        projects=[_shown(one) for one in protection.states(principal)],
        videos_without_project=protection.videos_without_project(principal),
    )


@router.put(
    "/{project_id}", summary="Set the rules of a project", responses=problems(400, 404, 422, 503), dependencies=[ADMIN]
)
def put_project(request: Request, project_id: ProjectId, body: RulesChange) -> Project:
    """Consent and retention. What is left out stays. Nothing is erased by this, unless `erase_when_due` is set."""
    protection = context_of(request).service.data_protection
    protection.set_rules(project_id, ProjectRules.model_validate(body.model_dump(exclude_unset=True)))
    return _shown(protection.state(project_id))


@router.get("/{project_id}/consents", summary="Who consented", responses=problems(404, 422), dependencies=[LOOK])
def get_consents(request: Request, project_id: ProjectId) -> ProjectConsents:
    """The consent for each video of the project, and what was recorded by whom and when."""
    videos, records = context_of(request).service.data_protection.consents(project_id)
    return ProjectConsents(
        videos=[ConsentOfVideo.model_validate(one.to_dict()) for one in videos],
        records=[ConsentEntry.model_validate(one.model_dump()) for one in records],
    )


@router.put(
    "/{project_id}/consents",
    summary="Record consent, or that it was withdrawn",
    responses=problems(400, 404, 422, 503),
    dependencies=[requires("analyst", audit="consent")],
)
def put_consent(request: Request, project_id: ProjectId, body: ConsentChange) -> ProjectConsents:
    """For a child, a session or a video of this project. Once it is withdrawn, nothing of it is exported any more."""
    concerned = context_of(request).service.data_protection.record(
        project_id, body.about, body.name, body.state, who=known_principal(request), note=body.note
    )
    return get_consents(request, project_id).model_copy(update={"concerned": concerned})


@router.get(
    "/{project_id}/due", summary="What should have been erased", responses=problems(404, 422), dependencies=[LOOK]
)
def get_due(request: Request, project_id: ProjectId) -> DueList:
    """The videos of the project, from the day after `retain_until`."""
    state = context_of(request).service.data_protection.state(project_id)
    return DueList(retain_until=state.rules.retain_until, video_ids=list(state.due))


@router.post(
    "/{project_id}/erase-due",
    summary="Erase videos that are due",
    responses=problems(404, 409, 422, 503),
    dependencies=[requires("admin")],
)
def post_erase_due(request: Request, project_id: ProjectId, body: EraseRequest) -> Erased:
    """Erases the videos that are named, if all of them are due: files, jobs, results, exports. It cannot be undone."""
    found = context_of(request).service.data_protection.erase_due(
        project_id,
        body.video_ids,
        who=known_principal(request),
        route=f"POST {router.prefix}/{{project_id}}/erase-due",
    )
    return Erased(erased=found)


def _shown(state: ProjectState) -> Project:
    return Project(
        project=state.project,
        **asdict(state.rules),
        videos=len(state.video_ids),
        due=len(state.due),
        consents=dict(state.consents),
    )
