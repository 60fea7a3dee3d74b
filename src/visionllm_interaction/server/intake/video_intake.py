"""How a video comes to the service: uploaded whole or in pieces, or registered where it lies; with its job queued."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import HTTPException

from visionllm_interaction.errors import InputDataError, VideoError
from visionllm_interaction.server.auth.roles import DEFAULT_PROJECT
from visionllm_interaction.server.intake.registered_videos import videos_at
from visionllm_interaction.server.intake.resumable_uploads import ResumableUpload, ResumableUploads
from visionllm_interaction.server.intake.uploads import JobOptions, ReceivedVideo, Upload, Uploads, new_job_id
from visionllm_interaction.server.intake.video_probe import probe_video
from visionllm_interaction.server.jobs.queue import JobQueue
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.logs import log
from visionllm_interaction.video.config import DecodeConfig

MOST_REGISTERED = 50
"""Most new videos that one request registers: each is read whole, and its first frame decoded."""


@dataclass(frozen=True)
class AcceptedUpload:
    """An upload, and whether it is new or had been uploaded before."""

    upload: Upload
    is_new: bool


@dataclass(frozen=True)
class RefusedFile:
    """A file that was not registered: its name, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Registration:
    """What became of the files of a folder; ``left`` is the number of those that were not looked at yet."""

    accepted: list[AcceptedUpload]
    refused: list[RefusedFile]
    left: int


