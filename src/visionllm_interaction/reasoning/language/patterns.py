"""Question forms: a small pattern language over normalised questions, compiled to regular expressions.

A form is text with ``{macros}``. The slots ``{a}``, ``{b}`` and ``{c}`` stand for names, ``{n}`` for a number, other
macros for groups of words that mean the same. The forms themselves are tables, by language: ``*_values`` for single
values, ``*_comparisons`` for what is made of several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

from visionllm_interaction.reasoning.language.time_expressions import UNIT
from visionllm_interaction.reasoning.planning.capabilities import StepPredicate
from visionllm_interaction.reasoning.planning.plan import Combine

ABSENT = "absent_duration"
"""Not a measure: the processed time in which ``{a}`` is not visible."""


@dataclass(frozen=True)
class Row:
    """One line of a forms table: what is asked for, and the texts that ask for it.

    Without ``combine`` a text asks for one value of ``{a}`` (and ``{b}``). With it, ``{a}`` and ``{b}`` are
    alternatives for one side and ``{c}`` is the other side; or one side ranges over people or objects, and ``{a}`` (the
    subject) or ``{b}`` (the object) is the other side.

    Attributes:
        measure: the measure asked for.
        texts: ways to ask for it.
        predicate: the predicate of a measure of bouts.
        combine: what is made of several values.
        slot: the side that varies.
        over: the kind of names that the side ranges over.
        against: adds the processed time as a second step.
    """

    measure: str
    texts: tuple[str, ...]
    predicate: StepPredicate | None = None
    combine: Combine | None = None
    slot: Literal["subject", "object"] = "subject"
    over: Literal["objects", "people"] | None = None
    against: Literal["processed"] | None = None


@dataclass(frozen=True)
class Form:
    """One way to ask: a text of ``row``, compiled when it is first tried."""

    row: Row
    text: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The text as a regular expression."""
        return re.compile(self.text)

    def match(self, text: str) -> re.Match[str] | None:
        """The match with all of ``text``. Forms share their openings, so most are ruled out without being compiled."""
        opening = _opening(self.text)
        if opening is not None and not opening.match(text):
            return None
        return self.pattern.fullmatch(text)


def _opening(text: str) -> re.Pattern[str] | None:
    """The group or the letters that every match of the regular expression ``text`` begins with, if that is plain."""
    if not text.startswith("(?:"):
        letters = _LETTERS.match(text)
        return _compiled(letters[0]) if letters and not _has_alternatives(text) else None
    end = next((n for n, depth in _depths(text) if depth == 0), len(text))
    if text[end + 1 : end + 2] in ("?", "*", "+", "{") or _has_alternatives(text):
        return None
    return _compiled(text[: end + 1])


_LETTERS = re.compile(r"[a-zæøå]+(?= )")
_compiled = cache(re.compile)


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Place and depth behind each parenthesis and bar; escaped ones and those in sets of characters are letters."""
    depth, in_set, n = 0, False, 0
    while n < len(text):
        letter = text[n]
        if letter == "\\":
            n += 1
        elif in_set:
            in_set = letter != "]"
        elif letter == "[":
            in_set = True
        elif letter in "()|":
            depth += {"(": 1, ")": -1, "|": 0}[letter]
            yield n, depth
        n += 1


def _has_alternatives(text: str) -> bool:
    return any(text[n] == "|" and depth == 0 for n, depth in _depths(text))


def compile_rows(rows: Iterable[Row], macros: Mapping[str, str]) -> tuple[Form, ...]:
    """The forms of a table; macros may use macros that stand above them in the table."""
    expanded = {name: f"(?P<{name}>.+?)" for name in "abc"}
    expanded["n"] = rf"(?P<n>\d+(?:[.,]\d+)?)(?: ?(?P<unit>{UNIT}))?"
    for name, words in macros.items():
        expanded[name] = f"(?:{words.format(**expanded)})"
    return tuple(Form(row, text.format(**expanded)) for row in rows for text in row.texts)


_REPLACEMENTS: tuple[tuple[str, str], ...] = (
    ("’", "'"),
    ("what's", "what is"),
    ("who's", "who is"),
    ("when's", "when is"),
    ("how's", "how is"),
)
_POLITE = re.compile(
    r"^(?:(?:please|hey|hi|so|and|ok|okay|kan du|vennligst)[, ]+"
    r"|(?:can|could|would) you (?:please )?(?:tell|show) me |(?:please )?tell me |do you know |i want to know "
    r"|i(?: would|'d) like to know |si meg |fortell meg |vet du )+"
)
_PUNCTUATION = re.compile(r"[?!;\"“”«»]+|[.,:](?=\s|$)")


def normalise(question: str) -> str:
    """Lower case, single spaces, no closing punctuation and no polite opening; "5.5", "1:05" and ids stay whole."""
    text = question.casefold()
    for old, new in _REPLACEMENTS:
        text = text.replace(old, new)
    text = " ".join(_PUNCTUATION.sub(" ", text).split())
    return re.sub(r" (?:please|takk|vær så snill)$", "", _POLITE.sub("", text))
