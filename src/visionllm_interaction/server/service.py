"""The service without HTTP, used by the routes and the web page. All methods block."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fastapi import HTTPException

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.analysis.analyze_videos import with_rate_of
from visionllm_interaction.errors import UsageError, VideoError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning import ask
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.dialogue.conversation import Reply, follow_up
from visionllm_interaction.reasoning.language.references import extract_video, unknown_video
from visionllm_interaction.reasoning.pipeline import checked_question
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.detector_slot import DetectorSlot
from visionllm_interaction.server.jobs.previews import Previews
from visionllm_interaction.server.jobs.queue import JobQueue, JobRecord
from visionllm_interaction.server.jobs.uploads import IncomingFile, JobOptions, Upload, Uploads, new_job_id
from visionllm_interaction.server.jobs.video_probe import probe_video
from visionllm_interaction.server.jobs.worker import AnalysisRequest
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.results.conversations import Conversations
from visionllm_interaction.server.results.example_questions import example_questions
from visionllm_interaction.server.results.kept_timelines import KeptTimelines
from visionllm_interaction.server.results.measure_values import MeasureValues
from visionllm_interaction.server.results.video_list_facts import StoredVideo, StoredVideos
from visionllm_interaction.server.video_state import VideoState
from visionllm_interaction.store.layout import list_videos
from visionllm_interaction.store.reader import Store, erase_video, open_store
from visionllm_interaction.store.video_status_ledger import forget_video
from visionllm_interaction.utils.file_locks import HeldLock, try_lock_file

_ALL_VIDEOS = re.compile(
    r"\b(all|every|each|alle|hver)\b( (of )?(the|de))? (video|session|recording|opptak)", re.IGNORECASE
)


@dataclass(frozen=True)
class AcceptedUpload:
    """An upload, and whether it is new or had been uploaded before."""

    upload: Upload
    is_new: bool


class Service:
    """One running service: uploads, jobs, detector and store.

    Args:
        config: the section ``serve``.
        analysis: how uploaded videos are analysed.
        reason: how questions are answered.
        measures: definitions of measures.
    """

    def __init__(
        self,
        config: ServeConfig,
        *,
        analysis: AnalysisConfig,
        reason: ReasonConfig,
        measures: MeasuresConfig = MeasuresConfig(),
    ) -> None:
        self.config = config
        self.analysis = analysis
        self.reason = reason
        self.measures = measures
        self.uploads = Uploads(config.uploads_dir, config.incoming_dir)
        self.jobs = JobQueue(config, self._request_for)
        self.stored_videos = StoredVideos(config.store_dir)
        self.measure_values = MeasureValues(config.store_dir, measures)
        self.timelines = KeptTimelines()
        self.conversations = Conversations()
        self.previews = Previews(config.previews_dir, analysis.video.decode)
        self.detector = DetectorSlot(
            config.detector, device=config.device, max_waiting=config.limits.max_waiting_detections
        )

    @contextmanager
    def started(self) -> Iterator[None]:
        """Run the service: lock the data folder, start the jobs, load the detector.

        Raises:
            UsageError: if another service of the same name uses the data folder.
        """
        with lock_data_dir(self.config):
            close_to_others(self.config)
            self.uploads.prepare()
            self.detector.start()
            self.jobs.start()
            try:
                self._resubmit_unknown()
                yield
            finally:
                self.previews.stop()
                self.jobs.stop()

    def _resubmit_unknown(self) -> None:
        # A process killed between storing an upload and queueing its job leaves an upload without a job.
        uploads = self.uploads.all()
        known = self.jobs.get([upload.job_id for upload in uploads])
        for upload in uploads:
            if upload.job_id not in known:
                self.jobs.submit(upload.job_id, upload.video_id)

    def _request_for(self, video_id: str) -> AnalysisRequest:
        upload = self.uploads.get(video_id)
        if upload is None:
            raise VideoError("The video was erased before it was analysed.", found=video_id)
        if self.config.detector is None:
            raise VideoError(
                "The service has no detector.",
                fix="`visionllm models get yolox_s`, start the service again, then upload the video again",
            )
        return AnalysisRequest(
            video=self.uploads.path(upload).absolute(),
            video_id=video_id,
            sha256=upload.sha256,
            store=self.config.store_dir.absolute(),
            detector=self.config.detector.absolute(),
            view=upload.options.view,
            analysis=self._analysis_for(upload.options),
        )

    def _analysis_for(self, options: JobOptions) -> dict[str, Any]:
        content: dict[str, Any] = with_rate_of(self.analysis, self.config.detector).model_dump(mode="json")
        if options.sample_fps is not None:
            content["video"]["decode"]["sample_fps"] = options.sample_fps
        return content

    def check_capacity(self, upload_bytes: int = 0) -> None:
        """Refuse an upload if there is no detector, or if it would leave too little of the disk.

        Args:
            upload_bytes: its size as the request states it; 0: unknown.

        Raises:
            HTTPException: 503 without a usable detector, 507 if the disk is too full.
        """
        self.detector.check_usable()
        free, needed = self.uploads.free_bytes(), self.config.limits.min_free_disk_mb * 1e6
        if free - upload_bytes < needed:
            raise http_problem(
                507,
                "The disk of the service is too full for this upload.",
                code="DISK-FULL",
                expected=f"{needed / 1e6:.0f} MB free after the upload",
                found=f"{free / 1e6:.0f} MB free, {upload_bytes / 1e6:.0f} MB to upload",
                fix="erase videos that are no longer needed",
            )

    def accept(self, incoming: IncomingFile, *, name: str, options: JobOptions) -> AcceptedUpload:
        """Store an upload and queue its job.

        The same bytes with the same options give the existing upload; its job is queued again if it failed.

        Args:
            incoming: the received file.
            name: the file name sent by the client.
            options: options of the analysis.

        Returns:
            The upload.

        Raises:
            VideoError: if the file is not a video.
            HTTPException: 409 if the same bytes were uploaded with other options.
        """
        incoming.close()
        known = self.uploads.find(incoming.sha256)
        facts = known.facts if known else probe_video(incoming.path, decode=self.analysis.video.decode)
        with self.uploads.lock():
            known = self.uploads.find(incoming.sha256)
            upload = known or self.uploads.publish(incoming, name=name, facts=facts, options=options)
            if upload.options != options:
                raise _other_options(upload)
            if known is not None and self._job_failed(known):
                upload = self._with_new_job(known)
            self.jobs.submit(upload.job_id, upload.video_id)
        return AcceptedUpload(upload, is_new=known is None)

    def _job_failed(self, upload: Upload) -> bool:
        job = self.jobs.get([upload.job_id]).get(upload.job_id)
        return job is not None and job.state in ("failed", "cancelled")

    def videos(self) -> list[VideoState]:
        """All videos: uploads, newest first, then the other videos of the store."""
        uploads = self.uploads.all()
        jobs = self.jobs.get([upload.job_id for upload in uploads])
        stored = self.stored_ids()
        own = [self._state(u.video_id, u, jobs.get(u.job_id), stored) for u in uploads]
        ours = {state.video_id for state in own}
        return own + [self._state(video_id, None, None, stored) for video_id in sorted(stored - ours)]

    def _state(self, video_id: str, upload: Upload | None, job: JobRecord | None, ids: set[str]) -> VideoState:
        stored = self.stored_videos.get(video_id) if video_id in ids else None
        media = self.uploads.path(upload) if upload else self._registered_file(stored)
        return VideoState(video_id, upload, job, stored, video_id in ids, media)

    def _registered_file(self, stored: StoredVideo | None) -> Path | None:
        """The file that the command line analysed, if it is the same, readable, and in a folder that may be shown.

        A store may come from elsewhere: without the list of folders its records could name any file of the machine.
        """
        if stored is None or not self.config.media_dirs:
            return None
        try:
            path = stored.path.resolve(strict=True)
            allowed = any(path.is_relative_to(folder.resolve()) for folder in self.config.media_dirs)
            same = path.is_file() and path.stat().st_size == stored.file_bytes and os.access(path, os.R_OK)
        except (OSError, RuntimeError):
            return None
        return path if allowed and same else None

    def video(self, video_id: str) -> VideoState:
        """Get one video.

        Args:
            video_id: id of the video.

        Returns:
            Its upload, job and state.

        Raises:
            HTTPException: 404 if there is no such video.
        """
        upload = self.uploads.get(video_id)
        job = self.jobs.get([upload.job_id]).get(upload.job_id) if upload else None
        ids = self.stored_ids()
        if upload is None and video_id not in ids:
            raise not_found("video", video_id)
        return self._state(video_id, upload, job, ids)

    def playable_file(self, video_id: str) -> tuple[VideoState, Path]:
        """The file of a video, to be played.

        Args:
            video_id: id of the video.

        Returns:
            The video, and the path of its file.

        Raises:
            HTTPException: 404 if there is no such video, or no copy of it that may be shown.
        """
        state = self.video(video_id)
        if state.media is None:
            raise http_problem(
                404,
                "No copy of this video is kept here.",
                code="NO-COPY",
                found=video_id,
                fix="upload it; or, where it lies on this machine, name its folder in serve.media_dirs",
            )
        return state, state.media

    def retry(self, job_id: str) -> JobRecord:
        """Queue a job that failed once more.

        Args:
            job_id: id of the failed job.

        Returns:
            The new job of the same video.

        Raises:
            HTTPException: 404 if there is no such job, 409 if it has not failed or its video is gone.
        """
        job = self.job(job_id)
        self.detector.check_usable()
        with self.uploads.lock():
            upload = self.uploads.get(job.video_id)
            if upload is None or upload.job_id != job_id or not self._job_failed(upload):
                raise http_problem(
                    409,
                    "Only a job that failed can be tried again.",
                    code="NOT-FAILED",
                    found=f"the job is {job.state}",
                )
            upload = self._with_new_job(upload)
            self.jobs.submit(upload.job_id, upload.video_id)
        return self.job(upload.job_id)

    def _with_new_job(self, upload: Upload) -> Upload:
        self.jobs.delete(upload.job_id)
        renewed = upload.model_copy(update={"job_id": new_job_id()})
        self.uploads.replace(renewed)
        return renewed

    def job(self, job_id: str) -> JobRecord:
        """Get one job.

        Args:
            job_id: id of the job.

        Returns:
            Its present state.

        Raises:
            HTTPException: 404 if there is no such job.
        """
        job = self.jobs.get([job_id]).get(job_id)
        if job is None:
            raise not_found("job", job_id)
        return job

    def erase(self, video_id: str) -> None:
        """Erase a video: its job, its upload and its results in the store.

        Args:
            video_id: id of the video.

        The files go before the job's record: on a full disk nothing can be written before they have made room.

        Raises:
            HTTPException: 404 if there is no such video.
        """
        upload = self.uploads.get(video_id)
        stored = video_id in self.stored_ids()
        if upload is None and not stored and not self.uploads.has_folder(video_id):
            raise not_found("video", video_id)
        with self.uploads.lock():
            if upload is not None:
                self.jobs.stop_worker(upload.job_id)
            self.previews.erase(video_id)
            self.timelines.forget(video_id)
            self.conversations.forget()
            path = str(self.uploads.path(upload).absolute()) if upload else None
            self.uploads.erase(video_id)
            if stored or video_id in self.stored_ids():
                erase_video(self.config.store_dir, video_id)
            forget_video(self.config.store_dir, video_id, path=path)
            if upload is not None:
                self.jobs.delete(upload.job_id)

    def stored_ids(self) -> set[str]:
        """Ids of the videos in the store; none if there is no store yet."""
        return set(list_videos(self.config.store_dir))

    @contextmanager
    def analysed_video(self, video_id: str) -> Iterator[Store]:
        """Open the store for one analysed video.

        Args:
            video_id: id of the video.

        Yields:
            Store: the store, which has the video.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it is not analysed yet.
        """
        state = self.video(video_id)
        if not state.analysed:
            found = f"job {state.job.job_id} is {state.job.state}" if state.job else "no job"
            raise http_problem(409, "The video is not analysed yet.", code="NOT-ANALYSED", found=found)
        with open_store(self.config.store_dir) as store:
            yield store

    def timeline_json(self, video_id: str) -> bytes:
        """The timeline of an analysed video as JSON; the last ones are kept, since hours of it take a second.

        Args:
            video_id: id of the video.

        Returns:
            The document.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it is not analysed yet.
        """
        with self.analysed_video(video_id) as store:
            return self.timelines.get(store, video_id)

    def ask(
        self, question: str, *, planner: Literal["rules", "llm"] | None = None, video_id: str | None = None
    ) -> Answer:
        """Answer a question from the store.

        Args:
            question: the question in plain words.
            planner: the planner; default: the configuration of the service.
            video_id: the video it is about unless it names others; None: all.

        Returns:
            The answer with its evidence, or a refusal with the reason.

        Raises:
            HTTPException: 409 if the store is empty.
        """
        if not self.stored_ids():
            raise http_problem(
                409, "There is no analysed video to ask about.", code="EMPTY-STORE", fix="upload a video"
            )
        asked = self._about(question, video_id)
        return ask(asked, self.config.store_dir, config=self.reason, planner=planner, measures=self.measures)

    def _about(self, question: str, video_id: str | None) -> str:
        """The question, with the video named if it names none and does not say that it is about all."""
        ids = sorted(self.stored_ids())
        if video_id is None or video_id not in ids or _ALL_VIDEOS.search(question):
            return question
        plain = question.lower()
        if extract_video(plain, ids)[1] is not None or unknown_video(plain, ids) is not None:
            return question
        return f"{question.strip().rstrip('?!. ')} in {video_id}?"

    def questions(self, video_id: str | None) -> list[str]:
        """Questions that have an answer: about one video, or about the video analysed last.

        Args:
            video_id: the video; None: the one analysed last.

        Returns:
            A few questions; none if nothing is analysed.

        Raises:
            HTTPException: 404 if there is no such video.
        """
        if video_id is not None:
            with self.analysed_video(video_id) as store:
                return example_questions(store, video_id, reason=self.reason, measures=self.measures)
        found = [self.stored_videos.get(one) for one in self.stored_ids()]
        latest = max((one for one in found if one), key=lambda one: one.analysed_at or "", default=None)
        return self.questions(latest.video_id) if latest else []

    def say(self, question: str, after: Sequence[str] = (), *, video_id: str | None = None) -> Reply:
        """Answer a question that may lean on those before it.

        Args:
            question: the question in plain words.
            after: the questions before it that were answered, first to last.
            video_id: the video it is about unless it names others; None: all.

        Returns:
            The answer, and what a follow-up was rewritten into.

        Raises:
            HTTPException: 409 if the store is empty.
            UsageError: if a question is empty or too long.
        """
        asked = checked_question(question, self.reason)
        if self.stored_ids() and after:
            last = self._answered(tuple(after), video_id)
            reply = follow_up(asked, last, self.config.store_dir, config=self.reason, measures=self.measures)
            if reply is not None:
                self.conversations.keep((*after, question), video_id, reply.answer)
                return reply
        reply = Reply(self.ask(asked, video_id=video_id))
        self.conversations.keep((*after, question), video_id, reply.answer)
        return reply

    def _answered(self, questions: tuple[str, ...], video_id: str | None) -> Answer | None:
        """The answer to the last of some questions: the one that was given, or given anew by the rules."""
        known = self.conversations.get(questions, video_id)
        if known is not None:
            return known
        last: Answer | None = None
        for question in questions:
            asked = checked_question(question, self.reason)
            reply = follow_up(asked, last, self.config.store_dir, config=self.reason, measures=self.measures)
            answer = reply.answer if reply is not None else self.ask(asked, planner="rules", video_id=video_id)
            last = answer if answer.status == "answered" else last
        if last is not None:
            self.conversations.keep(questions, video_id, last)
        return last

    def readiness(self) -> dict[str, str]:
        """The state of each part; :func:`is_ready` evaluates it."""
        return {
            "detector": {"none": "not configured"}.get(self.detector.state, self.detector.state),
            "store": "writable" if self._writable() else "not writable",
            "jobs": "running" if self.jobs.running else "stopped",
            "disk": "nearly full" if self._disk_is_full() else "enough space",
        }

    def reasons(self) -> dict[str, str]:
        """Why parts of :meth:`readiness` failed, as far as it is known."""
        return {"detector": self.detector.reason} if self.detector.reason else {}

    def _disk_is_full(self) -> bool:
        return self.free_bytes() < self.config.limits.min_free_disk_mb * 1e6

    def _writable(self) -> bool:
        try:
            self.config.store_dir.mkdir(parents=True, exist_ok=True)
            probe = self.config.store_dir / ".writable"
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def free_bytes(self) -> int:
        """Free space in bytes on the disk of the data folder."""
        return shutil.disk_usage(self.config.data_dir).free


def lock_data_dir(config: ServeConfig) -> HeldLock:
    """Lock the data folder for this process; the kernel releases the lock if the process dies.

    Args:
        config: the section ``serve``.

    Returns:
        The held lock.

    Raises:
        UsageError: if another service with the same ``executor_id`` holds the lock.
    """
    config.data_dir.mkdir(parents=True, exist_ok=True)
    lock = try_lock_file(config.data_dir / f".{config.executor_id}.lock")
    if lock is None:
        raise UsageError(
            "Another service is using this data folder.",
            where=str(config.data_dir),
            fix="stop it, or start this one with -o serve.data_dir=OTHER",
        )
    return lock


def close_to_others(config: ServeConfig) -> None:
    """Take the rights of other accounts of this machine from the data folder and the store.

    Args:
        config: the section ``serve``; its ``group_readable`` leaves the group its rights.
    """
    keep = 0o770 if config.group_readable else 0o700
    for folder in (config.data_dir, config.store_dir):
        with suppress(FileNotFoundError, PermissionError):  # another account's store is that account's to close
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) & keep)


def is_ready(readiness: dict[str, str]) -> bool:
    """Whether all parts are ready; a service without a detector is ready for questions."""
    good = {"ready", "not configured", "writable", "running", "enough space"}
    return all(state in good for state in readiness.values())


def not_found(what: str, name: str) -> HTTPException:
    """The error for an unknown id."""
    return http_problem(404, f"There is no {what} with this id.", code="NOT-FOUND", found=name[:100])


def _other_options(upload: Upload) -> HTTPException:
    return http_problem(
        409,
        "The same video was uploaded with other options.",
        code="OTHER-OPTIONS",
        expected=upload.options.model_dump_json(),
        found=upload.video_id,
        fix=f"delete /v1/videos/{upload.video_id} first",
    )
