"""Resumable uploads by tus 1.0 (https://tus.io): what is sent next, whatever sends it. Both clients run the same steps.

A connection that is cut, a service that restarts, and a program that is started again cost the piece that was under
way, not the file: before each piece that follows a failure the service is asked how many bytes it has.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import BaseModel

from visionllm_interaction.client.models import RemoteJob
from visionllm_interaction.client.problems import ServiceProblem

PIECE_BYTES = 8_000_000
MAX_FAILURES = 8
"""Failures one after the other, without a byte that arrived in between, after which an upload is given up."""
LONGEST_PAUSE_S = 30.0
_TUS = {"Tus-Resumable": "1.0.0"}
_CONTENT_TYPE = "application/offset+octet-stream"
_AGAIN = frozenset({"STALLED", "STOPPING", "TUS-OFFSET"})
"""Codes of problems after which asking for the offset and going on helps."""


@dataclass(frozen=True)
class Step:
    """One request, sent after a pause."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    pause_s: float = 0.0


Outcome = httpx.Response | httpx.TransportError
"""How a step went: an answer, or none."""
Steps = Generator[Step, Outcome, RemoteJob]


class _Unfinished(BaseModel):
    upload_id: str
    fingerprint: str | None = None
    length: int
    offset: int
    job_id: str | None = None


class _UnfinishedList(BaseModel):
    uploads: list[_Unfinished]


@dataclass(frozen=True)
class UploadedFile:
    """A file that is uploaded, and what is said about it.

    Attributes:
        path: the file.
        view: a camera in the room, or one on the head (``"ego"``).
        sample_fps: frames processed per second; None: the service's configuration.
        project: the project of the video; None: the key's.
    """

    path: Path
    view: Literal["room", "ego"]
    sample_fps: float | None
    project: str | None

    def metadata(self) -> dict[str, str]:
        """What the service is told."""
        told: dict[str, Any] = {"filename": self.path.name, "view": self.view}
        told |= {"sample_fps": self.sample_fps, "project": self.project}
        known = {name: str(value) for name, value in told.items() if value is not None}
        return {**known, "fingerprint": self._fingerprint(known)}

    def _fingerprint(self, told: dict[str, str]) -> str:
        """How the file is known again by a program that is started anew: name, size, time, first bytes, options."""
        stat = self.path.stat()
        with self.path.open("rb") as stream:
            begin = stream.read(65536)
        whole = repr((sorted(told.items()), stat.st_size, stat.st_mtime_ns)).encode()
        return hashlib.sha256(whole + begin).hexdigest()


def upload_steps(file: UploadedFile) -> Generator[Step, Outcome, RemoteJob]:
    """Upload a file, or go on with an upload of it that was interrupted.

    Each yield is the next request, whose outcome is to be sent back.

    Args:
        file: the file.

    Returns:
        The job of the video.

    Raises:
        ServiceProblem: if the service refuses the file, or does not answer for too long.
    """
    length, metadata = file.path.stat().st_size, file.metadata()
    place, offset = yield from _resumed(metadata["fingerprint"], length)
    if place is None:
        place = yield from _created(metadata, length)
    failures = 0
    with file.path.open("rb") as stream:
        while offset < length:
            stream.seek(offset)
            headers = {**_TUS, "Upload-Offset": str(offset), "Content-Type": _CONTENT_TYPE}
            outcome = yield Step("PATCH", place, headers, stream.read(PIECE_BYTES))
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                offset, failures = int(outcome.headers["upload-offset"]), 0
                continue
            failures += 1
            arrived = yield from _arrived(place, outcome, failures)
            if arrived > offset:
                failures = 0
            offset = arrived
    return (yield from _job(place))


def _resumed(fingerprint: str, length: int) -> Generator[Step, Outcome, tuple[str | None, int]]:
    """The address and offset of an upload of this file that was interrupted."""
    answer = yield from _patiently(Step("GET", "/uploads"))
    for one in _UnfinishedList.model_validate_json(answer.content).uploads:
        if one.fingerprint == fingerprint and one.length == length and one.offset < length:
            return f"/uploads/{one.upload_id}", one.offset
    return None, 0


def _created(metadata: dict[str, str], length: int) -> Generator[Step, Outcome, str]:
    pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items())
    headers = {**_TUS, "Upload-Length": str(length), "Upload-Metadata": ",".join(pairs)}
    answer = yield from _patiently(Step("POST", "/uploads", headers))
    return "/uploads/" + str(answer.headers["location"]).rsplit("/", 1)[-1]


def _arrived(place: str, outcome: Outcome, failures: int) -> Generator[Step, Outcome, int]:
    """After a piece that did not arrive: how many bytes the service has."""
    if isinstance(outcome, httpx.Response):
        problem = ServiceProblem.of(outcome.status_code, outcome.content)
        if problem.problem_code not in _AGAIN and outcome.status_code < 500:
            raise problem
        if failures > MAX_FAILURES:
            raise problem
    elif failures > MAX_FAILURES:
        raise unreachable(outcome)
    answer = yield from _patiently(Step("HEAD", place, _TUS, pause_s=_pause_s(failures)))
    return int(answer.headers["upload-offset"])


def _job(place: str) -> Generator[Step, Outcome, RemoteJob]:
    answer = yield from _patiently(Step("GET", place))
    found = _Unfinished.model_validate_json(answer.content)
    if found.job_id is None:  # the answer to the last piece was lost before the video was accepted
        headers = {**_TUS, "Upload-Offset": str(found.length), "Content-Type": _CONTENT_TYPE}
        yield from _patiently(Step("PATCH", place, headers, b""))
        answer = yield from _patiently(Step("GET", place))
    job_id = _Unfinished.model_validate_json(answer.content).job_id
    answer = yield from _patiently(Step("GET", f"/jobs/{job_id}"))
    return RemoteJob.model_validate_json(answer.content)


def _patiently(step: Step) -> Generator[Step, Outcome, httpx.Response]:
    """Send a request that may be repeated until there is an answer."""
    for failures in range(MAX_FAILURES + 1):
        pause_s = max(step.pause_s, _pause_s(failures))
        outcome = yield Step(step.method, step.url, step.headers, step.content, pause_s)
        if isinstance(outcome, httpx.Response):
            problem = None if outcome.is_success else ServiceProblem.of(outcome.status_code, outcome.content)
            if problem is None:
                return outcome
            if problem.problem_code not in _AGAIN:
                raise problem
            last: ServiceProblem = problem
        else:
            last = unreachable(outcome)
    raise last


def _pause_s(failures: int) -> float:
    return 0.0 if failures == 0 else min(0.25 * 2.0**failures, LONGEST_PAUSE_S)


def unreachable(error: httpx.TransportError) -> ServiceProblem:
    """The problem of a service that does not answer."""
    detail = {"detail": "The service does not answer.", "found": f"{type(error).__name__}: {error}"}
    try:
        address: str | None = str(error.request.url)
    except RuntimeError:  # it was never sent
        address = None
    return ServiceProblem(
        0, {**detail, "instance": address, "code": "UNREACHABLE", "fix": "check that it runs at this address"}
    )
