"""Checks of an expression against its question: what is not said stands nowhere in it, what is said somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from msgspec import Struct

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.measures.language.syntax_tree import (
    Arrow,
    Call,
    Grouped,
    NameTerm,
    Node,
    Operation,
    Prefix,
    Quantity,
    is_variable,
    walk,
)
from visionllm_interaction.reasoning.grammar.references import read_seconds
from visionllm_interaction.reasoning.grammar.tagging import Tagged
from visionllm_interaction.reasoning.language.time_expressions import Window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.expressions.words_for_functions import (
    KIND_OF_CODE,
    MEANT_BY,
    explains,
    first_place,
    is_supported,
    lemmas_said,
    segments_of,
)
from visionllm_interaction.reasoning.planning.lexical_evidence import GENERAL_WORDS

_GENERIC = frozenset({"person", "thing", "anything"})
_STREAMS = frozenset(
    {
        *("visible", "near", "in_contact", "holding", "picks_up", "puts_down", "hands_over", "enters", "leaves"),
        *("alone", "gap", "joint_handling", "approaches", "withdraws", *KIND_OF_CODE),
    }
)
"""Functions that need a word of the question; an expression may have no other functions of names."""
_OPERATORS = frozenset(
    {
        *("merged", "starts", "ends", "first", "last", "nth", "longer_than", "shorter_than", "at_least", "since"),
        *("after", "before", "until", "between", "padded", "then", "within", "during", "overlapping", "latency"),
        *("processed", "pauses"),
    }
)
_LENGTHS = {"mean": ("mean",), "median": ("median",), "longest": ("longest", "max"), "shortest": ("shortest", "min")}
_STATISTICS = frozenset({"mean", "median", "longest", "shortest", "max", "min", "sd"})
_VALUES = {
    "duration": frozenset({"total"}),
    "share": frozenset({"share", "prob"}),
    "rate": frozenset({"rate"}),
    "count": frozenset({"count", "turns"}),
    "many": frozenset({"count", "how_many"}),
    "when": frozenset({"first_time", "last_time"}),
    "onset_delay": frozenset({"first_time"}),
    "lag": frozenset({"latency"}),
}
"""Question words → aggregates of which one must stand in the expression."""
_AGGREGATES = frozenset[str]().union(*_VALUES.values(), _STATISTICS, {"exists", "holds", "top", "bottom", "which"})
_CLAUSE_LIMITS = frozenset(
    {"since", "after", "before", "until", "padded", "then", "within", "latency", "prob", "during", "overlapping"}
)
_OPENINGS = tuple(
    (kind, re.compile(rf"^(?:(?:the|give|tell|me|total|overall|summed|state|samlet|samla|total) )*(?:{words})\b"))
    for kind, words in (
        ("duration", r"seconds|time|duration|length|sekund\w*|tida?|tiden|varighet\w*"),
        ("many", r"number|count|antall\w*|talet"),
        ("share", r"share|proportion|percentage|fraction|percent|andel\w*|prosent\w*"),
    )
)
_SYMMETRIC = frozenset({"near", "in_contact", "gap", "visible"})
_YES_NO = re.compile(
    r"^(?:is|are|was|were|did|does|do|has|have|had|can|could|er|var|ble|blei|vart|har|hadde|holdt|heldt|kom|tok|ga)\b"
)
_NEGATIVE = re.compile(
    r"\b(?:without|uten|utan|except|other than|apart from|neither|nor|verken|hverken|absent|missing|hidden|gone|away"
    r"|out of|alone|alene|åleine|aleine|borte|off|only|kun|bare|exactly|nothing|nobody|none|ingen|ingenting|n't"
    r"|no longer|no)\b"
)
_LINKING = re.compile(r"\b(?:with|without|and|both|but|med|uten|utan|og|begge|men|together|while|same|samme|same)\b")
_FUNCTION_LINES = (
    "for that as it by an at on or if so he she who whom whose which this these those there than then with into onto",
    "give tell me us please exactly about some any each per one someone's somebody's anyone's their his her its my",
    "han hun ho som for av en ein et eit den det de dei så da då meg oss etter å i på med hos ble blei vart",
)
_FUNCTION_WORDS = frozenset(word for line in _FUNCTION_LINES for word in line.split())
"""Words that say nothing by themselves."""
_FREE_NUMBERS = ((0.5, "s"), (0.1, "s"), (0.0, "s"), (0.0, "%"), (50.0, "%"), (100.0, "%"), (1.0, ""))
_EPS = 1e-6


class ExpressionQuestion(Struct, frozen=True, dict=True):
    """A question whose expression is checked.

    Attributes:
        text: normalised, without its video and without the window in ``window``.
        tagged: its phrases.
        window: the time window that code has read.
        vocabulary: the names of the store.
        at_s: the moment it asks about, in seconds.
    """

    text: str
    tagged: Tagged
    window: Window
    vocabulary: Vocabulary
    at_s: float | None = None

    @cached_property
    def head(self) -> str | None:
        """The kind of its question words, or of the quantity it opens with; None for a question without either."""
        head = next((tag.value for tag in self.tagged.tags if tag.kind == "head"), None)
        return head or next((kind for kind, words in _OPENINGS if words.search(self.text)), None)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that it speaks of."""
        return frozenset(tag.value for tag in self.tagged.tags if tag.kind == "name")

    def has(self, kind: str, *values: str) -> bool:
        """Whether one of its phrases is of this kind and one of these values."""
        return any(tag.is_(kind, *values) for tag in self.tagged.tags)


