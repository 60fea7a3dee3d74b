"""Add and undo corrections of a video, list them, and apply them anew when it is analysed again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.interactions.relations_and_events import Interactions
from visionllm_interaction.store.arrow_schemas import SCHEMAS, arrow_to_events, arrow_to_relations, symbols_to_arrow
from visionllm_interaction.store.corrections.changes import Change
from visionllm_interaction.store.corrections.corrected_tables import (
    BODY_TABLES,
    TABLES,
    ComputedBefore,
    CorrectedTables,
    MachineTables,
    correct_tables,
)
from visionllm_interaction.store.corrections.log import (
    LOG_FILE,
    STATES_FILE,
    CorrectionState,
    LoggedCorrection,
    log_rows,
    read_applied,
    read_log,
    undone_by,
)
from visionllm_interaction.store.corrections.new_correction import (
    anchors_of,
    check_target,
    checked_change,
    old_value,
    with_new_track,
)
from visionllm_interaction.store.layout import (
    CORRECTED_FOLDER,
    check_store,
    check_video_id,
    newest_revision,
    unknown_video,
)
from visionllm_interaction.store.video_record import VideoRecord, read_record
from visionllm_interaction.utils.atomic_files import partial_of, remove_partials, replace_folder, sync_tree
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.path_type import StrPath

_COMPUTED = ("computed_relations", "computed_events")
KEPT_REVISIONS = 3
"""Readers that have opened a revision read on in it, while so many newer ones may appear."""


class CorrectionConflict(UsageError):
    """Somebody else has corrected the video since it was read."""

    code = "CORRECTION-CONFLICT"


class NoSuchCorrection(UsageError):
    """The video has no correction of this number."""


@dataclass(frozen=True)
class ListedCorrection:
    """A correction, and what became of it.

    Attributes:
        correction: the row.
        state: applied, not needed, orphaned or undone, and why.
        undone_by: the row that undoes it.
    """

    correction: LoggedCorrection
    state: CorrectionState
    undone_by: int | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        row = self.correction
        change = row.change
        return {
            "id": row.correction_id,
            "kind": "undo" if change is None else change.kind,
            "action": "undo" if change is None else change.action,
            "target": {"correction": row.undoes} if change is None else change.target(),
            "old": dict(row.old),
            "new": {} if change is None else change.new(),
            "who": row.who,
            "made_at": row.made_at,
            "undone_by": self.undone_by,
            "state": self.state.state,
            "reason": self.state.reason,
        }


@dataclass(frozen=True)
class VideoCorrections:
    """The corrections of one video.

    Attributes:
        video_id: the video.
        revision: names this state of the log; another correction, or analysis, gives another one.
        corrections: oldest first.
    """

    video_id: str
    revision: str
    corrections: tuple[ListedCorrection, ...]

    @property
    def orphaned(self) -> tuple[ListedCorrection, ...]:
        """Those that are about something that the present analysis does not show."""
        return tuple(one for one in self.corrections if one.state.state == "orphaned")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        return {
            "video_id": self.video_id,
            "revision": self.revision,
            "corrections": [one.to_dict() for one in self.corrections],
            "orphaned": [one.correction.correction_id for one in self.orphaned],
        }


def analysis_of(record: VideoRecord) -> str:
    """A name for one analysis of a video: ids of its tracks mean nothing in any other one."""
    content = json.dumps([record.fingerprint, record.created_at]).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def list_corrections(store: StrPath, video_id: str) -> VideoCorrections:
    """The corrections of a video, undone and orphaned ones too.

    Args:
        store: the store's folder.
        video_id: the video.

    Returns:
        Its corrections.

    Raises:
        StoreError: if the store or the video is not there, or its corrections are damaged.
    """
    folder = _folder(Path(store), video_id)
    return _listed(video_id, _machine_record(folder), newest_revision(folder))


def add_correction(
    store: StrPath,
    video_id: str,
    change: Change | Mapping[str, Any],
    *,
    who: str,
    if_revision: str | None = None,
) -> VideoCorrections:
    """Correct something in a video; see :func:`add_corrections`."""
    return add_corrections(store, video_id, [change], who=who, if_revision=if_revision)


def add_corrections(
    store: StrPath,
    video_id: str,
    changes: Sequence[Change | Mapping[str, Any]],
    *,
    who: str,
    if_revision: str | None = None,
) -> VideoCorrections:
    """Correct several things in a video, all or none of them.

    Args:
        store: the store's folder.
        video_id: the video.
        changes: what is corrected: of the kinds of :mod:`.changes`, or their JSON, in order.
        who: the person; stays beside the corrections.
        if_revision: the revision that the person has seen; None: whichever there is.

    Returns:
        All corrections of the video; the new ones are the last.

    Raises:
        UsageError: if a correction is malformed, or what it is about is not there.
        CorrectionConflict: if the video was corrected since ``if_revision``.
        StoreError: if the store or the video is not there, or a file of it is damaged.
    """
    store, checked = Path(store), [checked_change(change) for change in changes]
    person = _checked_person(who)
    with wait_for_lock(_opened(store)):
        folder = _folder(store, video_id)
        machine = _machine_tables(folder)
        revision = newest_revision(folder)
        _check_revision(video_id, machine.record, revision, if_revision)
        log = read_log(revision)
        now = correct_tables(machine, log, known=_computed_before(revision))
        for change in checked:
            log = [*log, _new_row(change, log, now, person, machine.analysis)]
            now = correct_tables(machine, log, known=now.computed)
            _check_applied(now.applied.states[len(log)], video_id)
        if checked:
            _write_revision(folder, now, log)
        return _listed(video_id, machine.record, newest_revision(folder))


def _new_row(
    change: Change, log: Sequence[LoggedCorrection], now: CorrectedTables, person: str, analysis: str
) -> LoggedCorrection:
    named = with_new_track(change, log)
    check_target(named, now)
    return LoggedCorrection(
        correction_id=len(log) + 1,
        change=named,
        old=old_value(named, now),
        who=person,
        made_at=utc_now(),
        undoes=None,
        anchors=anchors_of(named, now),
        analysis=analysis,
    )


def _check_applied(state: CorrectionState, video_id: str) -> None:
    """Refuse a new correction that changes nothing, or cannot be made."""
    if state.state != "applied":
        raise UsageError(
            "There is nothing to correct." if state.state == "not needed" else "This cannot be corrected.",
            found=state.reason,
            where=video_id,
            fix=f"see `visionllm corrections list {video_id}`, and the video's tracks",
        )


def undo_correction(
    store: StrPath, video_id: str, correction_id: int | None = None, *, who: str, if_revision: str | None = None
) -> VideoCorrections:
    """Undo a correction; undoing that row restores it.

    Args:
        store: the store's folder.
        video_id: the video.
        correction_id: which one; None: the last one that is not undone.
        who: the person.
        if_revision: as for :func:`add_correction`.

    Returns:
        All corrections of the video.

    Raises:
        NoSuchCorrection: if there is no such correction.
        UsageError: if it is undone already, or there is nothing to undo.
        CorrectionConflict: if the video was corrected since ``if_revision``.
        StoreError: if the store or the video is not there, or a file of it is damaged.
    """
    store, person = Path(store), _checked_person(who)
    with wait_for_lock(_opened(store)):
        folder = _folder(store, video_id)
        machine = _machine_tables(folder)
        revision = newest_revision(folder)
        _check_revision(video_id, machine.record, revision, if_revision)
        log = read_log(revision)
        chosen = _to_undo(log, correction_id, video_id)
        row = LoggedCorrection(
            correction_id=len(log) + 1,
            change=None,
            old={},
            who=person,
            made_at=utc_now(),
            undoes=chosen,
            anchors={},
            analysis=machine.analysis,
        )
        corrected = correct_tables(machine, [*log, row], known=_computed_before(revision))
        _write_revision(folder, corrected, [*log, row])
        return _listed(video_id, machine.record, newest_revision(folder))


def _to_undo(log: Sequence[LoggedCorrection], correction_id: int | None, video_id: str) -> int:
    undone = undone_by(log)
    open_ones = [row.correction_id for row in log if row.correction_id not in undone and row.change is not None]
    if correction_id is None and open_ones:
        return open_ones[-1]
    present = {row.correction_id for row in log}
    if correction_id is not None and correction_id in present and correction_id not in undone:
        return correction_id
    by = undone.get(correction_id) if correction_id is not None else None
    kind = UsageError if correction_id is None or correction_id in present else NoSuchCorrection
    raise kind(
        "There is nothing to undo." if correction_id is None else "This correction cannot be undone.",
        expected=f"one of {', '.join(map(str, open_ones[-10:]))}" if open_ones else "a correction that holds",
        found="none" if correction_id is None else f"{correction_id}" + (f", undone by {by}" if by else ""),
        where=video_id,
        fix=f"visionllm corrections undo {video_id} {by}  restores it" if by else None,
    )


def carry_corrections(former: Path, folder: Path) -> VideoCorrections | None:
    """Apply the corrections of a video to a new analysis of it; the caller holds the store's lock.

    Args:
        former: the video's folder as it is now.
        folder: the new one, complete but for its corrections.

    Returns:
        The corrections, each applied, not needed, or orphaned; None if there are none.
    """
    log = read_log(newest_revision(former))
    if not log:
        return None
    machine = _machine_tables(folder)
    _write_revision(folder, correct_tables(machine, log), log)
    return _listed(machine.record.video_id, machine.record, newest_revision(folder))


def _checked_person(who: str) -> str:
    name = " ".join(who.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise UsageError(
            "Who corrects has to be said.", expected="a name of 1 to 100 characters", found=repr(who[:100])
        )
    return name


def _opened(store: Path) -> Path:
    check_store(store)
    return store


def _folder(store: Path, video_id: str) -> Path:
    check_store(store)
    folder = store / "videos" / check_video_id(video_id)
    if not folder.is_dir():
        raise unknown_video(store, video_id)
    return folder


def _machine_record(folder: Path) -> VideoRecord:
    record = read_record(folder)
    if record is None:
        raise StoreError("A video's record cannot be read.", where=str(folder))
    return record


def _machine_tables(folder: Path) -> MachineTables:
    record = _machine_record(folder)
    tables: dict[str, pa.Table] = {}
    for name in ("frames", *TABLES, *BODY_TABLES):
        path = folder / f"{name}.parquet"
        if name in BODY_TABLES and not path.is_file():
            continue
        try:
            tables[name] = pq.read_table(path, schema=SCHEMAS[name], partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise StoreError("A file of the store cannot be read.", found=str(error), where=str(path)) from error
    return MachineTables.of_tables(record, analysis_of(record), tables)


def _revision_name(record: VideoRecord, revision: Path | None) -> str:
    return f"{analysis_of(record)}-{revision.name if revision else 0}"


def _listed(video_id: str, record: VideoRecord, revision: Path | None) -> VideoCorrections:
    log = read_log(revision)
    states = read_applied(revision).states if revision is not None else {}
    undone = undone_by(log)
    listed = [ListedCorrection(row, states[row.correction_id], undone.get(row.correction_id)) for row in log]
    return VideoCorrections(video_id, _revision_name(record, revision), tuple(listed))


def _check_revision(video_id: str, record: VideoRecord, revision: Path | None, expected: str | None) -> None:
    found = _revision_name(record, revision)
    if expected is not None and expected != found:
        raise CorrectionConflict(
            "The video has been corrected, or analysed again, since it was read.",
            expected=f"revision {expected}",
            found=f"revision {found}",
            where=video_id,
            fix="read the corrections again, then correct what is still wrong",
        )


def _computed_before(revision: Path | None) -> ComputedBefore | None:
    """What a revision keeps of relations and events, so that a corrected bout does not compute an hour anew."""
    geometry = read_applied(revision).geometry if revision is not None else None
    if revision is None or geometry is None:
        return None
    try:
        relations, events = (
            pq.read_table(revision / f"{name}.parquet", schema=SCHEMAS[name.removeprefix("computed_")])
            for name in _COMPUTED
        )
    except (OSError, pa.ArrowException):
        return None  # computed anew
    found = Interactions(tuple(arrow_to_relations(relations)), tuple(arrow_to_events(events)))
    return ComputedBefore(geometry, found)


def _write_revision(folder: Path, corrected: CorrectedTables, log: Sequence[LoggedCorrection]) -> None:
    """Publish the next revision in one step, and delete old ones."""
    final = folder / CORRECTED_FOLDER / str(len(log))
    partial = partial_of(final)
    remove_partials(final.parent)
    try:
        partial.mkdir(parents=True)
        rows = pa.Table.from_pylist(log_rows(log), schema=SCHEMAS["corrections"])
        pq.write_table(rows, partial / LOG_FILE, compression="zstd")
        computed = corrected.computed.interactions if corrected.computed is not None else None
        if computed is not None:
            for name, table in (
                (_COMPUTED[0], symbols_to_arrow("relations", computed.relations)),
                (_COMPUTED[1], symbols_to_arrow("events", computed.events)),
            ):
                pq.write_table(table, partial / f"{name}.parquet", compression="zstd")
        for name, table in corrected.tables.items():
            pq.write_table(table, partial / f"{name}.parquet", compression="zstd")
        (partial / STATES_FILE).write_text(corrected.applied.model_dump_json(indent=1) + "\n", encoding="utf-8")
        sync_tree(partial)
        replace_folder(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    numbers = sorted(int(path.name) for path in (folder / CORRECTED_FOLDER).iterdir() if path.name.isdecimal())
    for number in numbers[:-KEPT_REVISIONS]:
        shutil.rmtree(folder / CORRECTED_FOLDER / str(number), ignore_errors=True)
