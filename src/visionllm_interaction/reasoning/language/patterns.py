"""Question forms: a small pattern language over normalised questions, compiled to regular expressions.

A form is text with ``{macros}``. The slots ``{a}``, ``{b}`` and ``{c}`` stand for names, ``{n}`` for a number, other
macros for groups of words that mean the same. The forms themselves are tables, by language: ``*_values`` for single
values, ``*_comparisons`` for what is made of several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Literal

from msgspec import Struct

from visionllm_interaction.reasoning.language.time_expressions import UNIT
from visionllm_interaction.reasoning.planning.capabilities import StepPredicate
from visionllm_interaction.reasoning.planning.plan import Combine

ABSENT = "absent_duration"
"""Not a measure: the processed time in which ``{a}`` is not visible."""


class Row(Struct, frozen=True):
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


Words = tuple[str, ...]
"""Words of which a text must hold at least one."""


class Macros(Struct, frozen=True):
    """The words of a table's macros, written out, and what a match of each must hold."""

    expanded: dict[str, str]
    needs: dict[str, tuple[Words, ...]]


class Form(Struct, frozen=True, dict=True):
    """One way to ask: a text of ``row``, read when it is first tried, and compiled when it may fit."""

    row: Row
    source: str
    macros: Macros

    @cached_property
    def text(self) -> str:
        """The text with its macros written out."""
        return self.source.format(**self.macros.expanded)

    @cached_property
    def needs(self) -> tuple[Words, ...]:
        """The words that every match holds, one of each group."""
        return _needed(self.source, self.macros.needs)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The text as a regular expression."""
        return re.compile(self.text)

    def match(self, text: str) -> re.Match[str] | None:
        """The match with all of ``text``. Few forms need to be compiled: most need a word that ``text`` lacks."""
        for words in self.needs:
            if not any(word in text for word in words):
                return None
        return self.pattern.fullmatch(text)


_PIECE = re.compile(r"\\.|\[[^]]*\]|\(\?[:P](?:<\w+>)?|\{\w+\}|[a-zæøå]+(?![?*])|.")


def _needed(text: str, macros: Mapping[str, tuple[Words, ...]]) -> tuple[Words, ...]:
    """The words that every match of a form's text must hold; an optional part needs none.

    Args:
        text: a regular expression of letters, groups without names, bars, ``?``, and ``{macros}``.
        macros: what each macro needs.

    Returns:
        Words of which one must be there, for each part that needs any.
    """
    outer: list[list[list[tuple[Words, ...]]]] = []
    branches: list[list[tuple[Words, ...]]] = [[]]
    for piece in _PIECE.findall(text):
        if piece[0] == "(":
            outer.append(branches)
            branches = [[]]
        elif piece == ")":
            group = _needed_by_one_of(branches)
            branches = outer.pop()
            branches[-1].append(group)
        elif piece == "|":
            branches.append([])
        elif piece in ("?", "*"):
            branches[-1].pop()
        elif piece[0] == "{":
            branches[-1].append(macros[piece[1:-1]])
        else:
            branches[-1].append(((piece,),) if len(piece) > 1 and piece[0].isalpha() else ())
    return _needed_by_one_of(branches)


def _needed_by_one_of(branches: Sequence[Sequence[tuple[Words, ...]]]) -> tuple[Words, ...]:
    """What alternatives need: all that the only one needs, else one word of each, if each needs any."""
    needs = [tuple(chain.from_iterable(branch)) for branch in branches]
    if len(needs) == 1:
        return needs[0]
    if not all(needs):
        return ()
    rarest = [max(parts, key=lambda words: min(map(len, words))) for parts in needs]
    return (tuple(dict.fromkeys(chain.from_iterable(rarest))),)


def compile_rows(rows: Iterable[Row], macros: Mapping[str, str]) -> tuple[Form, ...]:
    """The forms of a table; macros may use macros that stand above them in the table."""
    expanded = {name: f"(?P<{name}>.+?)" for name in "abc"}
    expanded["n"] = rf"(?P<n>\d+(?:[.,]\d+)?)(?: ?(?P<unit>{UNIT}))?"
    needs: dict[str, tuple[Words, ...]] = dict.fromkeys(expanded, ())
    for name, words in macros.items():
        expanded[name] = f"(?:{words.format(**expanded)})"
        needs[name] = _needed(words, needs)
    table = Macros(expanded, needs)
    return tuple(Form(row, source, table) for row in rows for source in row.texts)


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
