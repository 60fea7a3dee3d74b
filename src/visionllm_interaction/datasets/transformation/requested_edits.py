"""What stage 2 asks of stage 3: the rows of ``faults.parquet`` whose action is ``drop`` or ``repair``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visionllm_interaction.datasets.transformation.editing.byte_index import CocoBytes, Section
from visionllm_interaction.errors import AnnotationError, ManifestError

_COLUMNS = ["code", "action", "split", "entity", "image_id", "annotation_id", "position"]
_SECTION: Mapping[str, Section] = {"image": "images", "annotation": "annotations"}


@dataclass(frozen=True, slots=True)
class RecordEdit:
    """One record to drop or repair: its issue code, and its place in the list of the raw file."""

    code: str
    action: Literal["drop", "repair"]
    section: Section
    row: int


def read_edits(path: Path) -> list[dict[str, Any]]:
    """Read the issues that ask for an action.

    Args:
        path: the file ``faults.parquet`` of a validation report.

    Returns:
        One mapping per row that asks for an action, in file order.

    Raises:
        ManifestError: if it is missing or is no table of issues.
    """
    try:
        with pq.ParquetFile(path) as stream:
            table = stream.read(columns=_COLUMNS)
        asked = pc.is_in(table["action"], value_set=pa.array(["drop", "repair"]))
        rows: list[dict[str, Any]] = table.filter(asked).to_pylist()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ManifestError(
            "The table of faults cannot be read.",
            expected=f"Parquet with the columns {', '.join(_COLUMNS)}",
            found=str(error),
            where=str(path),
            fix="run stage 2 again",
        ) from error
    return rows


def edits_for(split: str, rows: Iterable[dict[str, Any]], source: CocoBytes) -> tuple[RecordEdit, ...]:
    """Select the actions for one split and locate their records.

    Args:
        split: name of the split.
        rows: rows of :func:`read_edits`.
        source: the annotation file of the split.

    Returns:
        The edits, in the order of ``rows``.

    Raises:
        AnnotationError: if one is about something that can neither be dropped nor repaired, or the record it names is
            not at its place.
    """
    return tuple(_order(row, source) for row in rows if row["split"] == split)


def _order(row: dict[str, Any], source: CocoBytes) -> RecordEdit:
    section = _SECTION.get(row["entity"])
    if section is None:
        raise AnnotationError(
            f"Stage 3 cannot {row['action']} what the report names.",
            expected="an image or an annotation",
            found=f"{row['code']} of a {row['entity']}",
            fix=f"set another action for {row['code']} in config/schema.yaml",
        )
    return RecordEdit(row["code"], row["action"], section, _row_of(row, section, source))


def _row_of(row: dict[str, Any], section: Section, source: CocoBytes) -> int:
    """The record's place: the one the report gives, if the id fits; else the only record with that id."""
    wanted, position = row[f"{row['entity']}_id"], row["position"]
    ids = source.keys(section)[0]
    if position is not None and position < len(ids) and (wanted is None or ids[position] == wanted):
        return int(position)
    places = np.flatnonzero(ids == wanted) if wanted is not None and position is None else np.zeros(0)
    if len(places) != 1:
        raise AnnotationError(
            "The records to change are not what the validation report describes.",
            expected=f"one {row['entity']} with id {wanted}" + (f" at {position}" if position is not None else ""),
            found=f"{len(places)} of them" if position is None else "another record",
            where=f"{row['code']} in {row['split']}",
            fix="run stage 2 again",
        )
    return int(places[0])
