"""The words a question may use: the store's own names, their everyday synonyms and plurals, and its videos."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from visionllm_interaction.core.categories import PERSON_CATEGORIES, nearest_names
from visionllm_interaction.measures.api import ANY_PERSON
from visionllm_interaction.reasoning.language.synonyms import BUILT_IN, plural

DETERMINERS = frozenset(
    {
        *("the", "a", "an", "any", "this", "that", "these", "those", "my", "our", "his", "her", "their", "its"),
        *("all", "both", "each", "every", "some", "different", "separate", "distinct"),
        *("den", "det", "de", "en", "ei", "et", "alle", "begge", "hver", "noen", "ulike", "forskjellige"),
    }
)


@dataclass(frozen=True)
class Vocabulary:
    """Words for the things in one store.

    Attributes:
        names: categories and roles present in the store.
        video_ids: its videos.
        words: spoken form (lower case, singular or plural) → name.
    """

    names: tuple[str, ...]
    video_ids: tuple[str, ...]
    words: Mapping[str, str]

    @classmethod
    def build(
        cls,
        names: Iterable[str],
        video_ids: Iterable[str],
        *,
        aliases: Mapping[str, Iterable[str]] | None = None,
    ) -> Vocabulary:
        """Collect names, built-in synonyms, ``aliases`` of the user and plurals; a store's name beats any synonym."""
        known = tuple(names)
        words: dict[str, str] = {}
        for name in known:
            for word in (*BUILT_IN.get(name, ()), *(aliases or {}).get(name, ())):
                _add(words, word, name)
        for name in known:
            words.update({name.casefold(): name, plural(name.casefold()): name})
        return cls(known, tuple(video_ids), words)

    @property
    def people(self) -> tuple[str, ...]:
        """Names of people; *person*, which is anybody, only where there is no other."""
        people = tuple(name for name in self.names if name in PERSON_CATEGORIES)
        return tuple(name for name in people if name != ANY_PERSON) or people

    @property
    def things(self) -> tuple[str, ...]:
        """Names of everything that is no person."""
        return tuple(name for name in self.names if name not in PERSON_CATEGORIES)

    def resolve(self, text: str) -> str | None:
        """The store's name for ``text`` ("the kids" → "child"), or None if it has none."""
        return self.words.get(strip_determiners(text))

    def nearest(self, text: str) -> tuple[str, ...]:
        """Names whose spoken forms look like ``text``, or like a word in it; best first, possibly none."""
        bare = strip_determiners(text)
        spoken = nearest_names(bare, self.names) or nearest_names(bare, self.words)
        near = [self.words[word.casefold()] for word in spoken]
        inside = [name for name, _ in self.mentions(bare)]
        return tuple(dict.fromkeys([*near, *inside]))

    def mentions(self, text: str) -> Iterator[tuple[str, tuple[int, int]]]:
        """Each name that ``text`` mentions, in order, with its span; the longest spoken form wins."""
        if self.words:
            for match in self._pattern.finditer(text.casefold()):
                yield self.words[match.group()], match.span()

    def exact_mentions(self, text: str) -> Iterator[tuple[str, tuple[int, int]]]:
        """Like :meth:`mentions`, of the store's own names and their plurals only."""
        if self.names:
            for match in self._exact.finditer(text.casefold()):
                yield self.words[match.group()], match.span()

    def without_names(self, text: str) -> str:
        """``text`` in lower case with the store's own names cut out, so that digits in names are no numbers."""
        return self._exact.sub(" ", text.casefold()) if self.names else text.casefold()

    def synonyms(self, name: str, *, limit: int) -> tuple[str, ...]:
        """A few everyday words for ``name``, without plurals, in the order of the table."""
        listed = [word for word in BUILT_IN.get(name, ()) if self.words.get(word) == name]
        return tuple(listed[:limit])

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return _any_of(self.words)

    @cached_property
    def _exact(self) -> re.Pattern[str]:
        return _any_of([form for name in self.names for form in (name.casefold(), plural(name.casefold()))])


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")


def strip_determiners(text: str) -> str:
    """``text`` in lower case without leading articles and the like."""
    words = text.casefold().split()
    while len(words) > 1 and words[0] in DETERMINERS:
        words = words[1:]
    return " ".join(words)


def _add(words: dict[str, str], word: str, name: str) -> None:
    for form in (word.casefold(), plural(word.casefold())):
        words.setdefault(form, name)
