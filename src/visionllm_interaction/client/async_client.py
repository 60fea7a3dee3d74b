"""The client for programs with an event loop. ``make client`` makes the one that blocks from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx

from visionllm_interaction.client import calls
from visionllm_interaction.client.calls import ApiCall
from visionllm_interaction.client.event_lines import AnswerEvents, JobEvents
from visionllm_interaction.client.exchange import TIMEOUT_S, done, headers, opened, read, selection
from visionllm_interaction.client.export_files import RemoteFile, exported_files
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
from visionllm_interaction.client.problems import ServiceProblem
from visionllm_interaction.client.resumable_upload import Outcome, Steps, UploadedFile, unreachable, upload_steps
from visionllm_interaction.reasoning.answers import Answer, AnswerStage, Claim
from visionllm_interaction.utils.path_type import StrPath

T = TypeVar("T")


class AsyncClient:
    """As :class:`.blocking_client.Client`, for programs with an event loop: every method is awaited.

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
            base_url=f"{address.rstrip('/')}/v1", headers=headers(key), timeout=timeout_s, transport=transport
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

    async def videos(self, *, project: str | None = None, name: str | None = None) -> list[RemoteVideo]:
        """All videos, or those of a project or with a text in their name: uploads, newest first, then the store's."""
        found, cursor = list[RemoteVideo](), None
        while True:
            page = await self._send(calls.videos(project, name, cursor))
            found, cursor = [*found, *page.entries], page.next
            if cursor is None:
                return found

    async def video(self, video_id: str) -> RemoteVideo:
        """One video and its job."""
        return await self._send(calls.video(video_id))

    async def upload(
        self,
        path: StrPath,
        *,
        view: Literal["room", "ego"] = "room",
        sample_fps: float | None = None,
        project: str | None = None,
    ) -> RemoteJob:
        """Send a video to be analysed; the same bytes sent again give the same job.

        The upload is resumable: it goes on where it was after a connection was cut or the service was restarted, and
        after this program was stopped and called again.

        Args:
            path: the video file.
            view: a camera in the room, or one on the head (``"ego"``).
            sample_fps: frames processed per second; None: the service's configuration.
            project: the project of the video; None: the only one of the key, or ``default``.

        Returns:
            The job; :meth:`wait` waits for its end.

        Raises:
            ServiceProblem: if the file is no video, is too large, or the service cannot take it.
        """
        return await self._drive(upload_steps(UploadedFile(Path(path), view, sample_fps, project)))

    async def register(
        self,
        path: str,
        *,
        view: Literal["room", "ego"] = "room",
        sample_fps: float | None = None,
        project: str | None = None,
    ) -> RemoteRegistration:
        """Analyse videos of the service's machine where they lie: a file or a folder in its ``serve.media_dirs``."""
        return await self._send(calls.register(path, {"view": view, "sample_fps": sample_fps}, project))

    async def change_video(self, video_id: str, changes: dict[str, Any]) -> RemoteVideo:
        """Change ``project``, ``child``, ``age_months``, ``group``, ``camera``, ``light`` or ``recorded_on``."""
        return await self._send(calls.change_video(video_id, changes))

    async def projects(self) -> list[RemoteProject]:
        """The projects that the key sees: their rules, and how many videos are due or without consent."""
        return await self._send(calls.projects())

    async def set_project(self, project: str, rules: dict[str, Any]) -> RemoteProject:
        """Set ``consent_required``, ``retain_until`` (a day as text, or ``never``) or ``erase_when_due`` of a project.

        None takes the rule of the whole store; what is left out stays.
        """
        return await self._send(calls.set_project(project, rules))

    async def consents(self, project: str) -> RemoteConsents:
        """The consent for each video of a project, and what was recorded by whom and when."""
        return await self._send(calls.consents(project))

    async def record_consent(
        self,
        project: str,
        about: Literal["child", "session", "video"],
        name: str,
        state: Literal["given", "withdrawn", "not recorded"],
        *,
        note: str = "",
    ) -> RemoteConsents:
        """Record consent in a project, or that it was withdrawn.

        Args:
            project: the project.
            about: all videos of a child, those of a session, or one video.
            name: the child's id, the session's name, or the video's id.
            state: ``not recorded`` takes back what was recorded by mistake.
            note: for example where the signed form is kept.

        Returns:
            The consent for each video of the project, and all records.

        Raises:
            ServiceProblem: if the project has no such video, or the key may not.
        """
        return await self._send(calls.record_consent(project, about, name, state, note))

    async def due(self, project: str) -> list[str]:
        """Ids of the videos of a project that should have been erased."""
        return await self._send(calls.due(project))

    async def erase_due(self, project: str, video_ids: Sequence[str]) -> list[str]:
        """Erase videos of a project, all of which have to be due; returns their ids."""
        return await self._send(calls.erase_due(project, video_ids))

    async def analyse(
        self,
        video_id: str,
        *,
        view: Literal["room", "ego"] = "room",
        sample_fps: float | None = None,
        idempotency_key: str | None = None,
    ) -> RemoteJob:
        """Analyse an uploaded or registered video again, with other options."""
        return await self._send(calls.analyse(video_id, {"view": view, "sample_fps": sample_fps}, idempotency_key))

    async def export(
        self,
        video_id: str,
        format: str,
        *,
        values: Literal["corrected", "detected"] = "corrected",
        blur: Literal["faces", "people"] | None = None,
        blackout: Sequence[tuple[float, float]] = (),
        mute: Sequence[tuple[float, float]] = (),
        idempotency_key: str | None = None,
    ) -> RemoteJob:
        """Begin an export.

        Args:
            video_id: the video.
            format: as for ``visionllm export``, or ``"blurred"`` for a copy in which nobody can be recognised.
            values: of a video that people have corrected, the corrected values, or those as detected.
            blur: of a blurred copy, what is blurred; None: faces, or nothing where intervals are listed.
            blackout: of a blurred copy, intervals in seconds that are black and silent.
            mute: of a blurred copy, intervals in seconds that are silent.
            idempotency_key: a name of this request; sent twice within a day, it begins one export.

        Returns:
            The job; :meth:`wait` waits for its end, and :meth:`download` gets its files.

        Raises:
            ServiceProblem: if the video is not analysed, or the format cannot be made of it.
        """
        options = {"format": format, "values": values, "blur": blur}
        intervals = {"blackout": [list(one) for one in blackout], "mute": [list(one) for one in mute]}
        return await self._send(calls.export(video_id, {**options, **intervals}, idempotency_key))

    async def download(self, job: RemoteJob, folder: StrPath) -> list[Path]:
        """Get the files of an export that is done.

        Args:
            job: the job of the export.
            folder: where to put them; a file that was begun is gone on with.

        Returns:
            Their paths.

        Raises:
            ServiceProblem: if the export is not there, or a file has not arrived as it is.
        """
        files = [RemoteFile(job, one, Path(folder)) for one in exported_files(job)]
        for file in files:
            while (piece := file.next_piece()) is not None:
                file.write(await self._send(piece))
        return [file.finish() for file in files]

    async def delete_export(self, job: RemoteJob) -> None:
        """Delete an export and its files; one that runs is stopped."""
        await self._send(calls.delete_export(job))

    async def jobs(
        self,
        *,
        status: Literal["queued", "running", "done", "failed", "cancelled"] | None = None,
        kind: Literal["analysis", "export"] | None = None,
        video_id: str | None = None,
    ) -> list[RemoteJob]:
        """All jobs, newest first, or those in one state, of one kind, or of one video."""
        query = {"status": status, "kind": kind, "video_id": video_id}
        found, cursor = list[RemoteJob](), None
        while True:
            page = await self._send(calls.jobs(query, cursor))
            found, cursor = [*found, *page.entries], page.next
            if cursor is None:
                return found

    async def follow(self, job: RemoteJob | str) -> AsyncIterator[RemoteJob]:
        """The job as it is now, then after each change, up to its end: from the stream of its events."""
        job_id = job if isinstance(job, str) else job.job_id
        ended = False
        while not ended:
            events = JobEvents()
            async with self._lines("GET", f"/jobs/{job_id}/events") as lines:
                async for line in lines:
                    if (found := events.read(line)) is not None:
                        ended = found.has_ended
                        yield found

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
                return done(found, timeout_s)
            await asyncio.sleep(every_s)

    async def cancel(self, job_id: str) -> RemoteJob:
        """Cancel a job that waits or runs; its video stays and can be tried again."""
        return await self._send(calls.cancel(job_id))

    async def retry(self, job_id: str) -> RemoteJob:
        """Try a failed job again; returns the new one."""
        return await self._send(calls.retry(job_id))

    async def erase(self, video_id: str) -> None:
        """Erase a video, its job and everything computed from it."""
        await self._send(calls.erase(video_id))

    async def timeline(self, video_id: str) -> RemoteTimeline:
        """Tracks, relations, events and coded lanes of an analysed video."""
        return await self._send(calls.timeline(video_id))

    async def corrections(self, video_id: str) -> RemoteCorrections:
        """What people have corrected of a video, undone corrections too."""
        return await self._send(calls.corrections(video_id))

    async def correct(
        self, video_id: str, change: dict[str, Any], *, if_revision: str | None = None, who: str | None = None
    ) -> RemoteCorrections:
        """Correct something in a video; the machine's values stay beside the corrected ones.

        Args:
            video_id: the video.
            change: the correction, for example ``{"kind": "role", "action": "set", "track_id": 3, "role": "child"}``;
                docs/corrections.md lists the kinds.
            if_revision: refuse if somebody has corrected the video since this revision; None: do not.
            who: who corrects, where several people share a key; None: the name of the key.

        Returns:
            All corrections of the video; the new one is the last.

        Raises:
            ServiceProblem: if what it is about is not there, or the revision is not the present one (412).
        """
        return await self._send(calls.correct(video_id, change, if_revision, who))

    async def undo_correction(
        self, video_id: str, correction_id: int, *, if_revision: str | None = None, who: str | None = None
    ) -> RemoteCorrections:
        """Undo a correction, or an undo; arguments as for :meth:`correct`."""
        return await self._send(calls.undo_correction(video_id, correction_id, if_revision, who))

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

    async def stream_answer(
        self, question: str, *, video_id: str | None = None, after: Sequence[str] = ()
    ) -> AsyncIterator[AnswerStage | Claim | Answer]:
        """Ask a question, and follow how it is answered.

        Args:
            question: the question.
            video_id: the video it is about unless it names others; None: all.
            after: earlier questions that were answered, first to last, so that "and the book?" can lean on them.

        Yields:
            Each stage when it begins, each claim once it is proven, and last the answer. Where a language model words
            the claims, the answer may say them in other words.

        Raises:
            ServiceProblem: as for :meth:`ask`, and if the answer was cut off.
        """
        events = AnswerEvents()
        body = calls.asked(question, video_id, after)
        async with self._lines("POST", "/ask/events", body) as lines:
            async for line in lines:
                if (found := events.read(line)) is not None:
                    yield found
        events.check_complete()

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
        query = selection(subject, object, predicate, video_id, bin_s)
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
        query = selection(subject, object, predicate, video_id, bin_s)
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

    async def _drive(self, steps: Steps) -> RemoteJob:
        """Run the steps of an upload."""
        outcome: Outcome | None = None
        while True:
            try:
                step = steps.send(outcome) if outcome is not None else next(steps)
            except StopIteration as end:
                job: RemoteJob = end.value
                return job
            await asyncio.sleep(step.pause_s)
            try:
                outcome = await self._http.request(step.method, step.url, headers=step.headers, content=step.content)
            except httpx.TransportError as error:
                outcome = error

    @asynccontextmanager
    async def _lines(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a stream of events."""
        try:
            async with self._http.stream(method, path, json=body) as answer:
                if not answer.is_success:
                    raise ServiceProblem.of(answer.status_code, await answer.aread())
                yield answer.aiter_lines()
        except httpx.TransportError as error:
            raise unreachable(error) from error

    async def _send(self, call: ApiCall[T]) -> T:
        try:
            with opened(call) as request:
                answer = await self._http.request(**request)
        except httpx.TransportError as error:
            raise unreachable(error) from error
        return read(call, answer)
