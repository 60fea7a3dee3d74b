"""Arrow schemas of a store's Parquet files, conversions to and from the value types, and columns as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.errors import StoreError
from visionllm_interaction.store.columns import (
    BODY_COLUMNS,
    COLUMNS,
    CORRECTION_COLUMNS,
    DERIVED_COLUMNS,
    OPTIONAL_COLUMNS,
)

if TYPE_CHECKING:
    from visionllm_interaction.core.bodies import (
        BodyTables,
        FaceRow,
        HandRow,
        HoldingEvidence,
        PoseRow,
        PostureBout,
        RoleEstimate,
    )
    from visionllm_interaction.core.detection_table import DetectionTable
    from visionllm_interaction.core.frame_table import FrameTable, QualityRow


def _arrow_type(name: str) -> pa.DataType:
    if name.startswith("list<"):
        return pa.list_(_arrow_type(name.removeprefix("list<").removesuffix(">")))
    return pa.type_for_alias(name)


SCHEMAS: Mapping[str, pa.Schema] = {
    name: pa.schema({column: _arrow_type(type_) for column, type_ in columns.items()})
    for name, columns in {**COLUMNS, **OPTIONAL_COLUMNS, **DERIVED_COLUMNS, **CORRECTION_COLUMNS}.items()
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
    name: str,
    rows: Sequence[Track] | Sequence[Relation] | Sequence[Event] | Sequence[Code] | Sequence[QualityRow],
) -> pa.Table:
    """``tracks``, ``relations``, ``events``, ``codes`` or ``quality`` (``name``: the file's name."""
    schema = SCHEMAS[name]
    return _table(name, [[_plain(getattr(row, field)) for row in rows] for field in schema.names])


def arrow_to_frames(table: pa.Table) -> FrameTable:
    """Rows of ``frames.parquet``."""
    from visionllm_interaction.core.frame_table import FrameTable

    names = ("frame_index", "timestamp_s", "duration_s", "processed")
    index, times, durations, processed = (table[name].to_numpy(zero_copy_only=False) for name in names)
    return FrameTable(index, times, durations, processed, tuple(table["quality"].to_pylist()))


def arrow_to_detections(table: pa.Table) -> DetectionTable:
    """Rows of ``detections.parquet``."""
    from visionllm_interaction.core.detection_table import DetectionTable

    def column(name: str) -> NDArray[Any]:
        return np.asarray(table[name].to_numpy(zero_copy_only=False))

    return DetectionTable(
        frame_index=column("frame_index"),
        timestamp_s=column("timestamp_s"),
        category=column("category").astype(np.object_),
        confidence=column("confidence"),
        boxes_xyxy=np.stack([column(side) for side in ("x1", "y1", "x2", "y2")], axis=1).reshape(-1, 4),
        track_id=column("track_id"),
        interpolated=column("interpolated"),
    )


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


def bodies_to_arrow(bodies: BodyTables) -> dict[str, pa.Table]:
    """The files of :data:`.BODY_COLUMNS`, by name."""
    return {
        name: pa.Table.from_pylist([_body_row(row) for row in getattr(bodies, name)], schema=SCHEMAS[name])
        for name in BODY_COLUMNS
    }


def _body_row(row: HandRow | FaceRow | PoseRow | PostureBout | HoldingEvidence | RoleEstimate) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in row.__slots__:
        value = getattr(row, name)
        if name == "box_xyxy":
            columns |= dict(zip(("x1", "y1", "x2", "y2"), value.tolist(), strict=True))
        elif isinstance(value, np.ndarray):
            columns[_LISTS[name]] = value.ravel().tolist()
        else:
            columns[name] = value
    return columns


_LISTS = {"points_xy": "points", "visibility": "visibility"}


def body_row(name: str, columns: Mapping[str, Any]) -> Any:
    """One row of one of the files of :data:`.BODY_COLUMNS` (``name``), as its class of ``core.bodies``."""
    return _body_classes()[name](**_body_fields(columns))


def _body_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in row.items() if name not in ("x1", "y1", "x2", "y2", "points")}
    if "x1" in row:
        fields["box_xyxy"] = np.array([row[name] for name in ("x1", "y1", "x2", "y2")], np.float32)
    if "points" in row:
        fields["points_xy"] = np.array(row["points"], np.float32).reshape(-1, 2)
    if "visibility" in row:
        fields["visibility"] = np.array(row["visibility"], np.float32)
    if isinstance(row.get("evidence"), list):
        fields["evidence"] = tuple(row["evidence"])
    # Stores from before these columns have none.
    return {name: math.nan if name in _NEWER and value is None else value for name, value in fields.items()}


_NEWER = frozenset({"age_years", "child_look"})


@cache
def _body_classes() -> Mapping[str, type]:
    # Imported here: measures read columns and need none of these.
    from visionllm_interaction.core import bodies

    return {
        "hands": bodies.HandRow,
        "faces": bodies.FaceRow,
        "poses": bodies.PoseRow,
        "postures": bodies.PostureBout,
        "holdings": bodies.HoldingEvidence,
        "roles": bodies.RoleEstimate,
    }


