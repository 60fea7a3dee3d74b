"""Evaluation of checked expressions: each part once, for all groups at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, ranked_rows
from visionllm_interaction.measures.language.check import arguments_of
from visionllm_interaction.measures.language.functions import FUNCTIONS
from visionllm_interaction.measures.language.monotone import only_grows
from visionllm_interaction.measures.language.syntax_tree import (
    Arrow,
    Call,
    NameTerm,
    Node,
    Operation,
    Prefix,
    Quantity,
    is_variable,
)
from visionllm_interaction.measures.language.types import Function, Kind, Parameter
from visionllm_interaction.measures.language.values import Evaluated, Outputs, Values
from visionllm_interaction.measures.missing_inputs import NOT_CODED
from visionllm_interaction.measures.streams import stream as algebra
from visionllm_interaction.measures.streams.boxes import BoxQuantity, BoxTable
from visionllm_interaction.measures.streams.coded_time import KnownTime
from visionllm_interaction.measures.streams.missing_reasons import KNOWN, MissingInputs
from visionllm_interaction.measures.streams.stream import Stream
from visionllm_interaction.measures.streams.stream_scopes import Name, StreamGroups
from visionllm_interaction.measures.turn_limits import STANDARD, TurnLimits

ROUNDING = 1e-9


@dataclass
class Evaluator:
    """Computes the parts of one expression.

    Attributes:
        groups: what to compute it for.
        boxes: quantities of boxes of the same batch.
        missing: the inputs that videos lack; None: unknown inputs are not told apart.
        limits: of a turn.
        by_chance: whether probabilities are compared with random shifts; tables of values leave that out.
        functions: what can be called.
        computed: results that are computed once for all outputs, by call.
        finding_is_enough: whether more of what is found could only be found as well: what is found in part is found.
        in_part: (G,) reasons why more may be there than was found, where that is enough; else :data:`KNOWN`.
        only_sure: whether a name that leaves people out stands only for those of whom it is known who they are.
    """

    groups: StreamGroups
    boxes: BoxTable
    missing: MissingInputs | None = None
    limits: TurnLimits = STANDARD
    by_chance: bool = True
    functions: Mapping[str, Function] = field(default_factory=lambda: FUNCTIONS)
    computed: dict[Node, Any] = field(default_factory=dict)
    finding_is_enough: bool = False
    only_sure: bool = False
    _found: dict[tuple[Node, str], Evaluated] = field(default_factory=dict)
    _known_times: dict[tuple[Node, str], KnownTime] = field(default_factory=dict)
    reasons: Ints = field(init=False)
    in_part: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.reasons = np.full(len(self.groups), KNOWN)
        self.in_part = self.reasons.copy()

    @property
    def known(self) -> NDArray[np.bool_]:
        """(G,) whether all inputs of the parts evaluated so far are there."""
        return np.asarray(self.reasons == KNOWN)

    def lacks(self, reasons: Ints, found: Ints | None = None) -> None:
        """Note why groups are unknown.

        Args:
            reasons: (G,) reasons, or :data:`KNOWN`.
            found: (N,) groups in which something was found all the same: they are known, unless there may be more of
                it and that would make a difference.
        """
        if found is not None:
            reasons = reasons.copy()
            if self.missing is not None and self.missing.in_part:
                partly = found[np.isin(reasons[found], sorted(self.missing.in_part))]
                if self.finding_is_enough:
                    self.in_part[partly] = np.where(
                        self.in_part[partly] != KNOWN, self.in_part[partly], reasons[partly]
                    )
                else:
                    found = np.setdiff1d(found, partly)
            reasons[found] = KNOWN
        self.reasons = np.where(self.reasons != KNOWN, self.reasons, reasons)

    def names(self, term: NameTerm) -> Ints:
        """(G,) the name that a term stands for in each group."""
        table, bindings = self.groups.names, self.groups.bindings
        if not term.variables:
            return np.full(len(self.groups), table.code(self.name(term)))
        if term.base in bindings and not term.excluded:
            return bindings[term.base]
        parts = [bindings[v] for v in term.variables]
        distinct, place = ranked_rows(*parts)
        codes = [
            table.code(self.name(term, dict(zip(term.variables, (table.names[c] for c in row), strict=True))))
            for row in distinct.tolist()
        ]
        return np.array(codes, dtype=np.int64)[place]

    def name(self, term: NameTerm, bound: Mapping[str, Name] = {}) -> Name:
        """The name of a term, with variables replaced."""
        base = bound.get(term.base)
        start = base if base is not None else Name(self.spelled(term.base))
        others = [bound[w].base if w in bound else self.spelled(w) for w in term.excluded]
        is_sure = self.only_sure and bool(others)
        return replace(start, excluded=(*start.excluded, *others), is_sure=is_sure or start.is_sure)

    def spelled(self, word: str) -> str:
        """A name as the store has it: underscores stand for blanks where it has no such name with underscores."""
        texts = self.groups.batch.texts
        self.groups.batch.tracks  # noqa: B018  (its names are met first)
        blank = word.replace("_", " ")
        if "_" in word and texts.known(word) < 0 and not is_variable(word):
            return blank
        return word

    def part(self, node: Node) -> Evaluated:
        """The stream, times or box quantity of a part; computed once."""
        key = (node, type(node).__name__)
        if key not in self._found:
            self._found[key] = self._part(node)
            self.lacks_codes(node)
        return self._found[key]

    def stream(self, node: Node) -> Stream:
        """The stream of a part."""
        found = self.part(node)
        assert isinstance(found, Stream)
        return found

    def _part(self, node: Node) -> Evaluated:
        match node:
            case Operation("&", left, right):
                return algebra.both(self.stream(left), self.stream(right))
            case Operation("|", left, right):
                return self.known_time(node).cut(algebra.either(self.stream(left), self.stream(right)))
            case Prefix("!", operand):
                self.lacks_frames(operand)
                return algebra.complement(self.stream(operand), self.known_stream(operand))
            case Call():
                function = self.functions[node.function]
                found: Evaluated = _implementation(function.computed_by)(Arguments(self, function, node))
                return found
            case _:
                raise TypeError(f"not a stream: {node.to_text()}")

    def processed(self) -> Stream:
        """The intervals of processed frames."""
        return self.stream(Call("processed"))

    def known_time(self, node: Node) -> KnownTime:
        """The time in which it is known whether a part holds; see :mod:`.known_time`."""
        if not len(self.groups.batch.coded_spans.video):
            return KnownTime.processed(len(self.groups))
        key = (node, type(node).__name__)
        if key not in self._known_times:
            from visionllm_interaction.measures.language.known_time import known_time

            self._known_times[key] = known_time(self, node)
        return self._known_times[key]

    def known_stream(self, node: Node) -> Stream:
        """The same as intervals: coded time where that is told, else processed time."""
        time, processed = self.known_time(node), self.processed()
        if not time.limited.any():
            return processed
        parts = algebra.all_rows(time.rows(processed), processed.take(~time.limited[processed.group]))
        return replace(parts, merged=True)

    def lacks_frames(self, node: Node) -> None:
        """Note where no frame was processed and a part is not known by codes alone."""
        if self.missing is not None:
            time = self.known_time(node)
            by_codes = time.limited & ~time.needs_frames
            self.lacks(np.where(by_codes, KNOWN, self.missing.not_processed(self.groups)))

    def lacks_codes(self, node: Node) -> None:
        """Note where a part is in no time known because nobody coded it."""
        if self.missing is not None and (uncoded := self.uncoded(node)).any():
            self.lacks(np.where(uncoded, self.missing.reasons.code(NOT_CODED), KNOWN))

    def uncoded(self, node: Node) -> NDArray[np.bool_]:
        """(G,) whether nothing of the window was coded in which a part is known."""
        time = self.known_time(node)
        if not time.limited.any():
            return time.limited
        found = time.limited.copy()
        found[time.rows(self.processed()).group] = False
        return found

    def values(self, node: Node, outputs: Outputs) -> Values:
        """The value of an expression for each output; groups with a missing input count in none."""
        self.finding_is_enough = self._is_scalar(node) and only_grows(node, with_exceptions=self.only_sure)
        self.prepare(node)
        if (self.in_part != KNOWN).any():
            # A yes stays yes whatever more there is. Nobody knows whether it is a no.
            yes = self._value(node, Outputs(np.arange(len(self.groups)), len(self.groups))).value > 0
            self.lacks(np.where(yes, KNOWN, self.in_part))
            self.in_part[:] = KNOWN
        if self._may_be_proven(node):
            self.reasons = np.where(self._proven(node), KNOWN, self.reasons)
        return self._value(node, outputs)

    def _may_be_proven(self, node: Node) -> bool:
        """Whether a yes may be true whoever they are who may be left out: ``exists(visible(person except x))``."""
        if self.only_sure or self.missing is None or not self._is_scalar(node):
            return False
        is_in_part = np.isin(self.reasons, sorted(self.missing.in_part)).any()
        return bool(is_in_part) and not only_grows(node) and only_grows(node, with_exceptions=True)

    def _proven(self, node: Node) -> NDArray[np.bool_]:
        """(G,) whether a yes follows from the people alone of whom it is known that they are not left out."""
        sure = Evaluator(self.groups, self.boxes, self.missing, self.limits, functions=self.functions, only_sure=True)
        alone = Outputs(np.arange(len(self.groups)), len(self.groups))
        return np.asarray((sure.values(node, alone).value > 0) & sure.known)

    def listed(self, node: Node) -> Stream:
        """The rows of a stream that are to be listed: also those of groups in which there may be more of them."""
        self.finding_is_enough = only_grows(node)
        return self.stream(node)

    def prepare(self, node: Node) -> None:
        """Evaluate all streams of an expression, so that every missing input is known before anything is summed up."""
        match node:
            case Operation(operator, left, right) if operator not in ("&", "|") or self._is_scalar(node):
                self.prepare(left)
                self.prepare(right)
            case Prefix(_, operand) if self._is_scalar(node):
                self.prepare(operand)
            case Call() if self._is_scalar(node):
                arguments = Arguments(self, self.functions[node.function], node)
                if arguments.function.prepared_by is not None:
                    _implementation(arguments.function.prepared_by)(arguments)
                _implementation(f"{_SUMS}:prepare")(arguments)
                self.lacks_codes(node)
            case Quantity():
                pass
            case _:
                self.part(node)

    def _is_scalar(self, node: Node) -> bool:
        match node:
            case Quantity():
                return True
            case Operation(operator, left, _):
                return operator not in ("&", "|") or self._is_scalar(left)
            case Prefix(operator, operand):
                return operator == "-" or self._is_scalar(operand)
            case Call(function):
                result = self.functions[function].result
                return result is not None and result.kind in (Kind.VALUE, Kind.YES_NO)
            case _:
                return False

    def _value(self, node: Node, outputs: Outputs) -> Values:
        match node:
            case Quantity(value, unit):
                number = value / 100 if unit == "%" else value
                return Values(np.full(outputs.count, number), Stream.empty(), np.ones(outputs.count, np.bool_))
            case Operation(operator, left, right):
                return _combined(operator, self._value(left, outputs), self._value(right, outputs))
            case Prefix(operator, operand):
                inner = self._value(operand, outputs)
                opposite = -inner.value if operator == "-" else 1.0 - inner.value
                return Values(opposite, inner.proof, inner.found)
            case Call() if self._is_scalar(node):
                function = self.functions[node.function]
                arguments = Arguments(self, function, node, outputs)
                found: Values = _implementation(function.computed_by)(arguments)
                return found
            case _:
                # A box quantity stands for its mean, times for their median.
                how = "mean" if isinstance(self.part(node), BoxQuantity) else "median"
                return self._value(Call(how, (node,)), outputs)


_SUMS = "measures.language.aggregation.aggregates"


@dataclass
class Arguments:
    """The arguments of one call, as its function takes them.

    Attributes:
        evaluator: what evaluates it.
        function: the function.
        node: the call.
        outputs: how groups make values together; of functions that give a value.
    """

    evaluator: Evaluator
    function: Function
    node: Call
    outputs: Outputs = field(default_factory=lambda: Outputs(np.zeros(0, np.int64), 0))
    given: dict[str, Node] = field(init=False)

    def __post_init__(self) -> None:
        self.given = arguments_of(self.node, self.function)

    @property
    def groups(self) -> StreamGroups:
        """What it is computed for."""
        return self.evaluator.groups

    def known_time(self) -> KnownTime:
        """The time in which all that the call is about is known."""
        return self.evaluator.known_time(self.node)

    def _node(self, name: str) -> Node | None:
        if name in self.given:
            return self.given[name]
        default = next(p.default for p in self.function.parameters if p.name == name)
        return None if default is None else _default(default)

    def parameter(self, place: int) -> Parameter:
        """The parameter at a place."""
        return self.function.parameters[place]

    def name(self, name: str) -> Ints | None:
        """(G,) the name in an argument; None: not given, or *anything*."""
        term = self.given.get(name)
        if not isinstance(term, NameTerm):
            return None
        if term == NameTerm("anything"):
            return None
        return self.evaluator.names(term)

    def given_name(self, name: str) -> Ints | None:
        """(G,) the name in an argument, also *anything*; None: not given."""
        return self.required_name(name) if name in self.given else None

    def required_name(self, name: str) -> Ints:
        """(G,) the name in an argument that has to be given; *anything* is a name too."""
        term = self.given[name]
        assert isinstance(term, NameTerm)
        return self.evaluator.names(term)

    def part(self, name: str) -> Evaluated | None:
        """The stream, times or box quantity in an argument; None if it is not given."""
        node = self._node(name)
        return None if node is None else self.evaluator.part(node)

    def stream(self, name: str) -> Stream:
        """The stream in an argument."""
        node = self._node(name)
        assert node is not None
        return self.evaluator.stream(node)

    def arrow(self, name: str) -> tuple[Stream, Stream]:
        """Both streams of ``a -> b``."""
        node = self.given[name]
        assert isinstance(node, Arrow)
        return self.evaluator.stream(node.first), self.evaluator.stream(node.second)

    def quantity(self, name: str) -> Quantity | None:
        """The number in an argument, with its unit; None if it is not given."""
        node = self._node(name)
        return node if isinstance(node, Quantity) else None

    def seconds(self, name: str) -> float:
        """The seconds in an argument; inf if it is not given."""
        found = self.quantity(name)
        return np.inf if found is None else found.value

    def number(self, name: str) -> int:
        """The whole number in an argument."""
        found = self.quantity(name)
        assert found is not None
        return int(found.value)

    def text(self, name: str) -> str | None:
        """The text in an argument; None if it is not given."""
        node = self.given.get(name)
        return node.base if isinstance(node, NameTerm) else None

    def moment(self, name: str) -> Floats:
        """(G,) the time in an argument; percentages are of the processed span, NaN where nothing was processed."""
        found = self.quantity(name)
        assert found is not None
        if found.unit != "%":
            return np.full(len(self.groups), found.value)
        done = self.groups.processed
        at = done.begin_s + (done.end_s - done.begin_s) * (found.value / 100)
        return np.asarray(at[self.groups.scope])


@cache
def _default(text: str) -> Node:
    if text == "processed()":
        return Call("processed")
    return Quantity(float(text.removesuffix("s")), "s" if text.endswith("s") else "")


@cache
def _implementation(computed_by: str) -> Callable[[Arguments], Any]:
    module, name = computed_by.split(":")
    found: Callable[[Arguments], Any] = getattr(import_module(f"visionllm_interaction.{module}"), name)
    return found


def _combined(operator: str, left: Values, right: Values) -> Values:
    value = _OPERATORS[operator](left.value, right.value)
    nothing = np.isnan(left.value) | np.isnan(right.value)
    value = np.where(nothing | ~np.isfinite(value), np.nan, value)
    proof = algebra.all_rows(left.proof, right.proof)
    return Values(value, proof, left.found | right.found)


def _divided(one: Floats, other: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(one / other)


def _truth(test: Callable[[Floats, Floats], NDArray[np.bool_]]) -> Callable[[Floats, Floats], Floats]:
    return lambda one, other: test(one, other).astype(np.float64)


_OPERATORS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": _divided,
    # Sums of seconds differ in their last digits: what is equal to a nanosecond is equal.
    ">": _truth(lambda one, other: one > other + ROUNDING),
    ">=": _truth(lambda one, other: one >= other - ROUNDING),
    "<": _truth(lambda one, other: one < other - ROUNDING),
    "<=": _truth(lambda one, other: one <= other + ROUNDING),
    "==": _truth(lambda one, other: np.abs(one - other) <= ROUNDING),
    "!=": _truth(lambda one, other: np.abs(one - other) > ROUNDING),
    "&": np.minimum,
    "|": np.maximum,
}
