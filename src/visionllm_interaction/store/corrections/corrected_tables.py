"""The corrected tables of one video: the machine's tables, the log, and everything that follows from both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from visionllm_interaction import __version__
from visionllm_interaction.core.bodies import HandRow
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable, HeadTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interactions.config import ScenesConfig
from visionllm_interaction.interactions.hand_contact import holding_evidence
from visionllm_interaction.interactions.head_direction import heads_of_faces
from visionllm_interaction.interactions.postures import find_postures
from visionllm_interaction.interactions.relations_and_events import Interactions, find_interactions
from visionllm_interaction.store.arrow_schemas import (
    SCHEMAS,
    arrow_to_detections,
    arrow_to_events,
    arrow_to_frames,
    arrow_to_relations,
    arrow_to_tracks,
    body_row,
    detections_to_arrow,
    symbols_to_arrow,
)
from visionllm_interaction.store.corrections.changes import (
    AddBout,
    AddEvent,
    Change,
    MoveBout,
    MoveEvent,
    RemoveBout,
    RemoveEvent,
    SetRole,
)
from visionllm_interaction.store.corrections.geometry import Edited, drop_unseen, summarise_edited
from visionllm_interaction.store.corrections.layers import Layers
from visionllm_interaction.store.corrections.log import AppliedCorrections, CorrectionState, LoggedCorrection, undone_by
from visionllm_interaction.store.sightings import find_sightings

if TYPE_CHECKING:
    from visionllm_interaction.store.video_record import VideoRecord

TABLES = ("detections", "tracks", "relations", "events", "sightings")
BODY_TABLES = ("hands", "faces", "poses", "postures", "holdings")
"""Files that a corrected video has of its own: readers take them in place of the machine's."""
_LAYERED = AddBout | RemoveBout | MoveBout | AddEvent | RemoveEvent | MoveEvent


@dataclass(frozen=True)
class MachineTables:
    """What an analysis found in one video.

    Attributes:
        record: of the video.
        analysis: names the analysis; see :func:`.recording.analysis_of`.
        frames: every frame.
        tables: name of a file → its rows, as the analysis wrote them.
    """

    record: VideoRecord
    analysis: str
    frames: FrameTable
    tables: Mapping[str, pa.Table]

    @classmethod
    def of_tables(cls, record: VideoRecord, analysis: str, tables: Mapping[str, pa.Table]) -> MachineTables:
        """From the files of a video's folder."""
        return cls(record, analysis, arrow_to_frames(tables["frames"]), tables)


@dataclass(frozen=True)
class CorrectedTables:
    """The corrected values of one video.

    Attributes:
        applied: what became of every correction.
        tables: name of a file → its rows; empty: the machine's values hold.
        layers: relations, events and tracks, for whoever asks what a new correction would be about.
        edited: detections and identities.
        tracks: the corrected tracks.
        size_px: width and height of the images.
        computed: relations and events before corrected ones were laid over them; None: they are the machine's.
    """

    applied: AppliedCorrections
    tables: Mapping[str, pa.Table]
    layers: Layers
    edited: Edited
    tracks: Sequence[Track]
    size_px: tuple[int, int]
    computed: ComputedBefore | None = None


@dataclass(frozen=True)
class ComputedBefore:
    """Relations and events that were computed before, from some corrections of boxes and identities.

    Attributes:
        geometry: names these corrections, the analysis and the version of the program.
        interactions: what was computed, before corrected bouts and events were laid over it.
    """

    geometry: str
    interactions: Interactions


