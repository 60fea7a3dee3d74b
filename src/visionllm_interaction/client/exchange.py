"""What both clients do before a request is sent and after its answer came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from visionllm_interaction.client.calls import ApiCall
from visionllm_interaction.client.models import RemoteJob
from visionllm_interaction.client.problems import ServiceProblem

T = TypeVar("T")
TIMEOUT_S = 120.0


def headers(key: str | None) -> dict[str, str]:
    """The headers of every request."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def selection(
    subject: str | None, object_: str | None, predicate: str | None, video_id: str | None, bin_s: float | None
) -> dict[str, Any]:
    """The query of a table of measures."""
    return {"subject": subject, "object": object_, "predicate": predicate, "video_id": video_id, "bin_s": bin_s}


@contextmanager
def opened(call: ApiCall[T]) -> Iterator[dict[str, Any]]:
    """The arguments of the request, with the file open that it sends."""
    query = {name: value for name, value in call.query.items() if value is not None}
    request: dict[str, Any] = {"method": call.method, "url": call.path, "params": query, "headers": call.headers}
    if call.body is not None:
        request["json"] = call.body
    if call.upload is None:
        yield request
        return
    with call.upload.open("rb") as stream:
        yield {**request, "files": {"file": (call.upload.name, stream)}}


def read(call: ApiCall[T], answer: httpx.Response) -> T:
    """What an answer becomes; a problem is raised."""
    if not answer.is_success:
        raise ServiceProblem.of(answer.status_code, answer.content)
    return call.read(answer.content)


def done(job: RemoteJob, timeout_s: float) -> RemoteJob:
    """The job if it is done; anything else is raised."""
    if job.status == "done":
        return job
    if not job.has_ended:
        detail = {"detail": "The job has not ended in time.", "expected": f"its end within {timeout_s:g} s"}
        raise ServiceProblem(0, {**detail, "found": job.status, "code": "TIMEOUT", "fix": "wait for it again"})
    error = job.error or {}
    raise ServiceProblem(0, {"detail": f"The job {job.job_id} is {job.status}.", **error, "code": "JOB"})
