"""All measures of all videos as one tidy table, for R or pandas."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from visionllm_interaction.artifacts.publish import write_file
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.definitions import PREDICATES
from visionllm_interaction.errors import UsageError
from visionllm_interaction.scenes.catalogue import MEASURES
from visionllm_interaction.scenes.query import Predicate, Query, run_query
from visionllm_interaction.scenes.store import ANY_PERSON, Store, StoreLimits, open_store

TIDY_SCHEMA = pa.schema(
    {
        "video_id": pa.string(),
        "subject": pa.string(),
        "object": pa.string(),
        "measure": pa.string(),
        "predicate": pa.string(),
        "value": pa.float64(),
        "unit": pa.string(),
        "processed_s": pa.float64(),
        "begin_s": pa.float64(),
        "end_s": pa.float64(),
        "first_frame": pa.int64(),
        "last_frame": pa.int64(),
    }
)
"""One row per video × subject × object × measure (× predicate); ``processed_s`` is the denominator for rates."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_measures(store: Path, out: Path | None = None, *, limits: StoreLimits = StoreLimits()) -> dict[str, Any]:
    """Compute every measure for every video and write it to ``out`` (``.csv`` or ``.parquet``; ``None``: only count).

    Returns:
        ``{"store", "out", "rows", "videos", "measures"}``.

    Raises:
        UsageError: if ``out`` has another ending.
        StoreError: if the store is missing or damaged.
    """
    if out is not None and out.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError("The table's format is not known.", expected=".csv or .parquet", found=str(out))
    with open_store(store, limits=limits) as opened:
        table = measures_table(opened)
        videos = len(opened.video_ids())
    if out is not None:
        write_file(out, _as_csv(table) if out.suffix.lower() == ".csv" else _as_parquet(table))
    return {
        "store": str(store),
        "out": str(out) if out else None,
        "rows": table.num_rows,
        "videos": videos,
        "measures": sorted(MEASURES),
    }


def measures_table(store: Store) -> pa.Table:
    """The tidy table of :data:`TIDY_SCHEMA`."""
    sql = "SELECT video_id, sum(duration_s) AS s FROM frames WHERE processed GROUP BY video_id"
    processed = {row["video_id"]: row["s"] for row in store.rows(sql)}
    rows = [_row(query, item, processed) for query in _all_queries(store) for item in run_query(store, query)]
    rows.sort(key=lambda r: (r["video_id"], r["subject"], r["object"] or "", r["measure"], r["predicate"] or ""))
    return pa.Table.from_pylist(rows, schema=TIDY_SCHEMA)


def _all_queries(store: Store) -> Iterator[Query]:
    names = [name for name in store.names() if name != ANY_PERSON or name in _categories(store)]
    people = [name for name in names if name in PERSON_CATEGORIES]
    pairs = [(p, o) for p in people for o in names if o != p and not (o in people and o < p)]
    for measure in MEASURES.values():
        if measure.inputs == "one":
            yield from (Query(measure.name, name) for name in names)
        elif measure.inputs == "pair":
            held = [(p, o) for p, o in pairs if measure.name != "holding_duration" or o not in people]
            yield from (Query(measure.name, person, other) for person, other in held)
        else:
            yield from (Query(measure.name, name, predicate="visible") for name in names)
            yield from _bout_queries(measure.name, pairs, people)


def _bout_queries(measure: str, pairs: list[tuple[str, str]], people: list[str]) -> Iterator[Query]:
    for name in PREDICATES:
        predicate: Predicate = name  # type: ignore[assignment]  # PREDICATES are all predicates but visible
        for person, other in pairs:
            if predicate != "holding" or other not in people:
                yield Query(measure, person, other, predicate=predicate)


def _categories(store: Store) -> set[str]:
    return {row["category"] for row in store.rows("SELECT DISTINCT category FROM tracks")}


def _row(query: Query, item: Any, processed: dict[str, float]) -> dict[str, Any]:
    value = None if item.value is None else float(item.value)
    return {
        "video_id": item.video_id,
        "subject": query.subject,
        "object": query.object,
        "measure": query.measure,
        "predicate": query.predicate,
        "value": value if value is None or math.isfinite(value) else None,
        "unit": item.unit,
        "processed_s": processed.get(item.video_id, 0.0),
        "begin_s": item.begin_s,
        "end_s": item.end_s,
        "first_frame": item.frames[0] if item.frames else None,
        "last_frame": item.frames[1] if item.frames else None,
    }


def _as_parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _as_csv(table: pa.Table) -> bytes:
    # A spreadsheet runs a cell that begins like a formula: a quote in front makes it plain text.
    for position, field in enumerate(table.schema):
        if field.type == pa.string():
            cells = [_plain_text(cell) for cell in table.column(position).to_pylist()]
            table = table.set_column(position, field, pa.array(cells, pa.string()))
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer)
    return buffer.getvalue()


def _plain_text(cell: str | None) -> str | None:
    return f"'{cell}" if cell and cell.startswith(_FORMULA_STARTS) else cell
