"""Whether something happened at all, where how much of it is not known: the same question as an expression."""

from __future__ import annotations

from collections.abc import Collection

from visionllm_interaction.measures.catalogue import CODED_PREDICATES
from visionllm_interaction.measures.language.syntax_tree import (
    Binding,
    Call,
    Grouped,
    NameTerm,
    Node,
    Operation,
    Quantity,
)
from visionllm_interaction.reasoning.grammar.meaning import OBJECT_VARIABLE, PERSON_VARIABLE
from visionllm_interaction.reasoning.planning.capabilities import DEFAULT_PREDICATE, PREDICATE_OF
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan, Step

_SEEN = frozenset({"visible_duration", "co_presence_duration", "bout_count", "total_duration", *PREDICATE_OF})
"""Measures that are more than 0 exactly where something was seen at all."""


def asks_whether_any(plan: Plan, lacking: Collection[Step] = ()) -> Plan | None:
    """A plan of expressions for a question whose answer needs no amounts: whether there is any, or of whom.

    Args:
        plan: with steps.
        lacking: those of which it is not known whether there is any; each is asked by itself as well.

    Returns:
        The plan; None for other questions.
    """
    steps = plan.steps
    simple = all(step.measure in _SEEN and not step.atoms and step.predicate not in CODED_PREDICATES for step in steps)
    if not steps or not simple or plan.also is not None or plan.combine not in ("exists", "which"):
        return None
    if plan.combine == "exists":
        return Plan(expressions=(_whether(steps[0]),))
    listed = _of_whom(steps)
    return None if listed is None else Plan(expressions=(listed, *(_whether(step) for step in lacking)))


def _whether(step: Step) -> ExpressionStep:
    value = Call("exists", (_stream(step, step.subject, step.object),))
    return ExpressionStep(expression=Grouped(value, video=step.video_id).to_text(), reading="yes_no")


def _of_whom(steps: tuple[Step, ...]) -> ExpressionStep | None:
    """The names in which the steps differ, as a list."""
    first = steps[0]
    for side, variable in (("subject", PERSON_VARIABLE), ("object", OBJECT_VARIABLE)):
        alike = {step.model_copy(update={side: None}) for step in steps}
        names = tuple(NameTerm(name) for step in steps if (name := getattr(step, side)))
        if len(alike) == 1 and len(names) == len(steps):
            subject, object_ = (variable, first.object) if side == "subject" else (first.subject, variable)
            value = Call("exists", (_stream(first, subject, object_),))
            grouped = Grouped(value, by=(Binding(variable, names),), video=first.video_id)
            return ExpressionStep(expression=grouped.to_text(), reading="list")
    return None


def _stream(step: Step, subject: str, object_: str | None) -> Node:
    predicate = step.predicate or PREDICATE_OF.get(step.measure, DEFAULT_PREDICATE)
    names = (subject,) if object_ is None else (subject, object_)
    stream = Call(predicate, tuple(NameTerm(name) for name in names))
    if step.begin_s is None and step.end_s is None:
        return stream
    end = Quantity(100.0, "%") if step.end_s is None else Quantity(step.end_s, "s")
    return Operation("&", stream, Call("between", (Quantity(step.begin_s or 0.0, "s"), end)))
