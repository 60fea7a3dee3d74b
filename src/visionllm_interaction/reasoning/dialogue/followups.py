"""What a follow-up changes: "and the book?", "in the second video?", "how often?", "why?", in English and Norwegian."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.lexicon import Language
from visionllm_interaction.reasoning.language.patterns import normalise
from visionllm_interaction.reasoning.language.references import extract_video, unknown_video
from visionllm_interaction.reasoning.language.synonyms import NARROWER, plural
from visionllm_interaction.reasoning.language.time_expressions import Window, extract_window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary

Aggregate = Literal[
    "total", "count", "rate", "share", "exists", "mean", "median", "longest", "shortest", "first_time", "last_time"
]
Half = Literal["first", "second"]

_OPENING = re.compile(
    r"^(?:(?:and|but|then|also|what about|how about|what if|og|men|da|så|hva med|kva med|hva om|kva om|enn)\b[\s,]*)+"
)
_EVIDENCE = re.compile(
    r"(?:(?:but |and |og |men )?(?:why|hvorfor|kvifor)(?: (?:is|was|er|var) (?:that|it|det)(?: so| slik)?)?"
    r"|how (?:do|can) you (?:know|tell)(?: that| it)?|hvordan (?:vet|veit) du det|korleis veit du det"
    r"|(?:show|vis) (?:me |meg )?(?:the |your )?(?:evidence|proof|bevis\w*|belegg\w*)"
    r"|what is (?:that|it|this) based on|(?:the )?evidence|hva bygger (?:du )?det på|kva byggjer (?:du )?det på)"
)
_AGGREGATES: tuple[tuple[Aggregate, str], ...] = (
    (
        "rate",
        r"(?:how (?:often|many times)|(?:hvor|kor) (?:ofte|mange (?:ganger|gonger)))"
        r" (?:per|a|each|i|pr) (?:minute|minuttet|minutt)"
        r"|(?:per|a|each|i|pr) (?:minute|minuttet|minutt)",
    ),
    ("count", r"how (?:often|many times|frequently)|(?:hvor|kor) (?:ofte|mange (?:ganger|gonger))"),
    ("mean", r"(?:how long )?(?:on average|in the mean)|(?:(?:hvor|kor) lenge )?i (?:gjennomsnitt|snitt)"),
    ("longest", r"(?:the longest|at (?:the )?longest|på det lengste|lengst i strekk)"),
    (
        "share",
        r"(?:(?:for |in )?(?:what|which|how large a|how big a) (?:share|part|proportion|percentage|fraction)"
        r"|what per ?cent)(?: of (?:the )?time)?|how much of the time"
        r"|(?:i )?(?:hvor|kor) (?:stor (?:del|andel)|mye|mykje) av (?:tiden|tida)",
    ),
    (
        "total",
        r"(?:for )?how (?:long|much time|many seconds)(?: in (?:all|total))?"
        r"|(?:i )?(?:hvor|kor) (?:lenge|lang tid)(?: i alt)?",
    ),
    ("last_time", r"(?:and )?when last|when (?:was (?:it|that) )?(?:for )?the last time|når sist"),
    ("first_time", r"when(?: first)?|when (?:was (?:it|that) )?(?:for )?the first time|når(?: først| fyrst)?"),
    ("exists", r"ever|at all|did (?:it|that) (?:ever )?happen|i det hele tatt|noen gang|nokon gong"),
)
_HALF = re.compile(
    r"(?:(?:in|during|i|under) )?(?:the |den )?(first|second|other|latter|last|første|fyrste|andre|siste)"
    r" (?:half|halvdel\w*)"
    r"(?: of the video| av videoen)?"
)
_ORDINAL = re.compile(r"\b(?:first|second|third|fourth|other|older|younger|første|fyrste|andre|tredje|eldste|yngste)\b")
_PLACE = re.compile(
    r"(?:in|i) (?:the |den |det )?(?P<place>first|second|third|last|første|fyrste|andre|tredje|siste)(?: one)?"
)
"""A video by its place alone: "and in the second?"."""
_FILLER = re.compile(
    r"\b(?:the|a|an|for|with|of|by|to|at|did|does|do|was|is|it|that|then|only|too|alone|about|den|det|de|dei|med|av|til|en|ei"
    r"|et|ein|eit|da|så|bare|berre|også|òg)\b"
)
_NORWEGIAN = re.compile(
    r"[æøå]|\b(?:og|hva|kva|hvor|kor|kvifor|hvorfor|barnet|ungen|mamma|pappa|den|det|i|enn|videoen|boka|ballen)\b"
)
_NYNORSK = re.compile(r"\b(?:kva|kor|kvifor|korleis|gonger|gong|vaksne|nokon|fyrste|ein|eit|frå)\b")


@dataclass(frozen=True)
class FollowUp:
    """What a follow-up changes in the question before.

    Attributes:
        name: another person or object takes the place of one.
        video_id: another video.
        window: another time window.
        half: another half of the video.
        aggregate: another quantity of the same.
        asks_evidence: it asks what the last answer rests on.
        refusal: why it cannot be answered, whatever came before.
        language: in which it was asked.
    """

    name: str | None = None
    video_id: str | None = None
    window: Window | None = None
    half: Half | None = None
    aggregate: Aggregate | None = None
    asks_evidence: bool = False
    refusal: str | None = None
    language: Language = "en"


def read_follow_up(question: str, vocabulary: Vocabulary) -> FollowUp | None:
    """What a question changes in the one before.

    Args:
        question: as it was typed.
        vocabulary: the names of the store.

    Returns:
        The change; None where it is a question of its own.
    """
    text = normalise(question).strip(" ,")
    language = _language(text)
    if _EVIDENCE.fullmatch(text):
        return FollowUp(asks_evidence=True, language=language)
    opened = _OPENING.sub("", text).strip(" ,")
    place = _PLACE.fullmatch(opened)
    if place is not None:
        opened = f"i den {place['place']} videoen" if opened.startswith("i ") else f"in the {place['place']} video"
    rest, video_id = extract_video(opened, vocabulary.video_ids)
    lost = unknown_video(opened, vocabulary.video_ids) if video_id is None else None
    rest, window = extract_window(rest)
    rest, half = _cut_half(rest)
    rest, aggregate = _cut_aggregate(rest)
    names = list(dict.fromkeys(name for name, _ in vocabulary.mentions(rest)))
    left = _FILLER.sub(" ", _without_names(rest, vocabulary)).split()
    ordinals = [word for word in left if _ORDINAL.fullmatch(word)]
    nothing = not (names or video_id or window or half or aggregate)
    if lost and _is_short(opened):
        return FollowUp(refusal=lost, language=language)
    if len(left) == 1 and nothing and _OPENING.match(question.strip().casefold()):
        return FollowUp(refusal=_unknown(left[0], vocabulary), language=language)
    if nothing or len(names) > 1 or [word for word in left if word not in ordinals]:
        return None
    name = names[0] if names else None
    refusal = _several(name, ordinals[0]) if name and ordinals else None
    if ordinals and not name:
        return None
    return FollowUp(name, video_id, window, half, aggregate, refusal=refusal, language=language)


def _is_short(text: str) -> bool:
    return len(text.split()) <= len(["in", "the", "second", "video", "called", "x"])


def _language(text: str) -> Language:
    if _NYNORSK.search(text):
        return "nn"
    return "nb" if _NORWEGIAN.search(text) else "en"


def _cut_half(text: str) -> tuple[str, Half | None]:
    found = _HALF.search(text)
    if found is None:
        return text, None
    half: Half = "first" if found[1] in ("first", "første", "fyrste") else "second"
    return (text[: found.start()] + text[found.end() :]).strip(), half


def _cut_aggregate(text: str) -> tuple[str, Aggregate | None]:
    for aggregate, words in _AGGREGATES:
        found = re.match(rf"(?:{words})(?![\w-])", text)
        if found:
            return text[found.end() :].strip(" ,"), aggregate
    return text, None


def _without_names(text: str, vocabulary: Vocabulary) -> str:
    kept, end = [], 0
    for _, (begin, stop) in vocabulary.mentions(text):
        kept.append(text[end:begin])
        end = stop
    return " ".join([*kept, text[end:]])


def _several(name: str, ordinal: str) -> str:
    plain = name if name in PERSON_CATEGORIES else f"“{name}”"
    return (
        f"the store knows {plain} by one name, and not which one is the {ordinal}; give its people names of their own "
        "(analysis.roles), or ask about one video"
    )


def _unknown(word: str, vocabulary: Vocabulary) -> str | None:
    wider: Mapping[str, tuple[str, ...]] = NARROWER
    known = next((name for name, words in wider.items() if any(word in (w, plural(w)) for w in words)), None)
    if known in vocabulary.names:
        return f"the store knows {known} and not {word!r}: which of them is one, it does not know"
    near = vocabulary.nearest(word)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it knows {', '.join(vocabulary.names)}"
    return f"{word!r} is not in the store; {hint}"
