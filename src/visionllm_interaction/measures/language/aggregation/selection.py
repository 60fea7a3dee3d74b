"""The functions that choose among names by their values: top, bottom, which, and how many."""

from __future__ import annotations

from dataclasses import replace

from visionllm_interaction.measures.language.result import QueryRow
from visionllm_interaction.measures.language.syntax_tree import Call, Grouped, Quantity


def selected_rows(node: Call, rows: list[QueryRow]) -> list[QueryRow]:
    """The rows that a selection gives.

    Args:
        node: a call of top, bottom, which or how_many.
        rows: the values of the names that it chooses among, of one output.

    Returns:
        The rows of the names that it chooses, those tied with the last one as well; of how_many one row with their
        number. Where nothing is known of any name: one row without a value.
    """
    known = [row for row in rows if row.value is not None]
    if node.function == "how_many":
        return [_counted(node, rows, [row for row in known if row.value])]
    if rows and not any(row.processed_s for row in rows):
        # Not known of any name in any time: that is not *none of them*.
        reasons = sorted({row.missing for row in rows if row.missing})
        return [replace(rows[0], value=None, missing="; ".join(reasons) or None, names={}, evidence=())]
    if node.function == "which":
        return [row for row in known if row.value]
    number = node.arguments[0]
    assert isinstance(number, Quantity)
    sign = -1.0 if node.function == "top" else 1.0
    ranked = sorted(known, key=lambda row: sign * round(float(row.value or 0.0), 9))
    if node.function == "top":
        # Who never did it is not among those who did it most.
        ranked = [row for row in ranked if row.value]
    wanted = int(number.value)
    if len(ranked) <= wanted or wanted < 1:
        return ranked[: max(wanted, 0)]
    last = round(float(ranked[wanted - 1].value or 0.0), 9)
    return [row for n, row in enumerate(ranked) if n < wanted or round(float(row.value or 0.0), 9) == last]


def _counted(node: Call, rows: list[QueryRow], chosen: list[QueryRow]) -> QueryRow:
    """One row that counts the names chosen; without a value where it is known of none."""
    inner = node.arguments[-1]
    variables = {b.variable for b in inner.by} if isinstance(inner, Grouped) else set()
    reasons = sorted({row.missing for row in rows if row.value is None and row.missing})
    unknown = all(row.value is None for row in rows)
    return replace(
        rows[0],
        value=None if unknown else len(chosen),
        missing="; ".join(reasons) or None,
        names={name: word for name, word in rows[0].names.items() if name not in variables},
        evidence=tuple(item for row in chosen for item in row.evidence),
    )
