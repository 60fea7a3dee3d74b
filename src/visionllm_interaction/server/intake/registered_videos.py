"""Videos of this machine that are analysed where they lie: which files a path means, and whether it may be named.

Only what lies in one of the folders of ``serve.media_dirs`` can be named, by whichever links.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from visionllm_interaction.errors import UsageError

ENDINGS = frozenset(
    {".3gp", ".asf", ".avi", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts"}
    | {".webm", ".wmv"}
)
"""Endings of the files of a folder that are taken for videos; a file that is named by itself may have any."""


def videos_at(path: str, media_dirs: Sequence[Path]) -> list[Path]:
    """The video files that a path means.

    Args:
        path: a file or a folder, absolute or below one of ``media_dirs``.
        media_dirs: the folders that may be named.

    Returns:
        The file; or the videos of the folder, by name. Folders in it are not searched.

    Raises:
        UsageError: if there is no such file or folder in ``media_dirs``, or it has no video.
    """
    found = next((one for folder in media_dirs if (one := allowed_path(folder / path, media_dirs))), None)
    if found is None or not (found.is_file() or found.is_dir()):
        raise UsageError(
            "There is no such file or folder that may be registered.",
            expected="a path in one of the folders of serve.media_dirs",
            found=path[:200],
            fix="name the folder in serve.media_dirs and start the service again; or upload the video",
        )
    if found.is_file():
        return [found]
    inside = [one for one in sorted(found.iterdir()) if one.suffix.lower() in ENDINGS and not one.name.startswith(".")]
    videos = [one for one in (allowed_path(path, media_dirs) for path in inside) if one is not None and one.is_file()]
    if not videos:
        raise UsageError(
            "The folder has no video.", expected=f"files with {' '.join(sorted(ENDINGS))}", found=path[:200]
        )
    return videos


def allowed_path(path: Path, media_dirs: Sequence[Path]) -> Path | None:
    """A path without links, if it is there, readable, and in a folder that may be named; else None."""
    try:
        real = path.resolve(strict=True)
        allowed = any(real.is_relative_to(folder.resolve()) for folder in media_dirs)
        return real if allowed and os.access(real, os.R_OK) else None
    except (OSError, RuntimeError, ValueError):
        return None
