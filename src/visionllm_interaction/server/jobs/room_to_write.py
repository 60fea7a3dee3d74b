"""Whether something more can be written: free space on the disk of the data folder, and a store that may change."""

from __future__ import annotations

import os
import shutil

from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.resumable_uploads import ResumableUploads
from visionllm_interaction.server.jobs.data_folder import is_writable
from visionllm_interaction.server.problem_details import http_problem


class RoomToWrite:
    """Refuses what could not be written to its end.

    Args:
        config: the section ``serve``.
        resumable: uploads whose remaining bytes have their room reserved.
    """

    def __init__(self, config: ServeConfig, resumable: ResumableUploads) -> None:
        self._config = config
        self._resumable = resumable

    def check_room(self, more_bytes: int) -> None:
        """Refuse what would leave too little of the disk, or changes a store that cannot be written."""
        self.check_writable()
        free, needed = self.free_bytes(), self._config.limits.min_free_disk_mb * 1e6
        free -= self._resumable.bytes_to_come()
        if free - more_bytes < needed:
            raise http_problem(
                507,
                "The disk of the service is too full for this.",
                code="DISK-FULL",
                expected=f"{needed / 1e6:.0f} MB free afterwards",
                found=f"{free / 1e6:.0f} MB free, {more_bytes / 1e6:.0f} MB to write",
                fix="erase videos that are no longer needed",
            )

    def check_writable(self, *, erasing: bool = False) -> None:
        """Refuse what changes the store where it cannot be written: half of it would be done."""
        if self._store_is_read_only(erasing=erasing):
            raise http_problem(
                503,
                "The store cannot be written.",
                code="STORE-READ-ONLY",
                expected="a store that the service may write",
                fix="make the file system of serve.store writable",
            )

    def _store_is_read_only(self, *, erasing: bool) -> bool:
        """Whether the store cannot be written; a full disk is no reason not to erase."""
        if not erasing:
            return not is_writable(self._config.store_dir)
        try:
            return bool(os.statvfs(self._config.store_dir).f_flag & os.ST_RDONLY)
        except OSError:
            return True

    def free_bytes(self) -> int:
        """Free space in bytes on the disk of the data folder."""
        return shutil.disk_usage(self._config.data_dir).free