class VideoIntake:
    """Accepts videos: checks that they can be decoded, keeps them, and queues their analysis.

    Args:
        uploads: the uploaded and registered videos.
        resumable: uploads that are not complete.
        jobs: the queue.
        decode: how the first frame is decoded.
        media_dirs: folders whose videos may be registered.
        check_capacity: refuses a video that there is no detector or no room for.
    """

    def __init__(
        self,
        uploads: Uploads,
        resumable: ResumableUploads,
        jobs: JobQueue,
        *,
        decode: DecodeConfig,
        media_dirs: tuple[Path, ...],
        check_capacity: Callable[[], None],
    ) -> None:
        self._uploads = uploads
        self._resumable = resumable
        self._jobs = jobs
        self._decode = decode
        self._media_dirs = media_dirs
        self._check_capacity = check_capacity

    def accept(
        self, received: ReceivedVideo, *, name: str, options: JobOptions, project: str = DEFAULT_PROJECT
    ) -> AcceptedUpload:
        """Store an upload and queue its job.

        The same bytes with the same options give the existing upload; its job is queued again if it failed.

        Args:
            received: the received file.
            name: the file name sent by the client.
            options: options of the analysis.
            project: the project of the video.

        Returns:
            The upload.

        Raises:
            VideoError: if the file is not a video.
            HTTPException: 409 if the same bytes were uploaded with other options.
        """
        known = self._uploads.find(received.sha256, project)
        facts = known.facts if known else probe_video(received.path, decode=self._decode)
        with self._uploads.lock():
            known = self._uploads.find(received.sha256, project)
            upload = known or self._uploads.publish(received, name=name, facts=facts, options=options, project=project)
            if upload.options != options:
                raise _other_options(upload)
            if known is not None and self.has_failed(known):
                upload = self.with_new_job(known)
            self._jobs.submit(upload.job_id)
        return AcceptedUpload(upload, is_new=known is None)

    def register(self, path: str, *, options: JobOptions, project: str) -> Registration:
        """Analyse videos of this machine where they lie; those that are known with the same options keep their jobs.

        Args:
            path: a file or a folder in one of ``serve.media_dirs``.
            options: options of the analysis.
            project: the project of the videos.

        Returns:
            What became of each file, by name. At most :data:`MOST_REGISTERED` new ones; ask again for the others.

        Raises:
            UsageError: if there is no such file or folder that may be registered, or it has no video.
            HTTPException: 503 without a usable detector, 507 if the disk is too full.
        """
        self._check_capacity()
        accepted: list[AcceptedUpload] = []
        refused: list[RefusedFile] = []
        waiting = videos_at(path, self._media_dirs)
        while waiting and sum(one.is_new for one in accepted) < MOST_REGISTERED:
            video = waiting.pop(0)
            try:
                accepted.append(self._register(video, options, project))
            except InputDataError as error:
                refused.append(RefusedFile(video.name, error.message))
        return Registration(accepted, refused, left=len(waiting))

    def _register(self, path: Path, options: JobOptions, project: str) -> AcceptedUpload:
        there = ReceivedVideo(path, sha256_file(path), path.stat().st_size)
        known = self._uploads.find(there.sha256, project)
        facts = known.facts if known else probe_video(path, decode=self._decode)
        with self._uploads.lock():
            known = self._uploads.find(there.sha256, project)
            upload = known or self._uploads.register(there, facts=facts, options=options, project=project)
            if upload.options != options:
                found = upload.options.model_dump_json()
                raise VideoError(f"The same video is here as {upload.video_id} with other options: {found}.")
            self._jobs.submit(upload.job_id)
        return AcceptedUpload(upload, is_new=known is None)

    def complete(self, upload_id: str) -> AcceptedUpload | None:
        """Accept the video of a resumable upload all of whose bytes are here.

        Args:
            upload_id: id of the upload.

        Returns:
            The upload; None if that was done before.

        Raises:
            VideoError: if the file is not a video; the upload is deleted.
            HTTPException: 404 if there is no such upload, 409 if the same bytes were uploaded with other options.
        """
        resumable = self._resumable.get(upload_id)
        if resumable is None:
            raise not_found("upload", upload_id)
        try:
            lock = self._resumable.completing(resumable)
        except FileNotFoundError:  # it was given up meanwhile
            raise not_found("upload", upload_id) from None
        with lock:
            resumable = self._resumable.get(upload_id)
            if resumable is None:
                raise not_found("upload", upload_id)
            if resumable.job_id is not None:
                return None
            try:
                received = self._resumable.received(resumable)
            except FileNotFoundError:  # given up since
                raise not_found("upload", upload_id) from None
            try:
                accepted = self.accept(
                    received, name=resumable.name, options=resumable.options, project=resumable.project
                )
            except (InputDataError, HTTPException):
                self._resumable.delete(upload_id)
                raise
            self._resumable.finish(resumable, accepted.upload.job_id)
        return accepted

    def complete_what_has_arrived(self) -> None:
        """Accept the videos whose last byte came just before the service was killed."""
        arrived = [
            one for one in self._resumable.all() if one.job_id is None and self._resumable.offset(one) == one.length
        ]
        # Those that are kept already first, which takes no time: until then erasing the video would leave their bytes.
        for upload in [one for one in arrived if not self._finish_if_kept(one)]:
            try:
                self.complete(upload.upload_id)
            except Exception as error:  # noqa: BLE001 (whatever is wrong with one, the others are accepted)
                log.warning("an upload that was complete is not accepted", error=type(error).__name__)

    def _finish_if_kept(self, resumable: ResumableUpload) -> bool:
        """Finish an upload whose bytes are those of a video already, if the service was killed in between."""
        bytes_here = self._resumable.file(resumable)
        with suppress(FileNotFoundError), self._resumable.completing(resumable):
            if bytes_here.stat().st_nlink > 1:
                for upload in self._uploads.all():
                    if upload.registered is None and self._uploads.path(upload).samefile(bytes_here):
                        self._jobs.submit(upload.job_id)
                        self._resumable.finish(resumable, upload.job_id)
                        return True
        return False

    def has_failed(self, upload: Upload) -> bool:
        """Whether the job of an upload failed or was cancelled."""
        job = self._jobs.get([upload.job_id]).get(upload.job_id)
        return job is not None and job.state in ("failed", "cancelled")

    def with_new_job(self, upload: Upload, options: JobOptions | None = None) -> Upload:
        """Give an upload a new job in place of its former one, perhaps with other options; it is not queued yet."""
        self._jobs.delete(upload.job_id)
        renewed = upload.model_copy(update={"job_id": new_job_id(), "options": options or upload.options})
        self._uploads.replace(renewed)
        return renewed


def _other_options(upload: Upload) -> HTTPException:
    return http_problem(
        409,
        "The same video was uploaded with other options.",
        code="OTHER-OPTIONS",
        expected=upload.options.model_dump_json(),
        found=upload.video_id,
        fix=f"delete /v1/videos/{upload.video_id} first",
    )