def expression_objections(question: ExpressionQuestion, expression: Grouped) -> Iterator[str]:
    """Everything in ``expression`` that the words of the question contradict, in words a language model can act on.

    Args:
        question: what was asked.
        expression: that passed the checks of types.

    Yields:
        One objection after the other; none for an expression that the question supports.
    """
    calls = [node for node in walk(expression) if isinstance(node, Call)]
    yield from _unknown_words(question, calls)
    yield from _names(question, expression)
    yield from _functions(question, calls)
    yield from _places(question, calls)
    yield from _aggregate(question, expression, calls)
    yield from _numbers(question, expression)
    yield from _negation(question, expression)
    yield from _limits(question, expression, calls)
    yield from _choice(question, calls)
    yield from _order(question, expression)


def unexplained_words(words: Iterable[str], functions: frozenset[str] = _STREAMS) -> Iterator[str]:
    """Those of ``words``, which no list of the grammar holds, that say something and are no words for ``functions``."""
    for word in words:
        if word not in GENERAL_WORDS | _FUNCTION_WORDS and not explains(word, functions) and not word.startswith("'"):
            yield word


def _unknown_words(question: ExpressionQuestion, calls: Sequence[Call]) -> Iterator[str]:
    for word in unexplained_words(question.tagged.unknown, frozenset(call.function for call in calls)):
        yield f"the word {word!r} of the question is not in the expression; if nothing stands for it, write none"


def _names(question: ExpressionQuestion, expression: Grouped) -> Iterator[str]:
    used = {word for word in _names_used(expression) if word not in _GENERIC and not is_variable(word)}
    said = set(question.names)
    implied = set(question.vocabulary.people) if question.has("noun", "both", "one_of", "either", "nobody") else set()
    for name in sorted(used - said - implied):
        yield f"the question does not speak of {name!r}; use only its names, person, thing or $o"
    for name in sorted(said - used):
        yield f"the question speaks of {name!r}, which the expression leaves out"


def _names_used(expression: Grouped) -> Iterator[str]:
    for node in walk(expression):
        if isinstance(node, NameTerm):
            yield from (node.base, *node.excluded)
        if isinstance(node, Grouped):
            yield from (name.base for binding in (*node.by, *node.over) for name in binding.domain)


def _functions(question: ExpressionQuestion, calls: Sequence[Call]) -> Iterator[str]:
    used = {call.function for call in calls}
    for name in sorted(used - _OPERATORS - _AGGREGATES):
        if name not in _STREAMS:
            yield f"{name} is not one of the functions that were listed"
        elif not is_supported(name, question.text):
            yield f"no word of the question speaks of {name}"
        elif KIND_OF_CODE.get(name, "") not in ("", *question.vocabulary.coded):
            yield f"{name} needs {KIND_OF_CODE[name]} that people coded, and none was imported; write none"
    for word, lemmas in lemmas_said(question.tagged.tags):
        wanted = frozenset[str]().union(*(MEANT_BY[lemma] for lemma in lemmas))
        if not wanted & used:
            yield f"the question says {word!r}, and the expression has no {' or '.join(sorted(wanted)[:3])}"


