"""The parts of an expression. Every part can be written as text again, and that text parses to the same part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

RESERVED = frozenset({"and", "or", "not", "over", "by", "in", "except"})
"""Words that name nothing unless they are quoted."""
_PLAIN = re.compile(r"[^\W\d](?:[\w.-]*\w)?\Z")
_LEVELS = ({"|"}, {"&"}, {"!"}, {">", ">=", "<", "<=", "==", "!="}, {"+", "-"}, {"*", "/"})


@dataclass(frozen=True)
class Quantity:
    """A number and its unit: ``3s``, ``50%``, ``2``.

    Attributes:
        value: the number; milliseconds, minutes and hours are seconds here.
        unit: ``s``, ``%`` or nothing.
        column: where it stands in the text, from 1; 0: nowhere.
    """

    value: float
    unit: str = ""
    column: int = field(default=0, compare=False)

    def to_text(self) -> str:
        """As it is written."""
        return f"{_digits(self.value)}{self.unit}"


@dataclass(frozen=True)
class NameTerm:
    """A name, a text, or a variable, and names whose tracks are left out.

    Attributes:
        base: the word without quotes; of a variable with its ``$``.
        excluded: the same, of each word after ``except``.
        column: where it stands in the text.
    """

    base: str
    excluded: tuple[str, ...] = ()
    column: int = field(default=0, compare=False)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables in it."""
        return tuple(word for word in (self.base, *self.excluded) if is_variable(word))

    def to_text(self) -> str:
        """As it is written, in quotes where it needs them."""
        return " except ".join(map(quoted, (self.base, *self.excluded)))


@dataclass(frozen=True)
class Call:
    """A function and its arguments.

    Attributes:
        function: its name.
        arguments: in order.
        keywords: those with a name, in order.
        column: where it stands in the text.
    """

    function: str
    arguments: tuple[Node, ...] = ()
    keywords: tuple[tuple[str, Node], ...] = ()
    column: int = field(default=0, compare=False)

    def to_text(self) -> str:
        """As it is written."""
        parts = [argument.to_text() for argument in self.arguments]
        parts += [f"{name}={argument.to_text()}" for name, argument in self.keywords]
        return f"{self.function}({', '.join(parts)})"


@dataclass(frozen=True)
class Operation:
    """Two parts and what is between them: ``&``, ``|``, a comparison, or arithmetic.

    Attributes:
        operator: as it is written.
        left: what stands before it.
        right: what stands behind it.
        column: where the left part stands in the text.
    """

    operator: str
    left: Node
    right: Node
    column: int = field(default=0, compare=False)

    def to_text(self) -> str:
        """As it is written."""
        level = _level(self)
        # Comparisons do not chain; the others group from the left.
        left = _inside(self.left, level + (self.operator in _LEVELS[3]))
        return f"{left} {self.operator} {_inside(self.right, level + 1)}"


@dataclass(frozen=True)
class Prefix:
    """``!`` or ``-`` before a part.

    Attributes:
        operator: which.
        operand: what it is before.
        column: where it stands in the text.
    """

    operator: str
    operand: Node
    column: int = field(default=0, compare=False)

    def to_text(self) -> str:
        """As it is written."""
        return self.operator + _inside(self.operand, _level(self))


@dataclass(frozen=True)
class Arrow:
    """From one stream to the next: ``a -> b``.

    Attributes:
        first: before the arrow.
        second: behind it.
        column: where it stands in the text.
    """

    first: Node
    second: Node
    column: int = field(default=0, compare=False)

    def to_text(self) -> str:
        """As it is written."""
        return f"{self.first.to_text()} -> {self.second.to_text()}"


@dataclass(frozen=True)
class Binding:
    """A variable, and the names that it may stand for.

    Attributes:
        variable: with its ``$``.
        domain: the names; empty: what fits its places.
        column: where it stands in the text.
    """

    variable: str
    domain: tuple[NameTerm, ...] = ()
    column: int = field(default=0, compare=False)

    def to_text(self) -> str:
        """As it is written."""
        names = [name.to_text() for name in self.domain]
        if not names:
            return self.variable
        return f"{self.variable} in {names[0] if len(names) == 1 else '(' + ', '.join(names) + ')'}"


