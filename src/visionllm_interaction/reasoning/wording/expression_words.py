"""Expressions in words, in the language of the question: what was computed is what the sentence says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, cast

from msgspec import Struct

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.measures.language.syntax_tree import (
    Call,
    NameTerm,
    Node,
    Operation,
    Prefix,
    Quantity,
    is_variable,
)
from visionllm_interaction.reasoning.grammar.lexicon import Language

DECIMALS = 2
"""Decimals shown in sentences; claim values keep all of theirs."""
Form = Literal["holds", "not", "never"]
_PLACE: Mapping[Form, int] = {"holds": 0, "not": 1, "never": 2}
_NOT_AFTER_VERB = re.compile(r"\b(\w+) (ikke|ikkje|aldri)\b")
_LENGTHS = frozenset({"longer_than", "shorter_than"})
_WITHIN = frozenset({"during", "overlapping"})


class NoWords(Exception):
    """An expression for which there are no words: it is quoted as it is written."""


class Words(Struct, frozen=True):
    """The words of one language.

    Attributes:
        decimal: the decimal sign.
        names: names and placeholders as they stand in a sentence.
        none_of: the same where nothing or nobody is meant.
        article: how any other name stands in a sentence.
        bare: names before a number, "child 2"; those not listed stand as they are.
        clauses: relation → the clause that it holds, does not hold, never holds.
        limits: phrases that limit a clause.
        sentences: sentences around clauses and values.
        account: parts of an account of a video.
        words: single words.
    """

    decimal: str
    names: Mapping[str, str]
    none_of: Mapping[str, str]
    article: str
    bare: Mapping[str, str]
    clauses: Mapping[str, Sequence[str]]
    limits: Mapping[str, str]
    sentences: Mapping[str, str]
    account: Mapping[str, str]
    words: Mapping[str, str | Sequence[str]]

    def name(self, name: str, *, none: bool = False) -> str:
        """A name in a sentence: "the ball", "something"; with ``none`` "anything", "nobody"."""
        if none and name in self.none_of:
            return self.none_of[name]
        return self.names.get(name) or self.article.format(name=name)

    def say(self, sentence: str, **values: str) -> str:
        """One of the sentences, filled."""
        return self.sentences[sentence].format(**{"l": "", **values})

    def number(self, value: float) -> str:
        """At most :data:`DECIMALS` decimals, no closing zeros, with the decimal sign of the language."""
        text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
        return ("0" if text in ("-0", "") else text).replace(".", self.decimal)

    def amount(self, value: float, unit: str) -> str:
        """A value with its unit: "3.5 s", "42 %", "3 times"."""
        if unit == "share":
            return f"{self.number(100 * value)}{self.words['per_cent']}"
        if unit == "number":
            return self.number(value)
        suffix = self.words.get("times" if unit == "count" else unit, f" {unit}")
        if isinstance(suffix, str):
            return f"{self.number(value)}{suffix}".strip()
        once, often = suffix
        return f"{self.number(value)} {once if value == 1 else often}"

    def listed(self, parts: Sequence[str]) -> str:
        """Parts with commas, and *and* before the last."""
        if len(parts) < 2:
            return "".join(parts)
        return f"{', '.join(parts[:-1])} {self.words['and']} {parts[-1]}"


@cache
def load_words(language: Language) -> Words:
    """The words of ``language``; read once."""
    # Imported here: answers to fixed forms need no word lists.
    from visionllm_interaction.utils.strict_yaml import load_yaml

    path = Path(__file__).parents[1] / "language" / "answers.yaml"
    return Words(**load_yaml(path.read_text(encoding="utf-8"))[language])


class Spoken(Struct, frozen=True):
    """A stream in words.

    Attributes:
        holds: the clause that it holds.
        negated: that it does not hold.
        never: that it never holds.
        limits: within which limits, as a phrase behind it.
        is_moment: whether it consists of moments.
    """

    holds: str
    negated: str
    never: str
    limits: str = ""
    is_moment: bool = False

    def form(self, form: Form) -> str:
        """The clause in one form, without its limits."""
        return (self.holds, self.negated, self.never)[_PLACE[form]]

    @property
    def whole(self) -> str:
        """The clause and its limits."""
        return self.holds + self.limits


_EVENTS = frozenset({"picks_up", "puts_down", "hands_over", "enters", "leaves"})


def stream_words(node: Node, words: Words) -> Spoken:
    """A stream in words.

    Args:
        node: the stream.
        words: of the language.

    Returns:
        Its clause and limits.

    Raises:
        NoWords: if it has a part that there are no words for.
    """
    main, *limits = conjuncts(node)
    if limits and _is_alone(main, limits[0]):
        spoken, inner = _clause("alone", _names(cast("Call", main)), words), ""
        limits = limits[1:]
    else:
        spoken, inner = _main_words(main, words)
    lengths = "".join(_length_words(limit, main, words) for limit in limits)
    rest = [limit for limit in limits if not (_is_whole_video(limit) or _length_words(limit, main, words))]
    if isinstance(main, Call) and main.function in _LENGTHS:
        lengths, inner, main = inner + lengths, "", main.arguments[0]
    if lengths and _is_denied(main):
        spoken, lengths = _denied_for(spoken, lengths, words), ""
    said = inner + lengths + "".join(_limit_words(limit, words) for limit in rest)
    return Spoken(spoken.holds, spoken.negated, spoken.never, spoken.limits + said, spoken.is_moment)


def _is_denied(node: Node) -> bool:
    """Whether a stream is that something does not hold."""
    while isinstance(node, Call) and node.function == "merged":
        node = node.arguments[0]
    return isinstance(node, Prefix) and node.operator == "!"


def _denied_for(spoken: Spoken, length: str, words: Words) -> Spoken:
    """What did not hold for so long: "nobody held anything for 5 s" would be said of shorter times, too."""
    said = _NOT_AFTER_VERB.sub(r"\2 \1", spoken.holds)
    holds, _, never = (text.format(x=said, l=length).strip() for text in words.clauses["denied_for"])
    return Spoken(holds, spoken.negated, never, spoken.limits)


def _is_alone(main: Node, limit: Node) -> bool:
    """Whether two streams are ``visible(x) & !at_least(2, visible(person))``."""
    one = isinstance(main, Call) and main.function == "visible" and len(main.arguments) == 1
    return one and limit.to_text() == "!at_least(2, visible(person))"


def conjuncts(node: Node) -> list[Node]:
    """The parts of a stream that are joined by ``&``."""
    if isinstance(node, Operation) and node.operator == "&":
        return [*conjuncts(node.left), *conjuncts(node.right)]
    return [node]


def _is_whole_video(node: Node) -> bool:
    """Whether a limit is ``between(0%, 100%)``, which only leaves out what the video's own end cuts off."""
    whole = (["0%", "100%"], ["0.1s", "100%"])
    return isinstance(node, Call) and node.function == "between" and [_quantity(a) for a in node.arguments] in whole


