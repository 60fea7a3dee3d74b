"""The service without HTTP, used by the routes and the web page. All methods block."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import HTTPException

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.errors import UsageError, VideoError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning import ask
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.dialogue.conversation import Reply, follow_up
from visionllm_interaction.reasoning.pipeline import checked_question
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.detector_slot import DetectorSlot
from visionllm_interaction.server.jobs.queue import JobQueue, JobRecord, default_threads
from visionllm_interaction.server.jobs.uploads import IncomingFile, JobOptions, Upload, Uploads, new_job_id
from visionllm_interaction.server.jobs.video_probe import probe_video
from visionllm_interaction.server.jobs.worker import AnalysisRequest
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.store.layout import list_videos
from visionllm_interaction.store.ledger import forget_video
from visionllm_interaction.store.reader import Store, erase_video, open_store
from visionllm_interaction.utils.file_locks import HeldLock, try_lock_file


@dataclass(frozen=True)
class VideoState:
    """A video: an upload with its job, an entry of the store, or both."""

    video_id: str
    upload: Upload | None
    job: JobRecord | None
    analysed: bool


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
            threads=self.config.job_threads or default_threads(),
            analysis=self._analysis_for(upload.options),
        )

    def _analysis_for(self, options: JobOptions) -> dict[str, Any]:
        content: dict[str, Any] = self.analysis.model_dump(mode="json")
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
                self.jobs.delete(known.job_id)
                upload = known.model_copy(update={"job_id": new_job_id()})
                self.uploads.replace(upload)
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
        own = [VideoState(u.video_id, u, jobs.get(u.job_id), u.video_id in stored) for u in uploads]
        ours = {state.video_id for state in own}
        return own + [VideoState(video_id, None, None, True) for video_id in sorted(stored - ours)]

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
        analysed = video_id in self.stored_ids()
        if upload is None and not analysed:
            raise not_found("video", video_id)
        return VideoState(video_id, upload, job, analysed)

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

    def ask(self, question: str, *, planner: Literal["rules", "llm"] | None = None) -> Answer:
        """Answer a question from the store.

        Args:
            question: the question in plain words.
            planner: the planner; default: the configuration of the service.

        Returns:
            The answer with its evidence, or a refusal with the reason.

        Raises:
            HTTPException: 409 if the store is empty.
        """
        if not self.stored_ids():
            raise http_problem(
                409, "There is no analysed video to ask about.", code="EMPTY-STORE", fix="upload a video"
            )
        return ask(question, self.config.store_dir, config=self.reason, planner=planner, measures=self.measures)

    def say(self, question: str, last: Answer | None) -> Reply:
        """Answer a question that may lean on the last answer, which the caller keeps: nothing of it is stored here.

        Args:
            question: the question in plain words.
            last: the last answer of this conversation; None: there is none.

        Returns:
            The answer, and what a follow-up was rewritten into.

        Raises:
            HTTPException: 409 if the store is empty.
            UsageError: if the question is empty or too long.
        """
        asked = checked_question(question, self.reason)
        if self.stored_ids():
            reply = follow_up(asked, last, self.config.store_dir, config=self.reason, measures=self.measures)
            if reply is not None:
                return reply
        return Reply(self.ask(asked))

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
