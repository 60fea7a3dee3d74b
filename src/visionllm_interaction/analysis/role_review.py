"""Reviewing roles: a sheet with crops of everybody who was tracked, and a table that somebody fills in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.reports.html_base import image_data_uri, render_template
from visionllm_interaction.store.corrections.changes import MergeTracks
from visionllm_interaction.store.corrections.recording import list_corrections
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.roles.reviewed import CHOICES, REST, read_reviewed_roles
from visionllm_interaction.store.video_record import ReturnGuess
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.csv_safety import from_cell, to_cell
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.spreadsheet_tables import read_table
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.reader import VideoReader

SHEET, TABLE = "roles.html", "roles.csv"
CROPS = 5
"""Crops of each person, spread over the time in which the person is there."""
_CROP_PX = (150, 190)
_MARGIN = 0.1
_AT_ONCE_S = 0.2
"""Two tracks that are in view together for longer are two people; where one takes over from another, both may be."""
_COLUMNS = ("track", "role", "analysed", "child_probability", "begin_s", "end_s")


@dataclass(frozen=True)
class Person:
    """One tracked person in a review.

    Attributes:
        track_id: id of the track.
        role: what counts now; None: unknown.
        reviewed: whether somebody gave it.
        child_probability: as estimated from images; None: nothing was seen, or looked for.
        evidence: what the estimate rests on.
        begin_s: first sighting.
        end_s: last sighting.
        may_be_track_id: an earlier track that looks alike and may be the same person; None: there is none.
        away_s: seconds between that one's end and this one's begin.
    """

    track_id: int
    role: str | None
    reviewed: bool
    child_probability: float | None
    evidence: tuple[str, ...]
    begin_s: float
    end_s: float
    may_be_track_id: int | None = None
    away_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "evidence": list(self.evidence)}


def people_of(store: StrPath, video_id: str) -> list[Person]:
    """Everybody who was tracked in a video, by track id.

    Args:
        store: the store's folder.
        video_id: the video.

    Returns:
        The people, with what is known of their roles.

    Raises:
        StoreError: if the store or the video is not there.
    """
    with open_store(store) as opened:
        return people_in(opened, video_id)


def people_in(store: Store, video_id: str) -> list[Person]:
    """As :func:`people_of`, of a store that is open."""
    estimates = {one.track_id: one for one in store[video_id].roles}
    former = read_reviewed_roles(store.path, video_id)
    tracks = [track for track in store.tracks(video_id) if track.category in PERSON_CATEGORIES]
    returns = _returns(store, video_id, tracks)
    people = []
    for track in tracks:
        estimate = estimates.get(track.track_id)
        analysed = former.analysed.get(track.track_id, track.role or "")
        people.append(
            Person(
                track.track_id,
                track.role,
                reviewed=(track.role or "") != analysed or track.track_id in {one.track_id for one in former.reviewed},
                child_probability=None if estimate is None else estimate.child_probability,
                evidence=() if estimate is None else estimate.evidence,
                begin_s=track.begin_s,
                end_s=track.end_s,
                may_be_track_id=None if track.track_id not in returns else returns[track.track_id].former_track_id,
                away_s=None if track.track_id not in returns else returns[track.track_id].away_s,
            )
        )
    return people


def _returns(store: Store, video_id: str, tracks: Sequence[Track]) -> dict[int, ReturnGuess]:
    """Track id → whom it may be, under the id that one has after corrections; not where both are one already."""
    spans = {track.track_id: (track.begin_s, track.end_s) for track in tracks}
    merged = _merged_tracks(store, video_id)
    guesses = [
        one.model_copy(update={"former_track_id": _end_of(one.former_track_id, merged)})
        for one in store.record(video_id).returns
    ]
    there = [one for one in guesses if one.track_id in spans and one.former_track_id in spans]
    return {one.track_id: one for one in there if spans[one.former_track_id][1] < spans[one.track_id][0]}


def _merged_tracks(store: Store, video_id: str) -> dict[int, int]:
    """Track → the track that it was joined to by a correction that holds."""
    listed = list_corrections(store.path, video_id).corrections
    changes = [one.correction.change for one in listed if one.undone_by is None]
    return {one.other_track_id: one.track_id for one in changes if isinstance(one, MergeTracks)}


def _end_of(track_id: int, joined: Mapping[int, int]) -> int:
    seen = {track_id}
    while (track_id := joined.get(track_id, track_id)) not in seen:
        seen.add(track_id)
    return track_id


def plan_joins(store: StrPath, video_id: str, same: Iterable[tuple[int, int]]) -> list[MergeTracks]:
    """What makes one track of several that are the same person.

    Args:
        store: the store's folder.
        video_id: the video.
        same: pairs of a track id and the id of the track that it is one with, and whose id stays.

    Returns:
        Corrections for :func:`~visionllm_interaction.store.corrections.recording.add_corrections`.

    Raises:
        StoreError: if the store or the video is not there.
        UsageError: if one of the tracks is not a person of the video, or two of them are in view at the same time.
    """
    pairs = list(same)
    with open_store(store) as opened:
        people = {person.track_id: person for person in people_in(opened, video_id)}
        sightings = opened.sightings(video_id)
    unknown = sorted({track for pair in pairs for track in pair} - people.keys())
    if unknown:
        raise UsageError(
            "Only people that were tracked can be one.",
            expected=f"ids of people: {', '.join(map(str, sorted(people))) or 'there are none'}",
            found=", ".join(map(str, unknown)),
            where=video_id,
        )
    changes = []
    for group in _groups(pairs):
        for one, other in combinations(sorted(group), 2):
            if (shared_s := _shared_s(sightings.get(one, []), sightings.get(other, []))) > _AT_ONCE_S:
                raise UsageError(
                    "Two people who are in view at the same time are not one.",
                    expected="tracks of somebody who left and came back",
                    found=f"tracks {one} and {other} are both in view for {shared_s:.1f} s",
                    where=video_id,
                    fix="two boxes on one person are joined by a correction of the identity, on the video's page",
                )
        stay = group - {later for later, _ in pairs} or group
        kept = min(stay, key=lambda track: (people[track].begin_s, track))
        changes += [MergeTracks(track_id=kept, other_track_id=track) for track in sorted(group - {kept})]
    return changes


def _groups(pairs: Iterable[tuple[int, int]]) -> list[set[int]]:
    """The tracks that are one person, by whichever pairs."""
    groups: list[set[int]] = []
    for pair in pairs:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touched] + [set(pair).union(*touched)]
    return groups


def _shared_s(first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]) -> float:
    """Seconds that two lists of intervals have in common."""
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in first for b in second)


def write_review_sheet(store: StrPath, video_id: str, out: StrPath) -> list[Path]:
    """Write a page with crops of everybody, and a table to fill in.

    Args:
        store: the store's folder; the video's file has to be where it was when it was analysed.
        video_id: the video.
        out: folder for ``roles.html`` and ``roles.csv``; it is created if it does not exist.

    Returns:
        The two files.

    Raises:
        StoreError: if the store or the video is not there.
        VideoError: if the video's file cannot be read.
    """
    out = Path(out)
    with open_store(store) as opened:
        people, record = people_in(opened, video_id), opened.record(video_id)
        places = crop_places(opened.detections(video_id), [person.track_id for person in people])
    crops = _cut(Path(record.source.path), places, stream=record.stream)
    rows = [{"person": person, "crops": crops.get(person.track_id, [])} for person in people]
    values = {"title": f"Roles in {record.source.name}", "video_id": video_id, "people": rows, "table": TABLE}
    page = render_template("visionllm_interaction.analysis", "role_review.html.j2", values)
    out.mkdir(parents=True, exist_ok=True)
    write_file(out / SHEET, page.encode())
    write_file(out / TABLE, _table(people))
    return [out / SHEET, out / TABLE]


def crop_places(detections: pa.Table, track_ids: Sequence[int]) -> dict[int, list[tuple[int, int, list[float]]]]:
    """The frames and boxes of which crops are shown.

    Args:
        detections: ``detections.parquet``.
        track_ids: the tracks.

    Returns:
        Frame index → track id, time of the crop among those of the track, and box, xyxy in pixels: of each track the
        largest box of each of :data:`CROPS` equal parts of its detections.
    """
    ids = detections["track_id"].to_numpy()
    boxes = np.stack([detections[side].to_numpy() for side in ("x1", "y1", "x2", "y2")], axis=1)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    seen = ~detections["interpolated"].to_numpy(zero_copy_only=False)
    frames = detections["frame_index"].to_numpy()
    found: dict[int, list[tuple[int, int, list[float]]]] = {}
    for track_id in track_ids:
        rows = np.flatnonzero((ids == track_id) & seen)
        parts = [part for part in np.array_split(rows, CROPS) if len(part)]
        for number, part in enumerate(parts):
            row = int(part[area[part].argmax()])
            found.setdefault(int(frames[row]), []).append((track_id, number, boxes[row].tolist()))
    return found


def _cut(
    path: Path,
    places: Mapping[int, Sequence[tuple[int, int, list[float]]]],
    *,
    stream: int | None,
) -> dict[int, list[str]]:
    """Track id → its crops as data URIs; the video is read once, up to the last frame that is needed."""
    found: dict[int, dict[int, str]] = {}
    left = set(places)
    reader = VideoReader(path, config=DecodeConfig(stream=stream))
    for frame in reader.frames("rgb") if left else ():
        for track_id, number, box in places.get(frame.frame_index, ()):
            found.setdefault(track_id, {})[number] = _crop(frame.image_rgb, box)
        left.discard(frame.frame_index)
        if not left:
            break
    return {track_id: [crops[n] for n in sorted(crops)] for track_id, crops in found.items()}


def _crop(image_rgb: np.ndarray, box: Sequence[float]) -> str:
    x1, y1, x2, y2 = box
    more = _MARGIN * max(x2 - x1, y2 - y1)
    height, width = image_rgb.shape[:2]
    corners = (max(x1 - more, 0), max(y1 - more, 0), min(x2 + more, width), min(y2 + more, height))
    crop = Image.fromarray(image_rgb).crop(tuple(int(value) for value in corners))  # type: ignore[arg-type]
    crop.thumbnail(_CROP_PX)
    return image_data_uri(crop)


def _table(people: Sequence[Person]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for person in people:
        chance = "" if person.child_probability is None else f"{person.child_probability:.2f}"
        role = (person.role or "unknown") if person.reviewed else ""
        cells = (
            person.track_id,
            role,
            person.role or "unknown",
            chance,
            f"{person.begin_s:.2f}",
            f"{person.end_s:.2f}",
        )
        writer.writerow([to_cell(str(cell)) for cell in cells])
    return text.getvalue().encode()


def read_role_table(path: StrPath) -> dict[int | str, str]:
    """The roles in a table that was filled in.

    Args:
        path: CSV with the columns ``track`` and ``role``, as :func:`write_review_sheet` wrote it, or a spreadsheet
            saved it; others are ignored. Rows without a role leave it as it is.

    Returns:
        Track id, or ``rest`` → role.

    Raises:
        InputDataError: if it cannot be read, or a row says something else.
    """
    try:
        columns, rows = read_table(Path(path))
    except OSError as error:
        raise InputDataError("The table of roles cannot be read.", found=str(error), where=str(path)) from error
    if any(columns.count(name) != 1 for name in ("track", "role")):
        raise InputDataError(
            "The table of roles cannot be used.",
            expected="one column track and one column role",
            found=f"columns {', '.join(columns) or 'none'}",
            where=str(path),
        )
    found: dict[int | str, str] = {}
    for line, row in rows:
        track, role = (from_cell(row[name]).strip().casefold() for name in ("track", "role"))
        if not role:
            continue
        if role not in CHOICES or not (track == REST or track.isdigit()):
            raise InputDataError(
                "The table of roles cannot be used.",
                expected=f"a column track with ids (or {REST}), and a column role with {', '.join(CHOICES)} or nothing",
                found=f"track {track!r}, role {role!r}",
                where=f"{path}, line {line}",
            )
        if found.setdefault(parse_track(track), role) != role:
            raise InputDataError(
                "The table of roles cannot be used.",
                expected="one role for each track",
                found=f"track {track}: {found[parse_track(track)]} and {role}",
                where=f"{path}, line {line}",
            )
    return found


def parse_track(text: str) -> int | str:
    """A track id, or ``rest``.

    Args:
        text: as somebody wrote it.

    Returns:
        The id or the word.

    Raises:
        UsageError: if it is neither.
    """
    text = text.strip()
    if text == REST:
        return REST
    if not text.isdigit():
        raise UsageError("A track is a number.", expected=f"an id of a track, or {REST}", found=text)
    return int(text)
