"""Cut a question into tagged phrases: names of the store, words of predicates, question words and times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from visionllm_interaction.reasoning.grammar.lexicon import Language, LanguageFile, Lexicon, load_lexicon
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary

_PRIORITY = (
    *("head", "point", "half", "name", "noun", "modifier", "negation", "ordinal", "aggregate", "superlative", "word"),
    *("subordinator", "conjunction", "preposition", "unit", "noise", "auxiliary"),
)
_ARTICLES = frozenset({"den", "det", "de", "dei", "that", "this", "these", "those"})
_NO = frozenset({"no", "ingen", "inga", "inget"})
"""Before a name: "no ball was in view"."""
_PAIRS = frozenset({"the two", "de to", "dei to"})
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?$")
_TOKEN = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_](?:[\w.-]*\w)?|,")


@dataclass(frozen=True)
class Tag:
    """One phrase of the question.

    Attributes:
        kind: as in the lexicon; besides ``name`` (of the store), ``number``, ``possessive`` and ``unknown``.
        value: which one of its kind.
        text: the words themselves.
        lemmas: of a word that may belong to a predicate: every lemma it can stand for, ``""`` for a mere auxiliary.
        number: of a number.
    """

    kind: str
    value: str
    text: str
    lemmas: tuple[str, ...] = ()
    number: float | None = None

    def is_(self, kind: str, *values: str) -> bool:
        """Whether the tag is of ``kind`` and, if given, has one of ``values``."""
        return self.kind == kind and (not values or self.value in values)


@dataclass(frozen=True)
class Tagged:
    """A whole question.

    Attributes:
        tags: its phrases in order, without noise.
        language: in which it was asked, so that it is answered in the same.
        unknown: words that no list holds.
    """

    tags: tuple[Tag, ...]
    language: Language
    unknown: tuple[str, ...]


def tag_question(text: str, vocabulary: Vocabulary) -> Tagged:
    """The phrases of a normalised question, read in the language that knows most of its words."""
    words = split_words(text)
    found = [_tagged(words, load_lexicon(language), vocabulary) for language in _languages(text)]
    return min(found, key=lambda tagged: len(tagged.unknown))


def split_words(text: str) -> list[str]:
    """The tokens of a normalised question; "'s" is one of its own."""
    text = re.sub(r"(?<=[a-z]) s (?=[a-z])", "'s ", text)  # "the dog s back"
    spread = re.sub(r"(?<=\w)'s?(?=\s|$|,)", " 's", text)
    return [word for part in spread.split() for word in ([part] if "'" in part else _TOKEN.findall(part) or [part])]


def _languages(text: str) -> tuple[LanguageFile, ...]:
    first = text.split(" ", 1)[0]
    norwegian = first.startswith(("hv", "kv", "kor", "når", "i ")) or bool(re.search("[æøå]", text))
    return ("nb", "en") if norwegian else ("en", "nb")


def _tagged(words: Sequence[str], lexicon: Lexicon, vocabulary: Vocabulary) -> Tagged:
    tags: list[Tag] = []
    place = 0
    while place < len(words):
        tag, length = _tag_at(words, place, tags, lexicon=lexicon, vocabulary=vocabulary)
        if not tag.is_("noise"):
            tags.append(tag)
            if lexicon.language == "nb" and tag.kind == "name" and _is_genitive(words[place + length - 1], vocabulary):
                tags.append(Tag("possessive", "", "s"))
        place += length
    unknown = tuple(tag.text for tag in tags if tag.kind == "unknown")
    nynorsk = lexicon.language == "nb" and bool(lexicon.nynorsk & set(words))
    return Tagged(tuple(tags), "nn" if nynorsk else lexicon.language, unknown)


def _is_genitive(word: str, vocabulary: Vocabulary) -> bool:
    """Whether a Norwegian name ends in the s of the genitive ("barnets"), whatever plurals English would make."""
    return word not in vocabulary.words or (word.endswith("ts") and word[:-1] in vocabulary.words)


def _tag_at(
    words: Sequence[str], place: int, before: Sequence[Tag], *, lexicon: Lexicon, vocabulary: Vocabulary
) -> tuple[Tag, int]:
    """The tag of the longest phrase at ``place``; of several the first in the order of kinds that fits its place."""
    if words[place] == "'s":
        return Tag("possessive", "", "'s"), 1
    if words[place] in _NO and place + 1 < len(words) and next(_names_at(words, place + 1, lexicon, vocabulary), None):
        return Tag("negation", "not", words[place]), 1
    found = [*_names_at(words, place, lexicon, vocabulary), *_phrases_at(words, place, lexicon)]
    number = _number_at(words, place, lexicon)
    if number:
        found.append((number, 1))
    fitting = [
        (tag, length)
        for tag, length in found
        if _fits(tag, length, words, place, before, lexicon=lexicon, names=vocabulary)
    ]
    if not fitting:
        return Tag("unknown", words[place], words[place]), 1
    longest = max(length for _, length in fitting)
    best = [tag for tag, length in fitting if length == longest]
    chosen = min(best, key=_rank)
    if chosen.kind in ("word", "auxiliary", "subordinator"):
        chosen = _with_lemmas(chosen, best)
    return chosen, longest


def _rank(tag: Tag) -> int:
    return -1 if tag.kind == "number" else _PRIORITY.index(tag.kind)


def _with_lemmas(chosen: Tag, best: Sequence[Tag]) -> Tag:
    """``chosen`` with every lemma that its words can stand for."""
    lemmas = tuple(dict.fromkeys("" if tag.kind == "auxiliary" else tag.value for tag in best if _is_of_predicate(tag)))
    return Tag(chosen.kind, chosen.value, chosen.text, lemmas) if lemmas else chosen


def _is_of_predicate(tag: Tag) -> bool:
    return tag.kind in ("word", "auxiliary")


def _names_at(words: Sequence[str], place: int, lexicon: Lexicon, vocabulary: Vocabulary) -> Iterator[tuple[Tag, int]]:
    for length in range(min(4, len(words) - place), 0, -1):
        text = " ".join(words[place : place + length])
        forms = (text, text.removesuffix("s")) if lexicon.language == "nb" else (text,)
        name = next((vocabulary.words[form] for form in forms if form in vocabulary.words), None)
        name = name or next((vocabulary.searched[form] for form in forms if form in vocabulary.searched), None)
        if name:
            yield (Tag("noun", "person", text) if name == "person" else Tag("name", name, text)), length
            return


def _phrases_at(words: Sequence[str], place: int, lexicon: Lexicon) -> Iterator[tuple[Tag, int]]:
    for phrase, length in lexicon.phrases_at(words, place):
        text = " ".join(words[place : place + length])
        yield Tag(phrase.kind, phrase.value, text), length


def _number_at(words: Sequence[str], place: int, lexicon: Lexicon) -> Tag | None:
    word = words[place]
    if _NUMBER.match(word):
        return Tag("number", word, word, number=float(word.replace(",", ".")))
    value = lexicon.numbers.get(word)
    return Tag("number", word, word, number=float(value)) if value else None


def _fits(
    tag: Tag,
    length: int,
    words: Sequence[str],
    place: int,
    before: Sequence[Tag],
    *,
    lexicon: Lexicon,
    names: Vocabulary,
) -> bool:
    """Whether a phrase that stands here can be meant here."""
    after = words[place + length] if place + length < len(words) else ""
    follows_number = bool(before) and before[-1].kind == "number"
    if tag.kind == "unit":
        return follows_number
    if tag.kind == "ordinal" and length == 1:
        return not follows_number
    if tag.is_("modifier", "more_than", "less_than", "at_least"):
        return bool(_number_at(words, place + length, lexicon)) if after else False
    if tag.is_("modifier", "at_most"):
        return bool(after and _number_at(words, place + length, lexicon)) and _is_unit(
            words, place + length + 1, lexicon
        )
    if tag.is_("noun", "both", "it") and (tag.text in _ARTICLES or tag.text in _PAIRS):
        return not _opens_noun(words, place + length, lexicon, names)
    if tag.is_("subordinator") and tag.text == "til":
        return _has_verb(words, place + length, lexicon)
    if (
        tag.is_("noun", "object")
        and lexicon.language == "nb"
        and next(_names_at(words, place + length, lexicon, names), None)
        if after
        else False
    ):
        # "Kva leika barnet med?": a verb before a name.
        return not any(phrase.kind == "word" for phrase, _ in lexicon.phrases_at(words, place))
    if tag.is_("noise") and tag.text in ("a second", "one second"):
        return after not in ("time", "toy", "one")  # "a second time" is no unit
    if tag.is_("word", "elapse") and length > 1:
        # "Tok det opp", "gikk det ned": of something, and not of time.
        return not any(p.value in ("up", "down") for p, _ in lexicon.phrases_at(words, place + length))
    if tag.kind == "number" and tag.text in ("one", "no"):
        return bool(after)
    return True


def _is_unit(words: Sequence[str], place: int, lexicon: Lexicon) -> bool:
    return place < len(words) and any(phrase.kind == "unit" for phrase, _ in lexicon.phrases_at(words, place))


def _opens_noun(words: Sequence[str], place: int, lexicon: Lexicon, vocabulary: Vocabulary) -> bool:
    if place >= len(words):
        return False
    if next(_names_at(words, place, lexicon, vocabulary), None):
        return True
    opens = ("object", "person", "bouts")
    return any(_is_adjective(tag) or tag.is_("noun", *opens) for tag, _ in _phrases_at(words, place, lexicon))


def _is_adjective(tag: Tag) -> bool:
    """Whether an aggregate stands before its noun ("lengste"), and not for itself ("i gjennomsnitt")."""
    return tag.kind == "aggregate" and " " not in tag.text


def _has_verb(words: Sequence[str], place: int, lexicon: Lexicon) -> bool:
    """Whether a verb stands before the next clause: "til" opens a clause only then; else it is a preposition."""
    for here in range(place, len(words)):
        kinds = {phrase.kind for phrase, _ in lexicon.phrases_at(words, here)}
        if "subordinator" in kinds and "word" not in kinds:
            return False
        if kinds & {"word", "auxiliary"}:
            return True
    return False
