"""What is known of a video beside its images, as people change it: its covariates and its project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads
from visionllm_interaction.server.jobs.room_to_write import RoomToWrite
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.projects.data_protection import ProjectDataProtection
from visionllm_interaction.server.results.analysed_videos import AnalysedVideos
from visionllm_interaction.server.results.visible_store import VisibleStore
from visionllm_interaction.store.covariates import write_covariates


class VideoChanges:
    """Changes what is known of videos.

    Args:
        config: the section ``serve``.
        uploads: the uploaded videos, whose records name their projects.
        analysed: the videos that can be read.
        visible: the store, whose answers are forgotten.
        data_protection: what may be exported.
        room: whether something more can be written.
    """

    def __init__(
        self,
        config: ServeConfig,
        uploads: Uploads,
        analysed: AnalysedVideos,
        visible: VisibleStore,
        *,
        data_protection: ProjectDataProtection,
        room: RoomToWrite,
    ) -> None:
        self._config = config
        self._uploads = uploads
        self._analysed = analysed
        self._visible = visible
        self._data_protection = data_protection
        self._room = room

    def describe(self, video_id: str, changes: Mapping[str, Any]) -> bool:
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
        self._room.check_writable()
        with self._analysed.opened(video_id):
            withdrawn = "child" in changes and self._data_protection.is_withdrawn(video_id)
            write_covariates(self._config.store_dir, video_id, changes)
        self._visible.forget_answers()
        return withdrawn and not self._data_protection.is_withdrawn(video_id)

    def move_to_project(self, video_id: str, project: str) -> None:
        """Give a video to another project; its id stays.

        Args:
            video_id: the video.
            project: the project.

        Raises:
            HTTPException: 409 if the video is not the service's to move, or the project has it already.
            ConsentMissing: if it may not be exported.
        """
        with self._uploads.lock():
            upload = self._uploads.get(video_id)
            if upload is None:
                raise http_problem(
                    409,
                    "The project of this video is that of the store.",
                    code="STORE-PROJECT",
                    found=self._config.store_project,
                    fix="set serve.store_project; or upload the video",
                )
            if upload.project == project:
                return
            self._data_protection.check_export([video_id])  # what was withdrawn here would count no more there
            if self._uploads.find(upload.sha256, project) is not None:
                message = "The project has this video already."
                raise http_problem(409, message, code="IN-PROJECT", found=project, fix="erase one of them")
            self._uploads.replace(upload.model_copy(update={"project": project}))
        self._visible.forget_answers()
