"""Reviewed roles of a video, in ``roles.json``: they stay when the video is analysed again.

Track ids differ from analysis to analysis. A reviewed role is therefore kept with *anchors*: times and boxes of the
track that was looked at. After a new analysis it goes to the tracks that lie on these boxes at these times, be it one
track or several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.core.bodies import ROLES
from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.store.arrow_schemas import SCHEMAS, arrow_to_tracks, symbols_to_arrow
from visionllm_interaction.store.layout import check_store, check_video_id, newest_revision, unknown_video
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.path_type import StrPath

ROLES_FILE = "roles.json"
UNKNOWN, ESTIMATED, REST = "unknown", "estimated", "rest"
"""Besides roles: nobody can say; what the analysis says again; all people that were not reviewed."""
CHOICES = (*ROLES, UNKNOWN, ESTIMATED)
_ANCHORS = 60
"""At most so many boxes of a track are kept."""
_SAME_TIME_S = 0.26
"""A box is compared with those of the nearest frame, if that is no farther away: two frames a second are enough."""
_SAME_IOU = 0.5
_SHARE = 0.5
"""A track has the role if it lies on this share of the anchors of the time in which it is there."""


class Anchor(BaseModel):
    """Where the person was at a time; the box in pixels, xyxy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timestamp_s: float
    box_xyxy: tuple[float, float, float, float]


class ReviewedRole(BaseModel):
    """A role that somebody gave to a track.

    Attributes:
        role: ``child``, ``caregiver``, ``other`` or ``unknown``.
        track_id: of the track, in the analysis that was reviewed.
        anchors: where it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["child", "caregiver", "other", "unknown"]
    track_id: int
    anchors: tuple[Anchor, ...]


class ReviewedRoles(BaseModel):
    """The file.

    Attributes:
        schema_version: of this file.
        reviewed: the roles.
        analysed: track id → role before the review (``""``: none), of the tracks of the present analysis.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    reviewed: tuple[ReviewedRole, ...] = ()
    analysed: dict[int, str] = {}


def read_reviewed_roles(store: StrPath, video_id: str) -> ReviewedRoles:
    """The reviewed roles of a video.

    Args:
        store: the store's folder.
        video_id: the video.

    Returns:
        What was reviewed; nothing, if there is no file.

    Raises:
        StoreError: if the file is damaged.
    """
    return _read(Path(store) / "videos" / check_video_id(video_id))


def set_roles(store: StrPath, video_id: str, roles: Mapping[int | str, str]) -> list[Track]:
    """Give roles to tracks of people; they stay when the video is analysed again.

    Args:
        store: the store's folder.
        video_id: the video.
        roles: track id, or ``rest`` for all people that were not reviewed → ``child``, ``caregiver``, ``other``,
            ``unknown``, or ``estimated`` to take a reviewed role away.

    Returns:
        The tracks of people, with their roles now.

    Raises:
        StoreError: if the store or the video is not there.
        UsageError: if a track is not one of a person, its role was corrected by hand, or a role is none. Nothing is
            set then.
    """
    store = Path(store)
    check_store(store)
    folder = store / "videos" / check_video_id(video_id)
    with wait_for_lock(store):
        if not folder.is_dir():
            raise unknown_video(store, video_id)
        tracks = _tracks(folder)
        people = [track for track in tracks if track.category in PERSON_CATEGORIES]
        former = _read(folder)
        by_hand = _corrected_by_hand(folder, people)
        _refuse_corrected(roles, by_hand, video_id)
        chosen = _spelled_out(roles, [track for track in people if track.track_id not in by_hand], former)
        detections = _detections(folder)
        kept = [one for one in former.reviewed if one.track_id not in chosen]
        added = [
            ReviewedRole(role=role, track_id=track_id, anchors=_anchors(detections, track_id))
            for track_id, role in chosen.items()
            if role != ESTIMATED
        ]
        before = {track.track_id: track.role or "" for track in people} | former.analysed
        content = ReviewedRoles(reviewed=tuple(kept + added), analysed=before)
        reviewed = _write(folder, content, tracks, {one.track_id: one.role for one in content.reviewed})
        _correct_anew(folder)
        return reviewed


