"""Aggregation of evidence into claim values: used to compose claims, and on fresh evidence to verify them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.reasoning.answers import Operation
from visionllm_interaction.reasoning.planning.capabilities import TOTALS
from visionllm_interaction.reasoning.planning.plan import Plan, Step

Number = float | int
Value = float | int | str | None
TIE = "tie"
"""Value of a comparison without a winner."""
NONE_OF_THEM = "none"
"""Value of an empty list."""

OPERATION_OF: Mapping[str, Operation] = MappingProxyType(
    {
        "largest": "winner",
        "smallest": "winner",
        "exists": "yes_no",
        "exceeds": "yes_no",
        "precedes": "yes_no",
        "difference": "difference",
        "share": "share",
        "rate": "rate",
        "which": "which",
        "order": "order",
        "videos": "videos",
        "mean": "mean",
    }
)
"""How a plan combines its steps → what the claim says of its value."""
UNITS: Mapping[str, str] = MappingProxyType(
    {
        "winner": "name",
        "yes_no": "yes/no",
        "share": "%",
        "rate": "per min",
        "which": "names",
        "order": "names",
        "videos": "count",
    }
)
"""Units of operations that do not keep the unit of the evidence."""


def total(items: Sequence[Evidence], how: Literal["sum", "largest"]) -> Number | None:
    """Sum or maximum of the numeric values; None if there is no number."""
    numbers = [item.value for item in items if isinstance(item.value, (int, float))]
    if not numbers:
        return None
    if how == "largest":
        return max(numbers)
    return sum(numbers) if all(isinstance(n, int) for n in numbers) else math.fsum(numbers)


def labels(steps: Sequence[Step]) -> dict[Step, str]:
    """What to call each step of a comparison: the name in which they differ, or all of them."""
    tries: tuple[Callable[[Step], str], ...] = (
        lambda step: step.subject,
        lambda step: step.object or "anything",
        lambda step: f"{step.subject} with {step.object or 'anything'}",
    )
    for name in tries:
        found = {step: name(step) for step in steps}
        if len(set(found.values())) == len(steps):
            return found
    return {step: f"case {number}" for number, step in enumerate(steps, start=1)}


def amounts(steps: Mapping[str, Step], items: Sequence[Evidence], *, plan: Plan) -> dict[str, Number | None]:
    """Label of each step of ``plan`` → its total over ``items``, None where there is no number."""
    grouped: dict[Step, list[Evidence]] = {step: [] for step in plan.steps}
    for item in items:
        grouped[steps[item.id]].append(item)
    names = labels(plan.steps)
    return {
        names[step]: total(group, "largest" if TOTALS[step.measure] == "largest" else "sum")
        for step, group in grouped.items()
    }


def counted(plan: Plan, items: Sequence[Evidence]) -> Sequence[Evidence]:
    """The evidence of the videos that a conclusion speaks of: a mean is over those videos that have a value."""
    if plan.combine != "mean":
        return items
    return [item for item in items if isinstance(item.value, (int, float))]


def conclusion(plan: Plan, values: Mapping[str, Number | None], items: Sequence[Evidence]) -> Value:
    """What ``plan.combine`` makes of the totals (or, for *videos* and *mean*, of the single videos).

    None where nothing can be concluded, for example a share of no time at all.
    """
    numbers = {label: value for label, value in values.items() if value is not None}
    if plan.combine in ("largest", "smallest"):
        return winner(numbers, plan.combine)
    if plan.combine == "which":
        return _listing([label for label, value in numbers.items() if value])
    if plan.combine == "order":
        return _listing(sorted(numbers, key=lambda label: numbers[label]))
    if plan.combine == "videos":
        return sum(bool(item.value) for item in items)
    if plan.combine == "mean":
        single = [item.value for item in items if isinstance(item.value, (int, float))]
        return math.fsum(single) / len(single) if single else None
    if plan.combine in ("exists", "exceeds"):
        found = any(value > (plan.threshold or 0.0) for value in numbers.values())
        return _yes_no(found)
    return _of_two(plan, [values[label] for label in values])


def _of_two(plan: Plan, values: Sequence[Number | None]) -> Value:
    first, second = values
    if first is None or second is None:
        return None
    if plan.combine == "difference":
        return first - second
    if plan.combine == "precedes":
        return _yes_no(first < second)
    if not second:
        return None
    return (100.0 if plan.combine == "share" else 60.0) * first / second


def winner(values: Mapping[str, Number], combine: Literal["largest", "smallest"]) -> str | None:
    """The label with the largest or smallest value, :data:`TIE` if shared, None if there is nothing to compare."""
    if not values:
        return None
    best = max(values.values()) if combine == "largest" else min(values.values())
    first = [label for label, value in values.items() if math.isclose(value, best, abs_tol=1e-9)]
    return first[0] if len(first) == 1 else TIE


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names) or NONE_OF_THEM


def _yes_no(found: bool) -> str:
    return "yes" if found else "no"
