"""The file of a video, where it lies on this machine and may be shown."""

from __future__ import annotations

import os
from pathlib import Path

from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.registered_videos import allowed_path
from visionllm_interaction.server.intake.uploads import Upload, Uploads
from visionllm_interaction.server.problem_details import http_problem, not_found
from visionllm_interaction.server.results.video_list_facts import StoredVideo, StoredVideos
from visionllm_interaction.store.layout import has_video


class VideoFiles:
    """The files of videos, whichever way the videos came.

    Args:
        config: the section ``serve``.
        uploads: the uploaded and registered videos.
        stored: what the store says of videos.
    """

    def __init__(self, config: ServeConfig, uploads: Uploads, stored: StoredVideos) -> None:
        self._config = config
        self._uploads = uploads
        self._stored = stored

    def get(self, video_id: str) -> Path | None:
        """The file of a video.

        Args:
            video_id: id of the video.

        Returns:
            Its path; None: no copy is here that may be shown.

        Raises:
            HTTPException: 404 if there is no such video.
        """
        upload = self._uploads.get(video_id)
        in_store = has_video(self._config.store_dir, video_id)
        if upload is None and not in_store:
            raise not_found("video", video_id)
        return self.of(upload, self._stored.get(video_id) if in_store else None)

    def of(self, upload: Upload | None, stored: StoredVideo | None) -> Path | None:
        """The file of a video whose records are read already.

        Args:
            upload: its upload or registration; None: neither.
            stored: what the store says of it; None: nothing.

        Returns:
            Its path; None: no copy is here that may be shown.
        """
        return self._file_of(upload) if upload else self._analysed_file(stored)

    def playable(self, video_id: str) -> Path:
        """The file of a video, to be played.

        Args:
            video_id: id of the video.

        Returns:
            Its path.

        Raises:
            HTTPException: 404 if there is no such video, or no copy of it that may be shown.
        """
        path = self.get(video_id)
        if path is None:
            raise http_problem(
                404,
                "No copy of this video is kept here.",
                code="NO-COPY",
                found=video_id,
                fix="upload it; or, where it lies on this machine, name its folder in serve.media_dirs",
            )
        return path

    def _file_of(self, upload: Upload) -> Path | None:
        """The file of an upload; of a registered video, only while it lies where it may be shown from."""
        path = self._uploads.path(upload)
        return path if upload.registered is None else allowed_path(path, self._config.media_dirs)

    def _analysed_file(self, stored: StoredVideo | None) -> Path | None:
        """The file that the command line analysed, if it is the same, readable, and in a folder that may be shown.

        A store may come from elsewhere: without the list of folders its records could name any file of the machine.
        """
        if stored is None or not self._config.media_dirs:
            return None
        try:
            path = stored.path.resolve(strict=True)
            allowed = any(path.is_relative_to(folder.resolve()) for folder in self._config.media_dirs)
            same = path.is_file() and path.stat().st_size == stored.file_bytes and os.access(path, os.R_OK)
        except (OSError, RuntimeError):
            return None
        return path if allowed and same else None
