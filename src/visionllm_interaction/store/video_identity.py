"""Videos that are known by another path by now: the same file is the same video, wherever it lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.layout import RECORD_FILE, check_store, list_videos, unknown_video
from visionllm_interaction.store.video_record import SourceFile, VideoRecord, make_video_id, read_record
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.hashing import sha256_file


def known_video_id(store: str | os.PathLike[str], source: SourceFile) -> str | None:
    """The id of a video of the same contents whose file is no longer where it was; ``None`` if there is none.

    A copy whose original is still there is a video of its own.
    """
    folder = Path(store) / "videos"
    if (folder / make_video_id(Path(source.path), source.sha256)).is_dir():
        return None
    for found in sorted(folder.glob(f"[!.]*-{source.sha256[:8]}")):
        record = read_record(found)
        if record is not None and record.source.sha256 == source.sha256 and not _is_there(record.source):
            return record.video_id
    return None


def move_source(store: str | os.PathLike[str], record: VideoRecord, source: SourceFile) -> VideoRecord:
    """``record`` with ``source`` as the place of its file, in the store too, if it is no longer at the former one."""
    if record.source == source or _is_there(record.source):
        return record
    moved = record.model_copy(update={"source": source})
    with wait_for_lock(Path(store)):
        content = (moved.model_dump_json(indent=1) + "\n").encode()
        write_file(Path(store) / "videos" / record.video_id / RECORD_FILE, content)
    return moved


def resolve_video(store: str | os.PathLike[str], video: str) -> str:
    """The id of a video named by its id, by the path it was analysed from, or by its file wherever that is now.

    Args:
        store: the store's folder.
        video: an id, or a path.

    Returns:
        The id; ``video`` itself if nothing in the store fits it and it may be an id.

    Raises:
        StoreError: if there is no store, or the path is of no video in it.
        UsageError: if several videos of the store are of that file.
    """
    check_store(Path(store))
    if video in list_videos(Path(store)):
        return video
    found = videos_of_file(store, video)
    if len(found) > 1:
        raise UsageError(
            "Several videos of the store were made from this file.",
            expected=f"one of the ids {', '.join(found)}",
            found=video,
            where=str(store),
        )
    if not found and os.sep in video:
        raise unknown_video(Path(store), video)
    return found[0] if found else video


def videos_of_file(store: str | os.PathLike[str], file: str | os.PathLike[str]) -> list[str]:
    """The videos of a store that were made from a file, wherever it is now.

    Args:
        store: the store's folder.
        file: its path.

    Returns:
        Those that were analysed at this path, else those whose file had the same bytes.
    """
    path = Path(file).absolute()
    found = [record.video_id for record in _records(Path(store)) if record.source.path == str(path)]
    if not found and path.is_file():
        digest = sha256_file(path)
        found = [record.video_id for record in _records(Path(store)) if record.source.sha256 == digest]
    return found


def _records(store: Path) -> Iterator[VideoRecord]:
    for video_id in list_videos(store):
        record = read_record(store / "videos" / video_id)
        if record is not None:
            yield record


def _is_there(source: SourceFile) -> bool:
    path = Path(source.path)
    return path.is_file() and path.stat().st_size == source.bytes
