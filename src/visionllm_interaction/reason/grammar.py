"""Question forms: a small pattern language over normalised questions, compiled to regular expressions.

A form is text with ``{macros}``; ``{a}`` and ``{b}`` stand for the things asked about, other macros for groups of
words that mean the same (:data:`MACROS`). The forms themselves are tables, in ``forms_en`` and ``forms_nb``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from visionllm_interaction.reason.plan import Combine
from visionllm_interaction.scenes.measures import Predicate


@dataclass(frozen=True)
class Form:
    """One way to ask for one measure.

    ``combine`` other than None makes one step for ``{a}`` and one for ``{b}``, read as :class:`Plan` says.
    """

    measure: str
    pattern: re.Pattern[str]
    predicate: Predicate | None = None
    combine: Combine | None = None


@dataclass(frozen=True)
class Row:
    """One line of a forms table: what is asked for, and the texts that ask for it."""

    measure: str
    texts: tuple[str, ...]
    predicate: Predicate | None = None
    combine: Combine | None = None


def compile_rows(rows: Iterable[Row], macros: Mapping[str, str]) -> tuple[Form, ...]:
    """Compile a forms table; macros may use macros that stand above them in the table."""
    expanded = {"a": "(?P<a>.+?)", "b": "(?P<b>.+?)"}
    for name, words in macros.items():
        expanded[name] = f"(?:{words.format(**expanded)})"
    return tuple(
        Form(row.measure, re.compile(text.format(**expanded)), row.predicate, row.combine)
        for row in rows
        for text in row.texts
    )


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