def _length_words(limit: Node, main: Node, words: Words) -> str:
    """How long bouts are at least or at most: ``a & !shorter_than(a, 3s)``; "" for any other limit."""
    if not (isinstance(limit, Prefix) and limit.operator == "!" and isinstance(limit.operand, Call)):
        return ""
    call = limit.operand
    keys = {"shorter_than": "at_least", "longer_than": "at_most"}
    if call.function not in keys or call.arguments[0] != main:
        return ""
    return words.limits[keys[call.function]].format(n=_seconds(call.arguments[1], words))


def _main_words(node: Node, words: Words) -> tuple[Spoken, str]:
    """The clause of the first part, and limits said inside of it."""
    if isinstance(node, Call) and node.function in _LENGTHS:
        spoken = stream_words(node.arguments[0], words)
        limit = words.limits["longer" if node.function == "longer_than" else "shorter"]
        return spoken, limit.format(n=_seconds(node.arguments[1], words))
    if isinstance(node, Call) and node.function == "merged":
        return stream_words(node.arguments[0], words), ""
    if isinstance(node, Call) and node.function in _WITHIN:
        other = _NOT_AFTER_VERB.sub(r"\2 \1", stream_words(node.arguments[1], words).whole)
        return stream_words(node.arguments[0], words), words.limits[node.function].format(x=other)
    if isinstance(node, Prefix) and node.operator == "!":
        inner = stream_words(node.operand, words)
        said = _NOT_AFTER_VERB.sub(r"\2 \1", inner.negated)
        return Spoken(inner.negated, inner.holds, words.clauses["denied"][2].format(x=said), inner.limits), ""
    if isinstance(node, Operation) and node.operator == "|":
        return _either_words(node, words), ""
    if isinstance(node, Call) and node.function in ("first", "last", "nth"):
        return _occurrence_words(node, words), ""
    return _call_words(node, words), ""


