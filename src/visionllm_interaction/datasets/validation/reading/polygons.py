"""Many polygons of an annotation file, as text → columns.

The numbers of polygons are nine tenths of a COCO file. DuckDB turns them into arrays without making a Python object
of each, and without holding the interpreter lock, so that threads can share the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visionllm_interaction.datasets.validation.reading.columns import Ints, MaskColumns
from visionllm_interaction.datasets.validation.reading.schema import Rle, Segmentation, brief
from visionllm_interaction.datasets.validation.reading.segmentations import fill_runs, fill_shapes, summarise

_ANY = msgspec.json.Decoder(Segmentation)
_RUNS = msgspec.json.Decoder(Rle)
_ALLOWED = b"0123456789.,-+eE[] \t\r\n"
_LIST, _NULL = ord("["), ord("n")
# Unlike a cast to JSON and on to numbers this reads the text once; "strict": what is no number is an error.
_AS_NUMBERS = """json_transform_strict(text, '[["DOUBLE"]]') AS rings"""


def connect() -> duckdb.DuckDBPyConnection:
    """A database that reads with the calling thread only; many threads may use it at once."""
    return duckdb.connect(config={"threads": 1})


def summarise_texts(
    texts: Sequence[msgspec.Raw], database: duckdb.DuckDBPyConnection
) -> tuple[MaskColumns, dict[int, str]]:
    """One row per annotation, and row → complaint for segmentations that are neither polygons nor run lengths."""
    heads, lengths = _heads(texts)
    lists = np.flatnonzero((heads == _LIST) & (lengths > len("[]")))
    table = _numbers([texts[row] for row in lists.tolist()], lengths[lists], database)
    if len(lists) and table is None:
        return _one_by_one(texts)
    columns = MaskColumns.empty(len(texts))
    if table is not None:
        fill_rings(columns, lists, table)
    others = np.flatnonzero((heads != _LIST) & (heads != _NULL) & (lengths > 0))
    return columns, _fill_others(columns, texts, others)


def _heads(texts: Sequence[msgspec.Raw]) -> tuple[NDArray[np.uint8], Ints]:
    """First byte (m,), 0 for none, and length (m,) of each text."""
    joined = np.frombuffer(b"".join(texts), np.uint8)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    heads = np.zeros(len(texts), np.uint8)
    some = lengths > 0
    heads[some] = joined[(np.cumsum(lengths) - lengths)[some]]
    return heads, lengths


def _numbers(
    texts: Sequence[msgspec.Raw], lengths: Ints, database: duckdb.DuckDBPyConnection
) -> pa.LargeListArray | None:
    """Lists of lists of numbers; ``None`` unless every text is just that."""
    joined = b"".join(texts)
    if not texts or joined.translate(None, _ALLOWED):
        return None
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    strings = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(joined))
    source = pa.table({"text": strings})
    try:
        with database.cursor() as connection:
            relation = connection.from_arrow(source).project(_AS_NUMBERS)
            return relation.to_arrow_table().column("rings").combine_chunks()
    except duckdb.Error:
        return None


def fill_rings(columns: MaskColumns, rows: Ints, rings: pa.ListArray) -> None:
    """Lists of rings of numbers, without gaps, one for each of ``rows``; an empty one is no mask."""
    inner = rings.values
    mask_edges, ring_edges = (numbers_in(part.offsets, np.dtype(np.int32)).astype(np.int64) for part in (rings, inner))
    some = np.diff(mask_edges) > 0  # a list with blanks in it, "[ ]", has no rings and is no mask
    fill_shapes(
        columns,
        rows[some],
        numbers_in(inner.values, np.dtype(np.float64))[ring_edges[0] : ring_edges[-1]],
        lengths=np.diff(ring_edges),
        rings_of=np.diff(mask_edges)[some],
    )


def numbers_in(array: pa.Array, kind: np.dtype[Any]) -> NDArray[Any]:
    """Numbers of an array without gaps. pyarrow's own ``to_numpy`` imports pandas first, which takes a second."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(0, kind)
    return np.frombuffer(buffer, kind)[array.offset : array.offset + len(array)]


def _fill_others(columns: MaskColumns, texts: Sequence[msgspec.Raw], rows: Ints) -> dict[int, str]:
    """Run lengths, and whatever is neither they nor a list."""
    mismatches: dict[int, str] = {}
    masks: dict[int, Rle] = {}
    for row in rows.tolist():
        try:
            masks[row] = _RUNS.decode(texts[row])
        except msgspec.ValidationError as error:
            mismatches[row] = _complaint(texts[row], error)
    fill_runs(columns, masks)
    return mismatches


def _one_by_one(texts: Sequence[msgspec.Raw]) -> tuple[MaskColumns, dict[int, str]]:
    masks: list[Segmentation] = []
    mismatches: dict[int, str] = {}
    for row, text in enumerate(texts):
        try:
            masks.append(_ANY.decode(text) if len(text) else None)
        except msgspec.ValidationError as error:
            masks.append(None)
            mismatches[row] = _complaint(text, error)
    return summarise(masks), mismatches


def _complaint(text: msgspec.Raw, error: Exception) -> str:
    return f"segmentation = {brief(msgspec.json.decode(text))}: {error}"
