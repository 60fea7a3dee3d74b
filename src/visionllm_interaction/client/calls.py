"""The requests of the client: what is sent, and what the answer becomes. Both clients send the same ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from visionllm_interaction.client.models import (
    RemoteConsents,
    RemoteCorrections,
    RemoteDetections,
    RemoteJob,
    RemoteMeasures,
    RemoteProject,
    RemoteRegistration,
    RemoteTimeline,
    RemoteVideo,
)
from visionllm_interaction.reasoning.answers import Answer

PAGE = 500
"""Entries of one page of a list."""
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class ApiCall(Generic[T]):
    """One request.

    Attributes:
        method: the HTTP method.
        path: the path below ``/v1``.
        read: makes the result of the body of a successful answer.
        query: query parameters; those that are None are left out.
        body: what is sent as JSON.
        upload: a file that is sent as a form, with the other parts of the form in ``fields``.
        fields: other parts of the form.
        headers: of this request alone.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    upload: Path | None = None
    fields: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def _model(kind: type[M]) -> Callable[[bytes], M]:
    return kind.model_validate_json


def _nothing(_: bytes) -> None:
    return None


class _VideoList(BaseModel):
    videos: list[RemoteVideo]
    next: str | None = None


class _JobList(BaseModel):
    jobs: list[RemoteJob]
    next: str | None = None


class _QuestionList(BaseModel):
    questions: list[str]


class _ProjectList(BaseModel):
    projects: list[RemoteProject]


class _DueList(BaseModel):
    video_ids: list[str]


class _Erased(BaseModel):
    erased: list[str]


def _part(text: str) -> str:
    return quote(text, safe="")


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a list, and the cursor of the next one."""

    entries: list[T]
    next: str | None


def videos(project: str | None, name: str | None, cursor: str | None) -> ApiCall[Page[RemoteVideo]]:
    """A page of videos."""

    def read(body: bytes) -> Page[RemoteVideo]:
        found = _VideoList.model_validate_json(body)
        return Page(found.videos, found.next)

    query = {"project": project, "name": name, "cursor": cursor, "limit": PAGE}
    return ApiCall("GET", "/videos", read, query=query)


def jobs(query: dict[str, Any], cursor: str | None) -> ApiCall[Page[RemoteJob]]:
    """A page of jobs."""

    def read(body: bytes) -> Page[RemoteJob]:
        found = _JobList.model_validate_json(body)
        return Page(found.jobs, found.next)

    return ApiCall("GET", "/jobs", read, query={**query, "cursor": cursor, "limit": PAGE})


def register(path: str, options: dict[str, Any], project: str | None) -> ApiCall[RemoteRegistration]:
    """Analyse videos of the service's machine where they lie."""
    body = {"path": path, "project": project, **options}
    return ApiCall("POST", "/videos/register", _model(RemoteRegistration), body=body)


def projects() -> ApiCall[list[RemoteProject]]:
    """The projects."""
    return ApiCall("GET", "/projects", lambda body: _ProjectList.model_validate_json(body).projects)


def set_project(project: str, rules: dict[str, Any]) -> ApiCall[RemoteProject]:
    """Set rules of a project."""
    return ApiCall("PUT", f"/projects/{_part(project)}", _model(RemoteProject), body=rules)


def consents(project: str) -> ApiCall[RemoteConsents]:
    """Who consented in a project."""
    return ApiCall("GET", f"/projects/{_part(project)}/consents", _model(RemoteConsents))


def record_consent(project: str, about: str, name: str, state: str, note: str) -> ApiCall[RemoteConsents]:
    """Record consent in a project."""
    body = {"about": about, "name": name, "state": state, "note": note}
    return ApiCall("PUT", f"/projects/{_part(project)}/consents", _model(RemoteConsents), body=body)


def due(project: str) -> ApiCall[list[str]]:
    """What should have been erased of a project."""
    return ApiCall("GET", f"/projects/{_part(project)}/due", lambda body: _DueList.model_validate_json(body).video_ids)


def erase_due(project: str, video_ids: Sequence[str]) -> ApiCall[list[str]]:
    """Erase videos that are due."""
    return ApiCall(
        "POST",
        f"/projects/{_part(project)}/erase-due",
        lambda body: _Erased.model_validate_json(body).erased,
        body={"video_ids": list(video_ids)},
    )


def change_video(video_id: str, changes: dict[str, Any]) -> ApiCall[RemoteVideo]:
    """Change what is known of a video."""
    return ApiCall("PATCH", f"/videos/{_part(video_id)}", _model(RemoteVideo), body=changes)


