"""Text in the cells of a CSV file: what a spreadsheet would run as a formula gets a quote in front, and loses it again.

Source: OWASP, CSV Injection.
"""

from __future__ import annotations

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_cell(text: str) -> str:
    """``text`` with a quote in front if a spreadsheet might run it, or if it looks as if it had one."""
    return f"'{text}" if text.startswith((*_RUN, "'")) else text


def from_cell(cell: str) -> str:
    """The text that :func:`to_cell` made ``cell`` from."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_RUN, "'")) else cell
