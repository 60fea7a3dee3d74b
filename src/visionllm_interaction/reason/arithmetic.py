"""The few sums that turn evidence into claim values: used to write claims, and on fresh evidence to check them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from visionllm_interaction.core.symbols import Evidence
from visionllm_interaction.reason.plan import Step
from visionllm_interaction.reason.shapes import TOTALS

Number = float | int
TIE = "tie"
"""Value of a comparison that nobody wins."""


def total(items: Sequence[Evidence], how: Literal["sum", "largest"]) -> Number | None:
    """Sum or maximum of the numeric values; None if there is no number."""
    numbers = [item.value for item in items if isinstance(item.value, (int, float))]
    if not numbers:
        return None
    if how == "largest":
        return max(numbers)
    return sum(numbers) if all(isinstance(n, int) for n in numbers) else math.fsum(numbers)


def amounts(steps: Mapping[str, Step], items: Sequence[Evidence]) -> dict[str, Number]:
    """Subject → its total over ``items``; ``steps`` maps evidence id → step. Subjects without a number are left out."""
    grouped: dict[str, list[Evidence]] = {}
    for item in items:
        grouped.setdefault(steps[item.id].subject, []).append(item)
    totals = {
        subject: total(group, "largest" if TOTALS[group[0].measure] == "largest" else "sum")
        for subject, group in grouped.items()
    }
    return {subject: number for subject, number in totals.items() if number is not None}


def winner(values: Mapping[str, Number], combine: Literal["largest", "smallest"]) -> str | None:
    """The subject with the largest or smallest value, :data:`TIE` if shared, None if there is nothing to compare."""
    if not values:
        return None
    best = max(values.values()) if combine == "largest" else min(values.values())
    first = [subject for subject, value in values.items() if math.isclose(value, best, abs_tol=1e-9)]
    return first[0] if len(first) == 1 else TIE
