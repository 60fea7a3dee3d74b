"""Small tables as spreadsheets save them: commas, semicolons or tabs, any case of the columns' names, blank lines."""

from __future__ import annotations

import csv
from pathlib import Path

from visionllm_interaction.utils.text_encodings import decode_text


def read_table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Read a table.

    Args:
        path: the file.

    Returns:
        The names of the columns, in lower case, and each row that is not blank: its line (from 1) and its cells without
        white space around them; ``""`` where a row is too short.

    Raises:
        OSError: if it cannot be read.
    """
    header, *lines = decode_text(path.read_bytes()).splitlines() or [""]
    separator = max(",;\t", key=header.count)
    columns = [cell.strip().casefold() for cell in next(csv.reader([header], delimiter=separator), [])]
    cells = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    rows = [dict(zip(columns, [*row, *[""] * len(columns)], strict=False)) for row in cells]
    return columns, [(line, row) for line, row in enumerate(rows, start=2) if any(row.values())]
