"""The media of a timeline: a video and the recordings beside it, or the videos of a session, with their offsets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from visionllm_interaction.interop.tiers import Medium
from visionllm_interaction.store.reader import Store
from visionllm_interaction.store.recordings.clocks import clock_of
from visionllm_interaction.store.recordings.imported_data import frame_span, read_recordings
from visionllm_interaction.store.sessions.chapters import read_session

if TYPE_CHECKING:
    from visionllm_interaction.store.sessions.sessions_as_videos import SessionStore


def is_session(store: Store, video_id: str) -> bool:
    """Whether a video of an open store is a session.

    Args:
        store: the open store, or its sessions.
        video_id: a video or session.

    Returns:
        Whether it is a session.
    """
    return store.has_sessions and video_id in cast("SessionStore", store).sessions


def linked_media(store: Store, video_id: str) -> tuple[Medium, ...]:
    """The media of a video or session, on its clock.

    A medium with drift is placed so that it is right in the middle of the video: coding programs know offsets only.

    Args:
        store: the open store, or its sessions.
        video_id: a video or session.

    Returns:
        The video first, then recordings of sound and images; of a session all of its videos by begin, of every camera,
        then what was recorded beside it.

    Raises:
        StoreError: if a file of the store is damaged.
    """
    if is_session(store, video_id):
        return tuple(_of_session(cast("SessionStore", store), video_id))
    record, folder = store.video(video_id), store.path / "videos" / video_id
    begin_s, end_s = frame_span(folder)
    own = Medium(str(record["source"]["path"]), 0.0, 0.0, end_s)
    return (own, *_recorded(folder, (begin_s + end_s) / 2))


def _of_session(store: SessionStore, name: str) -> Iterator[Medium]:
    session = read_session(store.path, name)
    for chapter in session.chapters:
        path = str(store.base.video(chapter.video_id)["source"]["path"])
        # A video begins with its clock: so does the file that a coding program opens.
        yield Medium(path, -chapter.offset_s, chapter.offset_s, chapter.end_s)
    first = session.chapters[0]
    middle_s = session.end_s / 2 - first.offset_s
    for medium in _recorded(store.path / "videos" / first.video_id, middle_s, follows=name):
        yield Medium(medium.name, medium.offset_s - first.offset_s)


def _recorded(folder: Path, middle_s: float, *, follows: str | None = None) -> Iterator[Medium]:
    """The recordings of sound and images beside a video; ``follows``: only those of a session."""
    recordings = read_recordings(folder)
    for name, one in recordings.items():
        if one.kind in ("audio", "video") and follows in (None, one.follows):
            yield Medium(name, clock_of(name, recordings).inverse(middle_s) - middle_s)
