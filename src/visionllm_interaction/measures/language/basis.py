"""What the value of an expression rests on: the detector's results, people's codes, or both."""

from __future__ import annotations

from visionllm_interaction.core.evidence import Basis, basis_of
from visionllm_interaction.measures.language.functions import FUNCTIONS
from visionllm_interaction.measures.language.syntax_tree import Call, Node, walk
from visionllm_interaction.measures.language.types import STREAM, Function, Kind

_OF_THE_VIDEO = frozenset({"processed", "between"})
_OF_CODES = frozenset({"coded", "around_naming"})
_OF_BOTH = frozenset({"hand_eye", "eye_leads"})
_GIVEN = frozenset({Kind.BOX, *STREAM})


def expression_basis(node: Node) -> Basis:
    """What an expression rests on.

    Args:
        node: the expression; of a named measure written out.

    Returns:
        ``"as detected"``, ``"coded"``, ``"detected and coded"``, or ``"processed time"`` if it reads neither.
    """
    functions = {call.function: FUNCTIONS.get(call.function) for call in walk(node) if isinstance(call, Call)}
    return basis_of(
        codes=any(_reads_codes(name, function) for name, function in functions.items()),
        detections=any(_reads_detections(name, function) for name, function in functions.items()),
    )


def _reads_codes(name: str, function: Function | None) -> bool:
    if name in _OF_CODES or name in _OF_BOTH:
        return True
    return function is not None and any(parameter.coded is not None for parameter in function.parameters)


def _reads_detections(name: str, function: Function | None) -> bool:
    """Whether a function reads the store itself; operators only read what stands in them."""
    if function is None or name in _OF_BOTH:
        return True
    if name in _OF_THE_VIDEO or _reads_codes(name, function):
        return False
    kinds = {kind for parameter in function.parameters for kind in parameter.kinds}
    reads_a_name = Kind.NAME in kinds
    gives = function.result is not None and function.result.kind in _GIVEN and not kinds & _GIVEN
    return reads_a_name or gives
