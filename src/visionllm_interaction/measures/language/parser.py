"""Text to expression. What is wrong with a text is said with its column, what was expected there, and a remedy."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.functions import FUNCTIONS, SELECTIONS
from visionllm_interaction.measures.language.syntax_tree import (
    RESERVED,
    Arrow,
    Binding,
    Call,
    Grouped,
    NameTerm,
    Node,
    Operation,
    Prefix,
    Quantity,
)

MAX_LENGTH = 4000
"""Longest expression in characters."""
MAX_DEPTH = 40
"""Deepest nesting of brackets."""
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_WRITTEN = {
    "WORD": "a name or a function",
    "TEXT": "a text in quotes",
    "VARIABLE": "a variable ($o)",
    "NUMBER": "a number",
    "UNIT": "a unit (s, ms, min, %)",
    "COMPARISON": "a comparison",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "VBAR": "|",
    "__ANON_0": "->",
    "$END": "the end",
}


def parse(text: str) -> Grouped:
    """Parse an expression.

    Args:
        text: as described in docs/language.md.

    Returns:
        Its parts; names, units and kinds of arguments are not checked here.

    Raises:
        ExpressionError: with the column of the first mistake, what was expected there and a remedy.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            "The expression is too long.",
            expected=f"at most {MAX_LENGTH} characters",
            found=f"{len(text)} characters",
            column=MAX_LENGTH + 1,
            fix="name a part of it as a measure in config/measures.yaml",
        )
    _check_depth(text)
    try:
        tree = _grammar().parse(text)
        grouped: Grouped = _Builder().transform(tree)
    except VisitError as error:
        if isinstance(error.orig_exc, ExpressionError):
            raise error.orig_exc from error
        raise
    except UnexpectedInput as error:
        raise _explained(error, text) from error
    return grouped


def _check_depth(text: str) -> None:
    depth = 0
    for column, letter in enumerate(text, start=1):
        depth += (letter == "(") - (letter == ")")
        if depth > MAX_DEPTH:
            raise ExpressionError(
                "The expression is nested too deeply.", expected=f"at most {MAX_DEPTH}", column=column
            )


@cache
def _grammar() -> Lark:
    text = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _explained(error: UnexpectedInput, text: str) -> ExpressionError:
    if isinstance(error, UnexpectedEOF) or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        column = len(text.rstrip()) + 1
        found = "the end"
    else:
        column = (error.pos_in_stream or 0) + 1
        found = error.char if isinstance(error, UnexpectedCharacters) else str(getattr(error, "token", ""))
    expected = _expected(error)
    return ExpressionError(
        "The expression cannot be read.",
        expected=expected,
        found=found,
        column=column,
        fix=_remedy(text, column - 1, found, expected),
    )


def _expected(error: UnexpectedInput) -> str:
    if isinstance(error, UnexpectedCharacters):
        names = error.allowed or set()
    else:
        names = set(getattr(error, "accepts", None) or getattr(error, "expected", ()) or ())
    if {"WORD", "NUMBER"} <= names:
        return "a name, a function or a number"
    words = sorted({_WRITTEN.get(name) or _literal(name) for name in names} - {""})
    return " or ".join(words[:8]) or "an expression"


def _literal(name: str) -> str:
    known = {
        "PLUS": "+", "MINUS": "-", "STAR": "*", "SLASH": "/", "BANG": "!", "EQUAL": "=", "__ANON_1": "&",
        "OVER": "over", "BY": "by", "IN": "in", "AND": "and", "OR": "or", "NOT": "not", "EXCEPT": "except",
        "VIDEO": "video", "BIN": "bin", "SESSION": "session", "CAMERA": "camera", "CHILD": "child",
        "AMPERSAND": "&",
    }  # fmt: skip
    return known.get(name, "")


def _remedy(text: str, at: int, found: str, expected: str) -> str:
    before = text[:at].rstrip()
    if found == "the end":
        if text.count('"') % 2:
            return "close the quotes"
        if text.count("(") > text.count(")"):
            return f"add {')' * (text.count('(') - text.count(')'))} at the end"
        return (
            "write what is missing after the last sign"
            if before
            else "write an expression, such as total(visible(child))"
        )
    if found == ")" and text.count(")") > text.count("("):
        return "remove the bracket that closes nothing"
    if found == '"':
        return "close the quotes"
    if found == "'":
        return 'write texts in double quotes: "teddy bear"'
    if found in ("=",):
        return "compare with == ; a single = names an argument inside the brackets of a function"
    if found == "$":
        return "a variable is a $ and a word: $o"
    if found in RESERVED:
        return f"{found!r} belongs to the language; write it in quotes if it is a name"
    if found[:1].isalpha() and before[-1:].isdigit():
        return "write the unit directly after the number: 3s, 500ms, 2min, 50%"
    last = before.rsplit("(", 1)[-1].split(",")[-1].split()
    if found[:1].isalnum() or found[:1] in '_"$':
        return _between_words(last[-1] if last else "", found, expected)
    if found in (",", "&", "|", ")", "->"):
        return f"write {'an argument' if found in (',', ')') else 'an expression'} before {found!r}, or remove it"
    return f"replace {found!r} by {expected}" if expected else f"remove {found!r}"


