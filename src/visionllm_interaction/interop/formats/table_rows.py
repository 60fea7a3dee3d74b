"""Rows of text tables as timelines; a row that cannot be used never loses the others."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from visionllm_interaction.interop.formats.clock_times import is_clock, parse_seconds
from visionllm_interaction.interop.formats.columns import (
    UNTIL_NEXT,
    Column,
    ColumnMap,
    by_position,
    plain,
    recognise,
    suggestion,
)
from visionllm_interaction.interop.formats.safe_reading import import_error
from visionllm_interaction.interop.tiers import Interval, RefusedRow, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.csv_safety import from_cell

_MOST_FORMS = 4
"""Forms of times that ELAN's export offers: clock, seconds, milliseconds, SMPTE."""
_SIX_DIGITS = re.compile(r"\d+[.,]\d{6}")
_DELIMITERS = ("\t", ";", ",", "|")
_PREAMBLE = 20
"""How many lines may stand before the header."""
_DATAVYU = ("file", "column", "ordinal", "onset", "offset")
_OWN = frozenset({"tier", "begin_s", "end_s"})
_RECORDINGS = ("observation id", "observation", "media file name", "media file", "video", "video_id", "video name",
               "recording", "recording_filename", "recording filename")  # fmt: skip
"""Columns that tell of which recording a row is."""
_LISTED = 5


@dataclass(frozen=True)
class _Table:
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Number of the row in the file, from 1, and its cells."""
    decimal_comma: bool


def read_table_text(path: Path, text: str, columns: ColumnMap | None) -> Timeline:
    """Read the text of a table.

    Args:
        path: the file, for messages and as the name of a tier.
        text: its content.
        columns: which column means what; None: as the header says.

    Returns:
        Its timeline; rows without usable times are among ``refused``.

    Raises:
        InputDataError: if the header does not say which columns are which, or no row can be read.
        UsageError: if the table lacks one of ``columns``.
    """
    if not text.strip():  # emptied by its coder: it replaces what it brought before
        return Timeline(())
    table = _parse(path, text, columns)
    names = [plain(name) for name in table.header]
    if columns is None and {"column", "onset", "offset"} <= set(names):
        return _datavyu(path, table, names)
    if columns is None and table.header[:1] == ("#1",):
        columns = _columns_without_header([row for _, row in table.rows])
    chosen = by_position(columns, table.header) if columns else recognise(table.header, [row for _, row in table.rows])
    if chosen is None and table.header and not table.rows:
        return Timeline(())
    if chosen is None:
        raise import_error(
            path,
            expected="columns tier, begin_s, end_s, or others whose names hold their unit (start_ms, end_ms)",
            found=", ".join(table.header)[:200] or "no columns",
            fix=f"say which column is which: {suggestion(table.header)}",
        )
    if columns is None:
        _refuse_several_recordings(path, table, names)
    found, refused, notes = _read(path, table, names, chosen)
    notes += _nothing_coded_notes(table, names, chosen)
    return _finished(path, found, refused, notes, kind=_kind(chosen))


def _refuse_several_recordings(path: Path, table: _Table, names: Sequence[str]) -> None:
    """Refuse a table of several recordings, all of which would be taken for the one that it is imported for."""
    for name in _RECORDINGS:
        if name not in names:
            continue
        at = names.index(name)
        several = sorted({cells[at].strip() for _, cells in table.rows if at < len(cells)} - {""})
        if len(several) > 1:
            raise import_error(
                path,
                expected="the rows of one recording",
                found=f"column {name} has {len(several)}: {', '.join(several[:_LISTED])}",
                fix="write a table for each; if all are of one, leave the column out or give --columns",
            )


def _nothing_coded_notes(table: _Table, names: Sequence[str], columns: ColumnMap) -> list[str]:
    """A note where rows have times and no code, and another column has texts that may be it."""
    if columns.label or columns.tier:
        return []
    other = [
        table.header[at]
        for at, name in enumerate(names)
        if name not in columns.names and len({cells[at] for _, cells in table.rows if at < len(cells)}) > 1
    ]
    return [f"no column says what was coded: not read are {', '.join(other)} (--columns label=…)"] if other else []


def _kind(columns: ColumnMap) -> str:
    """What the names of the columns say: speakers speak, and tokens are words."""
    if columns.label in (("token",), ("word",)):
        return "word"
    spoken = columns.participant is not None and columns.participant.startswith("speaker")
    return "speech" if spoken and columns.tier is None else ""


def _parse(path: Path, text: str, columns: ColumnMap | None) -> _Table:
    text = text if "\n" in text else text.replace("\r", "\n")
    lines = text.split("\n")
    delimiter = _delimiter([line for line in lines[:_PREAMBLE] if line.strip()])
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise import_error(path, expected="a table", found=str(error)) from error
    at = _header_at(rows, columns)
    numbered = [(number, tuple(row)) for number, row in enumerate(rows, start=1)]
    if at is None:
        width = max((len(row) for row in rows), default=0)
        kept = [(number, row) for number, row in _filled(numbered) if not _is_band(row)]
        return _Table(tuple(f"#{n}" for n in range(1, width + 1)), tuple(kept), delimiter != ",")
    return _Table(tuple(rows[at]), tuple(_filled(numbered[at + 1 :])), delimiter != ",")


def _filled(rows: Sequence[tuple[int, tuple[str, ...]]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    return ((number, row) for number, row in rows if any(cell.strip() for cell in row))


def _delimiter(lines: Sequence[str]) -> str:
    """The separator of most of the first lines, the header's where they differ."""
    counts = {mark: [re.sub(r'"[^"]*"', "", line).count(mark) for line in lines] for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: (sum(n > 0 for n in counts[mark]), -_DELIMITERS.index(mark)))


