"""The service without HTTP, used by the routes and the web page. All methods block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.analysis.analyze_videos import with_rate_of
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.errors import VideoError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.auth.audit_log import AuditLog
from visionllm_interaction.server.auth.roles import LOCAL, Principal
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.detector_slot import DetectorSlot
from visionllm_interaction.server.http.event_streams import EventStreams
from visionllm_interaction.server.http.idempotency_keys import KeptAnswers
from visionllm_interaction.server.jobs.data_folder import close_to_others, lock_data_dir
from visionllm_interaction.server.jobs.export_jobs import ExportJobs
from visionllm_interaction.server.jobs.exports import FROM_IMAGES, Export, ExportOptions, Exports, is_export
from visionllm_interaction.server.jobs.previews import Previews
from visionllm_interaction.server.jobs.queue import JobQueue, JobRecord
from visionllm_interaction.server.jobs.resumable_uploads import ResumableUploads
from visionllm_interaction.server.jobs.room_to_write import RoomToWrite
from visionllm_interaction.server.jobs.uploads import JobOptions, Uploads
from visionllm_interaction.server.jobs.video_intake import VideoIntake
from visionllm_interaction.server.jobs.worker import AnalysisRequest, ExportRequest, JobOutcome
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.server.projects.data_protection import ProjectDataProtection
from visionllm_interaction.server.projects.video_projects import VideoProjects
from visionllm_interaction.server.results.store_views import DamagedVideos
from visionllm_interaction.server.results.timelines.kept_timelines import KeptTimelines
from visionllm_interaction.server.results.video_list_facts import StoredVideos
from visionllm_interaction.server.results.video_lists import VideoLists
from visionllm_interaction.server.results.visible_store import VisibleStore
from visionllm_interaction.server.training.activation import Activations, ServingFile
from visionllm_interaction.server.training.run_images import RunImages
from visionllm_interaction.server.video_state import VideoState
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.data_protection.register import forget_consent_of_video
from visionllm_interaction.store.reader import Store, erase_video, open_store
from visionllm_interaction.store.video_status_ledger import forget_video
from visionllm_interaction.utils.logs import log


class Service:
    """One running service: uploads, jobs, detector and store.

    Args:
        config: the section ``serve``.
        analysis: how uploaded videos are analysed.
        reason: how questions are answered.
        measures: definitions of measures.
        promote: what a detector must show before it may serve.
    """

    def __init__(
        self,
        config: ServeConfig,
        *,
        analysis: AnalysisConfig,
        reason: ReasonConfig,
        measures: MeasuresConfig = MeasuresConfig(),
        promote: PromoteConfig = PromoteConfig(),
    ) -> None:
        self.config = config
        self.analysis = analysis
        self.reason = reason
        self.measures = measures
        self.uploads = Uploads(config.uploads_dir, config.incoming_dir)
        self.resumable = ResumableUploads(config.resumable_dir, expiry_s=config.limits.upload_expiry_h * 3600)
        self.exports = Exports(config.exports_dir, expiry_s=config.limits.export_expiry_h * 3600)
        self.event_streams = EventStreams(config.limits.max_event_streams, config.limits.max_event_streams_per_key)
        self.kept_answers = KeptAnswers(config.kept_answers_dir)
        self.room = RoomToWrite(config, self.resumable)
        self.jobs = JobQueue(config, self)
        self.intake = VideoIntake(
            self.uploads,
            self.resumable,
            self.jobs,
            decode=analysis.video.decode,
            media_dirs=config.media_dirs,
            check_capacity=self.check_capacity,
        )
        self.export_jobs = ExportJobs(config, analysis, self.exports, self.jobs)
        self.audit = AuditLog(config.audit_dir, writer=config.executor_id)
        self.stored_videos = StoredVideos(config.store_dir)
        self.damaged_videos = DamagedVideos(config.store_dir)
        self.projects = VideoProjects(config, self.uploads, self.resumable, self.exports)
        self.visible = VisibleStore(config, self.projects, self.damaged_videos, reason=reason, measures=measures)
        self.lists = VideoLists(
            config,
            self.uploads,
            self.exports,
            self.jobs,
            self.projects,
            stored=self.stored_videos,
            damaged=self.damaged_videos,
        )
        self.data_protection = ProjectDataProtection(config, self.projects, self.audit, erase=self.erase)
        self.timelines = KeptTimelines()
        self.previews = Previews(config.previews_dir, analysis.video.decode)
        self.detector = DetectorSlot(
            ServingFile(config.models_dir, config.detector),
            device=config.device,
            max_waiting=config.limits.max_waiting_detections,
        )
        self.activations = Activations(config.models_dir, config.detector, promote=promote, use=self._use_detector)
        self.run_images = RunImages(config.limits.max_image_megapixels)

    @contextmanager
    def started(self) -> Iterator[None]:
        """Run the service: lock the data folder, start the jobs, load the detector.

        Raises:
            UsageError: if another service of the same name uses the data folder.
        """
        with lock_data_dir(self.config):
            close_to_others(self.config)
            self.uploads.prepare()
            self.resumable.start()
            self.exports.start()
            self.visible.prepare()
            self.detector.start()
            self.jobs.start()
            self.data_protection.start()
            try:
                self._resubmit_unknown()
                threading.Thread(
                    target=self.intake.complete_what_has_arrived, name="complete-uploads", daemon=True
                ).start()
                yield
            finally:
                self.data_protection.stop()
                self.resumable.stop()
                self.exports.stop()
                self.previews.stop()
                self.activations.stop()
                self.jobs.stop()
                self.detector.stop()

    def _resubmit_unknown(self) -> None:
        # A process killed between storing an upload and queueing its job leaves an upload without a job.
        uploads = self.uploads.all()
        known = self.jobs.get([upload.job_id for upload in uploads])
        for upload in uploads:
            if upload.job_id not in known:
                self.jobs.submit(upload.job_id)
        self.export_jobs.submit_unknown()

    def request_for(self, job_id: str) -> AnalysisRequest | ExportRequest:
        """What the worker of a job is to do.

        Args:
            job_id: id of the job.

        Returns:
            The request to the worker.

        Raises:
            VideoError: if the video was erased, or there is no detector.
        """
        if is_export(job_id):
            return self._export_request(job_id)
        upload = self.uploads.of_job(job_id)
        if upload is None:
            raise VideoError("The video was erased before it was analysed.")
        detector = self.detector.checkpoint  # as it is now: another process may have activated another one
        if detector is None:
            raise VideoError(
                "The service has no detector.",
                fix="`visionllm models get yolox_s`, start the service again, then upload the video again",
            )
        return AnalysisRequest(
            folder=self.uploads.folder(upload).absolute(),
            video=self.uploads.path(upload).absolute(),
            video_id=upload.video_id,
            sha256=upload.sha256,
            store=self.config.store_dir.absolute(),
            detector=detector.absolute(),
            view=upload.options.view,
            analysis=self._analysis_for(upload.options, detector),
        )

    def _export_request(self, job_id: str) -> ExportRequest:
        export = self.exports.get(job_id)
        if export is None:
            raise VideoError("The video was erased before it was exported.")
        try:
            media = self.lists.video(export.video_id).media
        except HTTPException as error:
            raise VideoError("The video was erased before it was exported.") from error
        self.data_protection.check_export([export.video_id])  # it may have been withdrawn while the job waited
        project = self.projects.project_of("video_id", export.video_id)
        return self.export_jobs.request_for(export, media, project=project)

    def video_of(self, job_id: str) -> str | None:
        """The video of a job; None if it was erased."""
        if is_export(job_id):
            export = self.exports.get(job_id)
            return export.video_id if export else None
        upload = self.uploads.of_job(job_id)
        return upload.video_id if upload else None

    def export_options(self, job_id: str) -> ExportOptions | None:
        """What an export writes; None of another job."""
        export = self.exports.get(job_id) if is_export(job_id) else None
        return export.options if export else None

    def keep_outcome(self, job_id: str, outcome: JobOutcome) -> None:
        """Keep how a job ended, beside its video."""
        export = self.exports.get(job_id)
        if export is not None:
            self.exports.keep_outcome(export, outcome)
        upload = self.uploads.of_job(job_id)
        if upload is not None:
            self.uploads.keep_outcome(upload, outcome)

    def outcome_of(self, job_id: str) -> JobOutcome | None:
        """How a job ended; None if that is not kept."""
        export = self.exports.get(job_id)
        if export is not None:
            return self.exports.outcome(export)
        upload = self.uploads.of_job(job_id)
        return self.uploads.outcome(upload) if upload else None

    def audited(self, video_id: str) -> tuple[str | None, str | None]:
        """What the audit log says of a video: the token that stands for it, and its project."""
        known = self.uploads.has_folder(video_id) or video_id in self.lists.stored_ids()
        return (
            (self.audit.subject_of(video_id), self.projects.project_of("video_id", video_id)) if known else (None, None)
        )

    def _use_detector(self, checkpoint: Path, record: Callable[[], object]) -> None:
        self.detector.change(checkpoint, record=record)

    def _analysis_for(self, options: JobOptions, detector: Path) -> dict[str, Any]:
        content: dict[str, Any] = with_rate_of(self.analysis, detector).model_dump(mode="json")
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
        self.room.check_room(upload_bytes)

    def analyse_again(self, video_id: str, options: JobOptions) -> JobRecord:
        """Queue another analysis of an uploaded or registered video.

        Args:
            video_id: the video.
            options: options of the analysis, which take the place of those of the upload.

        Returns:
            The new job; that of the upload is forgotten.

        Raises:
            HTTPException: 404 if there is no such video, 409 if its analysis is not over, or its file is not here.
        """
        self.detector.check_usable()
        self.room.check_writable()
        with self.uploads.lock():
            state = self.lists.video(video_id)
            upload = state.upload
            if upload is None or state.media is None:
                raise http_problem(
                    409,
                    "The file of this video is not here.",
                    code="NO-COPY",
                    found=video_id,
                    fix="upload the video; or analyse it with `visionllm analyze`",
                )
            if state.job is not None and state.job.state in ("queued", "running"):
                message = "The analysis of this video is not over."
                raise http_problem(409, message, code="IN-WORK", found=f"job {upload.job_id} is {state.job.state}")
            upload = self.intake.with_new_job(upload, options)
            self.jobs.submit(upload.job_id)
        return self.job(upload.job_id)

    def start_export(self, video_id: str, options: ExportOptions) -> JobRecord:
        """Queue an export of a video.

        Args:
            video_id: the video.
            options: what is exported, and how.

        Returns:
            The job.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it cannot be exported, 507 if the disk is too full.
            ConsentMissing: if consent was withdrawn, or is required and not recorded.
            ModelMissing: if something is to be blurred, and no model on this machine finds it.
        """
        state = self.lists.video(video_id)
        self.data_protection.check_export([video_id])
        size = state.media.stat().st_size if options.format in FROM_IMAGES and state.media else 0
        self.room.check_room(size)
        return self.job(self.export_jobs.start(state, options).job_id)

    def export_of(self, video_id: str, job_id: str) -> Export:
        """An export of a video.

        Args:
            video_id: the video.
            job_id: the job of the export.

        Returns:
            The export.

        Raises:
            HTTPException: 404 if there is no such export of this video.
        """
        export = self.exports.get(job_id)
        if export is None or export.video_id != video_id:
            raise not_found("export", job_id)
        return export

    def move_to_project(self, video_id: str, project: str) -> None:
        """Give a video to another project; its id stays.

        Args:
            video_id: the video.
            project: the project.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it is not the service's to move.
            ConsentMissing: if it may not be exported.
        """
        with self.uploads.lock():
            upload = self.uploads.get(video_id)
            if upload is None:
                raise http_problem(
                    409,
                    "The project of this video is that of the store.",
                    code="STORE-PROJECT",
                    found=self.config.store_project,
                    fix="set serve.store_project; or upload the video",
                )
            if upload.project == project:
                return
            self.data_protection.check_export([video_id])  # what was withdrawn here would count no more there
            if self.uploads.find(upload.sha256, project) is not None:
                message = "The project has this video already."
                raise http_problem(409, message, code="IN-PROJECT", found=project, fix="erase one of them")
            self.uploads.replace(upload.model_copy(update={"project": project}))
        self.visible.forget_answers()

    def describe_video(self, video_id: str, changes: Mapping[str, Any]) -> bool:
        """Set covariates of an analysed video.

        Args:
            video_id: the video.
            changes: name → value; None takes a covariate away.

        Returns:
            Whether consent was withdrawn for the child that the video had, and is not for the one that it has now.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it is not analysed.
            UsageError: if a value is impossible.
        """
        self.room.check_writable()
        with self.analysed_video(video_id):
            withdrawn = "child" in changes and self.data_protection.is_withdrawn(video_id)
            write_covariates(self.config.store_dir, video_id, changes)
        self.visible.forget_answers()
        return withdrawn and not self.data_protection.is_withdrawn(video_id)

    def playable_file(self, video_id: str) -> tuple[VideoState, Path]:
        """The file of a video, to be played.

        Args:
            video_id: id of the video.

        Returns:
            The video, and the path of its file.

        Raises:
            HTTPException: 404 if there is no such video, or no copy of it that may be shown.
        """
        state = self.lists.video(video_id)
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
        if job.options is not None:
            return self._retry_export(job)
        self.detector.check_usable()
        with self.uploads.lock():
            upload = self.uploads.get(job.video_id)
            if upload is None or upload.job_id != job_id or not self.intake.has_failed(upload):
                raise _not_failed(job)
            upload = self.intake.with_new_job(upload)
            self.jobs.submit(upload.job_id)
        return self.job(upload.job_id)

    def _retry_export(self, job: JobRecord) -> JobRecord:
        export = self.export_of(job.video_id, job.job_id)
        if job.state not in ("failed", "cancelled"):
            raise _not_failed(job)
        renewed = self.start_export(job.video_id, export.options)
        self.export_jobs.delete(export)
        return renewed

    def cancel(self, job_id: str) -> JobRecord:
        """Cancel a job that waits or runs; its worker is stopped. The video stays, and can be tried again.

        Args:
            job_id: id of the job.

        Returns:
            The job as it is then.

        Raises:
            HTTPException: 404 if there is no such job, 409 if it has ended.
        """
        job = self.job(job_id)
        if job.state not in ("queued", "running"):
            message = "Only a job that waits or runs can be cancelled."
            raise http_problem(409, message, code="ENDED", found=f"the job is {job.state}")
        self.jobs.cancel(job_id)
        return self.job(job_id)

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
        if job is None or not job.video_id:  # one whose video was erased is nobody's
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
        stored = video_id in self.lists.stored_ids()
        if upload is None and not stored and not self.uploads.has_folder(video_id):
            raise not_found("video", video_id)
        if stored:
            self.room.check_writable(erasing=True)
        with self.uploads.lock():
            if upload is not None:
                self.jobs.stop_worker(upload.job_id)
            self.export_jobs.erase(video_id)
            self.kept_answers.forget(video_id, *([upload.job_id] if upload else []))
            self.previews.erase(video_id)
            self.visible.forget(video_id)
            self.timelines.forget(video_id)
            path = str(self.uploads.path(upload).absolute()) if upload else None
            self.uploads.erase(video_id)
            if stored or video_id in self.lists.stored_ids():
                erase_video(self.config.store_dir, video_id)
            else:
                forget_consent_of_video(self.config.store_dir, video_id)
            forget_video(self.config.store_dir, video_id, path=path)
            if upload is not None:
                self.resumable.forget_job(upload.job_id)
                self._delete_job(upload.job_id)
            self.audit.forget(video_id)

    def _delete_job(self, job_id: str) -> None:
        try:
            self.jobs.delete(job_id)
        except Exception as error:  # noqa: BLE001 (a database without room; the record is a random id, and is logged)
            log.warning("the record of an erased job stays", job_id=job_id, error=type(error).__name__)

    @contextmanager
    def analysed_video(self, video_id: str, principal: Principal = LOCAL) -> Iterator[Store]:
        """Open the store for one analysed video.

        Args:
            video_id: id of the video.
            principal: who asks; the store has no video that they do not see.

        Yields:
            Store: the store, which has the video.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it is not analysed yet or damaged.
        """
        state = self.lists.video(video_id)
        if state.damaged is not None:
            fix = "erase it, or analyse it again"
            raise http_problem(
                409, "The video cannot be read from the store.", code="DAMAGED-VIDEO", found=state.damaged, fix=fix
            )
        if not state.analysed:
            found = f"job {state.job.job_id} is {state.job.state}" if state.job else "no job"
            raise http_problem(409, "The video is not analysed yet.", code="NOT-ANALYSED", found=found)
        with open_store(self.visible.store_for(principal)) as store:
            yield store

    def timeline_json(self, video_id: str, principal: Principal = LOCAL) -> bytes:
        """The timeline of an analysed video as JSON; the last ones are kept, since hours of it take a second.

        Args:
            video_id: id of the video.
            principal: who asks; a session is told without the videos that they do not see.

        Returns:
            The document.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it is not analysed yet or damaged.
        """
        with self.analysed_video(video_id, principal) as store:
            return self.timelines.get(store, video_id)

    def example_questions(self, video_id: str | None, principal: Principal = LOCAL) -> list[str]:
        """Questions that have an answer: about one video, or about the video analysed last.

        Args:
            video_id: the video; None: the one analysed last.
            principal: who asks.

        Returns:
            A few questions; none if nothing is analysed.

        Raises:
            HTTPException: 404 if there is no such video.
        """
        if video_id is None:
            sound = self.projects.seen_ids(principal) - set(self.damaged_videos.find())
            found = [self.stored_videos.get(one) for one in sound]
            latest = max((one for one in found if one), key=lambda one: one.analysed_at or "", default=None)
            return self.visible.questions_for(principal).examples(latest.video_id) if latest else []
        with self.analysed_video(video_id):
            return self.visible.questions_for(principal).examples(video_id)


def _not_failed(job: JobRecord) -> HTTPException:
    message, found = "Only a job that failed or was cancelled can be tried again.", f"the job is {job.state}"
    return http_problem(409, message, code="NOT-FAILED", found=found)
