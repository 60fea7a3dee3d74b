"""How a question wants values to be combined, read from its words before a language model chooses the measure.

The language model decides only which measure the words mean. The form of the question decides whether values are
compared, listed, turned into shares or answered with yes or no, and between whom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.measures.api import Predicate
from visionllm_interaction.reasoning.language.patterns import ABSENT
from visionllm_interaction.reasoning.language.time_expressions import UNIT, in_seconds
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.capabilities import LLM_MEASURES, PROCESSED_DURATION, SIGNATURES
from visionllm_interaction.reasoning.planning.plan import Combine

_VIDEOS = r"(?:videos?|recordings?|clips?|films?|videoer|opptak)"
_MOST = r"longest|longer|most|more|latest|later|last|lengst|lengre|mest|sist|until later"
_LEAST = r"first|earliest|earlier|shortest|shorter|least|less|fewer|først|kortest"
_OPENING = r"^(?:is|are|was|were|did|does|do|has|have|had|can|could|er|var|ble|holdt|kom)\b"
_WHO = r"\b(?:who|whom|whose|people|persons|person|hvem)\b"
_TOYS = r"\b(?:toys?|things?|objects?|items?|leker?|lekene|ting(?:ene)?|gjenstand(?:er)?)\b"

_TABLE: tuple[tuple[Combine, str], ...] = (
    ("order", r"\b(?:what|which|hvilken) (?:order|sequence|rekkefølge)|\b(?:sort|arrange|rank)\b|\bsequence of\b"),
    (
        "difference",
        r"how (?:much|many)(?: \w+)? (?:longer|more|less|shorter|fewer)|how many more (?:seconds|minutes|times)"
        r"|by how (?:many|much)|\bdifference\b|hvor mye lenger",
    ),
    ("share", r"percent\w*|per cent|\b(?:share|fraction|proportion|part|andel|del) (?:of|av)\b|prosent"),
    ("rate", r"\b(?:per|a|each|every|i) minute?t?\b|\brate\b"),
    ("videos", rf"(?:how many|number of|hvor mange) (?:\w+ )?{_VIDEOS}\b"),
    ("mean", rf"(?:per|each|a|hver|per) {_VIDEOS}|averaged? over|across (?:the |all )?{_VIDEOS}"),
)
_MEASURES: Mapping[str, frozenset[str]] = {
    "order": frozenset({"first_seen", "last_seen", "first_onset", "last_offset"}),
    "precedes": frozenset({"first_seen", "last_seen", "first_onset", "last_offset"}),
    "share": frozenset(name for name in LLM_MEASURES if name.endswith("_duration") and name != PROCESSED_DURATION),
    "rate": frozenset({"bout_count"}),
    "mean": frozenset(name for name in LLM_MEASURES if SIGNATURES[name].total == "sum" and name != PROCESSED_DURATION),
    "exists": frozenset(
        name for name in LLM_MEASURES if SIGNATURES[name].total == "sum" and name != PROCESSED_DURATION
    ),
    "which": frozenset(name for name in LLM_MEASURES if SIGNATURES[name].total == "sum" and name != PROCESSED_DURATION),
    "videos": frozenset(
        name for name in LLM_MEASURES if SIGNATURES[name].total == "sum" and name != PROCESSED_DURATION
    ),
}
_THRESHOLD = re.compile(
    rf"(?:for )?(?:more|longer) than (?P<n>\d+(?:[.,]\d+)?) ?(?P<unit>{UNIT}|times)?|(?:mer|lenger) enn "
    rf"(?P<m>\d+(?:[.,]\d+)?) ?(?P<unit_>{UNIT}|ganger)?"
)


class Intent(Struct, frozen=True):
    """How values are combined, and which names can stand where.

    Attributes:
        combine: what the plan makes of its steps.
        subjects: names that the model may choose as subject.
        objects: names that it may choose as object; empty: none.
        measures: measures that the words of the question allow.
        predicates: predicates that they allow; empty: any.
        threshold: what *more than* compares with, in seconds or times.
        slot: the side that varies.
        alternatives: two names that are compared on that side.
        over: the kind of names that the side ranges over.
    """

    combine: Combine
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    measures: frozenset[str]
    predicates: tuple[Predicate, ...] = ()
    threshold: float | None = None
    slot: Literal["subject", "object"] = "subject"
    alternatives: tuple[str, ...] = ()
    over: Literal["objects", "people"] | None = None

    @property
    def words(self) -> str:
        """The intent as the model reads it."""
        return _WORDS[self.combine]


_WORDS: Mapping[str, str] = {
    "each": "a value",
    "largest": "who or what has most of it",
    "smallest": "who or what has least of it",
    "difference": "the difference of two values",
    "share": "a duration as share of the video",
    "rate": "a number of times per minute",
    "exists": "yes or no",
    "exceeds": "yes or no",
    "precedes": "which time is earlier",
    "which": "a list",
    "order": "an order of times",
    "videos": "a number of videos",
    "mean": "an average over videos",
}


def read_intent(text: str, vocabulary: Vocabulary) -> tuple[str, Intent]:
    """The intent of a normalised question, and the question without its threshold."""
    rest, threshold = _extract_threshold(text)
    said = tuple(dict.fromkeys(name for name, _ in vocabulary.mentions(rest)))
    combine = _combine(rest, said, threshold=threshold)
    measures = _MEASURES.get(combine, LLM_MEASURES - {PROCESSED_DURATION})
    if combine == "each":
        measures |= {ABSENT}
    over = _over(rest, said) if combine in ("largest", "smallest", "which", "order") else None
    if over and not (len(said) >= 2 and re.search(r"\b(?:or|eller)\b", rest)):
        return rest, _over_all_names(combine, said, over, measures, vocabulary)
    if combine in ("largest", "smallest", "difference", "precedes"):
        return rest, _between_two(combine, _in_order(rest, said, vocabulary), measures)
    return rest, Intent(combine, said, said, measures, threshold=threshold)


def _combine(text: str, said: Sequence[str], *, threshold: float | None) -> Combine:
    for combine, words in _TABLE:
        if re.search(words, text):
            return combine
    asks_who = re.search(rf"{_WHO}|\b(?:which|what|hvilke[nt]?|hva)\b", text) is not None
    either = len(said) >= 2 and re.search(r"\b(?:or|eller)\b|\bbetween\b.*\band\b|of the two|of them", text) is not None
    opening = re.search(_OPENING, text) is not None
    if (either and (asks_who or opening or "more" in text)) or (asks_who and _over(text, said)):
        compared = _superlative(text)
        if compared and (either or not re.search(r"\b(?:when|how)\b", text)):
            return compared
    if opening or text.startswith(("is there", "was there")):
        if threshold is not None:
            return "exceeds"
        earlier = len(said) >= 2 and re.search(r"\b(?:before|earlier than|sooner than|før)\b", text)
        return "precedes" if earlier else "exists"
    listing = re.search(r"^(?:list|name|who|by whom|which|what|hvem|hvilke)\b", text)
    if listing and _over(text, said) and not re.search(r"how (?:long|many|often)|number", text):
        return "which"
    return "each"


def _superlative(text: str) -> Combine | None:
    if re.search(rf"\b(?:{_LEAST})\b", text):
        return "smallest"
    return "largest" if re.search(rf"\b(?:{_MOST})\b", text) else None


def _over(text: str, said: Sequence[str]) -> Literal["objects", "people"] | None:
    if re.search(_TOYS, text) and not any(name not in PERSON_CATEGORIES for name in said):
        return "objects"
    return "people" if re.search(_WHO, text) else None


def _over_all_names(
    combine: Combine,
    said: Sequence[str],
    over: Literal["objects", "people"],
    measures: frozenset[str],
    vocabulary: Vocabulary,
) -> Intent:
    everyone = vocabulary.objects if over == "objects" else vocabulary.people
    people = tuple(name for name in said if name in PERSON_CATEGORIES and name != "person")
    if over == "objects" and people:
        return Intent(combine, people[:1], everyone, measures, slot="object", over=over)
    objects = tuple(name for name in said if name != "person") if over == "people" else ()
    return Intent(combine, everyone, objects, measures, over=over)


def _in_order(text: str, said: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """``said``, with the name that stands right after *than* moved to the end: "longer than the cup was the ball"."""
    names = [(name, begin) for name, (begin, _) in vocabulary.mentions(text)]
    than = [
        name for name, begin in names if re.search(r"\b(?:than|enn)(?: (?:that of|with|by))?(?: the)? $", text[:begin])
    ]
    return (*(name for name in said if name not in than[-1:]), *than[-1:])


def _between_two(combine: Combine, said: Sequence[str], measures: frozenset[str]) -> Intent:
    """``said`` holds the two that are compared in the order of the comparison, the one after *than* last."""
    people = tuple(name for name in said if name in PERSON_CATEGORIES)
    things = tuple(name for name in said if name not in PERSON_CATEGORIES)
    if len(said) == 3 and len(people) == 2:
        return Intent(combine, people, things, measures, alternatives=people)
    if len(said) == 3 and len(things) == 2:
        return Intent(combine, people, things, measures, slot="object", alternatives=things)
    return Intent(combine, tuple(said), (), measures, alternatives=tuple(said) if len(said) == 2 else ())


def _extract_threshold(text: str) -> tuple[str, float | None]:
    match = _THRESHOLD.search(text)
    if not match:
        return text, None
    number, unit = match["n"] or match["m"], match["unit"] or match["unit_"]
    value = float(number.replace(",", ".")) if unit in ("times", "ganger") else in_seconds(number, unit)
    return " ".join((text[: match.start()] + text[match.end() :]).split()), value