def _places(question: ExpressionQuestion, calls: Sequence[Call]) -> Iterator[str]:
    """Who does what: the names of a relation stand in the clause of its verb, the person before the object."""
    segments = segments_of(question.tagged.tags)
    for call in calls:
        if call.function not in _STREAMS:
            continue
        terms = [argument.base for argument in call.arguments if isinstance(argument, NameTerm)]
        named = frozenset(term for term in terms if term in question.names)
        either_way = call.function in _SYMMETRIC
        fits = any(
            s.speaks_for(call.function) and s.holds_names(named, question.names, one_elsewhere=either_way)
            for s in segments
        )
        if not fits and not question.has("modifier", "than", "compare_with"):
            yield f"no clause of the question says {call.to_text()}; check who does it with what"
        if call.function in ("holding", "picks_up", "puts_down") and terms and _is_thing(terms[0], question):
            yield f"in {call.to_text()} the person stands first"
        if call.function == "hands_over":
            yield from _giver(question, call, terms)


def _is_thing(name: str, question: ExpressionQuestion) -> bool:
    return name == "thing" or (name in question.vocabulary.names and name not in PERSON_CATEGORIES)


def _giver(question: ExpressionQuestion, call: Call, terms: Sequence[str]) -> Iterator[str]:
    """Only plain sentences tell a giver without doubt: "the child gave the ball to the caregiver"."""
    people = [tag.value for tag in question.tagged.tags if tag.kind == "name" and tag.value in PERSON_CATEGORIES]
    plain = not question.has("preposition", "by", "from") and not question.has("word", "take")
    if len(people) == 2 and (not plain or list(terms[:2]) != people):
        yield f"it is not sure who gives and who receives in {call.to_text()}"


def _aggregate(question: ExpressionQuestion, expression: Grouped, calls: Sequence[Call]) -> Iterator[str]:
    used = {call.function for call in calls}
    said = {tag.value for tag in question.tagged.tags if tag.kind == "aggregate"}
    for word in sorted(said):
        if not used & set(_LENGTHS[word]):
            yield f"the question asks for the {word}, and the expression has no {word}"
    if used & _STATISTICS and not said and "latency" not in used and "gap" not in used:
        yield "the question does not ask for a mean, a median, the longest or the shortest"
    wanted = _wanted(question, said)
    if wanted is not None and not used & wanted:
        yield f"the question asks for {' or '.join(sorted(wanted))}"
    if question.has("modifier", "per_minute") and "rate" not in used:
        yield "the question asks for a number per minute: rate(…)"
    if "rate" in used and not question.has("modifier", "per_minute") and question.head != "rate":
        yield "the question does not ask for a number per minute: count(…)"
    if expression.by_video or expression.bin_s or expression.video or (expression.over and "latency" not in used):
        yield "leave out video, bin and over"
    compares = question.head in ("difference", "compare")
    if wanted is None and not said and not compares and not _is_choice(question) and not _asks_yes_no(question):
        yield "it is not clear what the question asks for"
    if compares and not _is_difference(expression):
        yield "the question compares two values: value - value"
    if _asks_yes_no(question) and not (used & {"exists", "holds"} or _is_comparison(expression)):
        yield "the question asks for yes or no: exists(…), holds(…), or a comparison"


def _wanted(question: ExpressionQuestion, said: set[str]) -> frozenset[str] | None:
    """The aggregates of which one must stand in the expression; None where the question words do not tell."""
    head = question.head
    if head == "duration" and (said or _is_lag(question)):
        return _STATISTICS | {"latency"}
    return _VALUES.get(head or "")


def _is_lag(question: ExpressionQuestion) -> bool:
    return question.has("preposition", "from", "between")


def _is_choice(question: ExpressionQuestion) -> bool:
    return question.head in ("who", "what")


