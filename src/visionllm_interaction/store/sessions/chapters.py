"""Read and set the sessions of a store: which videos belong together, and where each begins on the session's clock.

A session is kept in the ``recordings.parquet`` of each of its videos, as a recording of kind ``session`` whose clock is
the session's. What is imported for the whole session follows that clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.covariates import read_covariates, write_covariates
from visionllm_interaction.store.layout import check_store, list_videos
from visionllm_interaction.store.recordings.clocks import Clock, KnownBy, Misplaced, Recording, is_of_session
from visionllm_interaction.store.recordings.imported_data import (
    frame_span,
    read_imported,
    read_recordings,
    remove_recording,
    write_imported,
    write_recording,
)
from visionllm_interaction.store.video_identity import resolve_video
from visionllm_interaction.utils.path_type import StrPath

SESSION_KIND: Literal["session"] = "session"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}\Z")


@dataclass(frozen=True, slots=True)
class Chapter:
    """One video of a session.

    Attributes:
        video_id: the video.
        offset_s: second of the session at which the video's clock shows 0.
        begin_s: second of the session at which its first frame begins.
        end_s: second of the session at which its last frame ends.
        known_by: how its place is known: ``container`` (the frames of the video before it end there), or ``hand``.
        camera: which camera it is of; None: not said.
    """

    video_id: str
    offset_s: float
    begin_s: float
    end_s: float
    known_by: KnownBy
    camera: str | None

    @property
    def clock(self) -> Clock:
        """From the session's clock to the video's."""
        return Clock(-self.offset_s)

    def follows(self, other: Chapter) -> bool:
        """Whether it begins where ``other`` ends."""
        return abs(self.begin_s - other.end_s) <= TOLERANCE_S


@dataclass(frozen=True, slots=True)
class Session:
    """Recordings of one visit on one clock.

    Attributes:
        name: its name.
        chapters: its videos, by begin.
    """

    name: str
    chapters: tuple[Chapter, ...]

    @property
    def cameras(self) -> tuple[str, ...]:
        """Its cameras, sorted; of videos that say none ``""``."""
        return tuple(sorted({chapter.camera or "" for chapter in self.chapters}))

    @property
    def end_s(self) -> float:
        """Second of the session at which the last frame of all ends."""
        return max(chapter.end_s for chapter in self.chapters)

    def of_camera(self, camera: str) -> Session:
        """The same with the videos of one camera only.

        Args:
            camera: its name.

        Returns:
            The session; without videos if it has no such camera.
        """
        return replace(self, chapters=tuple(one for one in self.chapters if one.camera == camera))

    def side_by_side(self) -> tuple[Chapter, Chapter] | None:
        """Two videos that show the same time; None if there are none."""
        last: Chapter | None = None
        for chapter in self.chapters:
            if last is not None and chapter.begin_s < last.end_s - TOLERANCE_S:
                return last, chapter
            last = chapter if last is None or chapter.end_s > last.end_s else last
        return None

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm session list``."""
        return {"session": self.name, "chapters": [asdict(chapter) for chapter in self.chapters]}


def read_sessions(store: StrPath) -> dict[str, Session]:
    """The sessions of a store.

    Args:
        store: the store's folder.

    Returns:
        Name → session, sorted.

    Raises:
        StoreError: if there is no store, or a file of it is damaged.
    """
    store = Path(store)
    check_store(store)
    found: dict[str, list[Chapter]] = {}
    for video_id in list_videos(store):
        recording = session_of(store / "videos" / video_id)
        if recording is not None:
            found.setdefault(recording.recording, []).append(_chapter(store, video_id, recording))
    return {name: Session(name, _by_begin(chapters)) for name, chapters in sorted(found.items())}


def read_session(store: StrPath, name: str) -> Session:
    """One session of a store.

    Args:
        store: the store's folder.
        name: its name.

    Returns:
        The session.

    Raises:
        StoreError: if there is no store, or a file of it is damaged.
        UsageError: if it has no such session.
    """
    sessions = read_sessions(store)
    if name in sessions:
        return sessions[name]
    near = nearest_names(name, sessions)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "set one: visionllm session set NAME VIDEO…"
    raise UsageError(
        f"The session {name!r} is not known here.",
        expected=f"one of: {', '.join(sessions)}" if sessions else "a session of the store",
        found=name,
        where=str(store),
        fix=hint,
    )


def session_of(folder: Path) -> Recording | None:
    """The session that a video belongs to, as it is kept among its recordings.

    Args:
        folder: the video's folder.

    Returns:
        The recording of kind ``session``; None if the video is in none.
    """
    return next((one for one in read_recordings(folder).values() if one.kind == SESSION_KIND), None)


