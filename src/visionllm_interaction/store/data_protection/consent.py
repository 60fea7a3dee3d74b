"""Whether the children in a video may be shown to others: the state of each video, and the check before an export."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.errors import ConsentMissing
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.store.data_protection.register import (
    WHOLE_STORE,
    ConsentRecord,
    ConsentState,
    ConsentSubject,
    DataProtection,
    read_data_protection,
)
from visionllm_interaction.store.video_identity import videos_of_file
from visionllm_interaction.utils.path_type import StrPath

MOST_NAMED = 5
"""Most videos that an error names."""


@dataclass(frozen=True, slots=True)
class VideoConsent:
    """The consent for a video.

    Attributes:
        video_id: the video.
        state: ``withdrawn`` if it is for its child, its session or itself; else ``given`` if it is for one of them.
        child: its child; None: not said.
        sessions: the sessions that it belongs to.
        required: whether its project requires that consent is recorded.
    """

    video_id: str
    state: ConsentState
    child: str | None
    sessions: tuple[str, ...]
    required: bool

    @property
    def may_be_exported(self) -> bool:
        """Whether what is known of the video may leave the store."""
        return self.state == "given" or (self.state == "not recorded" and not self.required)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm consent list``."""
        return {**asdict(self), "sessions": list(self.sessions), "may_be_exported": self.may_be_exported}


def consent_of(
    store: StrPath, video_ids: Iterable[str], *, project: str | None = None, known: DataProtection | None = None
) -> list[VideoConsent]:
    """The consent for videos.

    Args:
        store: the store's folder.
        video_ids: the videos; one that is not in the store, or not yet, has no child and no session.
        project: their project. None: it is not known, as on the command line; records of all projects count then, and
            consent is required if any project requires it.
        known: the content of the store's file; None: it is read.

    Returns:
        One for each video.

    Raises:
        StoreError: if a file that says so is damaged.
    """
    known = known or read_data_protection(store)
    latest = _latest(known.consents, project)
    required = _is_required(known, project)
    with_sessions = any(about == "session" for about, _, _ in latest)
    return [_of_video(Path(store), one, latest, required, with_sessions=with_sessions) for one in video_ids]


def videos_concerned(found: Iterable[VideoConsent], about: ConsentSubject, name: str) -> list[str]:
    """The videos that a record is about; names of children and sessions are compared without their case.

    Args:
        found: the videos, from :func:`consent_of`.
        about: ``child``, ``session`` or ``video``.
        name: the child's id, the session's name, or the video's id.

    Returns:
        Their ids; none for a name that nothing has, which is likely a mistake.
    """
    subject = _subject(about, name)
    return [one.video_id for one in found if subject in _subjects(one.video_id, one.child, one.sessions)]


def check_consent(store: StrPath, video_ids: Collection[str], *, project: str | None = None) -> None:
    """Refuse to let something of videos leave the store without consent.

    Args:
        store: the store's folder.
        video_ids: the videos.
        project: their project; None: as for :func:`consent_of`.

    Raises:
        ConsentMissing: if consent for one of them was withdrawn, or is required and not recorded.
        StoreError: if a file that says so is damaged.
    """
    known = read_data_protection(store)
    if not known.consents and not _is_required(known, project):
        return
    blocked = [one for one in consent_of(store, video_ids, project=project, known=known) if not one.may_be_exported]
    if blocked:
        raise _missing(blocked)


def check_consent_of_file(store: StrPath, file: StrPath) -> None:
    """Refuse to hand out a video file, if it is of a video of the store without consent.

    Args:
        store: the store's folder; one that is not there says nothing about anybody.
        file: the video file.

    Raises:
        ConsentMissing: as for :func:`check_consent`.
        StoreError: if a file that says so is damaged.
    """
    known = read_data_protection(store)
    if known.consents or _is_required(known, None):  # else the file need not be hashed
        check_consent(store, videos_of_file(store, file))


def _missing(blocked: list[VideoConsent]) -> ConsentMissing:
    withdrawn = [one for one in blocked if one.state == "withdrawn"]
    named = withdrawn or blocked
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    found = ", ".join(f"{one.video_id}: {one.state}{_child(one)}" for one in named[:MOST_NAMED]) + more
    if withdrawn:
        return ConsentMissing(
            "Consent was withdrawn, so that nothing of this may be exported.",
            expected="videos for which consent is given",
            found=found,
            fix="erase these videos, or export others by name; if consent was given again, record it "
            "(`visionllm consent set given`, or PUT /v1/projects/PROJECT/consents)",
        )
    return ConsentMissing(
        "No consent is recorded, and this project requires it before anything is exported.",
        expected="a recorded consent for the child, the session or the video",
        found=found,
        fix="record it with `visionllm consent set given --child CHILD` (or --session, --video), "
        "or PUT /v1/projects/PROJECT/consents",
    )


def _child(one: VideoConsent) -> str:
    return f" (child {one.child})" if one.child else ""


def _is_required(known: DataProtection, project: str | None) -> bool:
    if project is None:
        return any(known.rules_of(one).consent_required for one in (*known.projects, WHOLE_STORE))
    return known.rules_of(project).consent_required


def _latest(records: Iterable[ConsentRecord], project: str | None) -> dict[tuple[str, str, str], ConsentState]:
    """The last record about each child, session and video in each project that counts."""
    return {
        (*_subject(one.about, one.name), one.project or WHOLE_STORE): one.state
        for one in records
        if project is None or one.project in (None, project)
    }


def _of_video(
    store: Path,
    video_id: str,
    latest: Mapping[tuple[str, str, str], ConsentState],
    required: bool,
    *,
    with_sessions: bool,
) -> VideoConsent:
    folder = store / "videos" / video_id
    covariates = read_covariates(store, video_id) if folder.is_dir() else None
    child = covariates.child if covariates else None
    sessions = _sessions(folder) if with_sessions else ()
    subjects = _subjects(video_id, child, sessions)
    states = {state for (about, name, _), state in latest.items() if (about, name) in subjects}
    state: ConsentState = "withdrawn" if "withdrawn" in states else "given" if "given" in states else "not recorded"
    return VideoConsent(video_id, state, child, sessions, required)


def _subject(about: str, name: str) -> tuple[str, str]:
    """What a record is about, as it is compared: ``c01`` is the child ``C01``; ids of videos are names of folders."""
    return about, name.strip() if about == "video" else name.strip().casefold()


def _subjects(video_id: str, child: str | None, sessions: Iterable[str]) -> set[tuple[str, str]]:
    """All that a record about a video may be about."""
    found = {_subject("video", video_id), *(_subject("session", one) for one in sessions)}
    return found | ({_subject("child", child)} if child else set())


def _sessions(folder: Path) -> tuple[str, ...]:
    """The session that a video belongs to, if any."""
    # Imported here: sessions are kept in Parquet, and most stores have no record about one.
    from visionllm_interaction.store.sessions.chapters import session_of

    found = session_of(folder) if folder.is_dir() else None
    return (found.recording,) if found else ()