def _header_at(rows: Sequence[Sequence[str]], columns: ColumnMap | None) -> int | None:
    """Index of the row with the columns' names; None where there is none and they are given by number."""
    wanted = {plain(name) for name in columns.names if not name.startswith("#")} if columns else set()
    first = next((at for at, row in enumerate(rows) if any(cell.strip() for cell in row)), None)
    if columns and not wanted:
        has_times = first is None or any(_is_time(cell) for cell in rows[first])
        return None if has_times else first
    for at, row in enumerate(rows[:_PREAMBLE]):
        names = {plain(cell) for cell in row}
        if wanted and wanted <= names:
            return at
        if not columns and (names >= _OWN or recognise(row, rows[at + 1 :])):
            return at
    if first is None or (not columns and _columns_without_header(rows[first:]) is not None):
        return None
    return first


def _is_time(cell: str) -> bool:
    return is_clock(cell) or bool(re.fullmatch(r"\s*-?\d+([.,]\d+)?\s*", cell))


def _read(
    path: Path, table: _Table, names: Sequence[str], columns: ColumnMap
) -> tuple[dict[tuple[str, str], list[Interval]], list[RefusedRow], list[str]]:
    found: dict[tuple[str, str], list[Interval]] = {}
    refused: list[RefusedRow] = []
    notes: list[str] = []
    own = set(names) >= _OWN
    open_rows: list[tuple[tuple[str, str], Interval]] = []
    for number, cells in table.rows:
        where, content = f"row {number}", ", ".join(cells)[:80]
        if any(cell.strip() for cell in cells[len(names) :]):
            refused.append(RefusedRow(where, f"it has {len(cells)} cells, the header {len(names)}", content))
            continue
        row = {name: (from_cell(cell) if own else cell) for name, cell in zip(names, cells, strict=False)}
        try:
            begin_s, end_s = _times(row, columns, decimal_comma=table.decimal_comma)
        except ValueError as error:
            refused.append(RefusedRow(where, str(error), content))
            continue
        key = (
            row.get(columns.tier or "", "").strip() if columns.tier else path.name.split(".")[0],
            row.get(columns.participant or "", "").strip() if columns.participant else "",
        )
        key = (row.get(columns.tier or "", ""), row.get(columns.participant or "", "")) if own else key
        interval = Interval(begin_s, end_s, _label(row, columns, own=own), where)
        if columns.end is not None and columns.end.name == UNTIL_NEXT:
            open_rows.append((key, interval))
        else:
            found.setdefault(key, []).append(interval)
    if open_rows:
        notes.append("the last row only ends the one before it")
    for (key, interval), (_, following) in pairwise(open_rows):
        found.setdefault(key, []).append(replace(interval, end_s=following.begin_s))
    return found, refused, notes


def _times(row: Mapping[str, str], columns: ColumnMap, *, decimal_comma: bool) -> tuple[float, float]:
    def seconds(column: Column) -> float:
        try:
            return parse_seconds(row.get(column.name, ""), unit=column.unit, decimal_comma=decimal_comma)
        except ValueError as error:
            raise ValueError(f"{column.name}: {error}") from error

    begin_s = seconds(columns.begin)
    if columns.duration is not None:
        return begin_s, begin_s + seconds(columns.duration)
    if columns.end is None or columns.end.name == UNTIL_NEXT:
        return begin_s, begin_s
    return begin_s, seconds(columns.end)