def _between_words(before: str, found: str, expected: str) -> str:
    """How to write two words that stand side by side."""
    if before in FUNCTIONS or before in SELECTIONS:
        return f"put what {before} is about in brackets: {before}(…)"
    words = ("video", "session", "child", "camera", "bin", "by", "over", "in")
    near = nearest_names(found, [word for word in words if word in expected], limit=1)
    if before in RESERVED or near:
        return f"did you mean {near[0]}?" if near else f"write {expected}"
    return f'put a sign (&, |, a comma) between the two, or quotes around a name of two words: "{before} {found}"'


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Lark's tree → parts."""

    def start(self, grouped: Grouped) -> Grouped:
        return grouped

    def word(self, token: Token) -> Token:
        return token

    def variable(self, token: Token) -> Token:
        return token

    def number(self, token: Token) -> Token:
        return token

    def text(self, token: Token) -> Token:
        value = str(token)[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        if not value.strip() or value.startswith("$"):
            raise ExpressionError(
                "A name is missing.", expected="a word between the quotes", found=str(token), column=token.column or 1,
                fix="write the name between the quotes",
            )  # fmt: skip
        return token.update(value=value)

    @v_args(meta=True, inline=True)
    def the_word_video(self, meta: Any) -> Token:
        return Token("WORD", "video", column=meta.column if not meta.empty else 0)

    @v_args(meta=True, inline=True)
    def the_word_bin(self, meta: Any) -> Token:
        return Token("WORD", "bin", column=meta.column if not meta.empty else 0)

    def name(self, base: Token, *excluded: Token) -> NameTerm:
        return NameTerm(str(base), tuple(map(str, excluded)), base.column or 0)

    def quantity(self, number: Token, unit: Token | None) -> Quantity:
        value, written = float(number), str(unit or "")
        if written in _UNITS:
            return Quantity(value * _UNITS[written], "s", number.column or 0)
        return Quantity(value, written, number.column or 0)

    def domain(self, *names: NameTerm) -> tuple[NameTerm, ...]:
        return names

    def binding(self, variable: Token, domain: tuple[NameTerm, ...] | None) -> Binding:
        return Binding(str(variable), domain or (), variable.column or 0)

    def over(self, *bindings: Binding) -> tuple[str, Any]:
        return "over", bindings

    def by(self, *keys: Any) -> tuple[str, Any]:
        return "by", keys

    def by_video(self) -> str:
        return "video"

    def by_bin(self, length: Quantity) -> Quantity:
        if length.unit != "s" or length.value <= 0:
            raise ExpressionError(
                "A bin has a length in seconds.", expected="more than 0 s", found=length.to_text(),
                column=length.column, fix="write by bin(60s)",
            )  # fmt: skip
        return length

    def by_session(self, _: Token) -> str:
        return "session"

    def by_child(self, _: Token) -> str:
        return "child"

    def only(self, video: Token) -> tuple[str, Any]:
        return "video", str(video)

    def only_session(self, _: Token, session: Token) -> tuple[str, Any]:
        return "session", str(session)

    def only_camera(self, _: Token, camera: Token) -> tuple[str, Any]:
        return "camera", str(camera)

    def grouped(self, value: Node, *clauses: tuple[str, Any]) -> Grouped:
        keys = [key for name, found in clauses if name == "by" for key in found]
        bins = [key.value for key in keys if isinstance(key, Quantity)]
        only = {name: found for name, found in reversed(clauses) if name in ("video", "session", "camera")}
        return Grouped(
            value,
            by=tuple(key for key in keys if isinstance(key, Binding)),
            over=tuple(key for name, found in clauses if name == "over" for key in found),
            by_video="video" in keys,
            bin_s=bins[0] if bins else None,
            video=only.get("video"),
            by_session="session" in keys,
            by_child="child" in keys,
            session=only.get("session"),
            camera=only.get("camera"),
            column=value.column,
        )

    def call(self, function: Token, *arguments: Any) -> Call:
        given = [argument for argument in arguments if argument is not None]
        keywords = [argument for argument in given if isinstance(argument, tuple)]
        names = [name for name, _ in keywords]
        late = next(
            (a for n, a in enumerate(given) if not isinstance(a, tuple) and n > len(given) - 1 - len(keywords)), None
        )
        if late is not None or len(set(names)) < len(names):
            raise ExpressionError(
                f"The arguments of {function} are in no order.",
                expected="arguments without a name first, each name once",
                found=", ".join(names),
                column=int((late.column if late is not None else function.column) or 1),
                fix="put arguments with a name (of=, within=) at the end, each once",
            )
        plain = tuple(argument for argument in given if not isinstance(argument, tuple))
        return Call(str(function), plain, tuple(keywords), function.column or 0)

    def keyword(self, name: Token, value: Node) -> tuple[str, Node]:
        return str(name), value

    def arrow(self, first: Node, second: Node) -> Arrow:
        return Arrow(first, second, first.column)

    def positional(self, grouped: Grouped) -> Node:
        return grouped.value if grouped.is_plain else grouped

    def negation(self, operand: Node) -> Prefix:
        return Prefix("!", operand, operand.column)

    def negative(self, operand: Node) -> Prefix:
        return Prefix("-", operand, operand.column)

    def comparison(self, left: Node, operator: Token, right: Node) -> Operation:
        return Operation(str(operator), left, right, left.column)


def _operation(operator: str) -> Any:
    def build(_: _Builder, left: Node, right: Node) -> Operation:
        return Operation(operator, left, right, left.column)

    return v_args(inline=True)(build)


for _rule, _operator in {"either": "|", "both": "&", "plus": "+", "minus": "-", "times": "*", "over_": "/"}.items():
    setattr(_Builder, _rule, _operation(_operator))
