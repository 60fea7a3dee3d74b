"""Named measures in expressions: a call of one is replaced by the expression it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import Struct

from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.catalogue import Measure
from visionllm_interaction.measures.catalogue_sequential import ALL_MEASURES
from visionllm_interaction.measures.language.functions import FUNCTIONS, SELECTIONS
from visionllm_interaction.measures.language.syntax_tree import (
    Arrow,
    Call,
    Grouped,
    NameTerm,
    Node,
    Operation,
    Prefix,
    substituted,
    walk,
)
from visionllm_interaction.measures.language.types import Function

if TYPE_CHECKING:
    from visionllm_interaction.measures.config import MeasuresConfig


class NamedMeasure(Struct, frozen=True):
    """An expression that has a name.

    Attributes:
        name: what it is called by.
        body: the expression.
        parameters: its variables, in the order of the arguments: ``$subject``, ``$object``.
    """

    name: str
    body: Node
    parameters: tuple[str, ...]


_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "one": ("$subject",),
    "pair": ("$subject", "$object"),
    "bout": ("$bouts",),
    "event": ("$events",),
}


def named_measures(config: MeasuresConfig | None) -> dict[str, NamedMeasure]:
    """The measures of the catalogue and those of the settings, by name.

    Args:
        config: with named measures of its own; None: none.

    Returns:
        Those whose name is not a function of the language.
    """
    own: dict[str, Measure] = {}
    if config and config.named:
        from visionllm_interaction.measures.own import parsed_measures

        own = parsed_measures(config)
    return {
        name: NamedMeasure(name, measure.expression, _PARAMETERS[measure.inputs])
        for name, measure in {**ALL_MEASURES, **own}.items()
        if name not in FUNCTIONS
    }


def functions_of(node: Node) -> Mapping[str, Function]:
    """The functions that an expression may call.

    Args:
        node: an expression whose named measures are written out.

    Returns:
        Those of the language; measures of plug-ins beside them where it calls something that nothing built in is.

    Raises:
        PluginError: if a plug-in offers such a measure and cannot be used.
    """
    called = {call.function for call in walk(node) if isinstance(call, Call)}
    if called <= FUNCTIONS.keys() | SELECTIONS.keys():
        return FUNCTIONS
    from visionllm_interaction.measures.plugin_functions import functions_with_plugins

    return functions_with_plugins(called)


def written_out(grouped: Grouped, measures: Mapping[str, NamedMeasure]) -> Grouped:
    """An expression in which every named measure is written out.

    Args:
        grouped: the expression.
        measures: named measures by name.

    Returns:
        The same with functions of the language only.

    Raises:
        ExpressionError: if a measure is called with too many or too few arguments.
    """
    return replace(grouped, value=_written_out(grouped.value, measures))


def _written_out(node: Node, measures: Mapping[str, NamedMeasure]) -> Node:
    match node:
        case Call(function, arguments, keywords):
            given = tuple(_written_out(argument, measures) for argument in arguments)
            if function in measures:
                return _body(replace(node, arguments=given), measures[function])
            named = tuple((name, _written_out(value, measures)) for name, value in keywords)
            return replace(node, arguments=given, keywords=named)
        case Operation(_, left, right):
            return replace(node, left=_written_out(left, measures), right=_written_out(right, measures))
        case Prefix(_, operand):
            return replace(node, operand=_written_out(operand, measures))
        case Arrow(first, second):
            return replace(node, first=_written_out(first, measures), second=_written_out(second, measures))
        case Grouped():
            return written_out(node, measures)
        case _:
            return node


def _body(call: Call, measure: NamedMeasure) -> Node:
    expected = f"{measure.name}({', '.join(name.lstrip('$') for name in measure.parameters)})"
    if call.keywords or len(call.arguments) != len(measure.parameters):
        raise ExpressionError(
            f"The arguments of the measure {measure.name} do not fit.",
            expected=f"{len(measure.parameters)} arguments",
            found=call.to_text(),
            column=max(call.column, 1),
            fix=f"write {expected}",
        )
    streams = [v for v in measure.parameters if v in ("$bouts", "$events")]
    for variable, argument in zip(measure.parameters, call.arguments, strict=True):
        if variable in streams and isinstance(argument, NameTerm):
            raise ExpressionError(
                f"The measure {measure.name} is of a stream.",
                expected="a stream, such as holding(child, ball)",
                found=argument.to_text(),
                column=max(argument.column, 1),
                fix=f"write {measure.name}(holding(child, {argument.to_text()}))",
            )
    found = substituted(measure.body, dict(zip(measure.parameters, call.arguments, strict=True)))
    return replace(found, column=call.column)
