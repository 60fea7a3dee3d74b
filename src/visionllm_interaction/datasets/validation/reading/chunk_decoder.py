"""A piece of the annotation list, as bytes → columns and complaints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np

from visionllm_interaction.datasets.validation.reading import schema as records
from visionllm_interaction.datasets.validation.reading.columns import AnnotationColumns, Ints
from visionllm_interaction.datasets.validation.reading.fast_decoder import is_utf8, read_plain
from visionllm_interaction.datasets.validation.reading.polygons import summarise_texts
from visionllm_interaction.datasets.validation.reading.schema import AnnotationRecord, brief
from visionllm_interaction.datasets.validation.reading.segmentations import summarise

_TYPED = msgspec.json.Decoder(list[AnnotationRecord])
_NAN_BOX = (float("nan"),) * 4


@dataclass(frozen=True, slots=True)
class FieldMismatch:
    """A record that does not fit its type: its place in the list, its id if that is usable, key and words."""

    position: int
    record_id: int | None
    field: str | None
    found: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """``count`` records of the list, as columns; ``columns.positions`` count from the chunk's first record."""

    count: int
    columns: AnnotationColumns
    mismatches: tuple[FieldMismatch, ...] = ()


def read_chunks(places: Iterable[tuple[str, int, int]], database: duckdb.DuckDBPyConnection) -> Iterator[Chunk | None]:
    """Decode pieces of files, some of them ahead of time.

    Args:
        places: path, and begin and end in bytes of records separated by commas.
        database: an open DuckDB database, which several threads may share.

    Returns:
        The columns of each piece; ``None`` for one that is no JSON, so that the caller can read the file as a whole.

    Raises:
        OSError: if a file cannot be read.
    """
    return decode_chunks(map(_listed, places), database)


def _listed(place: tuple[str, int, int]) -> bytes:
    path, begin, end = place
    with Path(path).open("rb") as stream:
        stream.seek(begin)
        return b"".join((b"[", stream.read(end - begin), b"]"))  # copies once


def decode_chunks(texts: Iterable[bytes], database: duckdb.DuckDBPyConnection) -> Iterator[Chunk | None]:
    """JSON lists of annotations → columns; ``None`` for each that is no JSON list in UTF-8."""
    for data, plain in read_plain(texts, database):
        yield Chunk(len(plain.ids), plain) if plain else _decode_careful(data, database)


def _decode_careful(data: bytes, database: duckdb.DuckDBPyConnection) -> Chunk | None:
    if not is_utf8(data):
        return None
    try:
        return _typed(_TYPED.decode(data), database)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        rows, strict = parse(data)
    return decode_rows(rows, strict=strict) if isinstance(rows, list) else None


def parse(data: bytes) -> tuple[Any, bool]:
    """Any JSON, and whether it is standard JSON, which has no NaN; ``None`` if it is neither."""
    try:
        return (msgspec.json.decode(data), True) if is_utf8(data) else (None, False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        # Python's own reader takes NaN: the records that hold it are then named, instead of refusing the file.
        return json.loads(data), False
    except (ValueError, RecursionError):
        return None, False


def _typed(rows: list[AnnotationRecord], database: duckdb.DuckDBPyConnection) -> Chunk:
    count = len(rows)
    masks, bad = summarise_texts([a.segmentation for a in rows], database)
    boxes = np.fromiter(chain.from_iterable(map(attrgetter("bbox"), rows)), np.float64, 4 * count)
    columns = AnnotationColumns(
        ids=_ints(map(attrgetter("id"), rows), count),
        image_ids=_ints(map(attrgetter("image_id"), rows), count),
        category_ids=_ints(map(attrgetter("category_id"), rows), count),
        boxes_xywh=boxes.reshape(-1, 4),
        areas_px=np.fromiter(map(attrgetter("area"), rows), np.float64, count),
        crowd=np.fromiter(map(attrgetter("iscrowd"), rows), np.bool_, count),
        positions=np.arange(count),
        masks=masks,
        outside=[n for n, row in enumerate(rows) if _is_outside(row.attributes)],
    )
    mismatches = tuple(FieldMismatch(row, rows[row].id, "segmentation", text) for row, text in bad.items())
    return Chunk(count, columns, mismatches)


def decode_rows(rows: Sequence[Any], *, strict: bool) -> Chunk:
    """Records one by one: one bad record costs that record and not the file. ``strict``: there is no NaN in them."""
    keep, mismatches = usable_rows(rows, records.ANNOTATION_FIELDS, strict=strict)
    usable = [row for _, row in keep]
    boxes = [records.box_or_none(row["bbox"]) for row in usable]
    count = len(usable)
    columns = AnnotationColumns(
        ids=_ints((row["id"] for row in usable), count),
        image_ids=_ints((row["image_id"] for row in usable), count),
        category_ids=_ints((row["category_id"] for row in usable), count),
        boxes_xywh=np.array([box or _NAN_BOX for box in boxes], np.float64).reshape(-1, 4),
        areas_px=np.array([row.get("area", np.nan) for row in usable], np.float64),
        crowd=np.array([row.get("iscrowd", 0) for row in usable], np.bool_),
        positions=_ints((position for position, _ in keep), count),
        masks=summarise([row.get("segmentation") for row in usable]),
        malformed={n: brief(usable[n]["bbox"]) for n, box in enumerate(boxes) if box is None},
        outside=[n for n, row in enumerate(usable) if records.is_marked_outside(row.get("attributes"))],
    )
    return Chunk(len(rows), columns, mismatches)


def usable_rows(
    rows: Sequence[Any], fields: tuple[records.Field, ...], *, strict: bool
) -> tuple[list[tuple[int, dict[str, Any]]], tuple[FieldMismatch, ...]]:
    """The records whose ids can be used, with their position; and what is wrong with these and all others."""
    keep: list[tuple[int, dict[str, Any]]] = []
    mismatches: list[FieldMismatch] = []
    for position, row in enumerate(rows):
        good, bad = _check_fields(row, fields, strict=strict)
        mismatches += [FieldMismatch(position, good.get("id"), key or None, text) for key, text in bad.items()]
        if all(key in good for key, _, required in fields if required and key.endswith("id")):
            keep.append((position, good))
    return keep, tuple(mismatches)


def _check_fields(
    row: Any, fields: tuple[records.Field, ...], *, strict: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    if not isinstance(row, dict):
        return {}, {"": f"{brief(row)} is not an object"}
    good, bad = records.usable_fields(row, fields)
    # A box that is not four numbers has a code of its own (BOX-MALFORMED), so it is no complaint here.
    if not strict and records.holds_non_finite({key: value for key, value in row.items() if key != "bbox"}):
        bad[""] = "NaN or an infinity, which JSON does not have"
    return good | {"bbox": row.get("bbox", "no bbox")}, bad


def _is_outside(attributes: msgspec.Raw) -> bool:
    text = bytes(attributes)
    return b'"outside"' in text and records.is_marked_outside(msgspec.json.decode(text))


def _ints(values: Any, count: int) -> Ints:
    return np.fromiter(values, np.int64, count)