def _corrected_by_hand(folder: Path, people: Sequence[Track]) -> set[int]:
    """The people whose role a correction decides: it lies over the reviewed one."""
    revision = newest_revision(folder)
    if revision is None or not (revision / "tracks.parquet").is_file():
        return set()
    corrected = {track.track_id: track.role for track in _tracks(revision)}
    return {one.track_id for one in people if corrected.get(one.track_id, one.role) != one.role}


def _refuse_corrected(roles: Mapping[int | str, str], by_hand: set[int], video_id: str) -> None:
    for track_id in sorted(by_hand & set(roles)):
        raise UsageError(
            "The role of this track was corrected by hand, and the correction would stay above a review.",
            found=f"a correction of track {track_id}",
            where=video_id,
            fix=f"correct it again (`visionllm corrections add {video_id} …`), or undo the correction first "
            f"(`visionllm corrections list {video_id}`)",
        )


def _correct_anew(folder: Path) -> None:
    """Make the corrected tables of the reviewed ones, where people have corrected the video, too."""
    if newest_revision(folder) is None:
        return
    # Imported here: most videos have no corrections.
    from visionllm_interaction.store.corrections.recording import carry_corrections

    carry_corrections(folder, folder)


def reapply_roles(folder: Path) -> None:
    """Give the reviewed roles to the tracks of a new analysis.

    Args:
        folder: the video's folder, with the file of roles and the new tables; the caller holds the store's lock, or
            nobody else knows the folder yet.
    """
    content = _read(folder)
    if not content.reviewed:
        return
    tracks = _tracks(folder)
    people = [track for track in tracks if track.category in PERSON_CATEGORIES]
    given = match_roles(content.reviewed, _detections(folder), people)
    before = {track.track_id: track.role or "" for track in people}
    _write(folder, content.model_copy(update={"analysed": before}), tracks, given)


def match_roles(reviewed: Sequence[ReviewedRole], detections: pa.Table, people: Sequence[Track]) -> dict[int, str]:
    """The tracks to which reviewed roles belong.

    Args:
        reviewed: roles with their anchors.
        detections: ``detections.parquet`` of the present analysis.
        people: the tracks of people.

    Returns:
        Track id → role.
    """
    times, ids, boxes = _columns(detections, {track.track_id for track in people})
    votes: dict[int, dict[int, int]] = {}
    for number, one in enumerate(reviewed):
        for anchor in one.anchors:
            track_id = _at(anchor, times, ids, boxes)
            if track_id is not None:
                own = votes.setdefault(track_id, {})
                own[number] = own.get(number, 0) + 1
    given: dict[int, str] = {}
    for track in people:
        counted = votes.get(track.track_id)
        if not counted:
            continue
        number = max(counted, key=lambda n: counted[n])
        there = sum(track.begin_s <= a.timestamp_s <= track.end_s for a in reviewed[number].anchors)
        if counted[number] >= _SHARE * max(there, 1):
            given[track.track_id] = reviewed[number].role
    return given


def _at(
    anchor: Anchor, times: np.ndarray[tuple[int], np.dtype[np.float64]], ids: np.ndarray, boxes: np.ndarray
) -> int | None:
    """The track that lies on an anchor."""
    place = int(np.searchsorted(times, anchor.timestamp_s))
    near = [times[n] for n in (place - 1, place) if 0 <= n < len(times)]
    if not near:
        return None
    nearest = min(near, key=lambda time: abs(time - anchor.timestamp_s))
    if abs(nearest - anchor.timestamp_s) > _SAME_TIME_S:
        return None
    low, high = np.searchsorted(times, nearest, "left"), np.searchsorted(times, nearest, "right")
    overlap = box_iou(np.array(anchor.box_xyxy, np.float32), boxes[low:high])
    best = int(overlap.argmax())
    return int(ids[low + best]) if overlap[best] >= _SAME_IOU else None


