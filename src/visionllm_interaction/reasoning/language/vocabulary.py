"""The words a question may use: the store's own names, their everyday synonyms and plurals, and its videos."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

from msgspec import Struct, field
from msgspec.structs import replace

from visionllm_interaction.core.categories import PERSON_CATEGORIES, nearest_names
from visionllm_interaction.measures.api import ANY_PERSON
from visionllm_interaction.reasoning.language.synonyms import BUILT_IN, plural
from visionllm_interaction.store.reader import Store

_ALIKE = 0.75
_ROLES = frozenset({"child", "caregiver"})
DETERMINERS = frozenset(
    {
        *("the", "a", "an", "any", "this", "that", "these", "those", "my", "our", "his", "her", "their", "its"),
        *("all", "both", "each", "every", "some", "different", "separate", "distinct"),
        *("den", "det", "de", "en", "ei", "et", "alle", "begge", "hver", "noen", "ulike", "forskjellige"),
    }
)


class Vocabulary(Struct, frozen=True, dict=True):
    """Words for the people and objects of one store.

    Attributes:
        names: categories and roles present in the store.
        video_ids: its videos.
        words: spoken form (lower case, singular or plural) → name.
        searched: spoken form → name that the detectors search for and never found.
        coded: kinds of codes (speech, gaze, naming) that were imported for at least one of the videos.
        renamed: categories of which somebody has a role of another name: an *adult* who is the caregiver.
    """

    names: tuple[str, ...]
    video_ids: tuple[str, ...]
    words: Mapping[str, str]
    searched: Mapping[str, str] = field(default_factory=dict)
    coded: frozenset[str] = frozenset()
    renamed: frozenset[str] = frozenset()

    @classmethod
    def of_store(cls, store: Store, *, aliases: Mapping[str, Iterable[str]] | None = None) -> Vocabulary:
        """The words for every name in ``store``, found or searched in vain, and the kinds of imported codes."""
        kinds = frozenset[str]().union(*(store.words(video_id, "codes", ["kind"]) for video_id in store.video_ids()))
        names = store.names()
        found = cls.build(names, store.video_ids(), aliases=aliases, searched=store.known_names(), coded=kinds)
        return replace(found, renamed=_renamed(store, PERSON_CATEGORIES.intersection(names) - {ANY_PERSON}))

    @classmethod
    def build(
        cls,
        names: Iterable[str],
        video_ids: Iterable[str],
        *,
        aliases: Mapping[str, Iterable[str]] | None = None,
        searched: Iterable[str] = (),
        coded: frozenset[str] = frozenset(),
    ) -> Vocabulary:
        """Collect names, built-in synonyms, ``aliases`` of the user and plurals; a store's name beats any synonym."""
        known = tuple(names)
        unseen = tuple(name for name in searched if name not in known)
        return cls(known, tuple(video_ids), _spoken(known, aliases or {}), _spoken(unseen, aliases or {}), coded)

    @property
    def people(self) -> tuple[str, ...]:
        """Names of people, each of others; *person*, which is anybody, only where there is no other."""
        people = tuple(name for name in self.names if name in PERSON_CATEGORIES and name not in self.renamed)
        return tuple(name for name in people if name != ANY_PERSON) or people

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of everything that is no person."""
        return tuple(name for name in self.names if name not in PERSON_CATEGORIES)

    def resolve(self, text: str) -> str | None:
        """The store's name for ``text`` ("the kids" → "child"), or None if it has none."""
        bare = strip_determiners(text)
        return self.words.get(bare) or self.searched.get(bare)

    def nearest(self, text: str) -> tuple[str, ...]:
        """Names whose spoken forms look like ``text``, or like a word in it; best first, possibly none."""
        bare = strip_determiners(text)
        spoken = nearest_names(bare, self.names) or [w for w in nearest_names(bare, self.words) if _is_alike(bare, w)]
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

    def names_in(self, text: str, *, and_of: Collection[str]) -> set[str]:
        """The store's names in ``text``, and those of ``and_of`` in it of which nothing was ever seen."""
        unseen = [name for name in and_of if name not in self.names]
        also = {name for name in unseen if _any_of([name.casefold(), plural(name.casefold())]).search(text.casefold())}
        return {name for name, _ in self.exact_mentions(text)} | also

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


def _renamed(store: Store, names: Collection[str]) -> frozenset[str]:
    """Categories among names of people of which somebody has a role of another name."""
    if _ROLES.issuperset(names) or _ROLES.isdisjoint(names):  # so that tracks are read in few stores only
        return frozenset()
    tracks = (track for video_id in store.video_ids() for track in store.tracks(video_id))
    return frozenset(t.category for t in tracks if t.category in names and t.role in names and t.role != t.category)


def _spoken(names: Iterable[str], aliases: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Spoken form → name, for each of ``names``; a name beats any synonym."""
    known = tuple(names)
    words: dict[str, str] = {}
    for name in known:
        for word in (*BUILT_IN.get(name, ()), *aliases.get(name, ())):
            _add(words, word, name)
    for name in known:
        words.update({name.casefold(): name, plural(name.casefold()): name})
        words.setdefault(f"{name.casefold()}s", name)  # "sheeps"
    return words


def _is_alike(text: str, word: str) -> bool:
    """Whether a word of any language is so near to ``text`` that it may be meant, mistyped."""
    return difflib.SequenceMatcher(None, text, word).ratio() >= _ALIKE


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
