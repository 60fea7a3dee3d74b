"""The expressions of the last answer with one part replaced: a name, the video, the time window or the aggregate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.check import check
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.syntax_tree import (
    Arrow,
    Binding,
    Call,
    Grouped,
    NameTerm,
    Node,
    Operation,
    Quantity,
    is_variable,
    substituted,
    walk,
)
from visionllm_interaction.measures.language.types import STREAM, Kind
from visionllm_interaction.reasoning.answer_expressions import step_expression
from visionllm_interaction.reasoning.dialogue.followups import Aggregate, FollowUp, Half
from visionllm_interaction.reasoning.grammar.meaning import BOUT_GAP, OBJECT_VARIABLE
from visionllm_interaction.reasoning.language.time_expressions import Window
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan, Reading

_AGGREGATES = frozenset(
    {"total", "count", "rate", "share", "exists", "mean", "median", "longest", "shortest", "first_time", "last_time"}
)
_OF_LENGTHS = frozenset({"total", "share", "mean", "median", "longest", "shortest"})
_OF_BOUTS = frozenset({"count", "rate", "mean", "median", "longest", "shortest", "first_time", "last_time"})
_GAP = Quantity(float(BOUT_GAP.removesuffix("s")), "s")
_WRAPPERS = frozenset({"merged", "longer_than", "shorter_than", "nth", "first", "last"})
_GENERIC = frozenset({"person", "thing", "anything"})
_NAME_READINGS = frozenset({"most", "least", "first", "last", "next", "list", "none", "number", "each"})
_BY_VIDEO = re.compile(r" by video$")
_IN_FULL = "ask the whole question"


class Ambiguous(Exception):
    """A follow-up that may mean several things, or that the last question has no place for."""


def rewritten(plan: Plan, change: FollowUp) -> Plan:
    """The plan of the last answer, changed as a follow-up asks.

    Args:
        plan: of the last answer.
        change: what the follow-up changes.

    Returns:
        A plan of expressions.

    Raises:
        Ambiguous: with the reason, where it is not clear what is meant.
    """
    steps = expression_steps(plan)
    if change.name is not None:
        steps = _with_name(steps, change.name)
    if change.aggregate is not None:
        steps = [_with_aggregate(step, change.aggregate) for step in steps]
    if change.window is not None or change.half is not None:
        window = _window_node(change.window, change.half)
        steps = [_mapped(step, lambda e: replace(e, value=_within(e.value, window))) for step in steps]
    if change.video_id is not None:
        steps = [_mapped(step, lambda e: replace(e, video=change.video_id)) for step in steps]
    for step in steps:
        _check_step(step)
    return Plan(expressions=tuple(steps))


def expression_steps(plan: Plan) -> list[ExpressionStep]:
    """The expressions of a plan; those of a plan of steps say the same as its steps.

    Args:
        plan: of an answer.

    Returns:
        Its expressions with their readings.

    Raises:
        Ambiguous: if the plan has no expressions that a follow-up could change.
    """
    if plan.expressions:
        if any(step.reading in ("describe", "doing") for step in plan.expressions):
            raise Ambiguous(f"the last answer told what happened, and not one quantity; {_IN_FULL}")
        return list(plan.expressions)
    if plan.unanswerable or plan.also or not plan.steps:
        raise Ambiguous(f"the last question has no single answer that could be changed; {_IN_FULL}")
    forms: dict[str, tuple[str | None, Reading]] = {
        "each": (None, "value"),
        "share": ("share", "value"),
        "rate": ("rate", "value"),
        "exists": ("exists", "yes_no"),
    }
    text = step_expression(plan.steps[0])
    if plan.combine not in forms or text is None or (plan.combine == "each" and len(plan.steps) > 1):
        raise Ambiguous(f"the last answer compared or listed several values; {_IN_FULL}")
    aggregate, reading = forms[plan.combine]
    step = ExpressionStep(expression=_BY_VIDEO.sub("", text), reading=reading)
    if aggregate is None:
        return [step]
    value = parse(step.expression).value
    if not isinstance(value, Call) or value.function not in _AGGREGATES:
        raise Ambiguous(f"the last answer has no expression that could be changed; {_IN_FULL}")
    changed = _mapped(step, lambda e: replace(e, value=Call(aggregate, value.arguments)))
    return [changed]


def _mapped(step: ExpressionStep, change: Callable[[Grouped], Grouped]) -> ExpressionStep:
    """A step with ``change`` applied to its expression, and to the one it is compared with."""
    than = None if step.than is None else change(parse(step.than)).to_text()
    return step.model_copy(update={"expression": change(parse(step.expression)).to_text(), "than": than})


# Names


def _with_name(steps: Sequence[ExpressionStep], name: str) -> list[ExpressionStep]:
    texts = [text for step in steps for text in (step.expression, step.than) if text]
    old = _replaced_name([parse(text) for text in texts], name)
    return [_mapped(step, lambda e: _renamed(e, old, name)) for step in steps]


def _replaced_name(expressions: Sequence[Grouped], name: str) -> str:
    """The one name of the last question whose place ``name`` can take."""
    is_person = name in PERSON_CATEGORIES
    used = list(dict.fromkeys(word for e in expressions for word in _names_of(e)))
    alike = [word for word in used if word not in _GENERIC and (word in PERSON_CATEGORIES) == is_person]
    if name in used and len(alike) == 1:
        raise Ambiguous(f"the last question was about {name} already; {_IN_FULL}")
    if len(alike) == 1:
        return alike[0]
    if len(alike) > 1:
        raise Ambiguous(f"it is not clear which of {' and '.join(alike)} {name} is to replace; {_IN_FULL}")
    general = "person" if is_person else "thing"
    if general in used:
        return general
    raise Ambiguous(f"the last question has no place for {name}; {_IN_FULL}")


def _names_of(expression: Grouped) -> Iterator[str]:
    for node in walk(expression):
        if isinstance(node, NameTerm) and not is_variable(node.base):
            yield node.base


def _renamed(expression: Grouped, old: str, new: str) -> Grouped:
    changed = replace(expression, value=_renamed_node(expression.value, old, new))
    for node in walk(changed):
        if isinstance(node, Call):
            terms = [a.base for a in node.arguments if isinstance(a, NameTerm) and a.base == new]
            if len(terms) > 1:
                raise Ambiguous(f"{node.to_text()} would be about {new} twice; {_IN_FULL}")
    return changed


def _renamed_node(node: Node, old: str, new: str) -> Node:
    match node:
        case NameTerm(base):
            return replace(node, base=new) if base == old else node
        case Call():
            return replace(
                node,
                arguments=tuple(_renamed_node(a, old, new) for a in node.arguments),
                keywords=tuple((key, _renamed_node(a, old, new)) for key, a in node.keywords),
            )
        case Operation():
            return replace(node, left=_renamed_node(node.left, old, new), right=_renamed_node(node.right, old, new))
        case Arrow():
            return replace(node, first=_renamed_node(node.first, old, new), second=_renamed_node(node.second, old, new))
        case Grouped():
            return replace(node, value=_renamed_node(node.value, old, new))
        case Quantity():
            return node
        case _:
            return replace(node, operand=_renamed_node(node.operand, old, new))


# Aggregates


def _with_aggregate(step: ExpressionStep, aggregate: Aggregate) -> ExpressionStep:
    """The same stream, summed up otherwise: "how often?" after "how long did …?"."""
    if step.reading in _NAME_READINGS:
        raise Ambiguous(f"the last answer chose among several; {_IN_FULL}")
    changed = _mapped(step, lambda expression: _summed(expression, aggregate))
    reading: Reading = step.reading if step.than else "yes_no" if aggregate == "exists" else "value"
    return changed.model_copy(update={"reading": reading, "threshold": None})


def _summed(expression: Grouped, aggregate: Aggregate) -> Grouped:
    value = expression.value
    stream = value.arguments[0] if isinstance(value, Call) and value.function in _AGGREGATES else None
    while isinstance(stream, Call) and stream.function == "merged":
        stream = stream.arguments[0]
    kind = None if stream is None else _kind_of(replace(expression, value=stream))
    if stream is None or kind not in STREAM:
        raise Ambiguous(f"the last answer is no length or number that can be asked for otherwise; {_IN_FULL}")
    if kind is Kind.MOMENTS and aggregate in _OF_LENGTHS:
        raise Ambiguous(f"moments have no length: ask how often or when; {_IN_FULL}")
    stream, over = _pooled(stream, expression.over, in_bouts=aggregate in _OF_BOUTS)
    bouts = Call("merged", (stream, _GAP)) if kind is Kind.INTERVALS and aggregate in _OF_BOUTS else stream
    limits = _windows(stream)[:1] if aggregate in ("share", "rate") else []
    summed = Call(aggregate, (bouts,), tuple(("of", limit) for limit in limits))
    return replace(expression, value=summed, over=over)


def _kind_of(expression: Grouped) -> Kind | None:
    try:
        return check(expression).type.kind
    except ExpressionError:
        return None


def _pooled(stream: Node, over: tuple[Binding, ...], *, in_bouts: bool) -> tuple[Node, tuple[Binding, ...]]:
    """Bouts of holding *anything* are of one object each, its time is that of all: as the grammar writes them."""
    if over and not in_bouts and [binding.to_text() for binding in over] == [OBJECT_VARIABLE]:
        return substituted(stream, {OBJECT_VARIABLE: NameTerm("thing")}), ()
    first, *limits = _conjuncts(stream)
    of_anything = (
        isinstance(first, Call) and first.function == "holding" and first.arguments[1:] == (NameTerm("thing"),)
    )
    if in_bouts and not over and of_anything and isinstance(first, Call):
        varied = replace(first, arguments=(first.arguments[0], NameTerm(OBJECT_VARIABLE)))
        return _joined([varied, *limits]), (Binding(OBJECT_VARIABLE),)
    return stream, over


# Time windows


def _window_node(window: Window | None, half: Half | None) -> Node:
    if half is not None:
        text = "between(0%, 50%)" if half == "first" else "between(50%, 100%)"
    else:
        assert window is not None
        end = "100%" if window.end_s is None else f"{window.end_s:g}s"
        text = f"between({window.begin_s or 0:g}s, {end})"
    return parse(text).value


def _within(node: Node, window: Node) -> Node:
    """A value within a time window, in place of any other."""
    if isinstance(node, Operation):
        return replace(node, left=_within(node.left, window), right=_within(node.right, window))
    if not isinstance(node, Call):
        return node
    keywords = dict(node.keywords)
    if node.function in ("mean", "min", "max") and isinstance(node.arguments[0], Call):
        inner = node.arguments[0]
        if inner.function == "latency" and isinstance(inner.arguments[0], Arrow):
            arrow = inner.arguments[0]
            cut = replace(arrow, first=_limited(arrow.first, window))
            return replace(node, arguments=(replace(inner, arguments=(cut, *inner.arguments[1:])),))
        if inner.function == "gap":
            during = _limited(keywords["during"], window) if "during" in keywords else window
            return replace(node, keywords=(("during", during),))
    if node.function == "prob" and "after" in keywords:
        keywords["after"] = _limited(keywords["after"], window)
        return replace(node, keywords=tuple(keywords.items()))
    if node.function not in _AGGREGATES:
        raise Ambiguous(f"the last answer has no time window that could be changed; {_IN_FULL}")
    stream = _limited(node.arguments[0], window)
    if node.function not in ("share", "rate"):
        return replace(node, arguments=(stream,))
    base = _limited(keywords["of"], window) if "of" in keywords else window
    return replace(node, arguments=(stream,), keywords=(("of", base),))


def _limited(node: Node, window: Node) -> Node:
    """A stream within a window; bouts are cut before pauses are bridged and lengths compared."""
    if isinstance(node, Call) and node.function in _WRAPPERS:
        return replace(node, arguments=(_limited(node.arguments[0], window), *node.arguments[1:]))
    parts = [part for part in _conjuncts(node) if not _is_window(part)]
    return _joined([*parts, window])


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, Operation) and node.operator == "&":
        return [*_conjuncts(node.left), *_conjuncts(node.right)]
    return [node]


def _joined(parts: Sequence[Node]) -> Node:
    node = parts[0]
    for part in parts[1:]:
        node = Operation("&", node, part)
    return node


def _is_window(node: Node) -> bool:
    """Whether a limit is a time window, and not ``between(0%, 100%)``, which leaves out what the end cuts off."""
    if not isinstance(node, Call) or node.function != "between":
        return False
    return node.to_text() not in ("between(0%, 100%)", "between(0.1s, 100%)")


def _windows(node: Node) -> list[Node]:
    return [part for part in _conjuncts(node) if _is_window(part)]


def _check_step(step: ExpressionStep) -> None:
    for text in (step.expression, step.than):
        if text is None:
            continue
        try:
            check(parse(text))
        except ExpressionError as error:
            raise Ambiguous(f"{error.message} {error.fix or ''}; {_IN_FULL}".replace(" ;", ";")) from error
