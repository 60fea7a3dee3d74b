"""Annotations as COCO itself writes them → columns, without making an object of each.

DuckDB reads a piece of the list at one go and without the interpreter lock, but forgives what the rules must not: texts
that hold numbers, commas too many, numbers with a fraction as ids. So a piece is read here only if all its records have
the same keys in the same order and nothing but numbers as values; whatever else it may be is left to
:mod:`.chunk_decoder`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from visionllm_interaction.datasets.validation.reading.columns import AnnotationColumns, Floats, Ints, MaskColumns
from visionllm_interaction.datasets.validation.reading.polygons import fill_rings, numbers_in
from visionllm_interaction.datasets.validation.reading.schema import Rle
from visionllm_interaction.datasets.validation.reading.segmentations import fill_runs

_TEXT = pa.schema([("text", pa.large_string())])
_BLANKS = b" \t\r\n"
_NUMBERS = b"0123456789.-+eE[]," + _BLANKS
_ONLY_NUMBERS = re.compile(rb'\{(?:"[^"\\{}:]+":)+\}')
_IDS = ("id", "image_id", "category_id")
_OPTIONAL = ("area", "iscrowd", "segmentation")
_AS_COLUMNS = (  # integers as text: read as numbers, 3.0 and 3.4 would be 3
    'json_transform(text, \'[{"id":"VARCHAR","image_id":"VARCHAR","category_id":"VARCHAR","bbox":["DOUBLE"],'
    '"area":"DOUBLE","iscrowd":"VARCHAR","segmentation":[["DOUBLE"]]}]\') AS records'
)
_READ_LITTLE_AHEAD = "SET streaming_buffer_size = '1 KB'"
_INSIDE_CROWDS = (b'{"counts":"siz":}', b'{"siz":"counts":}')
_MASK_KEY = re.compile(rb'"segmentation"\s*:\s*\Z')
_FAR = 64
"""Most bytes from the key of a mask to the mask."""
_RUNS = msgspec.json.Decoder(list[Rle])


def read_plain(
    texts: Iterable[bytes], database: duckdb.DuckDBPyConnection
) -> Iterator[tuple[bytes, AnnotationColumns | None]]:
    """JSON lists of annotations → each text with its columns, or ``None`` unless all its records are plain and sound.

    DuckDB reads all texts in one query, as making a query takes as long as reading 300 KB; so it asks for some texts
    ahead. One that is no JSON ends the query: those not yet answered are then asked about one by one.
    """
    texts = iter(texts)
    while True:
        asked: deque[tuple[bytes, _RecordShape | None]] = deque()
        failures: list[OSError] = []
        for records in _transformed(_batches(texts, asked, failures), database):
            data, form = asked.popleft()
            yield data, _checked(data, records, form) if form else None
        if failures:
            raise failures[0]
        if not asked:
            return
        if len(asked) == 1:
            yield asked[0][0], None
        else:
            for data, _ in asked:
                yield from read_plain([data], database)


def _transformed(batches: Iterator[pa.RecordBatch], database: duckdb.DuckDBPyConnection) -> Iterator[pa.StructArray]:
    """The records of each text, up to one that DuckDB does not take for JSON."""
    source = pa.RecordBatchReader.from_batches(_TEXT, batches)
    with database.cursor() as connection, suppress(duckdb.Error, pa.ArrowException, OSError):
        connection.execute(_READ_LITTLE_AHEAD)
        for batch in connection.from_arrow(source).project(_AS_COLUMNS).to_arrow_reader(1):
            yield batch.column("records").values


def _batches(
    texts: Iterator[bytes], asked: deque[tuple[bytes, _RecordShape | None]], failures: list[OSError]
) -> Iterator[pa.RecordBatch]:
    """Texts as DuckDB takes them, an empty list in place of those that it may not read; ``asked``: all of them."""
    try:
        for data in texts:
            form = _form(data)
            asked.append((data, form))
            text = data if form else b"[]"
            edges = np.array([0, len(text)], np.int64)
            yield pa.record_batch(
                [pa.LargeStringArray.from_buffers(1, pa.py_buffer(edges), pa.py_buffer(text))], schema=_TEXT
            )
    except OSError as error:  # DuckDB would turn it into one of its own
        failures.append(error)
        raise


def _checked(data: bytes, records: pa.StructArray, form: _RecordShape) -> AnnotationColumns | None:
    """What DuckDB made of a text, unless it has forgiven something."""
    if len(records) != form.polygons + form.crowds:
        return None
    run_lengths = _run_lengths(data, records.field("segmentation")) if form.crowds else {}
    if len(run_lengths) != form.crowds or _has_trailing_comma(data, records, form, run_lengths):
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
    if not first.isascii() and not is_utf8(data):  # all that is not ASCII is in every record
        return None
    counts = {name: first.count(_bare_key(name)) for name in (*_IDS, "bbox", *_OPTIONAL)}
    if any(counts[name] != 1 for name in (*_IDS, "bbox")) or any(counts[name] > 1 for name in _OPTIONAL):
        return None
    polygons, others = len(bare) // len(first) - crowds, first.count(b":") - sum(counts.values())
    return _RecordShape(frozenset(name for name in _OPTIONAL if counts[name]), polygons, crowds, others)


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8; ASCII, as most are, is seen at once."""
    try:
        return data.isascii() or bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _repeated(bare: bytes) -> bytes | None:
    """The record that all of ``bare`` is made of, if there is one."""
    first = bare[: bare.find(b"}") + 1]
    return first if first and bare == first * (len(bare) // len(first)) else None


def _has_trailing_comma(
    data: bytes, records: pa.StructArray, form: _RecordShape, run_lengths: Mapping[int, bytes]
) -> bool:
    """Whether a closing bracket follows a comma, which DuckDB takes for JSON."""
    text = np.frombuffer(data, np.uint8)
    if not form.others:
        within = sum(runs.count(b",") for runs in run_lengths.values())
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


def _columns(records: pa.StructArray, form: _RecordShape, run_lengths: Mapping[int, bytes]) -> AnnotationColumns | None:
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


def _masks(rings: pa.ListArray, form: _RecordShape, run_lengths: Mapping[int, bytes]) -> MaskColumns | None:
    """Polygons as DuckDB read them; run lengths, which it leaves out, are read here."""
    count = len(rings)
    columns = MaskColumns.empty(count)
    if "segmentation" not in form.keys:
        return columns
    if rings.null_count != form.crowds or rings.values.null_count or rings.values.values.null_count:
        return None
    fill_rings(columns, np.arange(count), rings)
    if form.crowds:
        try:
            masks = _RUNS.decode(b"[" + b",".join(run_lengths.values()) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if len(masks) != form.crowds:
            return None
        fill_runs(columns, dict(zip(run_lengths, masks, strict=True)))
    return columns


def _run_lengths(data: bytes, rings: pa.ListArray) -> dict[int, bytes]:
    """Row → text of the masks that are no polygons; the texts of ``data`` hold no brace."""
    validity = rings.buffers()[0]
    if validity is None:
        return {}
    present = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[rings.offset :][: len(rings)]
    rows = np.flatnonzero(present == 0)
    braces = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("{"))
    if len(braces) != len(rings) + len(rows):
        return {}
    begins = braces[rows + np.arange(1, len(rows) + 1)].tolist()  # behind its own record's brace and all before
    return {
        row: data[begin : data.find(b"}", begin) + 1]
        for row, begin in zip(rows.tolist(), begins, strict=True)
        if _MASK_KEY.search(data[max(begin - _FAR, 0) : begin])  # "segmentation2" looked alike without its digit
    }
