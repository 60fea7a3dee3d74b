"""The words of a language, read from its YAML file: phrases, what they are tagged with, and how they are matched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

LanguageFile = Literal["en", "nb"]
Language = Literal["en", "nb", "nn"]

_FOLDER = Path(__file__).parents[1] / "language"
_LEAST_TOKENS_OF_A_HEAD_INSIDE = 2
"""A question word of one token ("when") opens a question only at its begin."""


@dataclass(frozen=True)
class Phrase:
    """One phrase of the lexicon.

    Attributes:
        tokens: for each token the words that may stand there, and whether it may be left out.
        kind: what the phrase is: ``head``, ``noun``, ``word`` (of a predicate), …
        value: which one of its kind it is.
    """

    tokens: tuple[tuple[frozenset[str], bool], ...]
    kind: str
    value: str

    def length_at(self, words: Sequence[str], place: int) -> int:
        """How many of ``words`` the phrase covers from ``place`` on; 0 if it does not stand there."""
        return max(_ends(self.tokens, words, place), default=place) - place


@dataclass(frozen=True)
class RelationWord:
    """A line of the table that says which lemmas mean which relation.

    Attributes:
        lemmas: the predicate words of the clause, all of them.
        relation: a stream function of the language.
        marks: prepositions that must mark a name.
        edge: whether the begin or end of the relation is meant.
        negated: whether its absence is meant.
        is_reversed: whether the giver is the one who is marked with *from*.
        is_again: whether only those count that come after the first leaving: *came back*.
        is_of_people: whether it is said of people only.
        is_of_things: whether it is said of things only.
    """

    lemmas: frozenset[str]
    relation: str
    marks: frozenset[str] = frozenset()
    edge: Literal["start", "end"] | None = None
    negated: bool = False
    is_reversed: bool = False
    is_again: bool = False
    is_of_people: bool = False
    is_of_things: bool = False


@dataclass(frozen=True)
class Lexicon:
    """The phrases of one language by the first word that they can begin with."""

    language: LanguageFile
    phrases: Mapping[str, tuple[Phrase, ...]]
    numbers: Mapping[str, int]
    nynorsk: frozenset[str]

    def phrases_at(self, words: Sequence[str], place: int) -> Iterator[tuple[Phrase, int]]:
        """Every phrase that stands at ``place``, with the number of words it covers."""
        for phrase in self.phrases.get(words[place], ()):
            length = phrase.length_at(words, place)
            if length and not (phrase.kind == "head" and length < _LEAST_TOKENS_OF_A_HEAD_INSIDE and place):
                yield phrase, length


@cache
def load_lexicon(language: LanguageFile) -> Lexicon:
    """The words of ``language``; read once."""
    content = _read(f"{language}.yaml")
    by_first: dict[str, list[Phrase]] = {}
    for phrase in _phrases(content):
        for first in _first_words(phrase):
            by_first.setdefault(first, []).append(phrase)
    return Lexicon(
        language,
        {first: tuple(found) for first, found in by_first.items()},
        {str(word): int(number) for word, number in content["numbers"].items()},
        frozenset(content.get("nynorsk", ())),
    )


@cache
def load_relations() -> tuple[RelationWord, ...]:
    """The table of relations, those with most marks first."""
    rows = [
        RelationWord(
            frozenset(row["lemmas"]),
            row["relation"],
            frozenset(row.get("marks", ())),
            row.get("edge"),
            bool(row.get("negated", False)),
            bool(row.get("reversed", False)),
            bool(row.get("again", False)),
            bool(row.get("people", False)),
            bool(row.get("things", False)),
        )
        for row in _read("relations.yaml")
    ]
    return tuple(sorted(rows, key=lambda row: -len(row.marks)))


def _read(name: str) -> Any:
    # Imported here: questions that a fixed form answers need no word lists.
    from visionllm_interaction.utils.strict_yaml import load_yaml

    return load_yaml((_FOLDER / name).read_text(encoding="utf-8"))


_SECTIONS: Mapping[str, str] = {
    "heads": "head",
    "aggregates": "aggregate",
    "superlatives": "superlative",
    "ordinals": "ordinal",
    "negations": "negation",
    "modifiers": "modifier",
    "subordinators": "subordinator",
    "prepositions": "preposition",
    "conjunctions": "conjunction",
    "nouns": "noun",
    "points": "point",
    "halves": "half",
    "units": "unit",
    "words": "word",
}


def _phrases(content: Mapping[str, Any]) -> Iterator[Phrase]:
    for text in content["noise"]:
        yield _phrase(text, "noise", "")
    for text in content["auxiliaries"]:
        yield _phrase(text, "auxiliary", text)
    for section, kind in _SECTIONS.items():
        for value, texts in content.get(section, {}).items():
            for text in texts:
                yield _phrase(str(text), kind, str(value))


def _phrase(text: str, kind: str, value: str) -> Phrase:
    tokens = []
    for token in text.split():
        optional = token.startswith("?")
        tokens.append((frozenset(token.removeprefix("?").split("|")), optional))
    return Phrase(tuple(tokens), kind, value)


def _first_words(phrase: Phrase) -> set[str]:
    words: set[str] = set()
    for choices, optional in phrase.tokens:
        words |= choices
        if not optional:
            break
    return words


def _ends(tokens: Sequence[tuple[frozenset[str], bool]], words: Sequence[str], place: int) -> set[int]:
    """Places after every way in which ``tokens`` cover words from ``place`` on."""
    places = {place}
    for choices, optional in tokens:
        covered = {at + 1 for at in places if at < len(words) and words[at] in choices}
        places = (places | covered) if optional else covered
        if not places:
            return set()
    return {at for at in places if at > place}
