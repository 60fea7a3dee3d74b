"""The expressions behind an answer: each step of its plan in the language of quantities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visionllm_interaction.measures.catalogue import MEASURES, expression_of
from visionllm_interaction.measures.language.syntax import Call, NameTerm, Node, substituted
from visionllm_interaction.reasoning.execution.intervals import Proposition, expression_of_atom
from visionllm_interaction.reasoning.planning.capabilities import PREDICATE_OF, PROCESSED_DURATION
from visionllm_interaction.reasoning.planning.plan import Atom, Plan, Step


@dataclass(frozen=True)
class ExplainedStep:
    """One step of a plan and its expressions.

    Attributes:
        number: its place in the plan, from 1.
        step: the step.
        expressions: ``value``, ``during``, ``after`` or ``before`` → what is computed for it.
    """

    number: int
    step: Step
    expressions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The step in the JSON of ``visionllm ask --explain``."""
        return {"step": self.number, "query": self._query(), "expressions": dict(self.expressions)}

    def __str__(self) -> str:
        lines = [f"step {self.number}: {self._query()}"]
        for name, text in self.expressions.items():
            lines.append(f"  {name}: {text}")
        return "\n".join(lines)

    def _query(self) -> dict[str, Any]:
        return self.step.model_dump(mode="json", exclude_none=True)


def explain(plan: Plan) -> tuple[ExplainedStep, ...]:
    """Every step of ``plan`` and of the parts after it, with its expressions."""
    steps = [step for part in plan.parts for step in part.steps]
    return tuple(ExplainedStep(number, step, _queries(step)) for number, step in enumerate(steps, start=1))


def _queries(step: Step) -> dict[str, str]:
    queries = {"value": _expression(step).to_text()}
    atoms: dict[str, Atom | None] = {"during": step.during, "after": step.after, "before": step.before}
    return queries | {role: expression_of_atom(atom).to_text() for role, atom in atoms.items() if atom}


def _expression(step: Step) -> Node:
    predicate = step.predicate or PREDICATE_OF.get(step.measure, "visible")
    measure = MEASURES.get(step.measure)
    names: dict[str, Node] = {"$subject": NameTerm(step.subject)}
    if step.object is not None:
        names["$object"] = NameTerm(step.object)
    if measure and step.during is None:
        return substituted(expression_of(measure, predicate=predicate, has_object=step.object is not None), names)
    if step.measure == PROCESSED_DURATION:
        return Call("total", (Call("processed"),))
    return expression_of_atom(Proposition(predicate, step.subject, step.object))