def set_session(
    store: StrPath, name: str, videos: Sequence[str], *, camera: str | None = None, offset_s: float | None = None
) -> tuple[Session, list[Misplaced]]:
    """Put the chapters of one camera into a session, one after the other.

    Each begins where the last frame of the one before it ends, by the time stamps of the frames. Videos that are in the
    session already and not named here keep their places.

    Args:
        store: the store's folder.
        name: of the session; letters, digits, dots, dashes and underscores.
        videos: ids or paths, in their order.
        camera: kept as the covariate ``camera`` of each video; None: it stays as it is.
        offset_s: second of the session at which the first video's clock shows 0; None: 0.

    Returns:
        The session, and imported codes that lie outside their videos now.

    Raises:
        StoreError: if the store or a video is not there, or a video has no frames.
        UsageError: if the name cannot be used, a video is named twice or is in another session, or two videos of one
            camera would show the same time.
    """
    store = Path(store)
    check_store(store)
    ids = [resolve_video(store, video) for video in videos]
    _check_name(store, name, ids)
    chapters: list[Chapter] = []
    at = 0.0 if offset_s is None else float(offset_s)
    for video_id in ids:
        begin_s, end_s = frame_span(store / "videos" / video_id)
        place = at if not chapters else chapters[-1].end_s - begin_s
        known_by: KnownBy = "container" if chapters else "own" if offset_s is None else "hand"
        chapters.append(_placed(store, video_id, place, known_by, camera, span=(begin_s, end_s)))
    others = [one for one in _present(store, name) if one.video_id not in ids]
    _check_apart(Session(name, _by_begin([*others, *chapters])))
    misplaced: list[Misplaced] = []
    for chapter in chapters:
        recording = Recording(name, SESSION_KIND, -chapter.offset_s, known_by=chapter.known_by)
        misplaced += write_recording(store, chapter.video_id, recording)
        if camera is not None:
            write_covariates(store, chapter.video_id, {"camera": camera})
    session = read_session(store, name)
    _share_recordings(store, session)
    return session, misplaced


def _share_recordings(store: Path, session: Session) -> None:
    """Give every video of a session what was imported for the whole session before the video was part of it."""
    folders = {chapter.video_id: store / "videos" / chapter.video_id for chapter in session.chapters}
    known = {video_id: read_recordings(folder) for video_id, folder in folders.items()}
    for owner, recordings in known.items():
        # A recording that is followed comes before those that follow it.
        shared = [name for name in recordings if is_of_session(name, recordings)]
        shared.sort(key=lambda name: recordings[name].follows != session.name)
        for name in (name for name in shared if recordings[name].kind != "tracker"):
            codes = [code for code in read_imported(folders[owner]) if code.source == name]
            for video_id in (one for one in folders if name not in known[one]):
                if recordings[name].kind == "codes":
                    write_imported(store, video_id, recordings[name], codes, skip_misplaced=True)
                else:
                    write_recording(store, video_id, recordings[name])
                known[video_id] = {**known[video_id], name: recordings[name]}


def remove_from_session(store: StrPath, name: str, videos: Sequence[str] = ()) -> list[str]:
    """Take videos out of a session; what was imported for the session is taken out of them as well.

    Args:
        store: the store's folder.
        name: the session.
        videos: ids or paths; none: all of its videos.

    Returns:
        Ids of the videos that were taken out.

    Raises:
        StoreError: if the store or a video is not there.
        UsageError: if there is no such session, or a video is not in it.
    """
    store = Path(store)
    session = read_session(store, name)
    present = [chapter.video_id for chapter in session.chapters]
    ids = [resolve_video(store, video) for video in videos] or present
    for video_id in ids:
        if video_id not in present:
            raise UsageError("The video is not in the session.", expected=", ".join(present), found=video_id)
    for video_id in ids:
        remove_recording(store, video_id, name)
    return ids


def _chapter(store: Path, video_id: str, recording: Recording) -> Chapter:
    return _placed(store, video_id, -recording.offset_s, recording.known_by, None)


def _placed(
    store: Path,
    video_id: str,
    offset_s: float,
    known_by: KnownBy,
    camera: str | None,
    *,
    span: tuple[float, float] | None = None,
) -> Chapter:
    if camera is None:
        covariates = read_covariates(store, video_id)
        camera = covariates.camera if covariates else None
    begin_s, end_s = span or frame_span(store / "videos" / video_id)
    return Chapter(video_id, offset_s, offset_s + begin_s, offset_s + end_s, known_by, camera)


def _by_begin(chapters: Iterable[Chapter]) -> tuple[Chapter, ...]:
    return tuple(sorted(chapters, key=lambda one: (one.begin_s, one.video_id)))


def _present(store: Path, name: str) -> Sequence[Chapter]:
    session = read_sessions(store).get(name)
    return session.chapters if session else ()


def _check_name(store: Path, name: str, ids: Sequence[str]) -> None:
    if not _NAME.match(name):
        raise UsageError(
            "A session's name cannot be used.",
            expected="1 to 120 letters, digits, '.', '_' or '-', beginning with a letter or digit",
            found=repr(name[:200]),
        )
    if name in list_videos(store):
        raise UsageError("A session cannot be called like a video.", expected="another name", found=name)
    if not ids:
        raise UsageError("A session needs videos.", expected="ids or paths of videos", found="none")
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise UsageError("A video is named twice.", expected="each once, in their order", found=", ".join(twice))
    for video_id in ids:
        known = read_recordings(store / "videos" / video_id)
        if name in known and known[name].kind != SESSION_KIND:
            raise UsageError(
                "A session cannot be called like a recording.", expected="another name", found=name, where=video_id
            )
        other = session_of(store / "videos" / video_id)
        if other is not None and other.recording != name:
            raise UsageError(
                "A video is in one session at most.",
                expected=f"a video that is in no session, or in {name}",
                found=f"{video_id}, in {other.recording}",
                fix=f"take it out first: visionllm session remove {other.recording} {video_id}",
            )


def _check_apart(session: Session) -> None:
    for camera in session.cameras:
        pair = replace(
            session, chapters=tuple(c for c in session.chapters if (c.camera or "") == camera)
        ).side_by_side()
        if pair is None:
            continue
        one, other = pair
        raise UsageError(
            "Two videos of one camera would show the same time.",
            expected="chapters that follow each other, or a name for each camera",
            found=f"{one.video_id} until {one.end_s:.3f} s, {other.video_id} from {other.begin_s:.3f} s",
            where=session.name,
            fix="name the cameras with --camera, or say where the first video begins with --offset-s",
        )
