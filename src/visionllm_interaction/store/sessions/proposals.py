"""Chapters and clips that belong together by the names that cameras give them: proposed, never set silently."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from visionllm_interaction.store.layout import check_store, list_videos
from visionllm_interaction.store.recordings.imported_data import read_recordings
from visionllm_interaction.store.sessions.chapters import SESSION_KIND
from visionllm_interaction.store.video_record import VideoRecord, read_record
from visionllm_interaction.utils.path_type import StrPath

_CHAPTERS = re.compile(r"(?P<before>.*?)(?P<kind>G[HX])(?P<chapter>\d{2})(?P<number>\d{4})(?P<behind>\D.*)?\Z", re.I)
_OLD_FIRST = re.compile(r"(?P<before>.*?)GOPR(?P<number>\d{4})(?P<behind>\D.*)?\Z", re.I)
_OLD_NEXT = re.compile(r"(?P<before>.*?)GP(?P<chapter>\d{2})(?P<number>\d{4})(?P<behind>\D.*)?\Z", re.I)
_CLIPS = re.compile(r"(?P<before>.*?(?:\A|\D))(?P<number>\d{4,5})\Z")
_CUT_BYTES = (int(3.6 * 2**30), 2**32)
"""Sizes at which cameras cut a file because its file system holds no larger one."""


@dataclass(frozen=True, slots=True)
class SessionProposal:
    """Videos that look like one recording.

    Attributes:
        name: a name for the session.
        videos: ids, in order.
        files: their files' names.
        follows: whether it is known that each follows the one before it without a pause.
        reason: why they look so, and what is not known.
    """

    name: str
    videos: tuple[str, ...]
    files: tuple[str, ...]
    follows: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm session propose``."""
        return {
            "session": self.name,
            "videos": list(self.videos),
            "files": list(self.files),
            "follows": self.follows,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class _Part:
    """One file of a camera: the recording that it is of, its chapter or number, and the scheme of its name."""

    key: tuple[str, ...]
    place: int
    is_chapter: bool
    record: VideoRecord
    name: str


def propose_sessions(store: StrPath) -> list[SessionProposal]:
    """Videos of a store that look like one recording by their files' names, and are in no session.

    Chapters of GoPro cameras (GX010012 and GX020012, GH…, GOPR0012 and GP010012) follow each other without a pause.
    Clips with consecutive numbers (MVI_0001, C0001, 00001) do so only where the camera cut a file at 4 GB: otherwise
    whether there was a pause is not known.

    Args:
        store: the store's folder.

    Returns:
        The proposals, by name; nothing is set.

    Raises:
        StoreError: if there is no store.
    """
    store = Path(store)
    check_store(store)
    groups: dict[tuple[str, ...], list[_Part]] = {}
    for record in _free_records(store):
        part = _part_of(record)
        if part is not None:
            groups.setdefault(part.key, []).append(part)
    taken = set(list_videos(store)) | _session_names(store)
    found: list[SessionProposal] = []
    for parts in groups.values():
        ordered = sorted(parts, key=lambda part: part.place)
        for run in [ordered] if ordered[0].is_chapter else _consecutive(ordered):
            if len(run) > 1:
                found.append(_proposal(run, taken))
    return sorted(found, key=lambda proposal: proposal.name)


def _free_records(store: Path) -> Iterable[VideoRecord]:
    for video_id in list_videos(store):
        recordings = read_recordings(store / "videos" / video_id)
        record = read_record(store / "videos" / video_id)
        if record is not None and not any(one.kind == SESSION_KIND for one in recordings.values()):
            yield record


def _session_names(store: Path) -> set[str]:
    of_videos = (read_recordings(store / "videos" / video_id) for video_id in list_videos(store))
    return {one.recording for found in of_videos for one in found.values() if one.kind == SESSION_KIND}


def _part_of(record: VideoRecord) -> _Part | None:
    path = PurePath(record.source.path)
    stem, folder, ending = path.stem, str(path.parent), path.suffix.lower()
    if match := _CHAPTERS.match(stem):
        about, chapter = match.groupdict(default=""), int(match["chapter"])
        named = (about["before"], about["kind"].upper(), about["number"], about["behind"])
        return _Part(
            (folder, ending, *named),
            chapter,
            True,
            record,
            f"{about['before']}{about['kind'].upper()}{about['number']}",
        )
    for pattern, first in ((_OLD_FIRST, True), (_OLD_NEXT, False)):
        if match := pattern.match(stem):
            about = match.groupdict(default="")
            named = (about["before"], "GOPR", about["number"], about["behind"])
            chapter = 1 if first else int(match["chapter"]) + 1
            return _Part((folder, ending, *named), chapter, True, record, f"{about['before']}GOPR{about['number']}")
    if match := _CLIPS.match(stem):
        look = (record.width, record.height, record.codec, record.header_fps or record.fps)
        clips = (folder, ending, match["before"], *map(str, look))
        return _Part(clips, int(match["number"]), False, record, stem)
    return None


def _consecutive(parts: Sequence[_Part]) -> list[list[_Part]]:
    runs: list[list[_Part]] = []
    for part in parts:
        if runs and part.place == runs[-1][-1].place + 1:
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _proposal(parts: Sequence[_Part], taken: set[str]) -> SessionProposal:
    follows, reason = _of_chapters(parts) if parts[0].is_chapter else _of_clips(parts)
    return SessionProposal(
        _free_name(parts[0].name, taken),
        tuple(part.record.video_id for part in parts),
        tuple(part.record.source.name for part in parts),
        follows,
        reason,
    )


def _of_chapters(parts: Sequence[_Part]) -> tuple[bool, str]:
    places = [part.place for part in parts]
    missing = sorted(set(range(1, places[-1] + 1)) - set(places))
    if len(set(places)) < len(places):
        return False, "chapters of one recording by their names, but one of them is there twice"
    if missing:
        listing = ", ".join(map(str, missing))
        return False, f"chapters of one recording by their names, but not in the store: chapter {listing}"
    return True, "chapters of one recording by their names; each follows the one before it"


def _of_clips(parts: Sequence[_Part]) -> tuple[bool, str]:
    cut = all(_CUT_BYTES[0] <= part.record.source.bytes <= _CUT_BYTES[1] for part in parts[:-1])
    if cut:
        return True, "consecutive numbers, and the camera cut each file at 4 GB"
    return False, "consecutive numbers; whether each follows the one before it without a pause is not known"


def _free_name(wanted: str, taken: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip("-._") or "session"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return name
