"""Arrow schemas of a store's Parquet files, and conversions between them and the value types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.interactions import Code, Event, Relation, Track
from visionllm_interaction.store.columns import COLUMNS, OPTIONAL_COLUMNS


def _arrow_type(name: str) -> pa.DataType:
    if name.startswith("list<"):
        return pa.list_(_arrow_type(name.removeprefix("list<").removesuffix(">")))
    return pa.type_for_alias(name)


SCHEMAS: Mapping[str, pa.Schema] = {
    name: pa.schema({column: _arrow_type(type_) for column, type_ in columns.items()})
    for name, columns in {**COLUMNS, **OPTIONAL_COLUMNS}.items()
}
"""File name without ``.parquet`` → its columns."""


def frames_to_arrow(frames: FrameTable) -> pa.Table:
    """``frames.parquet``."""
    columns = [frames.frame_index, frames.timestamp_s, frames.duration_s, frames.processed, list(frames.quality)]
    return _table("frames", columns)


def detections_to_arrow(detections: DetectionTable) -> pa.Table:
    """``detections.parquet``; ``detection_id`` is the row number."""
    columns = [
        np.arange(len(detections)),
        detections.frame_index,
        detections.timestamp_s,
        list(detections.category),
        detections.confidence,
        *(np.ascontiguousarray(detections.boxes_xyxy[:, side]) for side in range(4)),
        detections.track_id,
        detections.interpolated,
    ]
    return _table("detections", columns)


def symbols_to_arrow(
    name: str, rows: Sequence[Track] | Sequence[Relation] | Sequence[Event] | Sequence[Code]
) -> pa.Table:
    """``tracks``, ``relations``, ``events`` or ``codes`` (``name``: the file's name without the ending)."""
    schema = SCHEMAS[name]
    return _table(name, [[_plain(getattr(row, field)) for row in rows] for field in schema.names])


def arrow_to_tracks(table: pa.Table) -> list[Track]:
    """Rows of ``tracks.parquet``."""
    return [Track(**row) for row in table.to_pylist()]


def arrow_to_relations(table: pa.Table) -> list[Relation]:
    """Rows of ``relations.parquet``."""
    return [Relation(**row) for row in table.to_pylist()]


def arrow_to_events(table: pa.Table) -> list[Event]:
    """Rows of ``events.parquet``."""
    return [Event(**{**row, "track_ids": tuple(row["track_ids"])}) for row in table.to_pylist()]


def arrow_to_codes(table: pa.Table) -> list[Code]:
    """Rows of ``codes.parquet``."""
    return [Code(**row) for row in table.to_pylist()]


def _table(name: str, columns: Sequence[Any]) -> pa.Table:
    schema = SCHEMAS[name]
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
