"""What an answer rests on, in full: the plan and the text of every query behind it."""

from __future__ import annotations

from typing import Any

from visionllm_interaction.measures.catalogue import MEASURES, sql_for
from visionllm_interaction.reasoning.execution.intervals import LOOKED_SQL, Held, sql_of
from visionllm_interaction.reasoning.planning.capabilities import LOOKED, PREDICATE_OF
from visionllm_interaction.reasoning.planning.plan import Atom, Plan, Step


def explain(plan: Plan) -> list[dict[str, Any]]:
    """Per step: the step, what it is limited by, and its SQL with the names of its bound parameters."""
    return [_explained(number, step) for number, step in enumerate(_steps(plan), start=1)]


def explain_text(plan: Plan) -> str:
    """:func:`explain` for people."""
    lines = []
    for item in explain(plan):
        lines.append(f"step {item['step']}: {item['query']}")
        for name, sql in item["sql"].items():
            body = "\n".join(f"    {line}" for line in sql.strip().splitlines())
            lines.append(f"  {name}:\n{body}")
    return "\n".join(lines)


def _steps(plan: Plan) -> list[Step]:
    return [step for part in plan.parts for step in part.steps]


def _explained(number: int, step: Step) -> dict[str, Any]:
    queries = {"value": _sql(step)}
    for role in ("during", "after", "before"):
        atom: Atom | None = getattr(step, role)
        if atom:
            queries[role] = sql_of(atom)
    return {"step": number, "query": step.model_dump(mode="json", exclude_none=True), "sql": queries}


def _sql(step: Step) -> str:
    predicate = step.predicate or PREDICATE_OF.get(step.measure, "visible")
    measure = MEASURES.get(step.measure)
    if measure and step.during is None:
        return sql_for(measure, predicate=predicate, has_object=step.object is not None)
    if step.measure == LOOKED:
        return LOOKED_SQL
    return sql_of(Held(predicate, step.subject, step.object))
