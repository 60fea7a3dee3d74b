"""Do the parts of an expression fit together? Kinds of arguments, units and variables are checked without a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.functions import FUNCTIONS, SELECTIONS, closest_function
from visionllm_interaction.measures.language.syntax_tree import (
    Arrow,
    Call,
    Grouped,
    NameTerm,
    Node,
    Operation,
    Prefix,
    Quantity,
    children,
    is_variable,
    walk,
)
from visionllm_interaction.measures.language.types import STREAM, Function, Kind, Parameter, Type

_WHOLE = (*STREAM, Kind.SAMPLES, Kind.BOX, Kind.VALUE, Kind.YES_NO)
"""What an expression can be; a name alone says nothing about it."""
_COMPARISONS = frozenset({">", ">=", "<", "<=", "==", "!="})
_EXAMPLES: Mapping[str, str] = {
    "latency": "latency(puts_down(caregiver) -> picks_up(child))",
    "prob": "prob(b, within=3s, after=a)",
    "holds": "holds(near(child, caregiver), at=12.5s)",
    "top": "top(3, total(holding(child, $o)) by $o)",
}


class Place(Struct, frozen=True):
    """Where a variable stands: what fits there, and the kind of code whose labels do."""

    fits: str
    coded: str | None


class Checked(Struct):
    """What is known of an expression.

    Attributes:
        type: the type of the whole.
        places: variable → the places in which it stands.
        per_video: whether its value belongs to one video.
    """

    type: Type
    places: dict[str, list[Place]] = field(default_factory=dict)
    per_video: bool = False


def check(grouped: Grouped, functions: Mapping[str, Function] = FUNCTIONS) -> Checked:
    """Check an expression whose named measures are written out.

    Args:
        grouped: the expression.
        functions: the functions that can be called.

    Returns:
        Its type and its variables.

    Raises:
        ExpressionError: with the column of the part that does not fit, and how to write it.
    """
    checker = _Checker(functions)
    found = checker.of_grouped(grouped, outermost=True)
    return Checked(found, checker.places, checker.per_video)


class _Checker:
    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.places: dict[str, list[Place]] = {}
        self.per_video = False

    def of_grouped(self, grouped: Grouped, *, outermost: bool = False, bound: frozenset[str] = frozenset()) -> Type:
        here = [binding.variable for binding in (*grouped.by, *grouped.over)]
        if len(set(here)) < len(here):
            raise _error("A variable is grouped twice.", grouped, found=", ".join(here), fix="name each variable once")
        names = bound | set(here)
        value = grouped.value
        if outermost and isinstance(value, Call) and value.function in SELECTIONS:
            found = self._of_selection(value, names)
        else:
            found = self.of(value, names)
            self._expect(value, found, _WHOLE, "the whole expression")
        used = _variables(grouped.value)
        inner = {v for part in walk(grouped.value) if isinstance(part, Grouped) for v in _bound(part)}
        for variable in here:
            if variable not in used:
                fix = f"write {variable} in the expression, or leave it out of by and over"
                raise _error(f"{variable} does not stand in the expression.", grouped, found=variable, fix=fix)
        for binding in grouped.over:
            self._pooled(grouped.value, binding.variable)
        if outermost:
            free = sorted(used - names - inner)
            if free:
                raise _error(
                    f"It is not said what {free[0]} stands for.", _place_of(grouped.value, free[0]),
                    expected=f"by {free[0]} or over {free[0]} after the expression", found=free[0],
                    fix=f"add by {free[0]} (a value for each name) or over {free[0]} (all names together)",
                )  # fmt: skip
        return found

    def _pooled(self, value: Node, variable: str) -> None:
        """A variable whose names are taken together stands in every stream that a value is made of."""
        for part in walk(value):
            if not isinstance(part, Call) or part.function not in self.functions:
                continue
            function = self.functions[part.function]
            if function.result is None or function.result.kind not in (Kind.VALUE, Kind.YES_NO, Kind.SAMPLES):
                continue
            streams = [a for a in children(part) if not isinstance(a, (Quantity, NameTerm))]
            lacking = [a for a in streams if variable not in _variables(a)]
            if lacking and len(lacking) < len(streams):
                raise _error(
                    f"With over {variable} each stream of {part.function} is about {variable}.", lacking[0],
                    expected=f"a stream with {variable}", found=lacking[0].to_text(),
                    fix=f"write thing or person in place of {variable}, or by {variable}",
                )  # fmt: skip
            if part.function == "share" and "of" not in dict(part.keywords):
                raise _error(
                    f"The shares of several names do not add up over {variable}.", part, found=part.to_text(),
                    expected="of= with a stream of the same variable", fix=f"write by {variable}, or total(…)",
                )  # fmt: skip

    def of(self, node: Node, bound: frozenset[str]) -> Type:
        match node:
            case Quantity(_, unit):
                return Type(Kind.VALUE, {"%": "share"}.get(unit, unit))
            case NameTerm():
                return Type(Kind.NAME)
            case Call():
                if node.function in SELECTIONS:
                    raise _error(
                        f"{node.function} is the whole expression, or nothing.", node, found=node.to_text(),
                        expected="a stream or a value", fix=f"compute {node.function}(…) as an expression of its own",
                    )  # fmt: skip
                return self._of_call(node, bound)
            case Operation():
                return self._of_operation(node, bound)
            case Prefix():
                return self._of_prefix(node, bound)
            case Arrow(first, second):
                for part in (first, second):
                    self._expect(part, self.of(part, bound), STREAM, "each side of ->")
                if first == second:
                    fix = "for the time between one and the next of the same stream write pauses(a)"
                    raise _error("Both sides of -> are the same.", node, expected="two streams", fix=fix)
                return Type(Kind.ARROW)
            case Grouped():
                raise _error(
                    "Groups stand at the end of the whole expression, or within top, bottom, which and how_many.",
                    node, found=node.to_text(), fix="move by, over and in video to the end of the expression",
                )  # fmt: skip

    def _of_prefix(self, node: Prefix, bound: frozenset[str]) -> Type:
        found = self.of(node.operand, bound)
        if node.operator == "-":
            self._expect(node.operand, found, (Kind.VALUE,), "what - stands before")
            return found
        self._expect(node.operand, found, (Kind.INTERVALS, Kind.YES_NO), "what ! stands before")
        return found

    def _of_operation(self, node: Operation, bound: frozenset[str]) -> Type:
        left, right = self._scalar(node.left, bound), self._scalar(node.right, bound)
        if node.operator in ("&", "|"):
            return self._of_both(node, left, right)
        for part, found in ((node.left, left), (node.right, right)):
            self._expect(part, found, (Kind.VALUE,), f"each side of {node.operator}")
        if node.operator in _COMPARISONS:
            self._same_unit(node, left, right)
            return Type(Kind.YES_NO, "yes/no")
        if node.operator in ("+", "-"):
            self._same_unit(node, left, right)
            return left if left.unit else right
        return _product(node, left, right)

    def _scalar(self, node: Node, bound: frozenset[str]) -> Type:
        """The type of a side of an operation: lags stand for their median, box quantities for their mean."""
        found = self.of(node, bound)
        return Type(Kind.VALUE, found.unit) if found.kind in (Kind.SAMPLES, Kind.BOX) else found

    def _of_both(self, node: Operation, left: Type, right: Type) -> Type:
        kinds = (*STREAM, Kind.YES_NO)
        for part, found in ((node.left, left), (node.right, right)):
            self._expect(part, found, kinds, f"each side of {node.operator}")
        if (left.kind is Kind.YES_NO) != (right.kind is Kind.YES_NO):
            raise _error(
                f"{node.operator} stands between two streams, or between two yes or no.", node,
                expected="two of the same", found=f"{left} and {right}",
                fix="write exists(…) around the stream to ask whether it holds at any time",
            )  # fmt: skip
        if left.kind is Kind.MOMENTS and right.kind is Kind.MOMENTS and node.operator == "&":
            raise _error(
                "Two streams of moments have no time in common.", node, expected="intervals on one side",
                found=f"{left} and {right}", fix="write within(a, b, 1s): those of a that are near one of b",
            )  # fmt: skip
        if left.kind is not right.kind and node.operator == "|":
            raise _error(
                "Intervals and moments cannot be one stream.", node, expected="two of the same",
                found=f"{left} and {right}", fix="write starts(…) around intervals, or padded(…, 1s) around moments",
            )  # fmt: skip
        return Type(Kind.MOMENTS) if Kind.MOMENTS in (left.kind, right.kind) else left

    def _same_unit(self, node: Operation, left: Type, right: Type) -> None:
        if left.unit == right.unit or (not (left.unit and right.unit) and "s" not in (left.unit, right.unit)):
            return
        plain = next((p for p in (node.left, node.right) if isinstance(p, Quantity) and not p.unit), None)
        fix = f"write {plain.to_text()}s for seconds" if plain else "compare or add values of one unit"
        raise _error(
            f"The two sides of {node.operator} have different units.", node, expected="the same unit on both sides",
            found=f"{left.unit or 'no unit'} and {right.unit or 'no unit'}", fix=fix,
        )  # fmt: skip

    def _of_selection(self, node: Call, bound: frozenset[str]) -> Type:
        ranked = node.function in ("top", "bottom")
        example = _EXAMPLES["top"] if ranked else f"{node.function}(exists(holding(child, $o)) by $o)"
        arguments = list(node.arguments)
        if node.keywords or len(arguments) != 1 + ranked:
            raise _arguments(node, f"{1 + ranked} argument{'s' * ranked}", example)
        if ranked:
            number = arguments.pop(0)
            self._fits(number, self.of(number, bound), Parameter("n", (Kind.NUMBER,)), node.function)
        inner = arguments[0]
        if not isinstance(inner, Grouped) or not inner.by or _is_about_videos(inner):
            raise _error(
                f"{node.function} chooses among the names of a variable.", inner,
                expected="an expression with by $o", found=inner.to_text(), fix=f"write {example}",
            )  # fmt: skip
        found = self.of_grouped(inner, bound=bound)
        if found.kind in (Kind.SAMPLES, Kind.BOX):
            found = Type(Kind.VALUE, found.unit)
        self._expect(inner.value, found, (Kind.VALUE, Kind.YES_NO), f"what {node.function} compares")
        return Type(Kind.VALUE, "count") if node.function == "how_many" else Type(Kind.NAMES, found.unit)

    def _of_call(self, node: Call, bound: frozenset[str]) -> Type:
        function = self.functions.get(node.function)
        if function is None:
            near = closest_function(node.function, self.functions)
            raise _error(
                f"There is no function {node.function}.", node, expected="a function of docs/language.md",
                found=node.function, fix=f"did you mean {near}?" if near else "see docs/language.md for the functions",
            )  # fmt: skip
        self.per_video |= function.per_video
        given = arguments_of(node, function)
        types: dict[str, Type] = {}
        for parameter in function.parameters:
            if parameter.name in given:
                argument = given[parameter.name]
                found = self.of(argument, bound)
                self._fits(argument, found, parameter, node.function)
                types[parameter.name] = found
                self._note(argument, parameter)
        return self._result(node, function, types)

    def _result(self, node: Call, function: Function, types: Mapping[str, Type]) -> Type:
        if function.computed_by.endswith(":spread"):
            kind = types["a"].kind
            if kind is Kind.MOMENTS:
                fix = f"write {function.name}(pauses(a)) for the times between moments"
                raise _error("Moments have no length.", node, expected="intervals", found="moments", fix=fix)
            if "during" in types and kind is not Kind.BOX:
                fix = f"write {function.name}(during(a, b))"
                raise _error("during= belongs to box quantities.", node, expected=Kind.BOX.value, fix=fix)
            return Type(Kind.VALUE, types["a"].unit or "s")
        if function.name == "at_least" and not is_read(_argument(node, 1), self.functions):
            raise _error(
                "at_least counts the single intervals of a stream that is read from the store.",
                _argument(node, 1), expected="visible(…), holding(…) or another stream without operators",
                found=_argument(node, 1).to_text(), fix="write at_least(2, visible(person)) & … instead",
            )  # fmt: skip
        if function.result is not None:
            return function.result
        return types["b" if function.name == "nearest" else "a"]

    def _note(self, argument: Node, parameter: Parameter) -> None:
        if isinstance(argument, NameTerm):
            for variable in argument.variables:
                # A name that is left out may be any.
                fits = parameter.fits if variable == argument.base else "any"
                self.places.setdefault(variable, []).append(Place(fits, parameter.coded))

    def _fits(self, node: Node, found: Type, parameter: Parameter, function: str) -> None:
        kinds, where = parameter.kinds, f"the argument {parameter.name} of {function}"
        if isinstance(node, Grouped):
            self.of(node, frozenset())
        if Kind.TEXT in kinds and isinstance(node, NameTerm) and not node.excluded and not is_variable(node.base):
            return
        if isinstance(node, Quantity):
            fitting = {"s": (Kind.SECONDS, Kind.TIME), "%": (Kind.TIME,), "": (Kind.NUMBER,)}[node.unit]
            whole = Kind.NUMBER not in kinds or (node.value == int(node.value))
            if set(fitting) & set(kinds) and whole:
                return
        self._expect(node, found, kinds, where)

    def _expect(self, node: Node, found: Type, kinds: Sequence[Kind], where: str) -> None:
        if found.kind in kinds and not (isinstance(node, Quantity) and Kind.VALUE not in kinds):
            return
        raise _error(
            f"{where[0].upper()}{where[1:]} does not fit.", node,
            expected=" or ".join(dict.fromkeys(kind.value for kind in kinds)),
            found=f"{found} ({node.to_text()})", fix=_remedy(node, found, kinds),
        )  # fmt: skip


def arguments_of(node: Call, function: Function) -> dict[str, Node]:
    """The arguments of a call by name of their parameter.

    Args:
        node: the call.
        function: the function that is called.

    Returns:
        Those that are given.

    Raises:
        ExpressionError: if there are too many or too few, or a name is not one of its parameters.
    """
    example = _EXAMPLES.get(function.name) or signature(function)
    places = [parameter for parameter in function.parameters if not parameter.keyword]
    if len(node.arguments) > len(places):
        raise _arguments(node, f"{len(places)} argument{'' if len(places) == 1 else 's'} at most", example)
    given: dict[str, Node] = {p.name: argument for p, argument in zip(places, node.arguments, strict=False)}
    known = {parameter.name for parameter in function.parameters}
    for name, value in node.keywords:
        if name not in known or name in given:
            names = ", ".join(sorted(known - set(given))) or "none"
            raise _error(
                f"{function.name} has no argument {name}." if name not in known else f"{name} is given twice.",
                value, expected=f"one of: {names}", found=f"{name}=", fix=f"write {example}",
            )  # fmt: skip
        given[name] = value
    missing = [p.name for p in function.parameters if not p.optional and p.name not in given]
    if missing:
        raise _arguments(node, f"the argument {missing[0]}", example)
    return given


def signature(function: Function) -> str:
    """How a function is written, with all its arguments."""
    parts = [
        f"{parameter.name}={parameter.default or '…'}" if parameter.keyword else parameter.name
        for parameter in function.parameters
        if not parameter.optional or parameter.keyword
    ]
    return f"{function.name}({', '.join(parts)})"


def is_read(node: Node, functions: Mapping[str, Function] = FUNCTIONS) -> bool:
    """Whether a stream comes straight from the store, with single rows for single tracks."""
    if not isinstance(node, Call) or node.function not in functions:
        return False
    return not any(set(p.kinds) & set(STREAM) for p in functions[node.function].parameters)


def _argument(node: Call, place: int) -> Node:
    return node.arguments[place] if place < len(node.arguments) else node.keywords[-1][1]


def _variables(node: Node) -> set[str]:
    return {v for part in walk(node) if isinstance(part, NameTerm) for v in part.variables}


def _bound(grouped: Grouped) -> set[str]:
    return {binding.variable for binding in (*grouped.by, *grouped.over)}


def _place_of(node: Node, variable: str) -> Node:
    return next(part for part in walk(node) if isinstance(part, NameTerm) and variable in part.variables)


def _product(node: Operation, left: Type, right: Type) -> Type:
    if node.operator == "/" and left.unit == right.unit and left.unit:
        return Type(Kind.VALUE, "ratio")
    if not right.unit or right.unit in ("share", "ratio"):
        return left if left.unit or node.operator == "/" else right
    if node.operator == "*":
        if not left.unit or left.unit in ("share", "ratio"):
            return right
        raise _error(
            "Two values with units cannot be multiplied.", node, expected="a plain number on one side",
            found=f"{left.unit} and {right.unit}", fix="multiply by a number, or divide one by the other",
        )  # fmt: skip
    return Type(Kind.VALUE, f"{left.unit or '1'}/{right.unit}")


def _is_about_videos(grouped: Grouped) -> bool:
    """Whether it is said of which videos, or for which parts of them, a value is."""
    separate = grouped.by_video or grouped.by_session or grouped.by_child or grouped.bin_s is not None
    return separate or any(only is not None for only in (grouped.video, grouped.session, grouped.camera))


def _arguments(node: Call, expected: str, example: str) -> ExpressionError:
    found = f"{len(node.arguments) + len(node.keywords)} in {node.to_text()}"
    return _error(
        f"The arguments of {node.function} do not fit.", node, expected=expected, found=found, fix=f"write {example}"
    )


def _remedy(node: Node, found: Type, kinds: Sequence[Kind]) -> str:
    text = node.to_text()
    if set(kinds) & set(STREAM) and found.kind not in STREAM:
        if isinstance(node, NameTerm):
            return f"write {text}()" if text == "processed" else f"write visible({text})"
        return "write a stream, such as visible(child)"
    if isinstance(node, Quantity) and Kind.SECONDS in kinds:
        return "write a time in seconds, such as 3s" if node.unit else f"write {text}s"
    if Kind.VALUE in kinds and found.kind in STREAM:
        return f"write total({node.to_text()}) or count({node.to_text()})"
    if found.kind is Kind.MOMENTS and Kind.INTERVALS in kinds:
        return f"write padded({node.to_text()}, 1s) for the time around them"
    if Kind.NAME in kinds:
        return "write a category, a role, person, thing, anything or a variable"
    if Kind.ARROW in kinds:
        return f"write {_EXAMPLES['latency']}"
    if Kind.NUMBER in kinds:
        return "write a whole number, such as 2"
    if Kind.TEXT in kinds:
        return 'write a text in quotes, such as "ball"'
    return f"write {kinds[0].value} here"


def _error(message: str, node: Node, **context: str | None) -> ExpressionError:
    return ExpressionError(message, column=max(node.column, 1), **context)
