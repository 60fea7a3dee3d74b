"""Which videos an expression is about: all, one, those of a camera, or sessions in place of their videos."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
from msgspec import Struct, field

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.core.grouped_arrays import Ints
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.language.syntax_tree import Grouped
from visionllm_interaction.store.reader import Store
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice, opened_as

if TYPE_CHECKING:
    from visionllm_interaction.store.sessions.sessions_as_videos import SessionStore


class ChosenVideos(Struct, frozen=True, dict=True):
    """The videos that an expression is about.

    Attributes:
        store: the store to read them from; sessions are videos of a :class:`.SessionStore`.
        video_ids: the videos and sessions.
        children: video or session → its child, where one is set; empty where nobody asks.
    """

    store: Store
    video_ids: list[str]
    children: Mapping[str, str] = field(default_factory=dict)

    def leave_out(self, video_ids: Collection[str]) -> ChosenVideos:
        """The same without some of the videos and sessions."""
        kept = [video_id for video_id in self.video_ids if video_id not in video_ids]
        return ChosenVideos(self.store, kept, self.children)

    def is_session(self, video_id: str) -> bool:
        """Whether it is a session."""
        sessions = _sessions(self.store)
        return sessions is not None and video_id in sessions.sessions

    @property
    def whole(self) -> Store:
        """The store with all videos, each by itself."""
        sessions = _sessions(self.store)
        return self.store if sessions is None else sessions.base

    @cached_property
    def place_of_child(self) -> Ints:
        """(V,) the place of each video's child among all children, those without one last."""
        names = [self.children.get(video_id) for video_id in self.video_ids]
        places = {name: place for place, name in enumerate(sorted({name for name in names if name is not None}))}
        return np.array([places.get(name, len(places)) if name else len(places) for name in names], dtype=np.int64)

    def located(self, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """Evidence of sessions as that of their videos, numbered on."""
        sessions = _sessions(self.store)
        if sessions is None:
            return tuple(evidence)
        pieces = [piece for item in evidence for piece in sessions.locate(item)]
        return tuple(replace(piece, id=f"e{number}") for number, piece in enumerate(pieces, start=1))


def choose_videos(store: Store, grouped: Grouped) -> ChosenVideos:
    """The videos that an expression is about.

    Where it asks for a session, for each session or for each child, the videos of a session are one on its clock, so
    that what goes on over a border counts once and no time counts twice.

    Args:
        store: the open store, or one whose videos are sessions.
        grouped: the expression.

    Returns:
        The videos.

    Raises:
        UsageError: if a video, a session or a camera is not known, or parts do not go together.
        StoreError: if a file of the store is damaged.
    """
    _check(grouped)
    sessions = _sessions(store)
    if sessions is not None:
        if grouped.camera not in (None, sessions.camera):
            store = opened_as(sessions.base, SessionChoice(camera=grouped.camera))
    elif grouped.by_session or grouped.by_child or grouped.session is not None:
        store = opened_as(store, SessionChoice(grouped.session, grouped.camera))
    if grouped.session is not None:
        ids = [_of_camera(store, grouped.session)]
    elif grouped.video is not None:
        ids = [find_video(store, grouped.video)]
    else:
        ids = store.video_ids()
    if grouped.camera is not None and not store.has_sessions:
        from visionllm_interaction.store.sessions.sessions_as_videos import unknown_camera, videos_of_camera

        ids = videos_of_camera(store, grouped.camera, ids)
        if not ids:
            raise unknown_camera(store, grouped.camera)
    return ChosenVideos(store, ids, _children(store, ids) if grouped.by_child else {})


def _sessions(store: Store) -> SessionStore | None:
    """The store as one of sessions; None if its videos are videos."""
    return cast("SessionStore", store) if store.has_sessions else None


def _check(grouped: Grouped) -> None:
    of_sessions = grouped.by_session or grouped.session is not None
    if grouped.by_video and (of_sessions or grouped.by_child):
        raise UsageError(
            "Videos and sessions are asked one at a time.",
            expected="by video, or by session",
            found=grouped.to_text(),
            fix="the videos of a session are one in it: ask by session, or by video alone",
        )
    if grouped.video is not None and (of_sessions or grouped.by_child):
        raise UsageError(
            "A video is no session.",
            expected="in video, or in session",
            found=grouped.to_text(),
            fix="leave out one of the two",
        )


def _of_camera(store: Store, session: str) -> str:
    if session in store.video_ids():
        return session
    sessions = _sessions(store)
    camera = sessions.camera if sessions is not None else None
    raise UsageError(
        f"The session {session!r} has no video of the camera {camera!r}.",
        expected="a camera of the session",
        found=str(camera),
        fix="see `visionllm session list`",
    )


def _children(store: Store, video_ids: Sequence[str]) -> dict[str, str]:
    """Video or session → its child."""
    from visionllm_interaction.store.covariates import read_covariates

    found: dict[str, str] = {}
    sessions = _sessions(store)
    for video_id in video_ids:
        members = [video_id]
        if sessions is not None and video_id in sessions.sessions:
            members = [chapter.video_id for chapter in sessions.sessions[video_id].chapters]
        known = [read_covariates(store.path, member) for member in members]
        children = {one.child if one is not None else None for one in known}
        if len(children) > 1:
            raise UsageError(
                "The videos of a session are of different children.",
                expected="one child, set for each of them",
                found=", ".join(sorted(child or "none set" for child in children)),
                where=f"session {video_id}",
                fix="correct it: visionllm videos set VIDEO --child ID",
            )
        child = children.pop()
        if child is not None:
            found[video_id] = child
    return found


def find_video(store: Store, wanted: str) -> str:
    """The id of a video that is named by its id, its file's name, or its number from 1.

    Args:
        store: the open store.
        wanted: how it is named.

    Returns:
        The id.

    Raises:
        UsageError: if no video, or more than one, is named so.
    """
    ids = store.video_ids()
    if wanted in ids:
        return wanted
    if wanted.isdigit() and 1 <= int(wanted) <= len(ids):
        return ids[int(wanted) - 1]
    names = {id_: str(store.video(id_)["source"]["name"]) for id_ in ids}
    lowered = wanted.lower()
    found = [id_ for id_, name in names.items() if lowered in (name.lower(), name.rsplit(".", 1)[0].lower())]
    found = found or [id_ for id_ in ids if id_.lower() == lowered]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"The video {wanted!r} is not known here." if not found else f"Several videos are called {wanted!r}.",
        expected=f"one of: {', '.join(found or ids[:20]) or 'nothing yet'}",
        found=wanted,
        fix="name the video by its id",
    )