def _table(name: str, columns: Sequence[Any]) -> pa.Table:
    schema = SCHEMAS[name]
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


Encode = Callable[[Sequence[str | None]], NDArray[np.int64]]


def read_columns(path: Path, columns: Sequence[str], *, encode: Encode | None = None) -> dict[str, NDArray[Any]]:
    """See :meth:`visionllm_interaction.store.reader.Store.read_columns`."""
    try:
        types = COLUMNS[path.stem] if path.stem in COLUMNS else DERIVED_COLUMNS[path.stem]
        texts = [name for name in columns if types[name] == "string"]
        if path.stem in DERIVED_COLUMNS and not path.is_file():
            return _no_rows(path.stem, columns)
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read(columns=list(columns), use_threads=False)
        found: dict[str, NDArray[Any]] = {}
        for name in columns:
            found |= _arrays(name, table.column(name), encode)
        return found
    except (OSError, KeyError, pa.ArrowException) as error:  # KeyError: a column is missing
        raise StoreError("A file of the store cannot be read.", found=str(error), where=str(path)) from error


def distinct_words(path: Path, columns: Sequence[str]) -> set[str]:
    """The texts that occur in columns of a file, without empty ones.

    Args:
        path: the Parquet file.
        columns: columns of texts.

    Returns:
        The texts.

    Raises:
        StoreError: if the file is damaged.
    """
    words: list[str] = []

    def encode(found: Sequence[str | None]) -> NDArray[np.int64]:
        words.extend(word for word in found if word)
        return np.zeros(len(found), np.int64)

    read_columns(path, columns, encode=encode)
    return set(words)


def _arrays(name: str, column: pa.ChunkedArray, encode: Encode | None) -> dict[str, NDArray[Any]]:
    parts = [_of_chunk(name, chunk, encode) for chunk in column.chunks]
    if not parts:
        return _nothing(name, column.type)
    if len(parts) == 1:
        return parts[0]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _of_chunk(name: str, chunk: pa.Array, encode: Encode | None) -> dict[str, NDArray[Any]]:
    if pa.types.is_dictionary(chunk.type):
        if encode is None:
            raise TypeError(f"{name} is a column of texts")
        codes = np.append(encode(chunk.dictionary.to_pylist()), -1)
        places = _numbers(chunk.indices)
        return {name: codes[np.where(_is_there(chunk), places, -1) if chunk.null_count else places]}
    if pa.types.is_list(chunk.type):
        offsets = _numbers(chunk.offsets)
        members = _numbers(chunk.values)[offsets[0] : offsets[-1]] if len(chunk) else np.zeros(0, np.int64)
        return {name: members, f"{name}:length": np.diff(offsets).astype(np.int64)}
    return {name: _numbers(chunk)}


def _no_rows(table: str, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Columns of a table that a video does not have."""
    found: dict[str, NDArray[Any]] = {}
    for name in columns:
        type_ = SCHEMAS[table].field(name).type
        found |= {name: np.zeros(0, np.int64)} if pa.types.is_string(type_) else _nothing(name, type_)
    return found


def _nothing(name: str, type_: pa.DataType) -> dict[str, NDArray[Any]]:
    """A column without rows."""
    if pa.types.is_list(type_):
        return {name: np.zeros(0, np.int64), f"{name}:length": np.zeros(0, np.int64)}
    return {name: np.zeros(0, _DTYPES.get(type_, "<i8") if not pa.types.is_boolean(type_) else np.bool_)}


# Arrow's own way to numpy imports pandas where that is installed, which takes longer than computing all measures.
_DTYPES: Mapping[pa.DataType, str] = {
    pa.int64(): "<i8",
    pa.int32(): "<i4",
    pa.float64(): "<f8",
    pa.float32(): "<f4",
}


def _numbers(chunk: pa.Array) -> NDArray[Any]:
    """The values of an array without nulls."""
    buffer = chunk.buffers()[1]
    if pa.types.is_boolean(chunk.type):
        return _bits(buffer, chunk.offset, len(chunk))
    dtype = np.dtype(_DTYPES[chunk.type])
    if not len(chunk) or buffer is None:
        return np.zeros(0, dtype)
    return np.frombuffer(buffer, dtype, count=len(chunk), offset=chunk.offset * dtype.itemsize)


def _is_there(chunk: pa.Array) -> NDArray[np.bool_]:
    """Which values are not null."""
    return _bits(chunk.indices.buffers()[0], chunk.indices.offset, len(chunk))


def _bits(buffer: pa.Buffer | None, offset: int, count: int) -> NDArray[np.bool_]:
    if buffer is None or not count:
        return np.ones(count, np.bool_)
    return np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")[offset : offset + count].astype(np.bool_)
