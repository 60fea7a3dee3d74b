"""The Parquet files of a store: columns, and the conversions between them and the value types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.interactions import Code, Event, Relation, Track

SCHEMA_VERSION = 2
"""Version of the store's layout, kept in ``store.yaml``; ``store.migrations`` brings older stores up to it."""

SCHEMAS: Mapping[str, pa.Schema] = {
    "frames": pa.schema(
        {
            "frame_index": pa.int64(),
            "timestamp_s": pa.float64(),
            "duration_s": pa.float64(),
            "processed": pa.bool_(),
            "quality": pa.string(),
        }
    ),
    "detections": pa.schema(
        {
            "detection_id": pa.int64(),
            "frame_index": pa.int64(),
            "timestamp_s": pa.float64(),
            "category": pa.string(),
            "confidence": pa.float32(),
            "x1": pa.float32(),
            "y1": pa.float32(),
            "x2": pa.float32(),
            "y2": pa.float32(),
            "track_id": pa.int64(),
            "interpolated": pa.bool_(),
        }
    ),
    "tracks": pa.schema(
        {
            "track_id": pa.int64(),
            "category": pa.string(),
            "role": pa.string(),
            "begin_s": pa.float64(),
            "end_s": pa.float64(),
            "n_detections": pa.int64(),
            "mean_confidence": pa.float64(),
        }
    ),
    "relations": pa.schema(
        {
            "subject_track_id": pa.int64(),
            "predicate": pa.string(),
            "object_track_id": pa.int64(),
            "begin_s": pa.float64(),
            "end_s": pa.float64(),
            "confidence": pa.float64(),
        }
    ),
    "events": pa.schema(
        {
            "event_id": pa.string(),
            "kind": pa.string(),
            "track_ids": pa.list_(pa.int64()),
            "begin_s": pa.float64(),
            "end_s": pa.float64(),
            "confidence": pa.float64(),
        }
    ),
    "sightings": pa.schema(
        {
            "track_id": pa.int64(),
            "first_frame": pa.int64(),
            "last_frame": pa.int64(),
            "begin_s": pa.float64(),
            "end_s": pa.float64(),
        }
    ),
    "codes": pa.schema(
        {
            "code_id": pa.string(),
            "tier": pa.string(),
            "kind": pa.string(),
            "participant": pa.string(),
            "label": pa.string(),
            "begin_s": pa.float64(),
            "end_s": pa.float64(),
            "source": pa.string(),
        }
    ),
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
