"""Exports as jobs: what may be exported, what the worker is told, what becomes of the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.errors import VideoError
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.jobs.exports import FILES, FROM_IMAGES, Export, ExportOptions, Exports
from visionllm_interaction.server.jobs.queue import JobQueue
from visionllm_interaction.server.jobs.worker import ExportRequest
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.video_state import VideoState
from visionllm_interaction.utils.logs import log


class ExportJobs:
    """Starts, describes and deletes exports.

    Args:
        config: the section ``serve``.
        analysis: its settings of decoding and blurring.
        exports: the folder of exports.
        jobs: the queue.
    """

    def __init__(self, config: ServeConfig, analysis: AnalysisConfig, exports: Exports, jobs: JobQueue) -> None:
        self._config = config
        self._analysis = analysis
        self._exports = exports
        self._jobs = jobs

    def start(self, state: VideoState, options: ExportOptions) -> Export:
        """Queue an export.

        Args:
            state: the video.
            options: what is exported.

        Returns:
            The export.

        Raises:
            HTTPException: 409 if the video is not analysed, damaged, or its file is needed and not here.
            ModelMissing: if something is to be blurred, and no model on this machine finds it.
        """
        if options.format != "blurred" and not state.analysed:
            found = state.damaged or (f"job {state.job.job_id} is {state.job.state}" if state.job else "no job")
            code = "DAMAGED-VIDEO" if state.damaged else "NOT-ANALYSED"
            raise http_problem(409, "There is no analysis of this video to export.", code=code, found=found)
        if options.format in FROM_IMAGES and state.media is None:
            raise http_problem(
                409,
                "This format is made from the file of the video, which is not here.",
                code="NO-COPY",
                found=state.video_id,
                fix="upload it; or, where it lies on this machine, name its folder in serve.media_dirs",
            )
        _detector_for(options)
        export = self._exports.create(state.video_id, options)
        self._jobs.submit(export.job_id)
        return export

    def submit_unknown(self) -> None:
        """Queue the exports that a killed service had kept and not queued yet."""
        kept = self._exports.all()
        known = self._jobs.get([one.job_id for one in kept])
        for one in kept:
            if one.job_id not in known:
                self._jobs.submit(one.job_id)

    def request_for(self, export: Export, media: Path | None, *, project: str | None) -> ExportRequest:
        """What the worker of an export is to do.

        Args:
            export: the export.
            media: the file of the video; None: it is not here.
            project: the project of the video.

        Returns:
            The request to the worker.

        Raises:
            VideoError: if the export is made from the file, and that is not here.
        """
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
            store=self._config.store_dir.absolute(),
            options=export.options.model_dump(mode="json"),
            detector=_detector_for(export.options),
            settings=settings,
        )

    def delete(self, export: Export) -> None:
        """Delete an export: its job, which is stopped if it runs, and its files."""
        self._jobs.stop_worker(export.job_id)
        self._exports.delete(export)
        try:
            self._jobs.delete(export.job_id)
        except Exception as error:  # noqa: BLE001 (a database without room; the record is a random id, and is logged)
            log.warning("the record of a deleted export stays", job_id=export.job_id, error=type(error).__name__)

    def erase(self, video_id: str) -> None:
        """Delete all exports of a video that is erased."""
        for export in self._exports.of_video(video_id):
            self.delete(export)
        self._exports.erase(video_id)


def _detector_for(options: ExportOptions) -> Path | None:
    """The model that finds what is to be blurred; None where nothing is."""
    if options.blurs is None:
        return None
    # Imported here: only this format needs it.
    from visionllm_interaction.detection.registry.defaults import resolve_kind

    return resolve_kind(options.blurs, parts=["detector"])["detector"]
