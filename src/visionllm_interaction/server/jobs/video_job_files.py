"""What the jobs of videos are about and how they ended, from the records of uploads and exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import HTTPException

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.analysis.analyze_videos import with_rate_of
from visionllm_interaction.errors import VideoError
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.detector_slot import DetectorSlot
from visionllm_interaction.server.intake.uploads import JobOptions, Uploads
from visionllm_interaction.server.jobs.exports import (
    FILES,
    FROM_IMAGES,
    ExportOptions,
    Exports,
    detector_that_blurs,
    is_export,
)
from visionllm_interaction.server.jobs.worker import AnalysisRequest, ExportRequest, JobOutcome
from visionllm_interaction.server.projects.data_protection import ProjectDataProtection
from visionllm_interaction.server.projects.video_projects import VideoProjects
from visionllm_interaction.server.results.video_files import VideoFiles


class VideoJobFiles:
    """The :class:`~visionllm_interaction.server.jobs.queue.JobFiles` of the service.

    Args:
        config: the section ``serve``.
        analysis: how videos are analysed, decoded and blurred.
        uploads: the uploaded and registered videos.
        exports: the folder of exports.
        videos: the files of videos.
        projects: which videos are of which project.
        data_protection: what may be exported.
        detector: the detector that serves.
    """

    def __init__(
        self,
        config: ServeConfig,
        analysis: AnalysisConfig,
        *,
        uploads: Uploads,
        exports: Exports,
        videos: VideoFiles,
        projects: VideoProjects,
        data_protection: ProjectDataProtection,
        detector: DetectorSlot,
    ) -> None:
        self._store = config.store_dir
        self._analysis = analysis
        self._uploads = uploads
        self._exports = exports
        self._videos = videos
        self._projects = projects
        self._data_protection = data_protection
        self._detector = detector

    def request_for(self, job_id: str) -> AnalysisRequest | ExportRequest:
        """What the worker of a job is to do.

        Args:
            job_id: id of the job.

        Returns:
            The request to the worker.

        Raises:
            VideoError: if the video was erased, there is no detector, or a file that is needed is not here.
            ConsentMissing: if the video of an export may not be exported any more.
        """
        return self._export_request(job_id) if is_export(job_id) else self._analysis_request(job_id)

    def _analysis_request(self, job_id: str) -> AnalysisRequest:
        upload = self._uploads.of_job(job_id)
        if upload is None:
            raise VideoError("The video was erased before it was analysed.")
        detector = self._detector.checkpoint  # as it is now: another process may have activated another one
        if detector is None:
            raise VideoError(
                "The service has no detector.",
                fix="`visionllm models get yolox_s`, start the service again, then upload the video again",
            )
        return AnalysisRequest(
            folder=self._uploads.folder(upload).absolute(),
            video=self._uploads.path(upload).absolute(),
            video_id=upload.video_id,
            sha256=upload.sha256,
            store=self._store.absolute(),
            detector=detector.absolute(),
            view=upload.options.view,
            analysis=self._analysis_for(upload.options, detector),
        )

    def _analysis_for(self, options: JobOptions, detector: Path) -> dict[str, Any]:
        content: dict[str, Any] = with_rate_of(self._analysis, detector).model_dump(mode="json")
        if options.sample_fps is not None:
            content["video"]["decode"]["sample_fps"] = options.sample_fps
        return content

    def _export_request(self, job_id: str) -> ExportRequest:
        export = self._exports.get(job_id)
        if export is None:
            raise VideoError("The video was erased before it was exported.")
        try:
            media = self._videos.get(export.video_id)
        except HTTPException as error:
            raise VideoError("The video was erased before it was exported.") from error
        self._data_protection.check_export([export.video_id])  # it may have been withdrawn while the job waited
        project = self._projects.project_of("video_id", export.video_id)
        if export.options.format in FROM_IMAGES and media is None:
            raise VideoError("The file of the video is not here.", fix="upload it, then export again")
        folder = self._exports.folder(export).absolute()
        settings: dict[str, Any] = self._analysis.video.model_dump(mode="json")
        return ExportRequest(
            folder=folder,
            files=folder / FILES,
            video=media.absolute() if media is not None else None,
            video_id=export.video_id,
            project=project,
            store=self._store.absolute(),
            options=export.options.model_dump(mode="json"),
            detector=detector_that_blurs(export.options),
            settings=settings,
        )

    def video_of(self, job_id: str) -> str | None:
        """The video of a job; None if it was erased."""
        if is_export(job_id):
            export = self._exports.get(job_id)
            return export.video_id if export else None
        upload = self._uploads.of_job(job_id)
        return upload.video_id if upload else None

    def export_options(self, job_id: str) -> ExportOptions | None:
        """What an export writes; None of another job."""
        export = self._exports.get(job_id) if is_export(job_id) else None
        return export.options if export else None

    def keep_outcome(self, job_id: str, outcome: JobOutcome) -> None:
        """Keep how a job ended, beside its video."""
        export = self._exports.get(job_id)
        if export is not None:
            self._exports.keep_outcome(export, outcome)
        upload = self._uploads.of_job(job_id)
        if upload is not None:
            self._uploads.keep_outcome(upload, outcome)

    def keep_cancelled(self, job_id: str, outcome: JobOutcome) -> None:
        """Keep when an export was cancelled, unless it has ended by itself: it expires, other jobs do not."""
        export = self._exports.get(job_id)
        if export is not None:
            self._exports.keep_outcome(export, outcome, replace=False)

    def outcome_of(self, job_id: str) -> JobOutcome | None:
        """How a job ended; None if that is not kept."""
        export = self._exports.get(job_id)
        if export is not None:
            return self._exports.outcome(export)
        upload = self._uploads.of_job(job_id)
        return self._uploads.outcome(upload) if upload else None
