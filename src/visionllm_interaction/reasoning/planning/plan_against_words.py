"""Checks of a plan against the words of its question.

A language model proposes plans; these checks know only the question. A plan is sent back or refused if it leaves out a
name or time of the question, adds one that is not in it, or answers *when* with *how often*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from visionllm_interaction.measures.api import Predicate
from visionllm_interaction.reasoning.language.patterns import ABSENT, normalise
from visionllm_interaction.reasoning.language.time_expressions import Window, extract_window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.capabilities import (
    DEFAULT_PREDICATE,
    PREDICATE_OF,
    PROCESSED_DURATION,
    SIGNATURES,
)
from visionllm_interaction.reasoning.planning.lexical_evidence import leaves_object_open, speaks_for
from visionllm_interaction.reasoning.planning.plan import Plan, Step

_DURATIONS = frozenset({PROCESSED_DURATION, *(name for name in SIGNATURES if name.endswith("_duration"))})
_FIRST, _LAST = frozenset({"first_seen", "first_onset"}), frozenset({"last_seen", "last_offset"})
_TIMES = _FIRST | _LAST
_MEAN = frozenset({"mean_bout"})
_BOUTS = frozenset({"bout_count"})
_LONGEST = frozenset({"longest_bout"})
_COUNTS = frozenset({"instance_count", "bout_count"})

_AVERAGE = r"average|averaged|mean|typical\w*|gjennomsnitt\w*"
_IN_ONE_GO = (
    r"in one go|unbroken|uninterrupted|at a stretch|single (?:time|period|stretch|hold|spell)"
    r"|without (?:a |any )?(?:break|pause|interruption|stopping)"
)
_KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    (_AVERAGE, _MEAN),
    (
        rf"longest|lengste|maximum|record|{_IN_ONE_GO}",
        _LONGEST,
    ),
    (
        r"how (?:often|frequently)|(?:how many|number of) (?:\w+ )?(?:times|occasions|bouts|episodes|stretches|visits)"
        r"|(?:how many|number of) (?:\w+ )?(?:touches|contacts|holds|grips|encounters|approaches|appearances)"
        r"|occasions|hvor mange ganger|hvor ofte",
        _BOUTS,
    ),
    (r"how many (?:seconds|minutes)|how long|how much(?: of the)? time|hvor lenge|hvor lang tid", _DURATIONS),
    (r"how many|headcount|hvor mange", frozenset({"instance_count"})),
    (
        r"^(?:\w+ )?when|(?:at|give|tell) (?:what|which|the) (?:time|point|moment|second)|^når|hvilket tidspunkt"
        r"|time (?:at|in) which",
        _TIMES,
    ),
    (r"(?:first|last|final) (?:time|moment|glimpse|sighting|appearance|sight)", _TIMES),
    (r"number of|count", _COUNTS),
    (r"total|sum|add up|duration|amount of time|seconds|time", _DURATIONS),
)
"""Words → measures that can answer a question with such words; the first matching row counts."""

_ENDS: tuple[tuple[str, frozenset[str]], ...] = (
    (r"first (?:\w+ )?(?:leave|leaves|left|exit|exits|disappear\w*|vanish\w*|gone)", frozenset()),
    (r"last|final\w*|sist\w*", _LAST),
    (r"first|initial\w*|først\w*", _FIRST),
    (r"gone|leave|leaves|left|exit|exits|disappear\w*|vanish\w*|until when|forsvant|forlot", _LAST),
    (r"from when|since when|appear\w*|enter\w*|arriv\w*|(?:come|comes|came|walk|walks|walked) in\w*|up", _FIRST),
)
"""The same for the two ends of being seen."""

_COMPARED_LENGTHS = (
    r"longer|longest|shorter|shortest|(?:more|most|less|least) (?:of the )?(?:time|seconds|minutes)|lengst|lengre"
)
_COMPARED_TIMES = r"first|earlier|earliest|sooner|soonest|before|last|later|latest|after|først|sist"
_COMPARED_COUNTS = r"(?:more|most|less|least) (?:often|frequently)|(?:more|most|fewer|fewest) times|oftest"
_AT_THE_END = (
    r"leav\w*|left|exit\w*|disappear\w*|vanish\w*|gone|go(?:es)? away|went away|until|stay\w*|remain\w*"
    r"|last (?:to be )?seen|forsvant|stopp\w*|let(?:s|ting)? go|releas\w*|drop\w*"
    r"|put(?:s|ting)? (?:\w+ ){0,3}down|slapp"
)
"""Words for the later end of being seen or held."""

_PREDICATES: tuple[tuple[str, Predicate], ...] = (
    (
        r"near|nearby|close|close to|close by|close together|next to|beside|proximity|neighbou?rhood|approach\w*"
        r"|nær|nære|i nærheten av|ved siden av",
        "near",
    ),
    (r"touch\w*|contacts?|kontakt|rørte|berørte", "in_contact"),
    (
        r"hold|holds|held|holding|carry|carries|carried|carrying|grip\w*|grasp\w*|grab\w*|in (?:the |\w+ )?hands?"
        r"|let go|lets go|releas\w*|put\w* (?:\w+ ){0,3}down|pick\w* (?:\w+ ){0,3}up|holdt|holder|slapp|plukket",
        "holding",
    ),
)
TWO = 2
"""Number of steps of a comparison between two."""
_ABOUT_ONE = frozenset(
    {"visible_duration", "instance_count", "first_seen", "last_seen", "co_presence_duration", ABSENT}
)
ONE_NAME_ONLY = "the question names one thing of the store, and what it asks about is between two"
RELATIONAL = frozenset(
    {*PREDICATE_OF, *_BOUTS, *_LONGEST, *_MEAN, "first_onset", "last_offset", "co_presence_duration"}
)
"""Measures that are, or can be, about two names."""
UNSUPPORTED = "no word of the question speaks of anything that is measured"
_NUMBER = re.compile(r"(?<![\w.,:])(?:\d+(?::\d\d){1,2}|\d+(?:[.,]\d+)?)")
_CLOSE_ENOUGH_S = 1e-6


def has_numbers(text: str, vocabulary: Vocabulary) -> bool:
    """Whether a normalised question, its known windows cut out, still holds a number that could be a time."""
    return _NUMBER.search(vocabulary.without_names(text)) is not None


def objections(question: str, plan: Plan, vocabulary: Vocabulary, *, window: Window | None = None) -> Iterator[str]:
    """Everything in ``plan`` that the words of ``question`` contradict, in words a language model can act on.

    ``window`` is the time window that code has already removed from ``question``.
    """
    if plan.unanswerable:
        return
    text = normalise(question)
    yield from _names(text, plan, vocabulary)
    yield from _predicate(text, plan.steps[0])
    if not speaks_for(text, plan.steps[0], vocabulary):
        yield UNSUPPORTED
    if any(_is_open(step) for step in plan.steps) and not leaves_object_open(text):
        yield ONE_NAME_ONLY
    if plan.combine == "each":
        yield from _kind(text, plan.steps[0])
        yield from _window(vocabulary.without_names(text), plan.steps[0], window or Window())


def _names(text: str, plan: Plan, vocabulary: Vocabulary) -> Iterator[str]:
    said = {name for name, _ in vocabulary.mentions(text)}
    # Conditions are not in the text any more; where everything of a kind is gone through, nothing but the rest is said.
    used = {name for step in plan.steps for name in _own_names(step)}
    shared = frozenset.intersection(*(frozenset(_own_names(step)) for step in plan.steps))
    nobody_named = plan.combine in ("largest", "smallest") and not (used - shared) & said
    through_all = nobody_named or plan.combine in ("which", "order") or len(plan.steps) > TWO
    if through_all:
        said, used = said & used, said & used
    for name in sorted(used - said):
        yield f"the question does not speak of {name!r}; if what it speaks of is not listed, it is unanswerable"
    for name in sorted(said - used):
        yield f"the question speaks of {name!r}, which the plan leaves out"


def _is_open(step: Step) -> bool:
    return step.predicate not in (None, DEFAULT_PREDICATE) and step.object is None


def _own_names(step: Step) -> set[str]:
    absent = {step.during.subject} if step.measure == PROCESSED_DURATION and step.during else set()
    return {name for name in (step.subject, step.object) if name} | absent


def _kind(text: str, step: Step) -> Iterator[str]:
    tables = (_KINDS, _ENDS) if step.measure in _TIMES else (_KINDS,)
    for table in tables:
        fitting = next((measures for words, measures in table if _holds(text, words)), None)
        if fitting is not None and step.measure not in fitting:
            would = f"; {' or '.join(sorted(fitting))} would" if fitting else ""
            yield f"{step.measure} does not answer this kind of question{would}"


def fitting_measures(text: str, measures: frozenset[str]) -> frozenset[str]:
    """Those of ``measures`` that can answer a normalised question of this kind; all where the words do not decide."""
    for table in (_KINDS, _ENDS):
        fitting = next((names for words, names in table if _holds(text, words)), measures)
        if table is _ENDS and not measures <= _TIMES:
            break
        measures = (measures & (fitting | {ABSENT} if fitting == _DURATIONS else fitting)) or measures
    return measures


def compared_measures(text: str, measures: frozenset[str]) -> frozenset[str]:
    """Those of ``measures`` that a comparison in these words can be about: "longer" lengths, "earlier" times."""
    if _holds(text, _COMPARED_COUNTS):
        fitting = _BOUTS
    elif _holds(text, _COMPARED_LENGTHS):
        # "Longer" alone compares totals; single times and averages have to be named.
        single, average = _holds(text, _IN_ONE_GO), _holds(text, _AVERAGE)
        fitting = _LONGEST if single else _MEAN if average else _DURATIONS
    elif _holds(text, _COMPARED_TIMES):
        fitting = _LAST if _holds(text, _AT_THE_END) else _FIRST
    else:
        fitting = measures
    return (measures & fitting) or measures


def said_predicates(text: str) -> tuple[Predicate, ...]:
    """The predicates that the words of a normalised question name."""
    return tuple(name for words, name in _PREDICATES if _holds(text, words))


def measures_of(predicates: tuple[Predicate, ...], measures: frozenset[str]) -> frozenset[str]:
    """Those of ``measures`` that can be about one of ``predicates``; all where none is named."""
    if not predicates:
        return measures
    others = {name for name, predicate in PREDICATE_OF.items() if predicate not in predicates}
    return (measures - _ABOUT_ONE - others) or measures


def _holds(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", text) is not None


def _predicate(text: str, step: Step) -> Iterator[str]:
    said = said_predicates(text)
    if not said:
        return
    predicate = step.predicate or PREDICATE_OF.get(step.measure, DEFAULT_PREDICATE)
    if predicate not in said:
        yield f"the question asks about {' and '.join(said)}, not about {predicate}"


def _window(text: str, step: Step, read: Window) -> Iterator[str]:
    said = [*_said_times(text), *(time for time in (read.begin_s, read.end_s) if time is not None)]
    used = [time for time in (step.begin_s, step.end_s) if time is not None]
    for time in used:
        if time > 0 and not any(abs(time - other) < _CLOSE_ENOUGH_S for other in said):
            yield f"the question does not say {time:g} seconds; leave the window empty where it names none"
    for time in said:
        if not any(abs(time - other) < _CLOSE_ENOUGH_S for other in used) and time > 0:
            yield f"the question says {time:g} seconds, which the plan's window leaves out"


def _said_times(text: str) -> list[float]:
    """Times in seconds that the question names; numbers that stand in no known window count as seconds."""
    rest, window = extract_window(text)
    read = [time for time in (window.begin_s, window.end_s) if time is not None] if window else []
    return [*read, *(_seconds(number) for number in _NUMBER.findall(rest))]


def _seconds(text: str) -> float:
    total = 0.0
    for part in text.replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total
