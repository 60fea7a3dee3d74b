"""The project of each video, job and upload, and whose videos somebody sees."""

from __future__ import annotations

from visionllm_interaction.server.auth.roles import DEFAULT_PROJECT, Principal
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.resumable_uploads import ResumableUploads
from visionllm_interaction.server.intake.uploads import Uploads
from visionllm_interaction.server.jobs.exports import Exports, is_export
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.store.layout import has_video, list_videos


class VideoProjects:
    """Which project something belongs to.

    Args:
        config: the section ``serve``.
        uploads: the uploaded videos, whose records name their projects.
        resumable: uploads that are not complete.
        exports: whose jobs belong to the project of their video.
    """

    def __init__(self, config: ServeConfig, uploads: Uploads, resumable: ResumableUploads, exports: Exports) -> None:
        self._config = config
        self._uploads = uploads
        self._resumable = resumable
        self._exports = exports

    def videos_by_project(self) -> dict[str, set[str]]:
        """Ids of the videos of each project, uploaded or in the store; without those whose record is damaged."""
        projects = {one.video_id: one.project for one in self._uploads.all()}
        found: dict[str, set[str]] = {}
        for video_id in projects.keys() | set(list_videos(self._config.store_dir)):
            project = projects.get(video_id)
            if project is None and not self._uploads.has_folder(video_id):
                project = self._config.store_project
            if project is not None:
                found.setdefault(project, set()).add(video_id)
        return found

    def without_project(self) -> set[str]:
        """Ids of the videos whose project nobody knows, since the record of their upload is damaged."""
        there = set(self._uploads.folder_names()) | set(list_videos(self._config.store_dir))
        return {one for one in there if self.project_of("video_id", one) is None}

    def project_of(self, kind: str, name: str) -> str | None:
        """The project of a video, a job or a resumable upload.

        Args:
            kind: ``video_id``, ``job_id``, ``upload_id``, or ``project_id``: a project itself.
            name: the id.

        Returns:
            Its project; None if there is no such thing, or the record that says so is damaged.
        """
        if kind == "project_id":
            return name
        if kind == "upload_id":
            return self._resumable.project_of(name)
        if kind == "job_id" and is_export(name):
            export = self._exports.get(name)
            return self.project_of("video_id", export.video_id) if export else None
        upload = self._uploads.of_job(name) if kind == "job_id" else self._uploads.get(name)
        if upload is not None:
            return upload.project
        if kind == "job_id" or self._uploads.has_folder(name) or not has_video(self._config.store_dir, name):
            return None
        return self._config.store_project

    def project_for(self, asked: str | None, principal: Principal) -> str:
        """The project of a new upload.

        Args:
            asked: what the client says; None: nothing.
            principal: who uploads.

        Returns:
            The project: as asked, else the only one of the key, else ``default``.

        Raises:
            HTTPException: 403 if the key does not see the project, 422 if it has to be named.
        """
        own = sorted(principal.projects or ())
        project = asked or (own[0] if len(own) == 1 else DEFAULT_PROJECT)
        if principal.sees(project):
            return project
        if not asked:
            message, expected = "The upload has to name its project.", f"project: {' or '.join(own)}"
            raise http_problem(422, message, code="PROJECT", expected=expected, fix=f"send project={own[0]}")
        raise http_problem(
            403,
            "The key does not see this project.",
            code="PROJECT",
            expected=" or ".join(own),
            found=project[:100],
            fix="ask for a key made with `visionllm keys create NAME --role ROLE --project PROJECT`",
        )

    def seen_ids(self, principal: Principal) -> set[str]:
        """Ids of the videos of the store that somebody sees, damaged ones among them."""
        ids = set(list_videos(self._config.store_dir))
        if principal.projects is None:
            return ids
        return {video_id for video_id in ids if principal.sees(self.project_of("video_id", video_id))}
