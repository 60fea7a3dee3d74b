"""The videos and jobs that somebody sees, one by one and as lists, whichever way the videos came."""

from __future__ import annotations

from dataclasses import dataclass

from visionllm_interaction.server.auth.roles import LOCAL, Principal
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Upload, Uploads
from visionllm_interaction.server.jobs.exports import Exports
from visionllm_interaction.server.jobs.queue import JobQueue, JobRecord, Kind, State, kind_of
from visionllm_interaction.server.problem_details import not_found
from visionllm_interaction.server.projects.video_projects import VideoProjects
from visionllm_interaction.server.results.list_pages import Page, page_of
from visionllm_interaction.server.results.store_views import DamagedVideos
from visionllm_interaction.server.results.video_files import VideoFiles
from visionllm_interaction.server.results.video_list_facts import StoredVideos
from visionllm_interaction.server.video_state import VideoState
from visionllm_interaction.store.layout import list_videos


@dataclass(frozen=True)
class VideoFilter:
    """Which videos a list has: those of a project, those with a text in their name; None: all."""

    project: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class JobFilter:
    """Which jobs a list has; None: all."""

    state: State | None = None
    kind: Kind | None = None
    video_id: str | None = None


class VideoLists:
    """The videos: those that were uploaded or registered, and those that the command line put into the store.

    Args:
        config: the section ``serve``.
        uploads: the uploaded and registered videos.
        exports: their exports.
        jobs: the queue.
        projects: whose videos somebody sees.
        files: their files.
        stored: what the store says of videos.
        damaged: the videos that cannot be read.
    """

    def __init__(
        self,
        config: ServeConfig,
        uploads: Uploads,
        exports: Exports,
        jobs: JobQueue,
        projects: VideoProjects,
        *,
        files: VideoFiles,
        stored: StoredVideos,
        damaged: DamagedVideos,
    ) -> None:
        self._config = config
        self._uploads = uploads
        self._exports = exports
        self._jobs = jobs
        self._projects = projects
        self._files = files
        self._stored = stored
        self._damaged = damaged

    def videos(self, principal: Principal = LOCAL) -> list[VideoState]:
        """All videos that somebody sees: uploads, newest first, then the other videos of the store."""
        return self.page(principal, VideoFilter(), cursor=None, limit=None).entries

    def page(
        self, principal: Principal, wanted: VideoFilter, *, cursor: str | None, limit: int | None
    ) -> Page[VideoState]:
        """A page of the videos that somebody sees, in the order of :meth:`videos`.

        Args:
            principal: who asks.
            wanted: which videos.
            cursor: what the page before gave; None: the first page.
            limit: most videos; None: all that follow.

        Returns:
            The states of the videos, and the cursor of the next page.

        Raises:
            RequestValidationError: if the cursor is none of this list.
        """
        uploads = {one.video_id: one for one in self._uploads.all() if principal.sees(one.project)}
        stored = self._projects.seen_ids(principal)
        places = [("2", one.uploaded_at, one.video_id) for one in uploads.values()]
        places += [("1", self._analysed_at(video_id), video_id) for video_id in stored - set(uploads)]
        listed = [one for one in sorted(places, reverse=True) if self._is_wanted(one[2], uploads.get(one[2]), wanted)]
        page = page_of(listed, lambda one: one, cursor=cursor, limit=limit, newest_first=True)
        shown = [(video_id, uploads.get(video_id)) for _, _, video_id in page.entries]
        jobs = self._jobs.get([upload.job_id for _, upload in shown if upload])
        states = [
            self._state(one, upload, jobs.get(upload.job_id) if upload else None, stored) for one, upload in shown
        ]
        return Page(states, page.next)

    def _analysed_at(self, video_id: str) -> str:
        stored = self._stored.get(video_id)
        return (stored.analysed_at if stored else None) or ""

    def _is_wanted(self, video_id: str, upload: Upload | None, wanted: VideoFilter) -> bool:
        if wanted.project is not None and self._projects.project_of("video_id", video_id) != wanted.project:
            return False
        if wanted.name is None:
            return True
        stored = None if upload else self._stored.get(video_id)
        name = upload.name if upload else stored.name if stored else ""
        return wanted.name.casefold() in name.casefold()

    def jobs_of(self, principal: Principal, wanted: JobFilter) -> list[JobRecord]:
        """The jobs of the videos that somebody sees, newest first.

        Args:
            principal: who asks.
            wanted: which jobs.

        Returns:
            The jobs.
        """
        found = [(one.job_id, one.video_id) for one in self._uploads.all() if principal.sees(one.project)]
        sees = {video_id: principal.sees(self._projects.project_of("video_id", video_id)) for _, video_id in found}
        for export in self._exports.all():
            if export.video_id not in sees:
                sees[export.video_id] = principal.sees(self._projects.project_of("video_id", export.video_id))
            found += [(export.job_id, export.video_id)] if sees[export.video_id] else []
        ids = [
            job_id
            for job_id, video_id in found
            if wanted.video_id in (None, video_id) and wanted.kind in (None, kind_of(job_id))
        ]
        jobs = [one for one in self._jobs.get(ids).values() if wanted.state in (None, one.state) and one.video_id]
        return sorted(jobs, key=place_of_job, reverse=True)

    def _state(self, video_id: str, upload: Upload | None, job: JobRecord | None, ids: set[str]) -> VideoState:
        stored = self._stored.get(video_id) if video_id in ids else None
        media = self._files.of(upload, stored)
        damaged = self._damaged.find().get(video_id) if video_id in ids else None
        project = self._projects.project_of("video_id", video_id)
        covariates = self._stored.covariates(video_id) if video_id in ids else {}
        analysed = video_id in ids and not damaged
        return VideoState(video_id, upload, job, stored, analysed, media, project, damaged, covariates)

    def video(self, video_id: str) -> VideoState:
        """Get one video.

        Args:
            video_id: id of the video.

        Returns:
            Its upload, job and state.

        Raises:
            HTTPException: 404 if there is no such video.
        """
        upload = self._uploads.get(video_id)
        job = self._jobs.get([upload.job_id]).get(upload.job_id) if upload else None
        ids = self.stored_ids()
        if upload is None and video_id not in ids:
            raise not_found("video", video_id)
        return self._state(video_id, upload, job, ids)

    def stored_ids(self) -> set[str]:
        """Ids of the videos in the store; none if there is no store yet."""
        return set(list_videos(self._config.store_dir))


def place_of_job(job: JobRecord) -> tuple[str, ...]:
    """Where a job stands in lists, newest first."""
    return (job.created_at or "", job.job_id)