def analyse(video_id: str, options: dict[str, Any], idempotency_key: str | None) -> ApiCall[RemoteJob]:
    """Analyse a video again."""
    headers = _named(idempotency_key)
    return ApiCall("POST", f"/videos/{_part(video_id)}/analysis", _model(RemoteJob), body=options, headers=headers)


def export(video_id: str, options: dict[str, Any], idempotency_key: str | None) -> ApiCall[RemoteJob]:
    """Export a video."""
    headers = _named(idempotency_key)
    return ApiCall("POST", f"/videos/{_part(video_id)}/exports", _model(RemoteJob), body=options, headers=headers)


def export_piece(job: RemoteJob, name: str, begin: int, end: int) -> ApiCall[bytes]:
    """The bytes of a file of an export from ``begin`` up to ``end``."""
    place = f"/videos/{_part(job.video_id)}/exports/{_part(job.job_id)}/files/{_part(name)}"
    return ApiCall("GET", place, bytes, headers={"Range": f"bytes={begin}-{end - 1}"})


def delete_export(job: RemoteJob) -> ApiCall[None]:
    """Delete an export."""
    return ApiCall("DELETE", f"/videos/{_part(job.video_id)}/exports/{_part(job.job_id)}", _nothing)


def _named(idempotency_key: str | None) -> dict[str, str]:
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


def video(video_id: str) -> ApiCall[RemoteVideo]:
    """One video."""
    return ApiCall("GET", f"/videos/{_part(video_id)}", _model(RemoteVideo))


def job(job_id: str) -> ApiCall[RemoteJob]:
    """One job."""
    return ApiCall("GET", f"/jobs/{_part(job_id)}", _model(RemoteJob))


def retry(job_id: str) -> ApiCall[RemoteJob]:
    """Try a failed job again."""
    return ApiCall("POST", f"/jobs/{_part(job_id)}/retry", _model(RemoteJob))


def cancel(job_id: str) -> ApiCall[RemoteJob]:
    """Cancel a job."""
    return ApiCall("POST", f"/jobs/{_part(job_id)}/cancel", _model(RemoteJob))


def erase(video_id: str) -> ApiCall[None]:
    """Erase a video."""
    return ApiCall("DELETE", f"/videos/{_part(video_id)}", _nothing)


def timeline(video_id: str) -> ApiCall[RemoteTimeline]:
    """The timeline of a video."""
    return ApiCall("GET", f"/videos/{_part(video_id)}/timeline", _model(RemoteTimeline))


def corrections(video_id: str) -> ApiCall[RemoteCorrections]:
    """The corrections of a video."""
    return ApiCall("GET", f"/videos/{_part(video_id)}/corrections", _model(RemoteCorrections))


def correct(
    video_id: str, change: dict[str, Any], if_revision: str | None, who: str | None
) -> ApiCall[RemoteCorrections]:
    """Correct something in a video."""
    return ApiCall(
        "POST",
        f"/videos/{_part(video_id)}/corrections",
        _model(RemoteCorrections),
        query={"who": who},
        body=change,
        headers=_if_match(if_revision),
    )


def undo_correction(
    video_id: str, correction_id: int, if_revision: str | None, who: str | None
) -> ApiCall[RemoteCorrections]:
    """Undo a correction."""
    return ApiCall(
        "DELETE",
        f"/videos/{_part(video_id)}/corrections/{correction_id}",
        _model(RemoteCorrections),
        query={"who": who},
        headers=_if_match(if_revision),
    )


def _if_match(revision: str | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}


def ask(question: str, video_id: str | None, after: Sequence[str]) -> ApiCall[Answer]:
    """Ask a question."""
    return ApiCall("POST", "/ask", _model(Answer), body=asked(question, video_id, after))


def asked(question: str, video_id: str | None, after: Sequence[str]) -> dict[str, Any]:
    """The body of a question."""
    return {"question": question, "video_id": video_id, "after": list(after)}


def questions(video_id: str | None) -> ApiCall[list[str]]:
    """Questions that have an answer."""
    read = _QuestionList.model_validate_json
    return ApiCall("GET", "/questions", lambda body: read(body).questions, query={"video_id": video_id})


def measures(measure: str, query: dict[str, Any]) -> ApiCall[RemoteMeasures]:
    """The values of a measure."""
    return ApiCall("GET", f"/measures/{_part(measure)}", _model(RemoteMeasures), query=query)


def measures_csv(measure: str, query: dict[str, Any]) -> ApiCall[bytes]:
    """The values of a measure as CSV."""
    return ApiCall("GET", f"/measures/{_part(measure)}/csv", bytes, query=query)


def detect(path: Path, min_confidence: float) -> ApiCall[RemoteDetections]:
    """Detect objects in an image."""
    query = {"min_confidence": min_confidence}
    return ApiCall("POST", "/detect", _model(RemoteDetections), query=query, upload=path)
