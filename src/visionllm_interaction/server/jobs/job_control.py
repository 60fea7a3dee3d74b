"""Jobs one by one, as somebody asks for them: how one stands, trying it again, cancelling it, analysing anew."""

from __future__ import annotations

from fastapi import HTTPException

from visionllm_interaction.server.detector_slot import DetectorSlot
from visionllm_interaction.server.intake.uploads import JobOptions, Uploads
from visionllm_interaction.server.intake.video_intake import VideoIntake
from visionllm_interaction.server.jobs.export_jobs import ExportJobs
from visionllm_interaction.server.jobs.queue import JobQueue, JobRecord
from visionllm_interaction.server.jobs.room_to_write import RoomToWrite
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.server.results.video_lists import VideoLists


class JobControl:
    """Shows, repeats and cancels jobs.

    Args:
        jobs: the queue.
        uploads: the uploaded and registered videos.
        intake: gives uploads new jobs.
        export_jobs: the exports.
        lists: the videos and their states.
        detector: the detector that serves.
        room: whether something more can be written.
    """

    def __init__(
        self,
        jobs: JobQueue,
        uploads: Uploads,
        intake: VideoIntake,
        export_jobs: ExportJobs,
        *,
        lists: VideoLists,
        detector: DetectorSlot,
        room: RoomToWrite,
    ) -> None:
        self._jobs = jobs
        self._uploads = uploads
        self._intake = intake
        self._export_jobs = export_jobs
        self._lists = lists
        self._detector = detector
        self._room = room

    def get(self, job_id: str) -> JobRecord:
        """Get one job.

        Args:
            job_id: id of the job.

        Returns:
            Its present state.

        Raises:
            HTTPException: 404 if there is no such job.
        """
        job = self._jobs.get([job_id]).get(job_id)
        if job is None or not job.video_id:  # one whose video was erased is nobody's
            raise not_found("job", job_id)
        return job

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
        self._detector.check_usable()
        self._room.check_writable()
        with self._uploads.lock():
            state = self._lists.video(video_id)
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
            upload = self._intake.with_new_job(upload, options)
            self._jobs.submit(upload.job_id)
        return self.get(upload.job_id)

    def retry(self, job_id: str) -> JobRecord:
        """Queue a job that failed once more.

        Args:
            job_id: id of the failed job.

        Returns:
            The new job of the same video.

        Raises:
            HTTPException: 404 if there is no such job, 409 if it has not failed or its video is gone.
        """
        job = self.get(job_id)
        if job.options is not None:
            return self._retry_export(job)
        self._detector.check_usable()
        with self._uploads.lock():
            upload = self._uploads.get(job.video_id)
            if upload is None or upload.job_id != job_id or not self._intake.has_failed(upload):
                raise _not_failed(job)
            upload = self._intake.with_new_job(upload)
            self._jobs.submit(upload.job_id)
        return self.get(upload.job_id)

    def _retry_export(self, job: JobRecord) -> JobRecord:
        export = self._export_jobs.get(job.video_id, job.job_id)
        if job.state not in ("failed", "cancelled"):
            raise _not_failed(job)
        renewed = self.get(self._export_jobs.start(job.video_id, export.options).job_id)
        self._export_jobs.delete(export)
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
        job = self.get(job_id)
        if job.state not in ("queued", "running"):
            message = "Only a job that waits or runs can be cancelled."
            raise http_problem(409, message, code="ENDED", found=f"the job is {job.state}")
        self._jobs.cancel(job_id)
        return self.get(job_id)


def _not_failed(job: JobRecord) -> HTTPException:
    message, found = "Only a job that failed or was cancelled can be tried again.", f"the job is {job.state}"
    return http_problem(409, message, code="NOT-FAILED", found=found)
