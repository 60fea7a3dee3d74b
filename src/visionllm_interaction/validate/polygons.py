"""Many polygons of an annotation file, as text → columns.

The numbers of polygons are nine tenths of a COCO file. DuckDB turns them into arrays without making a Python object
of each, and without holding the interpreter lock, so that threads can share the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from visionllm_interaction.validate.masks import fill_runs, fill_shapes, summarise
from visionllm_interaction.validate.records import Segmentation, brief
from visionllm_interaction.validate.table import Ints, MaskColumns

_ANY = msgspec.json.Decoder(Segmentation)
_ALLOWED = b"0123456789.,-+eE[] \t\r\n"
_NOTHING = (b"", b"[]", b"null")


def connect() -> duckdb.DuckDBPyConnection:
    """A database that reads with the calling thread only; many threads may use it at once."""
    return duckdb.connect(config={"threads": 1})


def summarise_texts(
    texts: Sequence[msgspec.Raw], database: duckdb.DuckDBPyConnection
) -> tuple[MaskColumns, dict[int, str]]:
    """One row per annotation, and row → complaint for segmentations that are neither polygons nor run lengths."""
    raw = [bytes(text) for text in texts]
    rows = [row for row, text in enumerate(raw) if text[:1] == b"[" and text not in _NOTHING]
    table = _numbers([raw[row] for row in rows], database)
    if rows and table is None:
        return _one_by_one(raw)
    columns = MaskColumns.empty(len(raw))
    if rows and table is not None:
        _fill(columns, np.array(rows), table)
    return columns, _fill_others(columns, raw)


def _numbers(texts: Sequence[bytes], database: duckdb.DuckDBPyConnection) -> pa.Array | None:
    """Lists of lists of numbers; ``None`` unless every text is just that."""
    joined = b"".join(texts)
    if not texts or joined.translate(None, _ALLOWED):
        return None
    offsets = np.fromiter(accumulate(map(len, texts), initial=0), np.int64, len(texts) + 1)
    strings = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(joined))
    source = pa.table({"text": strings})
    try:
        with database.cursor() as connection:
            relation = connection.from_arrow(source).project("CAST(text::JSON AS DOUBLE[][]) AS rings")
            return relation.to_arrow_table().column("rings").combine_chunks()
    except duckdb.Error:
        return None


def _fill(columns: MaskColumns, rows: Ints, rings: pa.ListArray) -> None:
    inner = rings.values
    mask_edges, ring_edges = rings.offsets.to_numpy().astype(np.int64), inner.offsets.to_numpy().astype(np.int64)
    some = np.diff(mask_edges) > 0  # a list with blanks in it, "[ ]", has no rings and is no mask
    fill_shapes(
        columns,
        rows[some],
        inner.values.to_numpy()[ring_edges[0] : ring_edges[-1]],
        lengths=np.diff(ring_edges),
        rings_of=np.diff(mask_edges)[some],
    )


def _fill_others(columns: MaskColumns, raw: Sequence[bytes]) -> dict[int, str]:
    """Run lengths, and whatever is neither they nor a list."""
    complaints: dict[int, str] = {}
    for row, text in enumerate(raw):
        if text[:1] == b"[" or text in _NOTHING:
            continue
        try:
            mask = _ANY.decode(text)
        except msgspec.ValidationError as error:
            complaints[row] = _complaint(text, error)
        else:
            if mask is not None and not isinstance(mask, list):
                fill_runs(columns, row, mask)
    return complaints


def _one_by_one(raw: Sequence[bytes]) -> tuple[MaskColumns, dict[int, str]]:
    masks: list[Segmentation] = []
    complaints: dict[int, str] = {}
    for row, text in enumerate(raw):
        try:
            masks.append(_ANY.decode(text) if text else None)
        except msgspec.ValidationError as error:
            masks.append(None)
            complaints[row] = _complaint(text, error)
    return summarise(masks), complaints


def _complaint(text: bytes, error: Exception) -> str:
    return f"segmentation = {brief(msgspec.json.decode(text))}: {error}"