def _either_words(node: Operation, words: Words) -> Spoken:
    touched = _touched(node)
    if touched:
        return _clause("touched", touched, words)
    exclusive = _exclusive(node)
    x, y = (stream_words(part, words) for part in (exclusive or (node.left, node.right)))
    key = "exactly_one" if exclusive else "either"
    holds, negated, never = (text.format(x=x.whole, y=y.whole) for text in words.clauses[key])
    return Spoken(holds, negated, never)


def _touched(node: Operation) -> tuple[str, ...] | None:
    """The names of ``in_contact(a, b) | holding(a, b)``."""
    left, right = node.left, node.right
    if not (isinstance(left, Call) and isinstance(right, Call)) or left.arguments != right.arguments:
        return None
    return _names(left) if (left.function, right.function) == ("in_contact", "holding") else None


def _exclusive(node: Operation) -> tuple[Node, Node] | None:
    """The two of which exactly one holds: ``(a & !b) | (b & !a)``."""
    left, right = node.left, node.right
    if not (isinstance(left, Operation) and isinstance(right, Operation)):
        return None
    a, not_b, b, not_a = left.left, left.right, right.left, right.right
    is_it = isinstance(not_b, Prefix) and isinstance(not_a, Prefix) and (not_b.operand, not_a.operand) == (b, a)
    return (a, b) if is_it else None


def _occurrence_words(node: Call, words: Words) -> Spoken:
    inner = stream_words(node.arguments[0], words)
    number = _seconds(node.arguments[1], words) if node.function == "nth" else ""
    said = words.clauses[node.function][0].format(x=inner.whole, n=number)
    return Spoken(said, said, said, is_moment=inner.is_moment)


def _call_words(node: Node, words: Words) -> Spoken:
    if not isinstance(node, Call):
        raise NoWords(node.to_text())
    if node.function == "at_least":
        return _at_least_words(node, words)
    if node.function in ("starts", "ends"):
        main, *limits = conjuncts(node.arguments[0])
        main = main.arguments[0] if isinstance(main, Call) and main.function == "merged" else main
        if limits or not isinstance(main, Call):
            raise NoWords(node.to_text())
        key = f"{'start' if node.function == 'starts' else 'end'}_{main.function}"
        return _clause(key, _names(main), words, is_moment=True)
    names = _names(node)
    key = node.function
    if key == "visible" and len(names) == 2:
        key = "together"
    elif f"{key}_{len(names)}" in words.clauses:
        key = f"{key}_{len(names)}"
    return _clause(key, names, words, is_moment=node.function in _EVENTS)


def _at_least_words(node: Call, words: Words) -> Spoken:
    number, inner = _seconds(node.arguments[0], words), node.arguments[1]
    if not isinstance(inner, Call):
        raise NoWords(node.to_text())
    names = _names(inner)
    key = f"at_least_{inner.function}"
    if inner.function == "visible":
        if names not in (("person",), ("thing",)):
            raise NoWords(node.to_text())
        key = "at_least_things" if names == ("thing",) else key
    return _clause(key, names, words, n=number)