def _asks_yes_no(question: ExpressionQuestion) -> bool:
    return question.head is None and _YES_NO.search(question.text) is not None


def _is_difference(expression: Grouped) -> bool:
    return isinstance(expression.value, Operation) and expression.value.operator == "-"


def _is_comparison(expression: Grouped) -> bool:
    value = expression.value
    return isinstance(value, Operation) and value.operator in (">", ">=", "<", "<=", "&")


def _numbers(question: ExpressionQuestion, expression: Grouped) -> Iterator[str]:
    said = list(_said_numbers(question))
    used = [(node.value, node.unit) for node in walk(expression) if isinstance(node, Quantity)]
    for value, unit in used:
        if (value, unit) not in _FREE_NUMBERS and not any(_is_same(value, number) for number in said):
            yield f"the question does not say {value:g}{unit}"
    for number in said:
        if not any(_is_same(value, number) for value, _ in used):
            yield f"the question says {number:g}, which the expression leaves out"


def _said_numbers(question: ExpressionQuestion) -> Iterator[float]:
    tags = question.tagged.tags
    for place, tag in enumerate(tags):
        if tag.kind == "ordinal":
            yield float(tag.value)
        elif tag.number is not None and tag.text not in ("one", "no", "én", "null"):
            seconds = read_seconds(tags, place)
            yield seconds[0] if seconds else tag.number
    yield from (time for time in (question.window.begin_s, question.window.end_s, question.at_s) if time)


def _is_same(first: float, second: float) -> bool:
    return abs(first - second) < _EPS


def _negation(question: ExpressionQuestion, expression: Grouped) -> Iterator[str]:
    negated = any(isinstance(node, Prefix) and node.operator == "!" for node in walk(expression))
    said = question.has("negation") or question.has("noun", "nothing", "nobody", "one_of", "else")
    may = said or _NEGATIVE.search(question.text) is not None
    if negated and not may:
        yield "the question says nothing of what is not so: leave out !"
    must = said or re.search(r"\b(?:without|uten|utan|neither|nor|except|verken|hverken)\b", question.text)
    if must and not negated and not question.has("noun", "one_of") and not question.has("modifier", "unbroken"):
        yield "the question says what is not so: write ! before it"


def _limits(question: ExpressionQuestion, expression: Grouped, calls: Sequence[Call]) -> Iterator[str]:
    """Clauses of the question are limits of the expression, and the other way round."""
    used = {call.function for call in calls}
    joined = any(isinstance(node, Operation) and node.operator in ("&", "|") for node in walk(expression))
    keywords = {name for call in calls for name, _ in call.keywords}
    arrows = any(isinstance(node, Arrow) for node in walk(expression))
    clauses = {tag.value for tag in question.tagged.tags if tag.kind == "subordinator"}
    if clauses and not (joined or arrows or used & _CLAUSE_LIMITS or keywords & {"of", "during", "after", "at"}):
        yield "the expression leaves out a clause of the question (while, after, before)"
    for role, functions in (("after", {"since", "after"}), ("before", {"before", "until"})):
        other = {"padded", "then", "within", "latency", "prob"}
        if role in clauses and not used & (functions | other):
            yield f"the expression leaves out what the question says with {role}"
        if used & functions and role not in clauses and question.window == Window():
            yield f"the question says nothing of what is {role} something"
    linked = bool(clauses) or _LINKING.search(question.text) is not None or question.has("half")
    linked = linked or question.window != Window() or question.has("modifier", "at_once", "followed", "within")
    if joined and not linked:
        yield "the question sets no second condition: leave out & and |"
    if any(node.operator == "|" for node in walk(expression) if isinstance(node, Operation)) and not (
        question.has("conjunction", "or") or question.has("noun", "either", "nobody", "one_of")
    ):
        yield "the question says nothing of one or the other: leave out |"
    halves = [call.to_text() for call in calls if call.function == "between"]
    for half, text in (("first", "between(0%, 50%)"), ("second", "between(50%, 100%)")):
        if question.has("half", half) != (text in halves):
            yield f"the {half} half is {text}; it stands in the expression only where the question says it"
    yield from _window(question, halves)
    if (question.has("point") or question.at_s is not None) and "holds" not in used:
        yield "the question asks for a moment: holds(…, at=12s), at=0% or at=100%"


