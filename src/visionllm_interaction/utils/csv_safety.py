"""Text in cells of a CSV file: a quote in front stops a spreadsheet from running the text as a formula.

Source: OWASP, CSV Injection.
"""

from __future__ import annotations

_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_cell(text: str) -> str:
    """``text``, with a quote in front if a spreadsheet might run it or if it begins with a quote already."""
    return f"'{text}" if text.startswith((*_FORMULA_PREFIXES, "'")) else text


def from_cell(cell: str) -> str:
    """The inverse of :func:`to_cell`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA_PREFIXES, "'")) else cell
