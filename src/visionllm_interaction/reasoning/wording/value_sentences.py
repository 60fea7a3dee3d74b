"""Sentences for the values of expressions, in the language of the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from visionllm_interaction.measures.language.syntax_tree import (
    Arrow,
    Call,
    Grouped,
    NameTerm,
    Node,
    Operation,
    Prefix,
    Quantity,
)
from visionllm_interaction.reasoning.wording.expression_words import NoWords, Words, stream_words

_COUNTED: Mapping[str, str] = {
    **dict.fromkeys(("objects_handled", "how_many"), "objects"),
    **dict.fromkeys(("turns", "turn_count", "turns_against_chance"), "turns"),
    **dict.fromkeys(("most_at_once", "mean_number", "instance_count", "mean_count", "competitor_count"), "number"),
    "number": "number",
}
"""Functions whose values are counts of other things than how often something was so → what they count."""
_LENGTHS = frozenset({"mean", "median", "longest", "shortest", "sd"})
_STATISTICS = frozenset({"mean", "median", "min", "max"})
_TIMES = frozenset({"first_time", "last_time"})
_SEEN = frozenset({"first_seen", "last_seen"})


class Value(Struct, frozen=True):
    """One value of an expression.

    Attributes:
        value: the value; None where there is none.
        unit: its unit.
        missing: why there can be none, if an input is missing.
        n: how many it is of, where that is known.
        said_in: the unit that sentences say, where it is another: "objects" of a count.
    """

    value: float | int | bool | str | None
    unit: str
    missing: str | None = None
    n: int | None = None
    said_in: str | None = None

    @property
    def said_unit(self) -> str:
        """The unit that sentences say."""
        return self.said_in or self.unit


def said_unit(node: Node, unit: str) -> str:
    """What values of an expression are said in.

    Args:
        node: the expression.
        unit: its unit.

    Returns:
        ``objects``, ``turns`` or ``number`` where ``count`` is no number of times; else the unit.
    """
    while isinstance(node, (Grouped, Prefix)):
        node = node.value if isinstance(node, Grouped) else node.operand
    if unit != "count":
        return unit
    if isinstance(node, Operation):
        left, right = (said_unit(part, unit) for part in (node.left, node.right))
        return left if left == right else "number"
    if not isinstance(node, Call):
        return unit
    if node.function in _STATISTICS | _LENGTHS and node.arguments:
        return said_unit(node.arguments[0], unit)
    return _COUNTED.get(node.function, unit)


def core(expression: Grouped) -> Node:
    """The expression without groups and without brackets around it."""
    node: Node = expression
    while isinstance(node, Grouped):
        node = node.value
    return node


def value_sentence(expression: Grouped, value: Value, words: Words) -> str:
    """The body of the sentence that says what the value of an expression is.

    Args:
        expression: what was computed.
        value: its value.
        words: of the language of the answer.

    Returns:
        The sentence without capital letter and full stop; the expression itself where there are no words for it.
    """
    node = core(expression)
    if value.missing:
        return words.say("missing", x=f"`{node.to_text()}`", v=value.missing)
    try:
        return _sentence(node, value, words)
    except NoWords:
        return f"`{node.to_text()}`: {value_words(value, words)}"


def value_words(value: Value, words: Words) -> str:
    """A value and its unit."""
    if value.value is None:
        return "–"
    if isinstance(value.value, bool):
        return words.say("it_is" if value.value else "it_is_not", x="").strip(": ")
    return words.amount(value.value, value.said_unit) if isinstance(value.value, (int, float)) else value.value


def _sentence(node: Node, value: Value, words: Words) -> str:
    if isinstance(node, Operation) and node.operator == "-":
        return _span(node, value, words)
    if not isinstance(node, Call):
        raise NoWords(node.to_text())
    if node.function in _LENGTHS and isinstance(node.arguments[0], Call):
        inner = node.arguments[0]
        if inner.function == "latency":
            return _latency(node.function, inner, value, words)
        if inner.function == "gap":
            return _gap(node, inner, value, words)
    if node.function in _STATISTICS and isinstance(node.arguments[0], Call) and node.arguments[0].function == "pauses":
        return _pauses(node.function, node.arguments[0], value, words)
    if (
        node.function in ("min", "max")
        and isinstance(node.arguments[0], Call)
        and node.arguments[0].function == "latency"
    ):
        return _latency(node.function, node.arguments[0], value, words)
    if node.function in ("min", "max") and isinstance(node.arguments[0], Call) and node.arguments[0].function == "gap":
        return _gap(node, node.arguments[0], value, words)
    if node.function == "objects_handled" and isinstance(node.arguments[0], NameTerm):
        return words.say(
            "objects_handled", a=words.name(node.arguments[0].base), v=words.number(float(value.value or 0))
        )
    if node.function in _SEEN and isinstance(node.arguments[0], NameTerm):
        if value.value is None:
            return stream_words(Call("visible", node.arguments), words).never
        return words.say(node.function, a=words.name(node.arguments[0].base), v=value_words(value, words))
    if node.function == "how_many":
        return _how_many(node, value, words)
    if node.function == "most_at_once":
        spoken = stream_words(node.arguments[0], words)
        return words.say("most_at_once", x=spoken.holds, v=words.number(float(value.value or 0)))
    if node.function == "prob":
        return _prob(node, value, words)
    if node.function in _TIMES:
        return _time(node, value, words)
    if node.function in ("total", "share", "count", "rate", *_LENGTHS):
        return _amount(node, value, words)
    raise NoWords(node.to_text())


def _span(node: Operation, value: Value, words: Words) -> str:
    """From one single moment to another."""
    streams = []
    for part in (node.right, node.left):
        if not isinstance(part, Call) or part.function != "first_time":
            raise NoWords(node.to_text())
        spoken = stream_words(part.arguments[0], words)
        streams.append(spoken.holds + spoken.limits)
    first, second = streams
    key = "span" if value.value is not None else "no_span"
    return words.say(key, x=first, y=second, v=value_words(value, words))


def _how_many(node: Call, value: Value, words: Words) -> str:
    inner = core(node.arguments[0]) if isinstance(node.arguments[0], Grouped) else node.arguments[0]
    if not isinstance(inner, Call) or inner.function != "exists":
        raise NoWords(node.to_text())
    spoken = stream_words(inner.arguments[0], words)
    return words.say("number", x=spoken.holds, l=spoken.limits, v=words.number(float(value.value or 0)))


def _amount(node: Call, value: Value, words: Words) -> str:
    spoken = stream_words(node.arguments[0], words)
    if not value.value:
        return spoken.never + spoken.limits
    shown = value_words(value, words)
    if node.function == "rate" and isinstance(value.value, (int, float)):
        shown = words.number(value.value)
    base = dict(node.keywords).get("of")
    if node.function == "share" and base is not None:
        return words.say("share_of", x=spoken.holds, y=stream_words(base, words).whole, v=shown, l=spoken.limits)
    # "For 10 % of the time while …" might be of that time only.
    key = "share_all" if node.function == "share" and spoken.limits else node.function
    return words.say(key, x=spoken.holds, v=shown, l=spoken.limits)


def _time(node: Call, value: Value, words: Words) -> str:
    argument = node.arguments[0]
    number = ""
    if isinstance(argument, Call) and argument.function == "nth":
        number_node = argument.arguments[1]
        number = words.number(number_node.value) if isinstance(number_node, Quantity) else ""
        argument = argument.arguments[0]
    spoken = stream_words(argument, words)
    if value.value is None:
        if number:
            return words.say("no_nth", x=spoken.holds, n=number, l=spoken.limits)
        return spoken.never + spoken.limits
    shown = value_words(value, words)
    kind = "moment" if spoken.is_moment else "time"
    key = f"nth_{kind}" if number else f"{'first' if node.function == 'first_time' else 'last'}_{kind}"
    return words.say(key, x=spoken.holds, v=shown, n=number, l=spoken.limits)


def _latency(statistic: str, lag: Call, value: Value, words: Words) -> str:
    arrow = lag.arguments[0]
    if not isinstance(arrow, Arrow):
        raise NoWords(lag.to_text())
    first, second = stream_words(arrow.first, words), stream_words(arrow.second, words)
    if value.value is None:
        return words.say("no_latency", x=first.holds, y=second.holds, l=first.limits)
    said = words.say(f"{statistic}_latency", x=first.holds, y=second.holds, v=value_words(value, words), l=first.limits)
    return said if value.n is None else f"{said} (n = {value.n})"


def _pauses(statistic: str, pauses: Call, value: Value, words: Words) -> str:
    spoken = stream_words(pauses.arguments[0], words)
    if value.value is None:
        return words.say("no_pauses", x=spoken.holds, l=spoken.limits)
    kind = "between" if spoken.is_moment else "pauses"
    said = words.say(f"{statistic}_{kind}", x=spoken.holds, v=value_words(value, words), l=spoken.limits)
    return said if value.n is None else f"{said} (n = {value.n})"


def _prob(node: Call, value: Value, words: Words) -> str:
    keywords = dict(node.keywords)
    first, second = stream_words(keywords["after"], words), stream_words(node.arguments[0], words)
    within = keywords["within"]
    if value.value is None or not isinstance(value.value, (int, float)):
        return words.say("no_prob", x=first.holds, l=first.limits)
    if not isinstance(within, Quantity) or value.n is None:
        raise NoWords(node.to_text())
    return words.say(
        "prob",
        x=first.holds,
        y=second.holds,
        v=words.amount(value.value, "share"),
        n=words.number(within.value),
        k=words.number(round(value.value * value.n)),
        m=words.number(value.n),
        l=first.limits,
    )


def _gap(node: Call, gap: Call, value: Value, words: Words) -> str:
    names = [argument.base for argument in gap.arguments if isinstance(argument, NameTerm)]
    sentences = {"mean": "gap", "min": "min_gap", "max": "max_gap", "median": "median_gap", "sd": "sd_gap"}
    if len(names) != 2 or node.function not in sentences:
        raise NoWords(node.to_text())
    during = dict(node.keywords).get("during")
    limits = ""
    if during is not None:
        # The limits of a clause that is not said: "in the first half", "while the child held the ball".
        dummy = Call("visible", (NameTerm(names[0]),))
        limits = stream_words(Operation("&", dummy, during), words).limits
    a, b = (words.name(name) for name in names)
    if value.value is None:
        together = stream_words(Call("visible", tuple(NameTerm(name) for name in names)), words)
        return together.never + limits
    return words.say(sentences[node.function], a=a, b=b, v=value_words(value, words), l=limits)


def yes_no_sentence(node: Node, holds: bool, words: Words) -> str:
    """Whether something is ever so: ``exists(…)``, several of them with ``&``."""
    streams = [stream_words(part, words) for part in _existing(node)]
    said = (
        words.listed([s.holds + s.limits for s in streams])
        if holds
        else words.listed([s.never + s.limits for s in streams])
    )
    if not holds and len(streams) > 1:
        said = words.clauses["both"][2].format(x=streams[0].holds, y=streams[1].holds)
    return words.say("it_is" if holds else "it_is_not", x=said)


def _existing(node: Node) -> Sequence[Node]:
    if isinstance(node, Operation) and node.operator == "&":
        return [*_existing(node.left), *_existing(node.right)]
    if isinstance(node, Call) and node.function == "exists":
        return [node.arguments[0]]
    raise NoWords(node.to_text())


def moment_phrase(node: Call, words: Words) -> tuple[str, str]:
    """The key of the sentence for the moment of ``holds(…, at=…)``, and the moment in words."""
    at = dict(node.keywords).get("at")
    if not isinstance(at, Quantity):
        raise NoWords(node.to_text())
    keys = {("%", 0.0): "at_begin", ("%", 50.0): "at_middle", ("%", 100.0): "at_end"}
    return keys.get((at.unit, at.value), "at"), words.amount(at.value, at.unit)


def listed_clause(node: Node, words: Words) -> tuple[str, str]:
    """The clause and the limits of an expression whose variable stands for what is listed: "the child held …"."""
    if isinstance(node, Prefix) and isinstance(node.operand, Call) and node.operand.function == "exists":
        spoken = stream_words(node.operand.arguments[0], words)
        return spoken.never, spoken.limits
    if isinstance(node, Operation) and node.operator == ">" and isinstance(node.left, Call):
        clause, limits = listed_clause(node.left, words)
        if node.left.function != "count" or not isinstance(node.right, Quantity):
            raise NoWords(node.to_text())
        return clause, limits + words.limits["more_often"].format(n=words.amount(node.right.value, "count"))
    if isinstance(node, Operation) and node.operator == "&":
        parts = [stream_words(part, words) for part in _existing(node)]
        return words.listed([part.holds for part in parts]), "".join(part.limits for part in parts)
    if not isinstance(node, Call):
        raise NoWords(node.to_text())
    stream = node.arguments[0]
    if isinstance(stream, Call) and stream.function == "nth":
        stream = stream.arguments[0]
    if node.function == "how_many" and isinstance(stream, Grouped):
        return _kinds(stream, words)
    spoken = stream_words(stream, words)
    return spoken.holds, spoken.limits


def nth_clause(node: Node, words: Words) -> tuple[str, str] | None:
    """The clause and the number of "which toy did the child pick up second": what comes first from that one on."""
    stream = node.arguments[0] if isinstance(node, Call) and node.function == "first_time" else None
    if not (isinstance(stream, Operation) and stream.operator == "&" and isinstance(stream.left, Call)):
        return None
    since = stream.right
    nth = since.arguments[0] if isinstance(since, Call) and since.function == "since" else None
    if not (isinstance(nth, Call) and nth.function == "nth" and isinstance(nth.arguments[0], Call)):
        return None
    of, number = nth.arguments
    assert isinstance(of, Call)
    if of.function != stream.left.function or not isinstance(number, Quantity):
        return None
    pairs = zip(stream.left.arguments, of.arguments, strict=True)
    if any(a != b and not a.to_text().startswith("$") for a, b in pairs):
        return None
    return stream_words(stream.left, words).holds, words.number(number.value)


def compared_objects(node: Node, words: Words, *, least: bool) -> tuple[str, str] | None:
    """The clause of a choice by the number of different objects: "the child held the most different objects".

    Args:
        node: ``how_many(exists(…) by $o)`` or ``objects_handled(x)``.
        words: of the language of the answer.
        least: whether the fewest are asked for.

    Returns:
        The clause and its limits; None for any other expression.
    """
    stream = _stream_of_objects(node)
    if stream is None:
        return None
    objects = words.words["fewest_objects" if least else "most_objects"]
    spoken = stream_words(stream, replace(words, names={**words.names, "$o": str(objects)}))
    return spoken.holds, spoken.limits


def _stream_of_objects(node: Node) -> Node | None:
    """The stream about ``$o`` whose objects an expression counts."""
    if not isinstance(node, Call):
        return None
    if node.function == "objects_handled":
        return Call("holding", (node.arguments[0], NameTerm("$o")))
    counted = node.arguments[-1] if node.function == "how_many" else None
    inner = core(counted) if isinstance(counted, Grouped) and [b.variable for b in counted.by] == ["$o"] else None
    return inner.arguments[0] if isinstance(inner, Call) and inner.function == "exists" else None


def _kinds(counted: Grouped, words: Words) -> tuple[str, str]:
    """The number of different objects of which something is so, where it is compared between people."""
    inner = core(counted)
    if not isinstance(inner, Call) or inner.function != "exists":
        raise NoWords(counted.to_text())
    spoken = stream_words(inner.arguments[0], words)
    return words.clauses["kinds"][0].format(x=spoken.holds), spoken.limits