def _window(question: ExpressionQuestion, windows: Sequence[str]) -> Iterator[str]:
    if question.window == Window():
        return
    begin = f"{question.window.begin_s or 0:g}s"
    end = "100%" if question.window.end_s is None else f"{question.window.end_s:g}s"
    if not any(text in (f"between({begin}, {end})", f"between(0%, {end})") for text in windows):
        yield f"the question is about between({begin}, {end})"


def _choice(question: ExpressionQuestion, calls: Sequence[Call]) -> Iterator[str]:
    """What superlatives, "both" and "at once" ask for."""
    used = {call.function for call in calls}
    superlatives = {tag.value for tag in question.tagged.tags if tag.kind == "superlative"}
    compares = question.has("modifier", "than", "compare_with")
    if _is_choice(question) and not compares:
        largest = bool(superlatives & {"most", "most_often", "last", "farther"})
        smallest = bool(superlatives & {"least", "least_often", "first", "nearest"})
        aggregates = question.has("aggregate") or question.has("noun", "distance", "time", "sum")
        if largest and "top" not in used and not aggregates:
            yield "the question asks for the most, the longest or the last: top(1, … by $o)"
        if smallest and "bottom" not in used and not aggregates:
            yield "the question asks for the least, the shortest or the first: bottom(1, … by $o)"
        if not largest and not smallest and used & {"top", "bottom"}:
            yield "the question does not ask for the most or the least"
        of_time = used & {"first_time", "last_time"}
        if superlatives & {"first", "last"} and not of_time:
            yield "first and last are about time: bottom(1, first_time(…) by $o), top(1, last_time(…) by $o)"
        if superlatives & {"most", "least"} and of_time:
            yield "the most and the least are about total(…) or count(…)"
    if superlatives & {"last"} and question.head in ("when",) and not used & {"last_time", "last", "last_seen"}:
        yield "the question asks for the last time: last_time(…)"
    if superlatives & {"first"} and question.head in ("when",) and "last_time" in used:
        yield "the question asks for the first time: first_time(…)"
    if superlatives & {"most_often", "least_often"} and not used & {"count", "rate", "picks_up", "puts_down"}:
        yield "often is about count(…)"


def _order(question: ExpressionQuestion, expression: Grouped) -> Iterator[str]:
    """What comes first in ``a -> b`` and ``prob(b, after=a)`` comes first in the question."""
    for node in walk(expression):
        if isinstance(node, Arrow):
            first, second = node.first, node.second
        elif isinstance(node, Call) and node.function == "prob" and node.arguments and "after" in dict(node.keywords):
            first, second = dict(node.keywords)["after"], node.arguments[0]
            if not question.has("modifier", "followed", "within"):
                yield "prob(…) is for what is followed by something within some seconds"
        else:
            continue
        if question.has("subordinator", "before") or not _stands_first(question, first, second):
            yield "it is not sure what comes first: a -> b is from a to b"


def _stands_first(question: ExpressionQuestion, first: Node, second: Node) -> bool:
    functions = [
        [n.function for n in walk(node) if isinstance(n, Call) and n.function in _STREAMS] for node in (first, second)
    ]
    if not functions[0] or not functions[1]:
        return False
    people = [_first_person(node, question) for node in (first, second)]
    if people[0] is not None and people[1] is not None and people[0] != people[1]:
        return people[0] < people[1]
    places = [first_place(found[0], question.text) for found in functions]
    if functions[0] == functions[1] or places[0] is None or places[1] is None:
        return False
    return places[0] < places[1]


def _first_person(node: Node, question: ExpressionQuestion) -> int | None:
    """Where the question first speaks of the person of a stream; None if it names none."""
    terms = [part.base for part in walk(node) if isinstance(part, NameTerm) and part.base in PERSON_CATEGORIES]
    tags = [tag.value for tag in question.tagged.tags if tag.kind == "name"]
    return tags.index(terms[0]) if terms and terms[0] in tags else None
