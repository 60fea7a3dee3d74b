"""How the result of an expression that somebody wrote answers a question: which reading its own form asks for."""

from __future__ import annotations

from dataclasses import replace

from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.check import Checked, check
from visionllm_interaction.measures.language.syntax_tree import (
    Call,
    Grouped,
    NameTerm,
    Node,
    Operation,
    Prefix,
    Quantity,
    walk,
)
from visionllm_interaction.measures.language.types import STREAM, Kind
from visionllm_interaction.reasoning.grammar.lexicon import Language
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Reading

_TIMES = frozenset({"first_time", "first_seen", "last_time", "last_seen"})


def checked_expression(grouped: Grouped) -> Checked:
    """Check the kinds, units and variables of an expression that must give a value.

    Args:
        grouped: the expression.

    Returns:
        Its type and its variables.

    Raises:
        ExpressionError: if its parts do not fit together, or it is a stream of intervals or moments.
    """
    found = check(grouped)
    if found.type.kind in STREAM:
        text = grouped.value.to_text()
        raise ExpressionError(
            "The expression gives times, not a value.", column=1, expected="a value", found=text,
            fix=f"write total({text}), count({text}), first_time({text}) or exists({text})",
        )  # fmt: skip
    return found


def step_of(grouped: Grouped, *, video_id: str | None, language: Language) -> ExpressionStep:
    """The step of a plan for an expression.

    Args:
        grouped: an expression that passed :func:`checked_expression`.
        video_id: the one video that the question is about; None: all.
        language: of the answer.

    Returns:
        The expression with the reading that its form asks for: ``top(1, E by $o)`` becomes E, read as *most*.
    """
    value = grouped.value
    if video_id is not None:
        grouped = replace(grouped, video=video_id)
    if isinstance(value, Call) and value.function in ("top", "bottom", "which", "how_many"):
        return _of_names(grouped, value, language)
    if isinstance(value, Operation) and value.operator in (">", ">=", "<", "<=", "-") and not _is_plain(value.right):
        reading: Reading = "difference" if value.operator == "-" else "more" if value.operator[0] == ">" else "less"
        first, second = (replace(grouped, value=part).to_text() for part in (value.left, value.right))
        return ExpressionStep(expression=first, reading=reading, than=second, language=language)
    if isinstance(value, Operation) and value.operator in (">", ">=") and isinstance(value.right, Quantity):
        text = replace(grouped, value=value.left).to_text()
        limit = value.right.value / (100 if value.right.unit == "%" else 1)
        return ExpressionStep(expression=text, reading="exceeds", threshold=limit, language=language)
    if isinstance(value, Call) and value.function == "holds":
        return ExpressionStep(expression=grouped.to_text(), reading="holds", language=language)
    is_yes_no = check(grouped).type.kind is Kind.YES_NO
    plain: Reading = "each" if grouped.by else "yes_no" if is_yes_no else "value"
    return ExpressionStep(expression=grouped.to_text(), reading=plain, language=language)


def _is_plain(node: Node) -> bool:
    """Whether a side of a comparison is a number that does not depend on the videos."""
    return not any(isinstance(part, (Call, NameTerm)) for part in walk(node))


def _of_names(grouped: Grouped, selection: Call, language: Language) -> ExpressionStep:
    """The names that a selection chooses, read from the values of all names."""
    inner = selection.arguments[-1]
    assert isinstance(inner, Grouped)
    value, top = inner.value, 1
    reading: Reading
    if selection.function in ("top", "bottom"):
        number = selection.arguments[0]
        top = int(number.value) if isinstance(number, Quantity) else 1
        of_times = isinstance(value, Call) and value.function in _TIMES
        largest, smallest = ("last", "first") if of_times else ("most", "least")
        reading = largest if selection.function == "top" else smallest  # type: ignore[assignment]
    elif selection.function == "how_many":
        reading = "number"
    elif isinstance(value, Prefix) and value.operator == "!":
        reading, value = "none", value.operand
    else:
        reading = "list"
    text = replace(inner, value=value, video=grouped.video).to_text()
    return ExpressionStep(expression=text, reading=reading, top=max(top, 1), language=language)