def correct_tables(
    machine: MachineTables, log: Sequence[LoggedCorrection], *, known: ComputedBefore | None = None
) -> CorrectedTables:
    """Apply a log of corrections to what an analysis found.

    Boxes, categories, roles and identities come first, in the order of the log; relations, events, sightings and
    postures are computed again from them where they changed; corrected bouts and events are laid over that.

    Args:
        machine: what the analysis found.
        log: every correction of the video, oldest first.
        known: what was computed before; it is taken if it is of the same boxes and identities.

    Returns:
        The corrected tables, and what became of each correction.
    """
    undone = undone_by(log)
    states: dict[int, CorrectionState] = {}
    active: list[tuple[LoggedCorrection, Change]] = []
    for row in log:
        if row.correction_id in undone:
            reason = f"by correction {undone[row.correction_id]}"
            states[row.correction_id] = CorrectionState(state="undone", reason=reason)
        elif row.change is None:
            states[row.correction_id] = CorrectionState(state="applied")
        else:
            active.append((row, row.change))
    before = arrow_to_detections(machine.tables["detections"])
    edited = Edited(machine.frames, before, machine.analysis)
    for row, change in active:
        if not isinstance(change, _LAYERED):
            states[row.correction_id] = edited.apply(row, change)
    if edited.touched:
        edited.detections = drop_unseen(edited.detections)
    found = arrow_to_tracks(machine.tables["tracks"])
    tracks = summarise_edited(edited, found, before, roles=machine.record.roles)
    bodies = _bodies(machine, edited)
    geometry = _geometry(machine, active) if edited.touched else None
    if known is not None and known.geometry == geometry:
        computed = known.interactions
    else:
        computed = _interactions(machine, edited, tracks, bodies)
    layers = Layers(computed.relations, computed.events, tracks, edited, machine.record.duration_s)
    for row, change in active:
        if isinstance(change, _LAYERED):
            states[row.correction_id] = layers.apply(row, change)
    counts = any(states[row.correction_id].state == "applied" for row, _ in active)
    tables = _tables(machine, edited, tracks, layers, bodies) if counts else {}
    applied = AppliedCorrections(
        analysis=machine.analysis,
        states=dict(sorted(states.items())),
        has_tables=bool(tables),
        record=_record_changes(machine.record, edited, tracks) if tables else {},
        version=__version__,
        geometry=geometry,
    )
    size_px = machine.record.width, machine.record.height
    before_layers = None if geometry is None else ComputedBefore(geometry, computed)
    return CorrectedTables(applied, tables, layers, edited, tracks, size_px, before_layers)


def _geometry(machine: MachineTables, active: Sequence[tuple[LoggedCorrection, Change]]) -> str:
    """A name for what relations and events are computed from; roles change neither."""
    ids = [row.correction_id for row, change in active if not isinstance(change, _LAYERED | SetRole)]
    return f"{machine.analysis} {__version__} {' '.join(map(str, ids))}"


def _interactions(
    machine: MachineTables, edited: Edited, tracks: Sequence[Track], bodies: Mapping[str, pa.Table]
) -> Interactions:
    relations = arrow_to_relations(machine.tables["relations"])
    if not edited.touched:
        return Interactions(tuple(relations), tuple(arrow_to_events(machine.tables["events"])))
    record = machine.record
    finds = record.bodies.finds if record.bodies else ()
    heads: HeadTable | None = None
    given: list[Relation] = []
    if record.heads is not None:
        heads = _heads_of_file(record, machine.frames)
        if heads is None:  # the file is gone: bouts of facing go with their tracks
            facing = [bout for bout in relations if bout.predicate == "facing"]
            given = _carried(facing, edited, {track.track_id for track in tracks})
    elif "faces" in finds:
        heads = heads_of_faces(_rows(bodies, "faces"))
    hands: list[HandRow] | None = _rows(bodies, "hands") if "hands" in finds else None
    return find_interactions(
        edited.detections,
        machine.frames,
        tracks,
        size_px=(record.width, record.height),
        config=ScenesConfig.model_validate(record.config.get("scenes") or {}),
        heads=heads,
        hands=hands,
        given=given,
    )


def _heads_of_file(record: VideoRecord, frames: FrameTable) -> HeadTable | None:
    """The heads that the analysis read; None if the file is gone or another one now."""
    from visionllm_interaction.utils.hashing import sha256_file
    from visionllm_interaction.video.head_yaw.csv_file import load_heads

    assert record.heads is not None
    path = Path(record.heads.path)
    scale = (
        record.width / (record.stored_width or record.width),
        record.height / (record.stored_height or record.height),
    )
    try:
        if sha256_file(path) != record.heads.sha256:
            return None
        return load_heads(path, frames, scale=scale)
    except (OSError, InputDataError):
        return None


