"""The queries behind an answer: each step of its plan with the text of its SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visionllm_interaction.measures.catalogue import MEASURES, sql_for
from visionllm_interaction.reasoning.execution.intervals import PROCESSED_SQL, Proposition, intervals_sql
from visionllm_interaction.reasoning.planning.capabilities import PREDICATE_OF, PROCESSED_DURATION
from visionllm_interaction.reasoning.planning.plan import Atom, Plan, Step


@dataclass(frozen=True)
class ExplainedStep:
    """One step of a plan and its queries.

    Attributes:
        number: its place in the plan, from 1.
        step: the step.
        sql: ``value``, ``during``, ``after`` or ``before`` → SQL with the names of its bound parameters.
    """

    number: int
    step: Step
    sql: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The step in the JSON of ``visionllm ask --explain``."""
        return {"step": self.number, "query": self._query(), "sql": dict(self.sql)}

    def __str__(self) -> str:
        lines = [f"step {self.number}: {self._query()}"]
        for name, sql in self.sql.items():
            body = "\n".join(f"    {line}" for line in sql.strip().splitlines())
            lines.append(f"  {name}:\n{body}")
        return "\n".join(lines)

    def _query(self) -> dict[str, Any]:
        return self.step.model_dump(mode="json", exclude_none=True)


def explain(plan: Plan) -> tuple[ExplainedStep, ...]:
    """Every step of ``plan`` and of the parts after it, with its SQL."""
    steps = [step for part in plan.parts for step in part.steps]
    return tuple(ExplainedStep(number, step, _queries(step)) for number, step in enumerate(steps, start=1))


def _queries(step: Step) -> dict[str, str]:
    queries = {"value": _sql(step)}
    atoms: dict[str, Atom | None] = {"during": step.during, "after": step.after, "before": step.before}
    return queries | {role: intervals_sql(atom) for role, atom in atoms.items() if atom}


def _sql(step: Step) -> str:
    predicate = step.predicate or PREDICATE_OF.get(step.measure, "visible")
    measure = MEASURES.get(step.measure)
    if measure and step.during is None:
        return sql_for(measure, predicate=predicate, has_object=step.object is not None)
    if step.measure == PROCESSED_DURATION:
        return PROCESSED_SQL
    return intervals_sql(Proposition(predicate, step.subject, step.object))
