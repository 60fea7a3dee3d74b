"""Whether some word of a question supports a plan.

A language model finds a measure for almost any question: "how often did the child shout?" becomes how often the child
was visible. A plan is accepted only if some word of the question is about what it measures. The word lists are broad,
because a word here only permits a plan. Which of the permitted plans is right is decided by :mod:`.plan_against_words`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from visionllm_interaction.measures.api import Predicate
from visionllm_interaction.reasoning.language.patterns import ABSENT
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.capabilities import DEFAULT_PREDICATE, PREDICATE_OF, PROCESSED_DURATION
from visionllm_interaction.reasoning.planning.plan import Step

_PLACES = (
    r"pictures?|images?|screen|frames?|view|sight|scene|shots?|camera|video|videos|film|films|footage|recordings?|clips?"
    r"|room|bildet|syne"
)
_NOT_THERE = (
    r"away|absent|absence|missing|gone|hidden|hid|hides|invisible|unseen|nowhere|out of|off|lost|outside"
    r"|no longer|cannot|not|\w+n't|ikke|borte|skjult|ute"
)
_WORDS: Mapping[Predicate, str] = {
    "visible": (
        r"visib\w*|see|sees|seeing|seen|saw|watch\w*|look at|spot|spots|spotted|spotting|notic\w+|observ\w+|discern\w*"
        r"|glimpse\w*|sight\w*|make out|made out|making out|view\w*|show|shows|showed|shown|showing|appear\w*"
        r"|display\w*|present|presence|presentation|exist\w*|turn\w* up|there|around|come|comes|came|coming|enter\w*"
        r"|entrance|entry|arriv\w*|walk\w* (?:in|out|off|away)|go|goes|went|leave|leaves|leaving|left|exit\w*|depart\w*"
        r"|disappear\w*|vanish\w*|emerg\w+|captur\w*|film(?:ed|ing)|recorded|featur\w*|contain\w*|includ\w*|find|found"
        r"|synlig\w*|ser|sett|så|vises|vistes|dukk\w+|kom|kommer|forsvant|forsvinner|forlot|med|til stede"
        rf"|{_PLACES}|{_NOT_THERE}"
    ),
    "near": (
        r"near\w*|close\w*|next to|beside|besides|alongside|along with|side by side|adjacent|proximity|vicinity"
        r"|neighbou?r\w*|by (?:the|a|his|her|its|their)|around|approach\w*|within|reach\w*|distance|come to"
        r"|came to|comes to|goes? to|went to|join\w*|together|accompan\w+|nær\w*|ved|inntil|sammen"
    ),
    "in_contact": (
        r"touch\w*|contacts?|in touch|tap|taps|tapp\w+|strok\w+|pat|pats|patt\w+|pet|petted|press\w*|lean\w*|against"
        r"|reach\w*|rub\w*|hug\w*|cuddl\w+|physical\w*|meet|meets|met|kontakt|rør\w*|berør\w*"
    ),
    "holding": (
        r"hold\w*|held|carr(?:y|ies|ied|ying)|grip\w*|grasp\w*|grab\w*|clutch\w*|clasp\w*|seiz\w+|snatch\w*|hands?"
        r"|fingers?|arms?|let go|lets go|letting go|releas\w*|drop\w*|put\w*|set|lay|laid|pick\w*|lift\w*|rais\w+|take"
        r"|takes|took|taken|taking|keep|keeps|kept|keeping|have|has|had|having|get|gets|got|getting|possess\w*|bring\w*|brought"
        r"|pull\w*|hand\w*|handl\w+|hold\w* on|holdt|holder|holde|bar|bærer|slapp|tok|tar|plukk\w+|hånd\w*"
    ),
}
_GENERAL_LINES = (
    "total whole entire overall sum amount number numbers count length duration time times moment moments instant",
    "point second seconds minute minutes hour hours period periods part parts portion share fraction proportion",
    "percentage percent rate average mean maximum minimum max min record first last third final initial opening",
    "early earlier late later longest shortest longer shorter most least more less fewer same other others two",
    "three one ones both rest picture pictures image images screen frame frames view sight scene scenes shot",
    "shots camera video videos film films recording recordings clip clips footage room stretch stretches spell",
    "spells bout bouts episode episodes occasion occasions visit visits stay stays appearance appearances",
    "presence absence entrance exit arrival departure glimpse sighting sightings contact contacts touch touches",
    "hold holds grip grips grasp grasps grab grabs encounter encounters approach approaches hand hands arm arms",
    "finger fingers neighbourhood neighborhood vicinity proximity side distance difference order sequence ranking",
    "list name names person persons people anybody toy toys thing things object objects item items start",
    "beginning end middle release pick drop physical single individual separate continuous unbroken uninterrupted",
    "typical usual given following break pause interruption gap bit lot few couple pair group different distinct",
    "various tracked visible listed close full short long little while",
)
GENERAL_WORDS = frozenset(word for line in _GENERAL_LINES for word in line.split())
"""Words that may follow an article and name no object of a store."""
_ARTICLE = re.compile(r"(?<!\w)(?:the|an?|his|her|their|its|my) ([a-z][\w-]*)")
_ANYTHING = re.compile(
    r"\b(?:any|some)(?:thing|body|one)|\bany (?:toys?|objects?|things?|items?)|\bnoe\b|\ban? (?:toy|object|thing)"
)
_COUNTED = re.compile(
    r"(?:how many|numbers? of|amount of|count(?:ing)?(?: of)?|headcount|hvor mange|antall(?:et)?)(?: \w+){0,3} $"
    r"|(?:how many|number of|hvor mange)\b.*\b(?:there|are|is|see|seen|visible) $"
)
_OF_ANY_PREDICATE = ("bout_count", "longest_bout", "mean_bout", "first_onset", "last_offset")
_COMPILED = {name: re.compile(rf"(?<!\w)(?:{words})(?!\w)") for name, words in _WORDS.items()}
_GONE = re.compile(rf"(?<!\w)(?:{_NOT_THERE})(?!\w)")


def unknown_object(text: str, vocabulary: Vocabulary) -> str | None:
    """The first word after an article that is neither a word for a name of the store nor a general one; else None.

    "The bicycle" must not be ignored, nor "the red car" where the store only knows cars.
    """
    words = _ARTICLE.findall(_without_names(text, vocabulary))
    return next((word for word in words if word not in GENERAL_WORDS and not word.endswith(("ing", "est"))), None)


def leaves_object_open(text: str) -> bool:
    """Whether a normalised question asks about *anything* on the other side of a relation."""
    return _ANYTHING.search(text) is not None


def supported_predicates(text: str, vocabulary: Vocabulary) -> tuple[Predicate, ...]:
    """The predicates that some word of a normalised question supports."""
    rest = _without_names(text, vocabulary)
    return tuple(name for name, pattern in _COMPILED.items() if pattern.search(rest))


def supported_measures(text: str, measures: frozenset[str], vocabulary: Vocabulary) -> frozenset[str]:
    """Those of ``measures`` that some word of a normalised question supports."""
    rest = _without_names(text, vocabulary)
    said = supported_predicates(text, vocabulary)
    spoken = {
        "instance_count": _is_counted(text, vocabulary),
        ABSENT: _GONE.search(rest) is not None,
        **{name: bool(said) for name in _OF_ANY_PREDICATE},
        **{name: predicate in said for name, predicate in PREDICATE_OF.items()},
    }
    return frozenset(name for name in measures if spoken.get(name, DEFAULT_PREDICATE in said))


def speaks_for(text: str, step: Step, vocabulary: Vocabulary) -> bool:
    """Whether some word of a normalised question is about what ``step`` measures."""
    rest = _without_names(text, vocabulary)
    if step.measure == "instance_count":
        return _is_counted(text, vocabulary)
    if step.measure in (PROCESSED_DURATION, ABSENT):
        return _GONE.search(rest) is not None
    predicate = step.predicate or PREDICATE_OF.get(step.measure, DEFAULT_PREDICATE)
    return any(name == predicate and pattern.search(rest) for name, pattern in _COMPILED.items())


def _without_names(text: str, vocabulary: Vocabulary) -> str:
    """``text`` with dashes for the store's names, which may contain any word: "the hand puppet"."""
    kept, end = [], 0
    for _, (begin, stop) in vocabulary.mentions(text):
        kept.append(text[end:begin])
        end = stop
    return "-".join([*kept, text[end:]])


def _is_counted(text: str, vocabulary: Vocabulary) -> bool:
    """Whether "how many" or a similar word stands right before a name."""
    return any(_COUNTED.search(text[:begin]) for _, (begin, _) in vocabulary.mentions(text))