def _label(row: Mapping[str, str], columns: ColumnMap, *, own: bool) -> str:
    if len(columns.label) == 1:
        value = row.get(columns.label[0], "")
        return value if own else value.strip()
    return ", ".join(f"{name}={row[name].strip()}" for name in columns.label if row.get(name, "").strip())


def _datavyu(path: Path, table: _Table, names: Sequence[str]) -> Timeline:
    """``file, column, ordinal, onset, offset`` (ms) and then one column per code."""
    found: dict[tuple[str, str], list[Interval]] = {}
    refused = []
    unset = 0
    for number, cells in table.rows:
        row = dict(zip(names, cells, strict=False))
        shown = zip(table.header, cells, strict=False)
        codes = {name: value for name, value in shown if plain(name) not in _DATAVYU and value}
        label = ", ".join(f"{name}={value}" for name, value in codes.items())
        try:
            begin_s = parse_seconds(row.get("onset", ""), unit="ms")
            end_s = parse_seconds(row.get("offset", ""), unit="ms")
        except ValueError as error:
            refused.append(RefusedRow(f"row {number}", str(error), ", ".join(cells)[:80]))
            continue
        if end_s == 0.0 < begin_s:
            unset, end_s = unset + 1, begin_s
        found.setdefault((row.get("column", ""), ""), []).append(Interval(begin_s, end_s, label, f"row {number}"))
    notes = [f"{unset} cells whose offset was never set are moments at their onset"] if unset else []
    return _finished(path, found, refused, notes)


def _finished(
    path: Path,
    found: Mapping[tuple[str, str], Sequence[Interval]],
    refused: Sequence[RefusedRow],
    notes: Sequence[str],
    *,
    kind: str = "",
) -> Timeline:
    if refused and not found:
        raise import_error(
            path,
            expected="rows with times",
            found=f"{len(refused)} rows without; {refused[0].where}: {refused[0].reason}",
        )
    tiers = tuple(Tier(name, sort_intervals(intervals), who, kind=kind) for (name, who), intervals in found.items())
    return Timeline(tiers, refused=tuple(refused), notes=tuple(notes))


def _columns_without_header(rows: Sequence[Sequence[str]]) -> ColumnMap | None:
    sample = [row for row in rows if any(cell.strip() for cell in row) and not _is_band(row)]
    return (_elan_columns(sample) or _audacity_columns(sample)) if sample else None


def _elan_columns(sample: Sequence[Sequence[str]]) -> ColumnMap | None:
    """The columns of ELAN's export as text without header: begin, end and a duration that is their difference.

    Where several forms of times were chosen each of the three has a column for every form.
    """
    if min(map(len, sample)) < 4:
        return None
    for forms in range(1, _MOST_FORMS + 1):
        for at in range(len(sample[0]) - 2 * forms):
            if min(map(len, sample)) <= at + 2 * forms:
                break
            unit = _elan_unit([[row[at], row[at + forms], row[at + 2 * forms]] for row in sample])
            if unit is not None:
                last = len(sample[0])
                label = (f"#{last}",) if at + 3 * forms < last else ()
                who = "#2" if at == 2 else None
                begin, end = Column(f"#{at + 1}", unit), Column(f"#{at + forms + 1}", unit)
                return ColumnMap(begin, end, None, label, who, "#1")
    return None


def _audacity_columns(sample: Sequence[Sequence[str]]) -> ColumnMap | None:
    """The columns of a label track of Audacity: begin, end and a label, seconds with six digits."""
    if all(len(row) in (2, 3) and all(_SIX_DIGITS.fullmatch(cell) for cell in row[:2]) for row in sample):
        return ColumnMap(Column("#1", "s"), Column("#2", "s"), None, ("#3",), None, None)
    return None


def _is_band(row: Sequence[str]) -> bool:
    """Whether a row is the band of frequencies of Audacity's label before it."""
    return len(row) == 3 and row[0] == "\\"


def _elan_unit(cells: Sequence[Sequence[str]]) -> str | None:
    """``ms`` or ``s`` if in each row the third cell is the second minus the first."""
    try:
        times = [[parse_seconds(cell, decimal_comma=True) for cell in row] for row in cells]
    except ValueError:
        return None
    if not all(end - begin == duration or abs(end - begin - duration) < 0.0015 for begin, end, duration in times):
        return None
    whole = all(re.fullmatch(r"\s*-?\d+\s*", cell) for row in cells for cell in row)
    return "ms" if whole else "s"
