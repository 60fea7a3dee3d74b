"""Timelines as tables: CSV (safe to open in a spreadsheet) and Parquet; one row per interval."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from visionllm_interaction.interop.formats.columns import ColumnMap
from visionllm_interaction.interop.formats.safe_reading import import_error, read_bytes, read_text
from visionllm_interaction.interop.formats.table_rows import read_table_text
from visionllm_interaction.interop.tiers import Interval, RefusedRow, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.csv_safety import to_cell
from visionllm_interaction.utils.path_type import StrPath

SCHEMA = pa.schema(
    {
        "tier": pa.string(),
        "participant": pa.string(),
        "label": pa.string(),
        "begin_s": pa.float64(),
        "end_s": pa.float64(),
    }
)


def csv_bytes(timeline: Timeline) -> bytes:
    """``timeline`` as CSV in UTF-8; times in seconds with all their digits."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(SCHEMA.names)
    for row in _rows(timeline):
        writer.writerow([to_cell(value) if isinstance(value, str) else repr(value) for value in row.values()])
    return buffer.getvalue().encode()


def parquet_bytes(timeline: Timeline) -> bytes:
    """``timeline`` as Parquet."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(_rows(timeline), schema=SCHEMA), buffer, compression="zstd")
    return buffer.getvalue()


def _rows(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {
            "tier": tier.name,
            "participant": tier.participant,
            "label": interval.label,
            "begin_s": float(interval.begin_s),
            "end_s": float(interval.end_s),
        }
        for tier in timeline.tiers
        for interval in sort_intervals(tier.intervals)
    ]


def read_csv(path: StrPath, columns: ColumnMap | None = None) -> Timeline:
    """Read a table: as :func:`csv_bytes` writes it, as Datavyu and ELAN export it, or any other with ``columns``.

    Args:
        path: the file; commas, semicolons, tabs or bars between cells, UTF-8, UTF-16 or Windows-1252, any ends of
            lines.
        columns: which column means what; None: as the header says.

    Returns:
        Its timeline. Rows without usable times are among ``refused``.

    Raises:
        InputDataError: if the header does not say which columns are which, or no row can be read.
        UsageError: if the table lacks one of ``columns``.
    """
    path = Path(path)
    return read_table_text(path, read_text(path), columns)


def read_parquet(path: StrPath) -> Timeline:
    """Read a table as :func:`parquet_bytes` writes it.

    Args:
        path: the file.

    Returns:
        Its timeline.

    Raises:
        InputDataError: if the file is no such table.
    """
    path = Path(path)
    try:
        rows = pq.read_table(io.BytesIO(read_bytes(path)), schema=SCHEMA).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise import_error(path, expected=f"columns {', '.join(SCHEMA.names)}", found=str(error)) from error
    found: dict[tuple[str, str], list[Interval]] = {}
    refused = []
    for number, row in enumerate(rows, start=1):
        times = row["begin_s"], row["end_s"]
        where = f"row {number}"
        if all(time is not None and math.isfinite(time) for time in times):
            key = (row["tier"] or "", row["participant"] or "")
            found.setdefault(key, []).append(Interval(*times, row["label"] or "", where))
        else:
            refused.append(RefusedRow(where, "its times are no numbers", str(times)))
    tiers = tuple(Tier(name, sort_intervals(intervals), who) for (name, who), intervals in found.items())
    return Timeline(tiers, refused=tuple(refused))
