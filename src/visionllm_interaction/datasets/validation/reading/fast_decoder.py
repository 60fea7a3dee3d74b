"""Annotations as COCO itself writes them → columns, without making an object of each.

DuckDB reads a piece of the list at one go and without the interpreter lock, but forgives what the rules must not: texts
that hold numbers, commas too many, numbers with a fraction as ids. So a piece is read here only if all its records have
the same keys in the same order and nothing but numbers as values; whatever else it may be is left to :mod:`chunks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from visionllm_interaction.datasets.validation.reading.columns import AnnotationColumns, Floats, Ints, MaskColumns
from visionllm_interaction.datasets.validation.reading.polygons import fill_rings, numbers_in
from visionllm_interaction.datasets.validation.reading.schema import Rle
from visionllm_interaction.datasets.validation.reading.segmentations import fill_runs

_BLANKS = b" \t\r\n"
_NUMBERS = b"0123456789.-+eE[]," + _BLANKS
_ONLY_NUMBERS = re.compile(rb'\{(?:"[^"\\{}:]+":)+\}')
_IDS = ("id", "image_id", "category_id")
_OPTIONAL = ("area", "iscrowd", "segmentation")
_AS_COLUMNS = (  # integers as text: read as numbers, 3.0 and 3.4 would be 3
    'json_transform(text, \'[{"id":"VARCHAR","image_id":"VARCHAR","category_id":"VARCHAR","bbox":["DOUBLE"],'
    '"area":"DOUBLE","iscrowd":"VARCHAR","segmentation":[["DOUBLE"]]}]\') AS records'
)
_INSIDE_CROWDS = (b'{"counts":"siz":}', b'{"siz":"counts":}')
_MASK_KEY = re.compile(rb'"segmentation"\s*:\s*\Z')
_FAR = 64
"""Most bytes from the key of a mask to the mask."""
_RUNS = msgspec.json.Decoder(list[Rle])


def read_plain(data: bytes, database: duckdb.DuckDBPyConnection) -> AnnotationColumns | None:
    """A JSON list of annotations → columns; ``None`` unless every record is plain and sound in form."""
    form = _form(data)
    if form is None:
        return None
    text = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)], np.int64)), pa.py_buffer(data))
    try:
        with database.cursor() as connection:
            table = connection.from_arrow(pa.table({"text": text})).project(_AS_COLUMNS).to_arrow_table()
    except duckdb.Error:
        return None
    records = table.column("records").chunk(0).values  # one row is one chunk
    run_lengths = tuple(_inner_objects(data)) if form.crowds else ()
    if len(run_lengths) != form.crowds:
        return None
    if len(records) != form.polygons + form.crowds or _has_trailing_comma(data, records, form, run_lengths):
        return None
    return _columns(records, form, run_lengths)


@dataclass(frozen=True, slots=True)
class _RecordShape:
    """What the records of a piece have in common: optional keys, number of each kind, and number of other keys."""

    keys: frozenset[str]
    polygons: int
    crowds: int
    others: int


def _form(data: bytes) -> _RecordShape | None:
    """Compare all records with the first, numbers and brackets left out; ``None`` if they are not alike."""
    bare = data.translate(None, _NUMBERS)
    key, crowds = _bare_key("segmentation"), 0
    for inside in _INSIDE_CROWDS:
        if _repeated(bare):
            break
        before, bare = len(bare), bare.replace(key + inside, key)
        crowds += (before - len(bare)) // len(inside)
    first = _repeated(bare)
    if first is None or not _ONLY_NUMBERS.fullmatch(first) or b'"counts":' in first:
        return None
    counts = {name: first.count(_bare_key(name)) for name in (*_IDS, "bbox", *_OPTIONAL)}
    if any(counts[name] != 1 for name in (*_IDS, "bbox")) or any(counts[name] > 1 for name in _OPTIONAL):
        return None
    polygons, others = len(bare) // len(first) - crowds, first.count(b":") - sum(counts.values())
    return _RecordShape(frozenset(name for name in _OPTIONAL if counts[name]), polygons, crowds, others)


def _repeated(bare: bytes) -> bytes | None:
    """The record that all of ``bare`` is made of, if there is one."""
    first = bare[: bare.find(b"}") + 1]
    return first if first and bare == first * (len(bare) // len(first)) else None


def _has_trailing_comma(
    data: bytes, records: pa.StructArray, form: _RecordShape, run_lengths: tuple[bytes, ...]
) -> bool:
    """Whether a closing bracket follows a comma, which DuckDB takes for JSON."""
    text = np.frombuffer(data, np.uint8)
    if not form.others:
        within = sum(runs.count(b",") for runs in run_lengths)
        return int(np.count_nonzero(text == ord(","))) != _commas(records, form) + within
    before = np.flatnonzero((text == ord("]")) | (text == ord("}"))) - 1
    while len(before):
        marks = text[before]
        if (marks == ord(",")).any():
            return True
        before = before[marks <= ord(" ")] - 1
    return False


def _commas(records: pa.StructArray, form: _RecordShape) -> int:
    """How many commas JSON has in a list of such records without other keys; those in run lengths are not counted."""
    count, keys = len(records), len(_IDS) + 1 + len(form.keys)
    commas = count - 1 + count * (keys - 1)
    lists = [records.field("bbox")]
    if "segmentation" in form.keys:
        polygons = records.field("segmentation")
        lists += [polygons, polygons.values]
    for column in lists:
        edges = numbers_in(column.offsets, np.dtype(np.int32))
        commas += int(edges[-1] - edges[0]) - int(np.count_nonzero(np.diff(edges)))
    return commas


def _bare_key(name: str) -> bytes:
    return b'"' + name.encode().translate(None, _NUMBERS) + b'":'


def _columns(records: pa.StructArray, form: _RecordShape, run_lengths: tuple[bytes, ...]) -> AnnotationColumns | None:
    count = len(records)
    ids, images, categories = (_integers(records, name) for name in _IDS)
    crowd = _integers(records, "iscrowd") if "iscrowd" in form.keys else np.zeros(count, np.int64)
    area = _finite(records, "area") if "area" in form.keys else np.full(count, np.nan)
    boxes = _boxes(records.field("bbox"), count)
    if ids is None or images is None or categories is None or crowd is None or area is None or boxes is None:
        return None
    masks = _masks(records.field("segmentation"), form, run_lengths)
    if masks is None or not ((crowd == 0) | (crowd == 1)).all():
        return None
    return AnnotationColumns(
        ids=ids,
        image_ids=images,
        category_ids=categories,
        boxes_xywh=boxes,
        areas_px=area,
        crowd=crowd == 1,
        positions=np.arange(count),
        masks=masks,
    )


def _integers(records: pa.StructArray, name: str) -> Ints | None:
    """A column without gaps and fractions, or ``None``."""
    column = records.field(name)
    try:
        return None if column.null_count else numbers_in(column.cast(pa.int64()), np.dtype(np.int64))
    except pa.ArrowInvalid:
        return None


def _finite(records: pa.StructArray, name: str) -> Floats | None:
    column = records.field(name)
    values = None if column.null_count else numbers_in(column, np.dtype(np.float64))
    return values.copy() if values is not None and np.isfinite(values).all() else None


def _boxes(boxes: pa.ListArray, count: int) -> Floats | None:
    """(m, 4), or ``None`` unless there are four finite numbers each."""
    edges = numbers_in(boxes.offsets, np.dtype(np.int32))
    if boxes.null_count or boxes.values.null_count or (np.diff(edges) != 4).any():
        return None
    values = numbers_in(boxes.values, np.dtype(np.float64))[edges[0] : edges[-1]].reshape(count, 4)
    return values.copy() if np.isfinite(values).all() else None  # a view would keep all that DuckDB gave, polygons too


def _masks(rings: pa.ListArray, form: _RecordShape, run_lengths: tuple[bytes, ...]) -> MaskColumns | None:
    """Polygons as DuckDB read them; run lengths, which it leaves out, are read here."""
    count = len(rings)
    columns = MaskColumns.empty(count)
    if "segmentation" not in form.keys:
        return columns
    if rings.null_count != form.crowds or rings.values.null_count or rings.values.values.null_count:
        return None
    fill_rings(columns, np.arange(count), rings)
    if form.crowds:
        present = np.unpackbits(np.frombuffer(rings.buffers()[0], np.uint8), bitorder="little", count=count)
        try:
            masks = _RUNS.decode(b"[" + b",".join(run_lengths) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if len(masks) != form.crowds:
            return None
        fill_runs(columns, dict(zip(np.flatnonzero(present == 0).tolist(), masks, strict=True)))
    return columns


def _inner_objects(data: bytes) -> Iterator[bytes]:
    """The objects that are masks of run lengths; the texts of ``data`` hold no brace."""
    at = data.find(b'"counts"')
    while at >= 0:
        begin, end = data.rfind(b"{", 0, at), data.find(b"}", at) + 1
        if _MASK_KEY.search(data[max(begin - _FAR, 0) : begin]):  # "segmentation2" looked alike without its digit
            yield data[begin:end]
        at = data.find(b'"counts"', end)