def _carried(bouts: Sequence[Relation], edited: Edited, present: set[int]) -> list[Relation]:
    """Bouts whose tracks were corrected, cut where the identity of one of the two changes."""
    times = edited.clock.times
    carried: list[Relation] = []
    for bout in bouts:
        inside = times[(times >= bout.begin_s - 1e-6) & (times < bout.end_s - 1e-6)]
        pairs = np.stack([_moved(edited, inside, track) for track in (bout.subject_track_id, bout.object_track_id)])
        edges = [0, *(np.flatnonzero(np.any(np.diff(pairs, axis=1) != 0, axis=0)) + 1).tolist(), len(inside)]
        for first, after in pairwise(edges):
            if first == after:
                continue
            subject, other = (int(side) for side in pairs[:, first])
            if subject == other or not {subject, other} <= present:
                continue
            begin_s = bout.begin_s if first == 0 else float(inside[first])
            end_s = bout.end_s if after == len(inside) else float(inside[after])
            carried.append(Relation(subject, bout.predicate, other, begin_s, end_s, bout.confidence))
    return carried


def _moved(edited: Edited, times: np.ndarray, track_id: int) -> np.ndarray:
    ids = np.full(len(times), track_id, np.int64)
    for _, move in edited.moves:
        ids = np.where(ids == UNTRACKED, ids, move(times, ids))
    return ids


def _bodies(machine: MachineTables, edited: Edited) -> dict[str, pa.Table]:
    """Hands, faces, poses and postures, each with the person whose it is after the corrections."""
    own = {name: machine.tables[name] for name in BODY_TABLES if name in machine.tables}
    if not edited.touched:
        return own
    is_person = np.isin(edited.detections.category.astype(str), sorted(PERSON_CATEGORIES))
    people = set(np.unique(edited.detections.track_id[is_person]).tolist())
    for name in ("hands", "faces", "poses"):
        if name not in own:
            continue
        table = own[name]
        times = table["timestamp_s"].to_numpy()
        ids = table["track_id"].to_numpy()
        for _, move in edited.moves:
            ids = np.where(ids == UNTRACKED, ids, move(times, ids))
        ids = np.where(np.isin(ids, sorted(people)), ids, UNTRACKED)
        place = table.schema.get_field_index("track_id")
        own[name] = table.set_column(place, table.schema.field(place), pa.array(ids, pa.int64()))
    if "postures" in own:
        per_s = machine.record.bodies.per_s if machine.record.bodies else None
        poses = [row for row in _rows(own, "poses") if row.track_id != UNTRACKED]
        postures = find_postures(poses, machine.frames, per_s=per_s)
        rows = [{name: getattr(one, name) for name in SCHEMAS["postures"].names} for one in postures]
        own["postures"] = pa.Table.from_pylist(rows, schema=SCHEMAS["postures"])
    return own


def _rows(tables: Mapping[str, pa.Table], name: str) -> list[Any]:
    return [body_row(name, row) for row in tables[name].to_pylist()] if name in tables else []


def _tables(
    machine: MachineTables,
    edited: Edited,
    tracks: Sequence[Track],
    layers: Layers,
    bodies: Mapping[str, pa.Table],
) -> dict[str, pa.Table]:
    relations, events = layers.relations, layers.events
    tables: dict[str, pa.Table] = {
        "tracks": symbols_to_arrow("tracks", tracks),
        "relations": symbols_to_arrow("relations", relations),
        "events": symbols_to_arrow("events", _numbered(events)),
    }
    if edited.touched:
        tables["detections"] = detections_to_arrow(edited.detections)
        tables["sightings"] = find_sightings(edited.detections, machine.frames)
        tables |= bodies
    if "holdings" in bodies:
        hands: list[HandRow] = _rows(bodies, "hands")
        config = ScenesConfig.model_validate(machine.record.config.get("scenes") or {})
        evidence = holding_evidence(relations, hands, edited.detections, machine.frames, tracks, config=config)
        rows = [{name: getattr(one, name) for name in SCHEMAS["holdings"].names} for one in evidence]
        tables["holdings"] = pa.Table.from_pylist(rows, schema=SCHEMAS["holdings"])
    return tables


def _numbered(events: Sequence[Event]) -> list[Event]:
    """Events by begin; ids of one video must differ."""
    return sorted(events, key=lambda event: (event.begin_s, event.event_id))


def _record_changes(record: VideoRecord, edited: Edited, tracks: Sequence[Track]) -> dict[str, Any]:
    present = {track.track_id for track in tracks}
    guesses = {
        str(track): guess.model_dump()
        for track, guess in record.role_proxies.items()
        if track in present and track not in edited.roles
    }
    table: DetectionTable = edited.detections
    return {
        "n_tracks": len(tracks),
        "n_detections": int((~table.interpolated).sum()),
        "n_untracked": int((table.track_id == UNTRACKED).sum()),
        "role_proxies": guesses,
    }