@dataclass(frozen=True)
class Grouped:
    """An expression and what it is computed for.

    Attributes:
        value: the expression.
        by: variables with a value for each of their names.
        over: variables whose names are taken together.
        by_video: a value for each video.
        by_session: a value for each session, whose videos are one on its clock.
        by_child: a value for each child, as the covariate says.
        bin_s: length in seconds of bins with a value each.
        video: only this video.
        session: only this session.
        camera: only videos of this camera, as the covariate says.
        column: where it stands in the text.
    """

    value: Node
    by: tuple[Binding, ...] = ()
    over: tuple[Binding, ...] = ()
    by_video: bool = False
    bin_s: float | None = None
    video: str | None = None
    by_session: bool = False
    by_child: bool = False
    session: str | None = None
    camera: str | None = None
    column: int = field(default=0, compare=False)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said but the expression."""
        return self == Grouped(self.value)

    def to_text(self) -> str:
        """As it is written."""
        keys = ["video"] * self.by_video + ["session"] * self.by_session + ["child"] * self.by_child
        keys += [f"bin({_digits(self.bin_s)}s)"] if self.bin_s is not None else []
        keys += [binding.to_text() for binding in self.by]
        # Before `by`: behind it `in` would be read as the names of a variable.
        parts = [self.value.to_text()]
        about = (("video", self.video), ("session", self.session), ("camera", self.camera))
        parts += [f"in {what} {quoted(name)}" for what, name in about if name is not None]
        parts += [f"over {', '.join(binding.to_text() for binding in self.over)}"] if self.over else []
        parts += [f"by {', '.join(keys)}"] if keys else []
        return " ".join(parts)


Node = Quantity | NameTerm | Call | Operation | Prefix | Arrow | Grouped


def is_variable(word: str) -> bool:
    """Whether a word stands for names in turn."""
    return word.startswith("$")


def quoted(word: str) -> str:
    """A word as it is written: in quotes where it needs them."""
    if is_variable(word) or (_PLAIN.match(word) and word not in RESERVED):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def children(node: Node) -> Iterator[Node]:
    """The parts directly in a part."""
    match node:
        case Call(_, arguments, keywords):
            yield from arguments
            yield from (value for _, value in keywords)
        case Operation(_, left, right):
            yield from (left, right)
        case Prefix(_, operand):
            yield operand
        case Arrow(first, second):
            yield from (first, second)
        case Grouped(value):
            yield value
        case _:
            return


def walk(node: Node) -> Iterator[Node]:
    """A part and all parts in it."""
    yield node
    for child in children(node):
        yield from walk(child)


def substituted(node: Node, parts: Mapping[str, Node]) -> Node:
    """The same with variables replaced by parts; a variable behind ``except`` by a name."""
    match node:
        case NameTerm(base, excluded):
            return _with_names(node, base, excluded, parts)
        case Call(_, arguments, keywords):
            return replace(
                node,
                arguments=tuple(substituted(argument, parts) for argument in arguments),
                keywords=tuple((name, substituted(value, parts)) for name, value in keywords),
            )
        case Operation(_, left, right):
            return replace(node, left=substituted(left, parts), right=substituted(right, parts))
        case Prefix(_, operand):
            return replace(node, operand=substituted(operand, parts))
        case Arrow(first, second):
            return replace(node, first=substituted(first, parts), second=substituted(second, parts))
        case Grouped(value):
            return replace(node, value=substituted(value, parts))
        case _:
            return node


def _with_names(node: NameTerm, base: str, excluded: tuple[str, ...], parts: Mapping[str, Node]) -> Node:
    chosen = parts.get(base, NameTerm(base, column=node.column))
    left_out: list[str] = []
    for word in excluded:
        name = parts.get(word, NameTerm(word))
        left_out.append(name.base if isinstance(name, NameTerm) else word)
    if not isinstance(chosen, NameTerm):
        return chosen
    return NameTerm(chosen.base, (*chosen.excluded, *left_out), node.column)


def _digits(value: float | None) -> str:
    return format(value or 0.0, ".15g") if (value or 0.0) < 1e15 else format(value or 0.0, ".0f")


def _level(node: Node) -> int:
    operator = node.operator if isinstance(node, Operation) else "!" if isinstance(node, Prefix) else ""
    if isinstance(node, Prefix) and node.operator == "-":
        return len(_LEVELS)
    return next((n for n, level in enumerate(_LEVELS) if operator in level), len(_LEVELS) + 1)


def _inside(node: Node, level: int) -> str:
    text = node.to_text()
    return f"({text})" if _level(node) < level or isinstance(node, (Grouped, Arrow)) else text