def _clause(key: str, names: Sequence[str], words: Words, *, n: str = "", is_moment: bool = False) -> Spoken:
    if key not in words.clauses:
        raise NoWords(key)
    defaults = ["person", "thing", "thing"]
    full = [*names, *defaults[len(names) :]][:3]
    if key == "hands_over" and len(names) < 3:
        full = [names[0] if names else "person", "person", "thing"]
        if len(names) == 2:
            full[1 if names[1] in PERSON_CATEGORIES else 2] = names[1]
    forms: list[str] = []
    for form in ("holds", "not", "never"):
        nobody = form != "holds" and (full[0] == "person" or (is_variable(full[0]) and full[0] in words.none_of))
        # "Nobody held anything" says it with the plain clause.
        text = words.clauses[key][0 if nobody else _PLACE[form]]
        said = {
            letter: words.name(_in_its_place(name, place, full, denied=form != "holds"), none=form != "holds")
            for place, (letter, name) in enumerate(zip("abc", full, strict=False))
        }
        forms.append(text.format(n=n, **said))
    return Spoken(forms[0], forms[1], forms[2], is_moment=is_moment)


def _in_its_place(name: str, place: int, names: Sequence[str], *, denied: bool) -> str:
    """Somebody in the second place is anybody where it is denied, and else somebody else than the first."""
    if name != "person" or place == 0:
        return name
    return "other" if denied else "else" if names[0] == "person" else name


def _names(call: Call) -> tuple[str, ...]:
    found = []
    for argument in call.arguments:
        if not isinstance(argument, NameTerm) or argument.excluded:
            raise NoWords(call.to_text())
        found.append(argument.base)
    return tuple(found)


def _limit_words(node: Node, words: Words) -> str:
    if isinstance(node, Call) and node.function == "between":
        return _window_words(node, words)
    if isinstance(node, Call) and node.function in ("since", "before"):
        inner = node.arguments[0]
        if isinstance(inner, Call) and inner.function in ("first", "last", "nth"):
            return words.limits[node.function].format(x=stream_words(inner, words).holds)
        raise NoWords(node.to_text())
    if isinstance(node, Call) and node.function == "padded":
        return _padded_words(node, words)
    spoken = stream_words(node, words)
    if isinstance(node, Call) and node.function in ("first", "last", "nth"):
        return f" {spoken.whole}"
    if spoken.is_moment:
        return words.limits["when"].format(x=spoken.whole)
    said = spoken.whole
    # In a Norwegian clause *not* stands before the verb.
    return words.limits["while"].format(x=_NOT_AFTER_VERB.sub(r"\2 \1", said))


def _window_words(node: Call, words: Words) -> str:
    begin, end = (_quantity(argument) for argument in node.arguments)
    if (begin, end) == ("0%", "50%"):
        return words.limits["half_1"]
    if (begin, end) == ("50%", "100%"):
        return words.limits["half_2"]
    if end == "100%" and begin.endswith("s"):
        return words.limits["from"].format(n=_seconds(node.arguments[0], words))
    if begin in ("0s", "0%") and end.endswith("s"):
        return words.limits["until"].format(n=_seconds(node.arguments[1], words))
    if begin.endswith("s") and end.endswith("s"):
        n, m = (_seconds(argument, words) for argument in node.arguments)
        return words.limits["between"].format(n=n, m=m)
    raise NoWords(node.to_text())


def _padded_words(node: Call, words: Words) -> str:
    inner, *paddings = node.arguments
    before, after = (
        [_seconds(p, words) for p in (paddings * 2)[:2]]
        if len(paddings) == 1
        else [_seconds(p, words) for p in paddings]
    )
    if inner.to_text() == "ends(between(0%, 100%))" and after == "0":
        return words.limits["last_seconds"].format(n=before)
    spoken = stream_words(inner, words).whole
    if before == "0":
        return words.limits["within_after"].format(n=after, x=spoken)
    if after == "0":
        return words.limits["within_before"].format(n=before, x=spoken)
    if before == after:
        return words.limits["within"].format(n=after, x=spoken)
    raise NoWords(node.to_text())


def _quantity(node: Node) -> str:
    return node.to_text() if isinstance(node, Quantity) else ""


def _seconds(node: Node, words: Words) -> str:
    if not isinstance(node, Quantity):
        raise NoWords(node.to_text())
    return words.number(node.value)