def _spelled_out(roles: Mapping[int | str, str], people: Sequence[Track], former: ReviewedRoles) -> dict[int, str]:
    ids = [track.track_id for track in people]
    reviewed = {one.track_id for one in former.reviewed} | {key for key in roles if key != REST}
    found: dict[int, str] = {}
    for key, role in roles.items():
        if role not in CHOICES:
            raise UsageError("There is no such role.", expected=", ".join(CHOICES), found=role, where=f"track {key}")
        if key == REST:
            found |= {track_id: role for track_id in ids if track_id not in reviewed}
        elif key in ids:
            found[int(key)] = role
        else:
            raise UsageError(
                "There is no person of this track.",
                expected=f"of {', '.join(map(str, ids)) or 'no tracks: no people were tracked'}, or {REST}",
                found=str(key),
            )
    return found


def _anchors(detections: pa.Table, track_id: int) -> tuple[Anchor, ...]:
    times, ids, boxes = _columns(detections, {track_id})
    rows = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), _ANCHORS)).round().astype(int)) if len(ids) else ()
    return tuple(
        Anchor(timestamp_s=round(float(times[n]), 4), box_xyxy=tuple(round(float(v), 1) for v in boxes[n]))
        for n in rows
    )


def _columns(detections: pa.Table, track_ids: Iterable[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, track ids and boxes of the detections of tracks, by time; interpolated ones are left out."""
    ids = detections["track_id"].to_numpy()
    seen = ~detections["interpolated"].to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(np.isin(ids, list(track_ids)) & (ids != UNTRACKED) & seen)
    times = detections["timestamp_s"].to_numpy()[rows]
    order = np.argsort(times, kind="stable")
    boxes = np.stack([detections[side].to_numpy()[rows] for side in ("x1", "y1", "x2", "y2")], axis=1)
    return times[order], ids[rows][order], boxes[order]


def _write(folder: Path, content: ReviewedRoles, tracks: Sequence[Track], given: Mapping[int, str]) -> list[Track]:
    """Write the file and the tracks' roles; returns the tracks of people."""
    analysed = content.analysed
    changed = [
        replace(track, role=_role(given.get(track.track_id), analysed[track.track_id]))
        if track.track_id in analysed
        else track
        for track in tracks
    ]
    buffer = pa.BufferOutputStream()
    pq.write_table(symbols_to_arrow("tracks", changed), buffer, compression="zstd")
    # The file first: a kill in between leaves a review that the next call, or the next analysis, carries out.
    write_file(folder / ROLES_FILE, (content.model_dump_json(indent=1) + "\n").encode())
    write_file(folder / "tracks.parquet", buffer.getvalue().to_pybytes())
    return [track for track in changed if track.category in PERSON_CATEGORIES]


def _role(reviewed: str | None, analysed: str) -> str | None:
    if reviewed is None:
        return analysed or None
    return None if reviewed == UNKNOWN else reviewed


def _tracks(folder: Path) -> list[Track]:
    return arrow_to_tracks(pq.read_table(folder / "tracks.parquet", schema=SCHEMAS["tracks"], partitioning=None))


def _detections(folder: Path) -> pa.Table:
    return pq.read_table(folder / "detections.parquet", schema=SCHEMAS["detections"], partitioning=None)


def _read(folder: Path) -> ReviewedRoles:
    path = folder / ROLES_FILE
    if not path.is_file():
        return ReviewedRoles()
    try:
        return ReviewedRoles.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(
            "The reviewed roles of a video cannot be read.",
            expected=f"a {ROLES_FILE} as `visionllm roles review` writes it",
            found=" ".join(str(error).split())[:300],
            where=str(path),
            fix="delete the file and review the roles again",
        ) from error
