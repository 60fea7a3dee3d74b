"""The service without HTTP, used by the routes and the web page: its parts, its start and its end. All methods block.

What touches one part is a method of that part. Here is what touches them all: erasing a video.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.auth.audit_log import AuditLog
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.detector_slot import DetectorSlot
from visionllm_interaction.server.http.event_streams import EventStreams
from visionllm_interaction.server.http.idempotency_keys import KeptAnswers
from visionllm_interaction.server.intake.resumable_uploads import ResumableUploads
from visionllm_interaction.server.intake.uploads import Upload, Uploads
from visionllm_interaction.server.intake.video_intake import VideoIntake
from visionllm_interaction.server.jobs.data_folder import close_to_others, lock_data_dir
from visionllm_interaction.server.jobs.export_jobs import ExportJobs
from visionllm_interaction.server.jobs.exports import Exports
from visionllm_interaction.server.jobs.job_control import JobControl
from visionllm_interaction.server.jobs.previews import Previews
from visionllm_interaction.server.jobs.queue import JobQueue
from visionllm_interaction.server.jobs.room_to_write import RoomToWrite
from visionllm_interaction.server.jobs.video_job_files import VideoJobFiles
from visionllm_interaction.server.monitoring.monitor import Monitor
from visionllm_interaction.server.monitoring.traces import Traces
from visionllm_interaction.server.problem_details import not_found
from visionllm_interaction.server.projects.data_protection import ProjectDataProtection
from visionllm_interaction.server.projects.video_changes import VideoChanges
from visionllm_interaction.server.projects.video_projects import VideoProjects
from visionllm_interaction.server.results.analysed_videos import AnalysedVideos
from visionllm_interaction.server.results.store_views import DamagedVideos
from visionllm_interaction.server.results.video_files import VideoFiles
from visionllm_interaction.server.results.video_list_facts import StoredVideos
from visionllm_interaction.server.results.video_lists import VideoLists
from visionllm_interaction.server.results.visible_store import VisibleStore
from visionllm_interaction.server.training.activation import Activations, ServingFile
from visionllm_interaction.server.training.run_images import RunImages
from visionllm_interaction.store.data_protection.register import forget_consent_of_video
from visionllm_interaction.store.reader import erase_video
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
        self.audit = AuditLog(config.audit_dir, writer=config.executor_id)
        self.stored_videos = StoredVideos(config.store_dir)
        self.damaged_videos = DamagedVideos(config.store_dir)
        self.previews = Previews(config.previews_dir, analysis.video.decode)
        self.run_images = RunImages(config.limits.max_image_megapixels)
        self.detector = DetectorSlot(
            ServingFile(config.models_dir, config.detector),
            device=config.device,
            max_waiting=config.limits.max_waiting_detections,
            max_batch=config.max_detection_batch,
            batch_wait_s=config.detection_batch_wait_ms / 1000,
            max_megapixels=config.limits.max_image_megapixels,
        )
        self.activations = Activations(config.models_dir, config.detector, promote=promote, use=self._use_detector)
        self.projects = VideoProjects(config, self.uploads, self.resumable, self.exports)
        self.data_protection = ProjectDataProtection(config, self.projects, self.audit, erase=self.erase)
        self.video_files = VideoFiles(config, self.uploads, self.stored_videos)
        self.job_files = VideoJobFiles(
            config,
            analysis,
            uploads=self.uploads,
            exports=self.exports,
            videos=self.video_files,
            projects=self.projects,
            data_protection=self.data_protection,
            detector=self.detector,
        )
        self.monitor = Monitor(lambda: self.detector.checkpoint, config.artifacts_dir)
        self.traces = Traces(config.traces, instance=config.executor_id) if config.traces else None
        self.jobs = JobQueue(config, self.job_files, self.monitor, self.traces)
        self.intake = VideoIntake(
            self.uploads,
            self.resumable,
            self.jobs,
            decode=analysis.video.decode,
            media_dirs=config.media_dirs,
            check_capacity=self.check_capacity,
        )
        self.lists = VideoLists(
            config,
            self.uploads,
            self.exports,
            self.jobs,
            self.projects,
            files=self.video_files,
            stored=self.stored_videos,
            damaged=self.damaged_videos,
        )
        self.export_jobs = ExportJobs(
            self.exports, self.uploads, self.jobs, self.lists, data_protection=self.data_protection, room=self.room
        )
        self.job_control = JobControl(
            self.jobs,
            self.uploads,
            self.intake,
            self.export_jobs,
            lists=self.lists,
            detector=self.detector,
            room=self.room,
        )
        self.visible = VisibleStore(config, self.projects, self.damaged_videos, reason=reason, measures=measures)
        self.analysed = AnalysedVideos(
            self.lists, self.visible, self.projects, stored=self.stored_videos, damaged=self.damaged_videos
        )
        self.changes = VideoChanges(
            config, self.uploads, self.analysed, self.visible, data_protection=self.data_protection, room=self.room
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
            self.resumable.start()
            self.exports.start()
            self.visible.prepare()
            if self.traces is not None:
                self.traces.start()
            self.activations.prepare()
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
                if self.traces is not None:
                    self.traces.stop()
                self.detector.stop()

    def _resubmit_unknown(self) -> None:
        # A process killed between storing an upload and queueing its job leaves an upload without a job.
        uploads = self.uploads.all()
        known = self.jobs.get([upload.job_id for upload in uploads])
        for upload in uploads:
            if upload.job_id not in known:
                self.jobs.submit(upload.job_id)
        self.export_jobs.submit_unknown()

    def audited(self, video_id: str) -> tuple[str | None, str | None]:
        """What the audit log says of a video: the token that stands for it, and its project."""
        if not self.uploads.has_folder(video_id) and video_id not in self.lists.stored_ids():
            return None, None
        return self.audit.subject_of(video_id), self.projects.project_of("video_id", video_id)

    def _use_detector(self, checkpoint: Path, record: Callable[[], object]) -> None:
        self.detector.change(checkpoint, record=record)

    def check_capacity(self, upload_bytes: int = 0) -> None:
        """Refuse an upload if there is no detector, or if it would leave too little of the disk.

        Args:
            upload_bytes: its size as the request states it; 0: unknown.

        Raises:
            HTTPException: 503 without a usable detector, 507 if the disk is too full.
        """
        self.detector.check_usable()
        self.room.check_room(upload_bytes)

    def erase(self, video_id: str) -> None:
        """Erase a video: its job, its upload and its results in the store.

        Args:
            video_id: id of the video.

        The files go before the job's record: on a full disk nothing can be written before they have made room.

        Raises:
            HTTPException: 404 if there is no such video.
        """
        self._check_erasable(video_id)
        # Before the lock, under which nobody can upload: each export may have a worker that is waited for.
        self.export_jobs.erase_begun(video_id)
        with self.uploads.lock():
            upload, stored = self._check_erasable(video_id)
            if upload is not None:
                self.jobs.stop_worker(upload.job_id)
            self.export_jobs.erase(video_id)
            self._erase_what_was_made_of(video_id, upload)
            path = str(self.uploads.path(upload).absolute()) if upload else None
            self.uploads.erase(video_id)
            if stored or video_id in self.lists.stored_ids():
                erase_video(self.config.store_dir, video_id)
            else:
                forget_consent_of_video(self.config.store_dir, video_id)
            self._erase_what_was_made_of(video_id, upload)  # again: others could ask for it until now
            forget_video(self.config.store_dir, video_id, path=path)
            if upload is not None:
                self.resumable.forget_job(upload.job_id)
                self._delete_job(upload.job_id)
            self.audit.forget(video_id)

    def _check_erasable(self, video_id: str) -> tuple[Upload | None, bool]:
        """The upload of a video, and whether the store has it; refuses what cannot be erased."""
        upload = self.uploads.get(video_id)
        stored = video_id in self.lists.stored_ids()
        if upload is None and not stored and not self.uploads.has_folder(video_id):
            raise not_found("video", video_id)
        if stored:
            self.room.check_writable(erasing=True)
        return upload, stored

    def _erase_what_was_made_of(self, video_id: str, upload: Upload | None) -> None:
        self.kept_answers.forget(video_id, *([upload.job_id] if upload else []))
        self.previews.erase(video_id)
        self.analysed.forget(video_id)

    def _delete_job(self, job_id: str) -> None:
        try:
            self.jobs.delete(job_id)
        except Exception as error:  # noqa: BLE001 (a database without room; the record is a random id, and is logged)
            log.warning("the record of an erased job stays", job_id=job_id, error=type(error).__name__)
