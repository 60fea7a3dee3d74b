"""Run a plan: every value in an answer is computed here, by queries over the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from visionllm_interaction.core.symbols import Evidence
from visionllm_interaction.reason.plan import Plan, Step
from visionllm_interaction.scenes.measures import run_query
from visionllm_interaction.scenes.store import Store

_DECIMALS = 6


@dataclass(frozen=True)
class StepResult:
    """One step and its evidence, one per video."""

    step: Step
    evidence: tuple[Evidence, ...]


def run_plan(store: Store, plan: Plan) -> tuple[StepResult, ...]:
    """Compute every step; evidence ids are e1, e2, … in order of steps and videos, the same at every run.

    A video of which nothing was looked at within the window gives no evidence: that is not the same as *nothing seen*.
    """
    numbers = count(1)
    found = [(step, [item for item in run_query(store, step.to_query()) if item.frames]) for step in plan.steps]
    return tuple(
        StepResult(step, tuple(_settled(item, f"e{next(numbers)}") for item in items)) for step, items in found
    )


def _settled(item: Evidence, identifier: str) -> Evidence:
    """``item`` under a short id, its times rounded: parallel sums differ in the last digits from run to run."""
    value = round(item.value, _DECIMALS) if isinstance(item.value, float) else item.value
    begin_s, end_s = (None if time is None else round(time, _DECIMALS) for time in (item.begin_s, item.end_s))
    return replace(item, id=identifier, value=value, begin_s=begin_s, end_s=end_s)


def all_evidence(results: Sequence[StepResult]) -> dict[str, Evidence]:
    """Evidence of all steps by id."""
    return {item.id: item for result in results for item in result.evidence}
