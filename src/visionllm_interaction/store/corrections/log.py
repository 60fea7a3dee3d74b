"""The log of a video's corrections: rows that are only ever added, and the folder of the newest revision.

``videos/<video_id>/corrected/<n>/`` appears in one step, with the log and the tables that follow from it: a reader that
has begun to read one revision goes on with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.errors import StoreError
from visionllm_interaction.store.corrections.anchors import Anchors
from visionllm_interaction.store.corrections.changes import CHANGES, Change

LOG_FILE = "corrections.parquet"
STATES_FILE = "applied.json"
UNDO = "undo"


@dataclass(frozen=True)
class LoggedCorrection:
    """One row of the log.

    Attributes:
        correction_id: 1, 2, … within the video.
        change: what was corrected; None: another row was undone.
        old: the value before, as plain JSON.
        who: the person.
        made_at: UTC.
        undoes: the row that is undone by this one.
        anchors: where its tracks were.
        analysis: the analysis that its ids of tracks are of.
    """

    correction_id: int
    change: Change | None
    old: Mapping[str, Any]
    who: str
    made_at: str
    undoes: int | None
    anchors: Anchors
    analysis: str


class CorrectionState(BaseModel):
    """What became of a correction.

    Attributes:
        state: ``applied``; ``not needed``: the present analysis shows it by itself; ``orphaned``: what it is about is
            not found in the present analysis, and it counts for nothing; ``undone``.
        reason: why it is orphaned or not needed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: str
    reason: str | None = None


class AppliedCorrections(BaseModel):
    """``applied.json``: what a revision's tables are made of.

    Attributes:
        schema_version: of this file.
        analysis: the analysis that was corrected.
        states: correction → what became of it.
        has_tables: whether the revision has tables of its own; without, the machine's values hold.
        record: figures of ``video.json`` that are others after the corrections.
        version: of the program.
        geometry: names the corrections of boxes and identities from which relations and events were computed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    geometry: str | None = None
    analysis: str
    states: dict[int, CorrectionState]
    has_tables: bool
    record: dict[str, Any] = {}
    version: str


def read_applied(revision: Path) -> AppliedCorrections:
    """What a revision's tables are made of.

    Args:
        revision: its folder.

    Returns:
        The contents of ``applied.json``.

    Raises:
        StoreError: if the file is damaged.
    """
    path = revision / STATES_FILE
    try:
        return AppliedCorrections.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _damaged(path, error) from error


def read_log(revision: Path | None) -> list[LoggedCorrection]:
    """The rows of a revision's log.

    Args:
        revision: its folder; None: there are none.

    Returns:
        The rows, oldest first.

    Raises:
        StoreError: if the file is damaged.
    """
    if revision is None:
        return []
    import pyarrow as pa
    import pyarrow.parquet as pq

    from visionllm_interaction.store.arrow_schemas import SCHEMAS

    path = revision / LOG_FILE
    try:
        rows = pq.read_table(path, schema=SCHEMAS["corrections"], partitioning=None).to_pylist()
        return [_of_row(row) for row in rows]
    except (OSError, pa.ArrowException, ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def undone_by(log: Sequence[LoggedCorrection]) -> dict[int, int]:
    """Row → the row that undoes it now; an undo that is undone itself does nothing.

    Args:
        log: oldest first.

    Returns:
        Of each row that does not hold, the row that says so.
    """
    found: dict[int, int] = {}
    for row in reversed(log):
        if row.undoes is not None and row.correction_id not in found:
            found[row.undoes] = row.correction_id
    return found


def log_rows(log: Sequence[LoggedCorrection]) -> list[dict[str, Any]]:
    """The rows as ``corrections.parquet`` has them.

    Args:
        log: oldest first.

    Returns:
        One dictionary for each row.
    """
    undone = undone_by(log)
    return [
        {
            "correction_id": row.correction_id,
            "kind": UNDO if row.change is None else row.change.kind,
            "action": UNDO if row.change is None else row.change.action,
            "target": json.dumps({} if row.change is None else row.change.target()),
            "old": json.dumps(row.old),
            "new": json.dumps({} if row.change is None else row.change.new()),
            "who": row.who,
            "made_at": row.made_at,
            "undoes": row.undoes,
            "undone_by": undone.get(row.correction_id),
            "anchors": json.dumps(row.anchors),
            "analysis": row.analysis,
        }
        for row in log
    ]


def _of_row(row: Mapping[str, Any]) -> LoggedCorrection:
    change = None
    if row["kind"] != UNDO:
        parts = {"kind": row["kind"], "action": row["action"], **json.loads(row["target"]), **json.loads(row["new"])}
        change = CHANGES.validate_python(parts)
    anchors = {name: tuple(tuple(one) for one in samples) for name, samples in json.loads(row["anchors"]).items()}
    return LoggedCorrection(
        correction_id=row["correction_id"],
        change=change,
        old=json.loads(row["old"]),
        who=row["who"],
        made_at=row["made_at"],
        undoes=row["undoes"],
        anchors=anchors,
        analysis=row["analysis"],
    )


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(
        "The corrections of a video cannot be read.",
        expected="files as `visionllm corrections` writes them",
        found=" ".join(str(error).split())[:300],
        where=str(path),
        fix="put the file back from a backup; deleting the folder `corrected` deletes every correction of the video",
    )
