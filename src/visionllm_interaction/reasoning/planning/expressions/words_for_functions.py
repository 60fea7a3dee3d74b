"""Which words of a question speak for which functions of the language, and which clause they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.tagging import Tag

_CODED = {
    "gaze": frozenset({"looks_at", "joint_attention", "mutual_gaze", "sustained_attention", "shifts", "dwells"}),
    "speech": frozenset({"speaks", "turns", "turn_lags", "says", "answered"}),
    "naming": frozenset({"names", "around_naming"}),
}
KIND_OF_CODE: Mapping[str, str] = {name: kind for kind, names in _CODED.items() for name in names}
"""Function → the kind of code that it reads."""

_WORDS: Mapping[str, str] = {
    "visible": (
        r"visib\w*|seen?|sees|saw|view|sight|screen|camera|appear\w*|present|presence|shown?|image"
        r"|picture|frame|scene|shot"
        r"|synlig\w*|synleg\w*|sett|bildet|biletet|syne|vises|absent|missing|hidden|gone|away|borte"
        r"|disappear\w*|vanish\w*"
        r"|alone|alene|åleine|aleine|enter\w*|leav\w*|left|room|rommet|there"
    ),
    "near": (
        r"near\w*|close\w*|next to|beside|besides|proximity|vicinity|approach\w*|side by side|adjacent|apart"
        r"|nær\w*|ved siden|ved sida|inntil"
    ),
    "in_contact": r"touch\w*|contacts?|rør\w*|røyr\w*|berør\w*|kontakt",
    "holding": (
        r"h[oe]ld\w*|carr(?:y|ies|ied|ying)|grip\w*|grasp\w*|clutch\w*|hands?|handl\w+|play\w*|grab\w*"
        r"|let go|lets go|releas\w*|drop\w*|holdt?\w*|haldt?\w*|held|bar|bær\w*|hånd\w*|hand[ae]\w*"
        r"|lek(?:te|er|e)|leik\w+|slapp|slepp\w*|sleppte"
    ),
    "picks_up": r"pick\w*|pick-up\w*|lift\w*|grab\w*|takes?|took|taken|taking|plukk\w*|løft\w*|tok|tek|teke|tatt|tar?",
    "puts_down": r"put\w*|set|sets|setting|lay|lays|laid|laying|plac\w+|down|legg\w*|la|lagt|sett\w*|satte|seg",
    "hands_over": (
        r"giv\w*|gave|hand\w*|pass\w*|offer\w*|receiv\w*|took|take\w*|got|get|exchange\w*|transfer\w*"
        r"|ga|gav|gi|gir|gitt|gje\w*|rakte|rekk\w*|fikk|fekk|overrekk\w*|overlever\w*|tok|tek"
    ),
    "enters": r"enter\w*|com(?:e|es|ing)|came|arriv\w*|entrance\w*|kom\w*|kjem|walk\w*",
    "leaves": r"leav\w*|left|exit\w*|depart\w*|go(?:es|ing)?|went|walk\w*|forlot|gikk|gjekk|dro",
    "alone": r"alone|by (?:it|him|her|them)sel\w+|on (?:its|his|her|their) own|alene|åleine|aleine|solo|unaccompanied",
    "gap": r"distance\w*|far|apart|close\w*|near\w*|gap|avstand\w*|langt",
    "looks_at": r"look\w*|gaz\w+|glanc\w+|watch\w*|star(?:e|ed|es|ing)|så|ser|kikk\w*|stirr\w*|attention",
    "speaks": r"speak\w*|spoke\w*|talk\w*|sa(?:y|ys|id)|utter\w*|vocal\w*|snakk\w*|sa|sier|seier|prat\w*",
    "turns": r"turns?|answer\w*|repl\w+|respon\w+|svar\w*",
    "names": r"nam(?:e|es|ed|ing)|mention\w*|nevn\w*|nemn\w*",
    "joint_handling": r"both|together|same|begge|saman|sammen|same|samme|joint\w*",
}
_ALIKE: Mapping[str, str] = {
    "joint_attention": "looks_at",
    "mutual_gaze": "looks_at",
    "sustained_attention": "looks_at",
    "shifts": "looks_at",
    "dwells": "looks_at",
    "turn_lags": "turns",
    "answered": "turns",
    "says": "speaks",
    "around_naming": "names",
    "approaches": "near",
    "withdraws": "near",
}
_PATTERNS = {name: re.compile(rf"(?<![\w-])(?:{words})(?![\w-])") for name, words in _WORDS.items()}

MEANT_BY: Mapping[str, frozenset[str]] = {
    "hold": frozenset({"holding", "joint_handling"}),
    "play": frozenset({"holding", "joint_handling"}),
    "touch": frozenset({"in_contact", "holding"}),
    "near": frozenset({"near", "gap", "approaches", "withdraws"}),
    "approach": frozenset({"near", "approaches"}),
    "withdraw": frozenset({"near", "withdraws"}),
    "pick": frozenset({"picks_up", "hands_over"}),
    "take": frozenset({"picks_up", "hands_over", "holding"}),
    "put": frozenset({"puts_down"}),
    "putdown": frozenset({"puts_down"}),
    "release": frozenset({"holding", "puts_down"}),
    "give": frozenset({"hands_over"}),
    "handover": frozenset({"hands_over"}),
    "enter": frozenset({"enters", "visible"}),
    "leave": frozenset({"leaves", "visible"}),
    "alone": frozenset({"alone", "visible"}),
    "visible": frozenset({"visible", "alone"}),
    "seeing": frozenset({"visible"}),
    "absent": frozenset({"visible"}),
    "disappear": frozenset({"visible", "leaves"}),
    "speak": frozenset({"speaks", "turns", "turn_lags", "says"}),
    "answer": frozenset({"turns", "turn_lags", "answered"}),
    "look": frozenset({name for name, kind in KIND_OF_CODE.items() if kind == "gaze"}),
    "name": frozenset({"names", "around_naming"}),
}
"""Lemma of a predicate word → the functions of which one must stand in the expression."""
_PRONOUNS = ("it", "subject_again", "both", "either", "one_of", "nobody", "other")


class Segment(Struct, frozen=True):
    """A clause of a question: its words, the names in it, and whether a pronoun stands for others."""

    text: str
    names: frozenset[str]
    has_pronoun: bool

    def speaks_for(self, function: str) -> bool:
        """Whether some word of the clause is about what ``function`` finds; functions without words are not asked."""
        pattern = _PATTERNS.get(_ALIKE.get(function, function))
        return pattern is None or pattern.search(self.text) is not None

    def holds_names(self, names: frozenset[str], elsewhere: frozenset[str], *, one_elsewhere: bool = False) -> bool:
        """Whether the clause is about all of ``names``: it says them, or a pronoun for one that is said elsewhere.

        With ``one_elsewhere`` one may be left out: "when the caregiver was near" is near the one spoken of before.
        """
        lacking = names - self.names
        left_out = self.has_pronoun or (one_elsewhere and len(lacking) < len(names))
        return not lacking or (left_out and lacking <= elsewhere)


def segments_of(tags: Sequence[Tag]) -> list[Segment]:
    """The clauses of a tagged question: subordinators, "followed by", "from … to" and "than" part them."""
    parts: list[list[Tag]] = [[]]
    for tag in tags:
        if tag.kind == "subordinator" or tag.is_("modifier", "followed", "than", "compare_with"):
            parts.append([])
        parts[-1].append(tag)
    return [_segment(part) for part in parts if part]


def _segment(tags: Sequence[Tag]) -> Segment:
    names = frozenset(tag.value for tag in tags if tag.kind == "name")
    # A clause that begins with its verb ("after putting down the ball") has the subject of the main clause.
    opens_with_verb = len(tags) > 1 and tags[0].kind == "subordinator" and any(tags[1].lemmas)
    pronoun = opens_with_verb or not names & PERSON_CATEGORIES or any(tag.is_("noun", *_PRONOUNS) for tag in tags)
    return Segment(" ".join(tag.text for tag in tags), names, pronoun)


def is_supported(function: str, text: str) -> bool:
    """Whether some word of ``text`` speaks for ``function``."""
    return Segment(text, frozenset(), False).speaks_for(function)


def first_place(function: str, text: str) -> int | None:
    """Where the first word for ``function`` stands in ``text``; None if there is none."""
    pattern = _PATTERNS.get(_ALIKE.get(function, function))
    found = pattern.search(text) if pattern else None
    return found.start() if found else None


def explains(word: str, functions: frozenset[str]) -> bool:
    """Whether a word that no list of the grammar holds is a word for one of ``functions``."""
    return any(
        (pattern := _PATTERNS.get(_ALIKE.get(name, name))) is not None and pattern.fullmatch(word) is not None
        for name in functions
    )


def lemmas_said(tags: Sequence[Tag]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each predicate word with the lemmas that it can only stand for; words that may be mere auxiliaries are not."""
    for tag in tags:
        known = tuple(lemma for lemma in tag.lemmas if lemma in MEANT_BY)
        if known and len(known) == len(tag.lemmas):
            yield tag.text, known
