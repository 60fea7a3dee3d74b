"""Who says what when: turns of two speakers whose sentences name objects of the room, in English and Norwegian."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ball": ("ball", "balls", "ballen", "baller", "ballene"),
        "book": ("book", "books", "bok", "boka", "boken", "bøker", "bøkene"),
        "cup": ("cup", "cups", "mug", "mugs", "kopp", "koppen", "kopper", "koppene"),
        "teddy bear": ("teddy bear", "teddy bears", "teddy", "bamse", "bamsen", "bamser", "bamsene"),
        "car": ("car", "cars", "bil", "bilen", "biler", "bilene"),
        "block": ("block", "blocks", "kloss", "klossen", "klosser", "klossene"),
    }
)
"""Category → every form that the sentences use for it: English plurals, Norwegian indefinite and definite forms."""
_FRAMES = (
    "look at the {}",
    "where is the {}?",
    "the {} again!",
    "give me that {}, please",
    "now the {} and the {}",
    "ser du {}?",
    "nå kommer {}",
    "der er {} og {}!",
    "kan jeg få {}, da?",
    "oh, {}",
)
"""Sentences with a name. The words around it name nothing."""
_FILLERS = (
    "come here",
    "that was fun, wasn't it?",
    "the carpet looks cozy",
    "a ballet on the bookshelf",
    "the cupboard is blocked",
    "teacups and cargo",
    "kom hit, da",
    "så fint det var",
    "en billett i bokhylla",
    "ballongen flyr",
    "mm",
    "yes",
)
"""Sentences that name no object; some hold words that only begin like a name."""
_VOWELS = frozenset("aeiouyæøå")
_SYLLABLE_S = (0.09, 0.2)
_WORD_GAP_S = (0.01, 0.06)
_PAUSE_S = (0.3, 2.2)


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word with its time.

    Attributes:
        text: as written, with its marks.
        begin_s: seconds of the video.
        end_s: seconds of the video.
        names: the category that it names; of a name of several words each one says it. None: it names nothing.
        first_of_name: whether it begins a name.
    """

    text: str
    begin_s: float
    end_s: float
    names: str | None = None
    first_of_name: bool = False


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker says without a longer pause."""

    speaker: str
    words: tuple[SpokenWord, ...]

    @property
    def begin_s(self) -> float:
        """Begin of its first word, in seconds of the video."""
        return self.words[0].begin_s

    @property
    def end_s(self) -> float:
        """End of its last word, in seconds of the video."""
        return self.words[-1].end_s

    @property
    def text(self) -> str:
        """The words as one text."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Naming:
    """A moment in which somebody names an object."""

    speaker: str
    category: str
    begin_s: float
    end_s: float


def random_speech(
    rng: np.random.Generator,
    *,
    speakers: Sequence[str],
    categories: Sequence[str],
    begin_s: float,
    end_s: float,
    whole_at_s: Sequence[float] = (),
) -> tuple[Utterance, ...]:
    """A conversation: speakers take turns, with pauses; they do not interrupt each other.

    Args:
        rng: random numbers.
        speakers: their roles.
        categories: what they may name.
        begin_s: nobody speaks before it.
        end_s: nobody speaks after it.
        whole_at_s: moments at which nobody speaks, such as begin and end of the video.

    Returns:
        The utterances in order of time.
    """
    found: list[Utterance] = []
    at = begin_s + float(rng.uniform(*_PAUSE_S))
    speaker = 0
    while True:
        utterance = _utterance(rng, speakers[speaker], categories, at)
        if utterance.end_s > end_s:
            return tuple(found)
        crossed = [time for time in whole_at_s if utterance.begin_s - 0.05 < time < utterance.end_s + 0.05]
        if crossed:
            at = max(crossed) + 0.1
            continue
        found.append(utterance)
        at = utterance.end_s + float(rng.uniform(*_PAUSE_S)) * (3.0 if rng.random() < 0.15 else 1.0)
        if rng.random() < 0.7:
            speaker = (speaker + 1) % len(speakers)


def _utterance(rng: np.random.Generator, speaker: str, categories: Sequence[str], begin_s: float) -> Utterance:
    words: list[SpokenWord] = []
    at = begin_s
    for text, category, is_first in _sentence(rng, categories):
        syllables = max(1, sum(letter in _VOWELS for letter in text.lower()))
        end_s = at + float(rng.uniform(*_SYLLABLE_S, syllables).sum())
        words.append(SpokenWord(text, round(at, 3), round(end_s, 3), category, is_first))
        at = end_s + float(rng.uniform(*_WORD_GAP_S))
    return Utterance(speaker, tuple(words))


def _sentence(rng: np.random.Generator, categories: Sequence[str]) -> Iterator[tuple[str, str | None, bool]]:
    """Words, the category that each is part of naming, and whether it begins a name."""
    if rng.random() < 0.4:
        yield from ((word, None, False) for word in str(rng.choice(_FILLERS)).split())
        return
    for word in str(rng.choice(_FRAMES)).split():
        if "{}" not in word:
            yield word, None, False
            continue
        category = categories[int(rng.integers(len(categories)))]
        name = word.format(NAMES[category][int(rng.integers(len(NAMES[category])))])
        for n, part in enumerate(name.split()):
            yield part, category, n == 0


def namings(utterances: Sequence[Utterance]) -> tuple[Naming, ...]:
    """The moments in which an object is named.

    Args:
        utterances: what is said.

    Returns:
        From the begin of the first word of each name to the end of its last one, in order of time.
    """
    found: list[Naming] = []
    for utterance in utterances:
        for word in utterance.words:
            if word.names is None:
                continue
            if word.first_of_name:
                found.append(Naming(utterance.speaker, word.names, word.begin_s, word.end_s))
            else:
                found[-1] = Naming(utterance.speaker, word.names, found[-1].begin_s, word.end_s)
    return tuple(found)


def transcript(utterances: Sequence[Utterance]) -> dict[str, Any]:
    """What is said as JSON: WhisperX's form, and beside it the true naming moments.

    Args:
        utterances: what is said.

    Returns:
        The contents of ``transcript.json``.
    """
    segments = [
        {
            "start": utterance.begin_s,
            "end": utterance.end_s,
            "text": utterance.text,
            "speaker": utterance.speaker,
            "words": [
                {"word": word.text, "start": word.begin_s, "end": word.end_s, "speaker": utterance.speaker}
                for word in utterance.words
            ],
        }
        for utterance in utterances
    ]
    named = [
        {"speaker": one.speaker, "category": one.category, "begin_s": one.begin_s, "end_s": one.end_s}
        for one in namings(utterances)
    ]
    return {"schema_version": 1, "segments": segments, "namings": named}
