"""Results in a notebook: a small HTML table, with every cell escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MAX_ROWS = 20
"""The number of rows that a notebook shows of a longer table."""


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> str:
    """An HTML table for ``_repr_html_``.

    Args:
        columns: the header, one name per column.
        rows: the cells, in the order of ``columns``; floats have three decimals, ``None`` as a dash.
        caption: text above the table; none if empty.

    Returns:
        A ``<table>`` element without styles of its own: notebooks bring theirs.
    """
    # Imported here: it holds a large table, and few processes show a notebook anything.
    from html import escape

    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_cell(cell))}</td>' for cell in row)}</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
