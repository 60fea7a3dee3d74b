"""Which expressions can only hold in more time, never in less, where more is found of what they are about."""

from __future__ import annotations

from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, EVENT_KINDS, PREDICATES
from visionllm_interaction.measures.language.syntax_tree import Call, NameTerm, Node, Operation, Quantity

_GROWING = frozenset(
    {
        *("visible", *PREDICATES, *DIRECTED_PREDICATES, "posture", "joint_handling", *EVENT_KINDS, "event"),
        # What people coded, and the video itself, do not depend on who is who.
        *("looks_at", "speaks", "names", "head_moving", "head_still", "says", "coded", "around_naming"),
        *("poor_quality", "processed", "between"),
        # Intervals that meet become one: what asks for short ones, or where they begin or end, is left out.
        *("at_least", "overlapping", "longer_than", "merged", "padded", "since", "until"),
        *("exists", "holds"),
    }
)


def only_grows(node: Node, *, with_exceptions: bool = False) -> bool:
    """Whether an expression that holds goes on to hold when more is found, as of people whose role is not known yet.

    Args:
        node: an expression of a stream, or of yes and no.
        with_exceptions: whether names may leave people out (``person except child``). More people of those names are
            then more that is found; more of those who are left out are less of it.

    Returns:
        Whether it does; False where that is not certain.
    """
    match node:
        case Operation(operator, left, right):
            return operator in ("&", "|") and all(
                only_grows(part, with_exceptions=with_exceptions) for part in (left, right)
            )
        case Call(function, arguments, keywords):
            parts = (*arguments, *(value for _, value in keywords))
            return function in _GROWING and all(
                _is_fixed(part, with_exceptions=with_exceptions) or only_grows(part, with_exceptions=with_exceptions)
                for part in parts
            )
        case _:
            return False


def _is_fixed(node: Node, *, with_exceptions: bool) -> bool:
    """Whether a part is a number, or a name of which nobody is left out."""
    return isinstance(node, Quantity) or (isinstance(node, NameTerm) and (with_exceptions or not node.excluded))
