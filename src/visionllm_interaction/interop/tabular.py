"""Timelines as tables: CSV (safe to open in a spreadsheet) and Parquet; one row per interval."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from visionllm_interaction.interop.safe_reading import import_error, read_bytes, read_text
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.csv_safety import from_cell, to_cell
from visionllm_interaction.utils.paths import StrPath

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


def read_csv(path: StrPath) -> Timeline:
    """Read a table as :func:`csv_bytes` writes it, or as Datavyu exports it.

    Args:
        path: the file.

    Returns:
        Its timeline; the columns ``participant`` and ``label`` may be missing.

    Raises:
        InputDataError: if other columns are missing, or times are no numbers.
    """
    path = Path(path)
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path), newline="")))
    except csv.Error as error:
        raise import_error(path, expected="CSV", found=str(error)) from error
    header = set(rows[0]) if rows else set(SCHEMA.names)
    try:
        if {"column", "onset", "offset"} <= header:
            return _timeline([_datavyu_row(row) for row in rows])
        if {"tier", "begin_s", "end_s"} <= header:
            return _timeline([{k: from_cell(v) for k, v in row.items() if k and v is not None} for row in rows])
    except (KeyError, ValueError) as error:
        raise import_error(path, expected="times in seconds in begin_s and end_s", found=str(error)) from error
    raise import_error(path, expected="columns tier, begin_s, end_s", found=", ".join(sorted(map(str, header))))


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
        return _timeline(pq.read_table(io.BytesIO(read_bytes(path)), schema=SCHEMA).to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise import_error(path, expected=f"columns {', '.join(SCHEMA.names)}", found=str(error)) from error


def _datavyu_row(row: Mapping[str, str]) -> dict[str, str]:
    """``file, column, ordinal, onset, offset`` (ms) and then one column per code."""
    known = ("file", "column", "ordinal", "onset", "offset")
    codes = {name: value for name, value in row.items() if name and name not in known and value}
    label = ", ".join(f"{name}={value}" for name, value in codes.items())
    begin_s, end_s = float(row["onset"]) / 1000, float(row["offset"]) / 1000
    return {"tier": row["column"], "label": label, "begin_s": repr(begin_s), "end_s": repr(end_s)}


def _timeline(rows: list[Any]) -> Timeline:
    found: dict[tuple[str, str], list[Interval]] = {}
    for row in rows:
        interval = Interval(float(row["begin_s"]), float(row["end_s"]), row.get("label") or "")
        found.setdefault((row["tier"] or "", row.get("participant") or ""), []).append(interval)
    return Timeline(tuple(Tier(name, sort_intervals(i), who) for (name, who), i in found.items()))
