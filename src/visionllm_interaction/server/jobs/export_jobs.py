"""Exports as jobs: what may be exported, how one is queued, what becomes of the files."""

from __future__ import annotations

from visionllm_interaction.server.intake.uploads import Uploads
from visionllm_interaction.server.jobs.exports import FROM_IMAGES, Export, ExportOptions, Exports, detector_that_blurs
from visionllm_interaction.server.jobs.queue import JobQueue
from visionllm_interaction.server.jobs.room_to_write import RoomToWrite
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.server.projects.data_protection import ProjectDataProtection
from visionllm_interaction.server.results.video_lists import VideoLists
from visionllm_interaction.server.video_state import VideoState
from visionllm_interaction.utils.logs import log


class ExportJobs:
    """Starts and deletes exports.

    Args:
        exports: the folder of exports.
        uploads: whose lock keeps videos from being erased while an export of them is begun.
        jobs: the queue.
        lists: the videos and their states.
        data_protection: what may be exported.
        room: whether something more can be written.
    """

    def __init__(
        self,
        exports: Exports,
        uploads: Uploads,
        jobs: JobQueue,
        lists: VideoLists,
        *,
        data_protection: ProjectDataProtection,
        room: RoomToWrite,
    ) -> None:
        self._exports = exports
        self._uploads = uploads
        self._jobs = jobs
        self._lists = lists
        self._data_protection = data_protection
        self._room = room

    def start(self, video_id: str, options: ExportOptions) -> Export:
        """Queue an export of a video.

        Args:
            video_id: the video.
            options: what is exported, and how.

        Returns:
            The export.

        Raises:
            HTTPException: 404 if there is no such video, 409 if it cannot be exported, 507 if the disk is too full.
            ConsentMissing: if consent was withdrawn, or is required and not recorded.
            ModelMissing: if something is to be blurred, and no model on this machine finds it.
        """
        with self._uploads.lock():
            state = self._lists.video(video_id)
            self._data_protection.check_export([video_id])
            size = state.media.stat().st_size if options.format in FROM_IMAGES and state.media else 0
            self._room.check_room(size)
            _check_possible(state, options)
            export = self._exports.create(video_id, options)
            self._jobs.submit(export.job_id)
        return export

    def get(self, video_id: str, job_id: str) -> Export:
        """An export of a video.

        Args:
            video_id: the video.
            job_id: the job of the export.

        Returns:
            The export.

        Raises:
            HTTPException: 404 if there is no such export of this video.
        """
        export = self._exports.get(job_id)
        if export is None or export.video_id != video_id:
            raise not_found("export", job_id)
        return export

    def submit_unknown(self) -> None:
        """Queue the exports that a killed service had kept and not queued yet."""
        kept = self._exports.all()
        known = self._jobs.get([one.job_id for one in kept])
        for one in kept:
            if one.job_id not in known:
                self._jobs.submit(one.job_id)

    def delete(self, export: Export) -> None:
        """Delete an export: its job, which is stopped if it runs, and its files."""
        self._jobs.stop_worker(export.job_id)
        self._exports.delete(export)
        try:
            self._jobs.delete(export.job_id)
        except Exception as error:  # noqa: BLE001 (a database without room; the record is a random id, and is logged)
            log.warning("the record of a deleted export stays", job_id=export.job_id, error=type(error).__name__)

    def erase_begun(self, video_id: str) -> None:
        """Delete the exports that a video has; others may be begun meanwhile."""
        for export in self._exports.of_video(video_id):
            self.delete(export)

    def erase(self, video_id: str) -> None:
        """Delete all exports of a video that is erased; call it under the lock of the uploads."""
        self.erase_begun(video_id)
        self._exports.erase(video_id)


def _check_possible(state: VideoState, options: ExportOptions) -> None:
    """Refuse an export that has nothing to be made from, or that lacks the model that finds what is blurred."""
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
    detector_that_blurs(options)
