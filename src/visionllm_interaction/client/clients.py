"""The clients: one that blocks, and one for an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx

from visionllm_interaction.client import calls
from visionllm_interaction.client.calls import ApiCall
from visionllm_interaction.client.models import (
    RemoteDetections,
    RemoteJob,
    RemoteMeasures,
    RemoteTimeline,
    RemoteVideo,
)
from visionllm_interaction.client.problems import ServiceProblem
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.utils.path_type import StrPath

T = TypeVar("T")
TIMEOUT_S = 120.0


class Client:
    """A client that waits for each answer.

    Close it, or use it in a ``with`` statement. It may be shared by threads.

    Args:
        address: of the service, for example ``http://127.0.0.1:8000``.
        key: an API key; None for a service on the same machine that was started without keys.
        timeout_s: longest time in seconds without a byte from the service.
        transport: how requests are sent; None: over the network. For tests and proxies.

    Example:
        >>> with Client("http://127.0.0.1:8000", key="vli_…") as client:  # doctest: +SKIP
        ...     [video.name for video in client.videos()]
    """

    def __init__(
        self,
        address: str,
        *,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/v1", headers=_headers(key), timeout=timeout_s, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def videos(self) -> list[RemoteVideo]:
        """All videos: uploads, newest first, then the other videos of the store."""
        return self._send(calls.videos())

    def video(self, video_id: str) -> RemoteVideo:
        """One video and its job."""
        return self._send(calls.video(video_id))

    def upload(
        self, path: StrPath, *, view: Literal["room", "ego"] = "room", sample_fps: float | None = None
    ) -> RemoteJob:
        """Send a video to be analysed; the same bytes sent again give the same job.

        Args:
            path: the video file.
            view: a camera in the room, or one on the head (``"ego"``).
            sample_fps: frames processed per second; None: the service's configuration.

        Returns:
            The job; :meth:`wait` waits for its end.

        Raises:
            ServiceProblem: if the file is no video, is too large, or the service cannot take it.
        """
        return self._send(calls.upload(Path(path), view, sample_fps))

    def job(self, job_id: str) -> RemoteJob:
        """One job."""
        return self._send(calls.job(job_id))

    def wait(self, job: RemoteJob | str, *, timeout_s: float = 24 * 3600.0, every_s: float = 0.5) -> RemoteJob:
        """Wait for the end of a job.

        Args:
            job: the job, or its id.
            timeout_s: longest time to wait in seconds.
            every_s: seconds between two questions.

        Returns:
            The job that is done.

        Raises:
            ServiceProblem: if it failed, was cancelled, or has not ended in time.
        """
        job_id = job if isinstance(job, str) else job.job_id
        end = time.monotonic() + timeout_s
        while True:
            found = self.job(job_id)
            if found.has_ended or time.monotonic() > end:
                return _done(found, timeout_s)
            time.sleep(every_s)

    def retry(self, job_id: str) -> RemoteJob:
        """Try a failed job again; returns the new one."""
        return self._send(calls.retry(job_id))

    def erase(self, video_id: str) -> None:
        """Erase a video, its job and everything computed from it."""
        self._send(calls.erase(video_id))

    def timeline(self, video_id: str) -> RemoteTimeline:
        """Tracks, relations, events and coded lanes of an analysed video."""
        return self._send(calls.timeline(video_id))

    def ask(self, question: str, *, video_id: str | None = None, after: Sequence[str] = ()) -> Answer:
        """Ask a question in plain words.

        Args:
            question: the question.
            video_id: the video it is about unless it names others; None: all.
            after: earlier questions that were answered, first to last, so that "and the book?" can lean on them.

        Returns:
            The answer with its evidence, or a refusal with the reason.

        Raises:
            ServiceProblem: if nothing is analysed, or the question is empty or too long.
        """
        return self._send(calls.ask(question, video_id, after))

    def questions(self, video_id: str | None = None) -> list[str]:
        """A few questions that have an answer: of one video, or of the one analysed last."""
        return self._send(calls.questions(video_id))

    def measures(
        self,
        measure: str,
        *,
        subject: str | None = None,
        object: str | None = None,
        predicate: str | None = None,
        video_id: str | None = None,
        bin_s: float | None = None,
    ) -> RemoteMeasures:
        """The values of one measure.

        Args:
            measure: its name, for example ``"visible_duration"``.
            subject: only of this one; None: of all.
            object: only with this one.
            predicate: only of this predicate, for measures of bouts.
            video_id: only of this video.
            bin_s: length of a time bin in seconds; None: whole videos.

        Returns:
            One value per video, subject and object (and predicate and bin).

        Raises:
            ServiceProblem: if there is no such measure, or nothing is analysed.
        """
        query = _selection(subject, object, predicate, video_id, bin_s)
        return self._send(calls.measures(measure, query))

    def measures_csv(
        self,
        measure: str,
        *,
        subject: str | None = None,
        object: str | None = None,
        predicate: str | None = None,
        video_id: str | None = None,
        bin_s: float | None = None,
    ) -> bytes:
        """As :meth:`measures`, with all columns of the tidy table, as CSV."""
        query = _selection(subject, object, predicate, video_id, bin_s)
        return self._send(calls.measures_csv(measure, query))

    def detect(self, path: StrPath, *, min_confidence: float = 0.5) -> RemoteDetections:
        """Detect objects in an image.

        Args:
            path: the image file.
            min_confidence: detections below this are left out.

        Returns:
            The detections, highest confidence first.

        Raises:
            ServiceProblem: if the file is no image, or the service has no detector.
        """
        return self._send(calls.detect(Path(path), min_confidence))

    def _send(self, call: ApiCall[T]) -> T:
        try:
            with _opened(call) as request:
                answer = self._http.request(**request)
        except httpx.TransportError as error:
            raise _unreachable(str(self._http.base_url), error) from error
        return _read(call, answer)


class AsyncClient:
    """As :class:`Client`, for programs with an event loop: every method is awaited.

    Args:
        address: of the service, for example ``http://127.0.0.1:8000``.
        key: an API key; None for a service on the same machine that was started without keys.
        timeout_s: longest time in seconds without a byte from the service.
        transport: how requests are sent; None: over the network. For tests and proxies.

    Example:
        >>> async with AsyncClient("http://127.0.0.1:8000", key="vli_…") as client:  # doctest: +SKIP
        ...     job = await client.wait(await client.upload("visit1.mp4"))
    """

    def __init__(
        self,
        address: str,
        *,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{address.rstrip('/')}/v1", headers=_headers(key), timeout=timeout_s, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def videos(self) -> list[RemoteVideo]:
        """All videos: uploads, newest first, then the other videos of the store."""
        return await self._send(calls.videos())

    async def video(self, video_id: str) -> RemoteVideo:
        """One video and its job."""
        return await self._send(calls.video(video_id))

    async def upload(
        self, path: StrPath, *, view: Literal["room", "ego"] = "room", sample_fps: float | None = None
    ) -> RemoteJob:
        """Send a video to be analysed; the same bytes sent again give the same job.

        Args:
            path: the video file.
            view: a camera in the room, or one on the head (``"ego"``).
            sample_fps: frames processed per second; None: the service's configuration.

        Returns:
            The job; :meth:`wait` waits for its end.

        Raises:
            ServiceProblem: if the file is no video, is too large, or the service cannot take it.
        """
        return await self._send(calls.upload(Path(path), view, sample_fps))

    async def job(self, job_id: str) -> RemoteJob:
        """One job."""
        return await self._send(calls.job(job_id))

    async def wait(self, job: RemoteJob | str, *, timeout_s: float = 24 * 3600.0, every_s: float = 0.5) -> RemoteJob:
        """Wait for the end of a job.

        Args:
            job: the job, or its id.
            timeout_s: longest time to wait in seconds.
            every_s: seconds between two questions.

        Returns:
            The job that is done.

        Raises:
            ServiceProblem: if it failed, was cancelled, or has not ended in time.
        """
        job_id = job if isinstance(job, str) else job.job_id
        end = time.monotonic() + timeout_s
        while True:
            found = await self.job(job_id)
            if found.has_ended or time.monotonic() > end:
                return _done(found, timeout_s)
            await asyncio.sleep(every_s)

    async def retry(self, job_id: str) -> RemoteJob:
        """Try a failed job again; returns the new one."""
        return await self._send(calls.retry(job_id))

    async def erase(self, video_id: str) -> None:
        """Erase a video, its job and everything computed from it."""
        await self._send(calls.erase(video_id))

    async def timeline(self, video_id: str) -> RemoteTimeline:
        """Tracks, relations, events and coded lanes of an analysed video."""
        return await self._send(calls.timeline(video_id))

    async def ask(self, question: str, *, video_id: str | None = None, after: Sequence[str] = ()) -> Answer:
        """Ask a question in plain words.

        Args:
            question: the question.
            video_id: the video it is about unless it names others; None: all.
            after: earlier questions that were answered, first to last, so that "and the book?" can lean on them.

        Returns:
            The answer with its evidence, or a refusal with the reason.

        Raises:
            ServiceProblem: if nothing is analysed, or the question is empty or too long.
        """
        return await self._send(calls.ask(question, video_id, after))

    async def questions(self, video_id: str | None = None) -> list[str]:
        """A few questions that have an answer: of one video, or of the one analysed last."""
        return await self._send(calls.questions(video_id))

    async def measures(
        self,
        measure: str,
        *,
        subject: str | None = None,
        object: str | None = None,
        predicate: str | None = None,
        video_id: str | None = None,
        bin_s: float | None = None,
    ) -> RemoteMeasures:
        """The values of one measure.

        Args:
            measure: its name, for example ``"visible_duration"``.
            subject: only of this one; None: of all.
            object: only with this one.
            predicate: only of this predicate, for measures of bouts.
            video_id: only of this video.
            bin_s: length of a time bin in seconds; None: whole videos.

        Returns:
            One value per video, subject and object (and predicate and bin).

        Raises:
            ServiceProblem: if there is no such measure, or nothing is analysed.
        """
        query = _selection(subject, object, predicate, video_id, bin_s)
        return await self._send(calls.measures(measure, query))

    async def measures_csv(
        self,
        measure: str,
        *,
        subject: str | None = None,
        object: str | None = None,
        predicate: str | None = None,
        video_id: str | None = None,
        bin_s: float | None = None,
    ) -> bytes:
        """As :meth:`measures`, with all columns of the tidy table, as CSV."""
        query = _selection(subject, object, predicate, video_id, bin_s)
        return await self._send(calls.measures_csv(measure, query))

    async def detect(self, path: StrPath, *, min_confidence: float = 0.5) -> RemoteDetections:
        """Detect objects in an image.

        Args:
            path: the image file.
            min_confidence: detections below this are left out.

        Returns:
            The detections, highest confidence first.

        Raises:
            ServiceProblem: if the file is no image, or the service has no detector.
        """
        return await self._send(calls.detect(Path(path), min_confidence))

    async def _send(self, call: ApiCall[T]) -> T:
        try:
            with _opened(call) as request:
                answer = await self._http.request(**request)
        except httpx.TransportError as error:
            raise _unreachable(str(self._http.base_url), error) from error
        return _read(call, answer)


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _selection(
    subject: str | None, object_: str | None, predicate: str | None, video_id: str | None, bin_s: float | None
) -> dict[str, Any]:
    return {"subject": subject, "object": object_, "predicate": predicate, "video_id": video_id, "bin_s": bin_s}


@contextmanager
def _opened(call: ApiCall[T]) -> Iterator[dict[str, Any]]:
    """The arguments of the request, with the file open that it sends."""
    query = {name: value for name, value in call.query.items() if value is not None}
    request: dict[str, Any] = {"method": call.method, "url": call.path, "params": query}
    if call.body is not None:
        request["json"] = call.body
    if call.upload is None:
        yield request
        return
    with call.upload.open("rb") as stream:
        yield {**request, "files": {"file": (call.upload.name, stream)}, "data": call.fields}


def _read(call: ApiCall[T], answer: httpx.Response) -> T:
    if not answer.is_success:
        raise ServiceProblem.of(answer.status_code, answer.content)
    return call.read(answer.content)


def _unreachable(address: str, error: httpx.TransportError) -> ServiceProblem:
    detail = {
        "detail": "The service does not answer.",
        "found": f"{type(error).__name__}: {error}",
        "instance": address,
    }
    return ServiceProblem(0, {**detail, "code": "UNREACHABLE", "fix": "check that it runs at this address"})


def _done(job: RemoteJob, timeout_s: float) -> RemoteJob:
    if job.status == "done":
        return job
    if not job.has_ended:
        detail = {"detail": "The job has not ended in time.", "expected": f"its end within {timeout_s:g} s"}
        raise ServiceProblem(0, {**detail, "found": job.status, "code": "TIMEOUT", "fix": "wait for it again"})
    error = job.error or {}
    raise ServiceProblem(0, {"detail": f"The job {job.job_id} is {job.status}.", **error, "code": "JOB"})
