"""Clauses that limit a question: "while the caregiver was away", "after the child first held the ball", "mens …"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Literal, NamedTuple

from msgspec import Struct

from visionllm_interaction.measures.api import Predicate
from visionllm_interaction.reasoning.language.english_single_value_forms import MACROS as WORDS_EN
from visionllm_interaction.reasoning.language.norwegian_single_value_forms import MACROS as WORDS_NB
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import Condition, Moment

Role = Literal["during", "after", "before"]

_CONJUNCTIONS: tuple[tuple[Role, str], ...] = (
    (
        "during",
        r"while|whenever|as long as|during the time(?: that| when| in which)?|at times when|mens|så lenge|da|når",
    ),
    ("during", r"(?<!time )(?<!by )when"),
    ("after", r"after|since|once|etter at|etter"),
    ("before", r"before|until(?! later)|till|up to when|før|inntil|til"),
)
_SPLITS = tuple((role, re.compile(rf"(?<=\S)\s+(?:{words})\s+(?=\S)")) for role, words in _CONJUNCTIONS)
_MIN_SPACES = 2
_LEADING = re.compile(
    r"^\s*(?P<clause>(?:while|whenever|when|with|once|as long as|after|before|until|within"
    r"|mens|da|etter at|før|innen|innan)"
    r"\s[^,]+),\s*(?P<main>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)


class ClauseLimits(Struct, frozen=True):
    """What the clauses of a question say."""

    during: Condition | None = None
    after: Moment | None = None
    before: Moment | None = None


class ClauseSplit(Struct, frozen=True):
    """One way to split a question into a main part and a clause."""

    main: str
    role: Role
    clause: str


class _State(NamedTuple):
    """A form of a clause that says what holds."""

    predicate: Predicate
    pattern: re.Pattern[str]
    negated: bool = False


class _Change(NamedTuple):
    """A form of a clause that names the begin or end of something."""

    predicate: Predicate
    pattern: re.Pattern[str]
    edge: Literal["begin", "end"]
    occurrence: Literal["first", "last"] = "first"


def move_clause_to_end(question: str) -> str:
    """Move a leading clause: "While A …, how long …?" → "how long … while A …"."""
    match = _LEADING.match(question)
    if not match or not re.match(r"(?:\w+[ ,]+){0,3}\w+", match["main"]):
        return question
    clause = match["clause"][0].lower() + match["clause"][1:]
    # At the end "with" would also split "the longest time with the cup in view".
    clause = re.sub(r"^with\b", "while", clause)
    return f"{match['main'].rstrip(' ?.!')} {clause}?"


def clause_splits(text: str) -> Iterator[ClauseSplit]:
    """Every way to split one clause off a normalised ``text``; the last conjunction first."""
    found = [(match, role) for role, pattern in _SPLITS for match in pattern.finditer(text)]
    for match, role in sorted(found, key=lambda pair: -pair[0].start()):
        main = text[: match.start()]
        # "From when on …", "since when …": too little before the conjunction to be a question.
        if main.count(" ") >= _MIN_SPACES:
            yield ClauseSplit(main, role, text[match.end() :])


def _compile(text: str, macros: Mapping[str, str]) -> re.Pattern[str]:
    expanded = {name: f"(?P<{name}>.+?)" for name in "ab"}
    for name, words in macros.items():
        expanded[name] = f"(?:{words.format(**expanded)})"
    return re.compile(text.format(**expanded))


_STATES_EN: tuple[tuple[Predicate, bool, tuple[str, ...]], ...] = (
    (
        "visible",
        True,
        ("{a} {be} not {seen}", "{a} {be} (?:{absent})", "{a} (?:could|can) not be {seen}", "{a}(?:is|was)n't {seen}"),
    ),
    (
        "visible",
        False,
        (
            "{a} and {b} {be} (?:both )?(?:{seen} )?{together}(?: {seen})?",
            "{a} and {b} {be} both {seen}",
            "both {a} and {b} {be} {seen}",
        ),
    ),
    (
        "near",
        True,
        ("{a} {be} not {near} {b}", "{a} {be} (?:far|away) from {b}", "{a} and {b} {be} not {near_pair} {other}"),
    ),
    ("near", False, ("{a} {be} {near} {b}", "{a} and {b} {be} (?:{near_pair} {other}|{close})")),
    ("in_contact", True, ("{a} {be} not {touching} {b}", "{a} did not touch {b}")),
    (
        "in_contact",
        False,
        ("{a} {be} {touching} {b}", "{a} {touch} {b}", "{a} and {b} {be} (?:{contact})(?: {other}| with {other})?"),
    ),
    ("holding", True, ("{a} {be} not {holding} {b}", "{a} did not {hold} {b}")),
    (
        "holding",
        False,
        (
            "{a} {be} {holding} {b}",
            "{a} {hold} {b}",
            "{b} {be} {held} by {a}",
            "{a} had {b} in (?:his|her|their|its) hands?",
        ),
    ),
    ("visible", False, ("{a} {be} {seen}", "{a} (?:could|can) be {seen}", "{who} (?:could|can) see {a}")),
    ("visible", True, ("{a} not {seen}", "{a} (?:{absent})")),
    ("visible", False, ("{a} {seen}",)),
)
_STATES_NB: tuple[tuple[Predicate, bool, tuple[str, ...]], ...] = (
    ("visible", True, ("{a} (?:ikke {be}|{be} ikke) {seen}", "{a} {be} (?:borte|ute av (?:syne|bildet))")),
    ("visible", False, ("{a} og {b} {be} (?:{seen} )?{together}(?: {seen})?", "både {a} og {b} {be} {seen}")),
    ("near", True, ("{a} (?:ikke {be}|{be} ikke) {near} {b}",)),
    ("near", False, ("{a} {be} {near} {b}", "{a} og {b} {be} {near} {other}")),
    ("in_contact", False, ("{a} {be} {touching} {b}", "{a} {touch} {b}")),
    ("holding", True, ("{a} ikke {hold}(?: {by})? {b}",)),
    ("holding", False, ("{a} {hold}(?: {by})? {b}",)),
    ("visible", False, ("{a} {be} {seen}", "{a} (?:vises|vistes)")),
)
_CAME = (
    "(?:had )?(?:first )?(?:came in|come in|came into (?:view|the room|sight)|appeared|arrived|entered(?: the room)?"
    "|showed up|turned up)"
)
_LEFT = "(?:had )?(?:left|left the room|disappeared|vanished|went away|gone)"
_TOOK = "(?:had )?(?:first )?(?:picked up|took|grabbed|started holding|got hold of)"
_LET_GO = "(?:had )?(?:first )?(?:let go of|put down|released|dropped|stopped holding)"
_CHANGES_EN: tuple[tuple[Predicate, Literal["begin", "end"], Literal["first", "last"], tuple[str, ...]], ...] = (
    (
        "visible",
        "begin",
        "first",
        (
            f"{{a}} {_CAME}(?: for the first time)?",
            "{a} {be} first {seen}",
            "{a} {be} {seen} (?:first|for the first time)",
        ),
    ),
    ("visible", "end", "last", (f"{{a}} {_LEFT}(?: for good| for the last time)?", "{a} {be} last {seen}")),
    (
        "holding",
        "end",
        "last",
        (f"{{a}} {_LET_GO} {{b}} for the last time", "{a} last {hold} {b}", "the last time(?: that)? {a} {hold} {b}"),
    ),
    (
        "holding",
        "begin",
        "first",
        (
            f"{{a}} {_TOOK} {{b}}(?: for the first time)?",
            "{a} first {hold} {b}",
            "{a} {hold} {b} (?:first|for the first time)",
            "the first time(?: that)? {a} {hold} {b}",
            "{a} picked {b} up",
        ),
    ),
    ("holding", "end", "first", (f"{{a}} {_LET_GO} {{b}}(?: for the first time)?", "{a} put {b} down")),
    (
        "in_contact",
        "begin",
        "first",
        (
            "{a} first {touch} {b}",
            "{a} {touch} {b}(?: first| for the first time)?",
            "the first time(?: that)? {a} {touch} {b}",
        ),
    ),
    (
        "near",
        "begin",
        "first",
        (
            "{a} (?:first )?(?:came|got|went) (?:{near}) {b}(?: for the first time)?",
            "{a} {be} first {near} {b}",
            "{a} (?:first )?approached {b}",
        ),
    ),
    ("holding", "begin", "first", ("{a} {hold} {b}",)),
)
_CHANGES_NB: tuple[tuple[Predicate, Literal["begin", "end"], Literal["first", "last"], tuple[str, ...]], ...] = (
    (
        "visible",
        "begin",
        "first",
        ("{a} (?:først )?(?:kom inn|dukket opp|kom)", "{a} ble (?:først )?{seen_past}(?: for første gang)?"),
    ),
    ("visible", "end", "last", ("{a} (?:gikk|forsvant|dro|gikk ut)", "{a} ble sist {seen_past}")),
    ("holding", "end", "last", ("{a} (?:slapp|la fra seg) {b} for siste gang",)),
    ("holding", "end", "first", ("{a} (?:først )?(?:slapp|la fra seg) {b}",)),
    (
        "holding",
        "begin",
        "first",
        ("{a} (?:først )?(?:plukket opp|tok opp|tok|{hold}(?: {by})?) {b}(?: for første gang)?",),
    ),
    ("in_contact", "begin", "first", ("{a} (?:først )?{touch} {b}",)),
)


@cache
def _states() -> tuple[_State, ...]:
    return tuple(
        _State(predicate, _compile(text, macros), negated)
        for table, macros in ((_STATES_EN, WORDS_EN), (_STATES_NB, WORDS_NB))
        for predicate, negated, texts in table
        for text in texts
    )


@cache
def _changes() -> tuple[_Change, ...]:
    return tuple(
        _Change(predicate, _compile(text, macros), edge, occurrence)
        for table, macros in ((_CHANGES_EN, WORDS_EN), (_CHANGES_NB, WORDS_NB))
        for predicate, edge, occurrence, texts in table
        for text in texts
    )


def read_clause(split: ClauseSplit, vocabulary: Vocabulary) -> ClauseLimits | None:
    """The limits that the clause of ``split`` sets, None if it is in no known form or names something unknown."""
    resolve = vocabulary.resolve
    text = re.sub(r"\b(did|was|were|is|are|could|can)n't\b", r"\1 not", split.clause)
    if split.role == "during":
        condition = _condition(text, resolve)
        return ClauseLimits(during=condition) if condition else None
    moment = _moment(text, resolve)
    if moment is None:
        return None
    return ClauseLimits(after=moment) if split.role == "after" else ClauseLimits(before=moment)


def _condition(text: str, resolve: Callable[[str], str | None]) -> Condition | None:
    for state in _states():
        names = _names(state.pattern, text, resolve)
        if names:
            return Condition(predicate=state.predicate, negated=state.negated, subject=names[0], object=names[1])
    return None


def _moment(text: str, resolve: Callable[[str], str | None]) -> Moment | None:
    for change in _changes():
        names = _names(change.pattern, text, resolve)
        if names:
            return Moment(
                predicate=change.predicate,
                occurrence=change.occurrence,
                edge=change.edge,
                subject=names[0],
                object=names[1],
            )
    return None


def _names(pattern: re.Pattern[str], text: str, resolve: Callable[[str], str | None]) -> tuple[str, str | None] | None:
    match = pattern.fullmatch(text)
    if match is None:
        return None
    spoken = match.groupdict()
    subject = resolve(spoken["a"])
    target = resolve(spoken["b"]) if spoken.get("b") else None
    if subject is None or (spoken.get("b") and target is None) or subject == target:
        return None
    return subject, target
