"""The expressions behind an answer: each can be pasted into ``visionllm query`` and run by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visionllm_interaction.measures.catalogue import MEASURES, expression_of
from visionllm_interaction.measures.language.syntax_tree import NameTerm, substituted
from visionllm_interaction.measures.turn_limits import STANDARD
from visionllm_interaction.reasoning.grammar.meaning import BOUT_GAP, quoted
from visionllm_interaction.reasoning.planning.capabilities import PREDICATE_OF, PROCESSED_DURATION
from visionllm_interaction.reasoning.planning.plan import Atom, Condition, ExpressionStep, Moment, Plan, Step

_EDGES: Mapping[tuple[str, str], str] = {
    ("after", "begin"): "since",
    ("after", "end"): "after",
    ("before", "begin"): "before",
    ("before", "end"): "until",
}
_SEEN = {"first_seen": "first_time"}


@dataclass(frozen=True)
class ExplainedStep:
    """One step of a plan and its expression.

    Attributes:
        number: its place in the plan, from 1.
        step: the step.
        expression: what it computes, in the language of docs/language.md; None where the step alone says it.
    """

    number: int
    step: Step | ExpressionStep
    expression: str | None

    def to_dict(self) -> dict[str, Any]:
        """The step in the JSON of ``visionllm ask --explain``."""
        return {"step": self.number, "query": self._query(), "expression": self.expression}

    def __str__(self) -> str:
        lines = [f"step {self.number}: {self._query()}"]
        return "\n".join([*lines, f"    {self.expression}"] if self.expression else lines)

    def _query(self) -> dict[str, Any]:
        return self.step.model_dump(mode="json", exclude_none=True)


def explain(plan: Plan) -> tuple[ExplainedStep, ...]:
    """Every step of ``plan`` and of the parts after it, with its expression."""
    steps = [step for part in plan.parts for step in part.steps]
    explained = [ExplainedStep(number, step, step_expression(step)) for number, step in enumerate(steps, start=1)]
    return (*explained, *(ExplainedStep(n, e, e.expression) for n, e in enumerate(plan.expressions, start=1)))


def step_expression(step: Step) -> str | None:
    """The expression that gives the values of a step, one for each video.

    Args:
        step: of a plan.

    Returns:
        The expression; None for a measure that has none within a window or a condition.
    """
    limits = _limits(step)
    text = _limited(step, limits)
    if text is None:
        return None
    return text + (f' in video "{step.video_id}"' if step.video_id else " by video")


def _limited(step: Step, limits: list[str]) -> str | None:
    if step.measure == PROCESSED_DURATION:
        return f"total({' & '.join(['processed()', *limits])})"
    if step.is_of_turns and (limits or step.turns not in (None, STANDARD)):
        return None
    predicate = step.predicate or PREDICATE_OF.get(step.measure, "visible")
    expression = expression_of(MEASURES[step.measure], predicate=predicate, has_object=step.object is not None)
    text = substituted(expression, _names(step)).to_text()
    if limits and step.measure in _SEEN:
        text = f"{_SEEN[step.measure]}(visible({quoted(step.subject)}))"
    if not limits:
        return text
    stream = _stream(step, predicate)
    if f"({stream}" not in text or step.measure == "last_seen":
        return None
    return text.replace(f"({stream}", f"({' & '.join([stream, *limits])}", 1)


def _names(step: Step) -> dict[str, NameTerm]:
    names = {"$subject": NameTerm(step.subject)}
    return names if step.object is None else {**names, "$object": NameTerm(step.object)}


def _stream(step: Step, predicate: str) -> str:
    names = [quoted(name) for name in (step.subject, step.object) if name]
    return f"{predicate}({', '.join(names)})"


def _limits(step: Step) -> list[str]:
    found = []
    if step.begin_s is not None or step.end_s is not None:
        end = "100%" if step.end_s is None else f"{step.end_s:g}s"
        found.append(f"between({step.begin_s or 0:g}s, {end})")
    if step.during:
        found.append(_atom(step.during))
    found += [_moment(step.after, "after")] if step.after else []
    found += [_moment(step.before, "before")] if step.before else []
    return found


def _atom(atom: Atom) -> str:
    names = [quoted(name) for name in (atom.subject, atom.object) if name]
    negated = isinstance(atom, Condition) and atom.negated
    return f"{'!' if negated else ''}{atom.predicate}({', '.join(names)})"


def _moment(moment: Moment, side: str) -> str:
    return f"{_EDGES[side, moment.edge]}({moment.occurrence}(merged({_atom(moment)}, {BOUT_GAP})))"
