"""What the words of a question allow a plan to be.

A language model proposes plans; these checks know nothing but the question itself. A plan that leaves out a name or a
time that was said, brings in one that was not, or answers *when* with *how often*, is sent back or refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from visionllm_interaction.reason.grammar import normalise
from visionllm_interaction.reason.limits import outside_catalogue
from visionllm_interaction.reason.plan import Plan, Step
from visionllm_interaction.reason.shapes import DEFAULT_PREDICATE
from visionllm_interaction.reason.vocabulary import Vocabulary
from visionllm_interaction.reason.windows import Window, take_window

_DURATIONS = frozenset({"visible_duration", "co_presence_duration", "near_duration", "contact_duration"})
_TIMES = frozenset({"first_seen", "last_seen"})
_FIRST, _LAST = frozenset({"first_seen"}), frozenset({"last_seen"})
_BOUTS = frozenset({"bout_count"})
_LONGEST = frozenset({"longest_bout"})
_COUNTS = frozenset({"instance_count", "bout_count"})

_KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        r"longest|lengste|maximum|record|in one go|unbroken|uninterrupted|at a stretch"
        r"|without (?:a |any )?(?:break|pause|interruption|stopping)",
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
    (r"^(?:\w+ )?when|at (?:what|which) (?:time|point|moment|second)|^når|hvilket tidspunkt", _TIMES),
    (r"(?:first|last|final) (?:time|moment|glimpse|sighting|appearance|sight)", _TIMES),
    (r"number of|count", _COUNTS),
    (r"total|sum|add up|duration|amount of time|seconds|time", _DURATIONS),
)
"""The first row whose words a question holds says which measures can answer it."""

_ENDS: tuple[tuple[str, frozenset[str]], ...] = (
    (r"first (?:\w+ )?(?:leave|leaves|left|exit|exits|disappear\w*|vanish\w*|gone)", frozenset()),
    (r"last|final\w*|sist\w*", _LAST),
    (r"first|initial\w*|først\w*", _FIRST),
    (r"gone|leave|leaves|left|exit|exits|disappear\w*|vanish\w*|until when|forsvant|forlot", _LAST),
    (r"from when|since when|appear\w*|enter\w*|arriv\w*|(?:come|comes|came|walk|walks|walked) in\w*|up", _FIRST),
)
"""The same for the two ends of being seen."""

_PREDICATES: tuple[tuple[str, str], ...] = (
    (r"near|nearby|close to|close together|next to|beside|proximity|nær|i nærheten av", "near"),
    (r"touch\w*|contact|kontakt|rørte|berørte", "in_contact"),
    (r"hold|holds|held|holding|carry|carries|carried|carrying|grip\w*|grasp\w*|holdt|holder", "holding"),
)
_PREDICATE_OF = {"near_duration": "near", "contact_duration": "in_contact"}
_NUMBER = re.compile(r"(?<![\w.,:])(?:\d+(?::\d\d){1,2}|\d+(?:[.,]\d+)?)")
_CLOSE_ENOUGH_S = 1e-6


def spoken_window(question: str, vocabulary: Vocabulary) -> Window | None:
    """The time window as far as code can read it: the one said in a known form, an empty one where no time is said.

    None means that the question holds times in a form that code does not know.
    """
    rest, window = take_window(normalise(question))
    if _NUMBER.search(vocabulary.without_names(rest)):
        return None
    return window or Window()


def objections(question: str, plan: Plan, vocabulary: Vocabulary) -> Iterator[str]:
    """Everything in ``plan`` that the words of ``question`` contradict, in words a language model can act on."""
    if plan.unanswerable:
        return
    text = normalise(question)
    reason = outside_catalogue(take_window(text)[0])
    if reason:
        yield f"the question cannot be answered: {reason}; the measure must be unanswerable"
    yield from _names(text, plan, vocabulary)
    for step in plan.steps:
        yield from _kind(text, step)
        yield from _predicate(text, step)
        yield from _window(vocabulary.without_names(text), step)


def _names(text: str, plan: Plan, vocabulary: Vocabulary) -> Iterator[str]:
    said = {name for name, _ in vocabulary.mentions(text)}
    used = {name for step in plan.steps for name in (step.subject, step.object) if name}
    for name in sorted(used - said):
        yield f"the question does not speak of {name!r}; if what it speaks of is not listed, it is unanswerable"
    for name in sorted(said - used):
        yield f"the question speaks of {name!r}, which the plan leaves out"


def _kind(text: str, step: Step) -> Iterator[str]:
    tables = (_KINDS, _ENDS) if step.measure in _TIMES else (_KINDS,)
    for table in tables:
        fitting = next((measures for words, measures in table if _holds(text, words)), None)
        if fitting is not None and step.measure not in fitting:
            would = f"; {' or '.join(sorted(fitting))} would" if fitting else ""
            yield f"{step.measure} does not answer this kind of question{would}"


def _holds(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", text) is not None


def _predicate(text: str, step: Step) -> Iterator[str]:
    said = [name for words, name in _PREDICATES if _holds(text, words)]
    if not said:
        return
    predicate = step.predicate or _PREDICATE_OF.get(step.measure, DEFAULT_PREDICATE)
    if predicate not in said:
        yield f"the question asks about {' and '.join(said)}, not about {predicate}"


def _window(text: str, step: Step) -> Iterator[str]:
    said = _said_times(text)
    used = [time for time in (step.begin_s, step.end_s) if time is not None]
    for time in used:
        if time > 0 and not any(abs(time - other) < _CLOSE_ENOUGH_S for other in said):
            yield f"the question does not say {time:g} seconds; leave the window empty where it names none"
    for time in said:
        if not any(abs(time - other) < _CLOSE_ENOUGH_S for other in used) and time > 0:
            yield f"the question says {time:g} seconds, which the plan's window leaves out"


def _said_times(text: str) -> list[float]:
    """Times in seconds that the question names; numbers that stand in no known window count as seconds."""
    rest, window = take_window(text)
    read = [time for time in (window.begin_s, window.end_s) if time is not None] if window else []
    return [*read, *(_seconds(number) for number in _NUMBER.findall(rest))]


def _seconds(text: str) -> float:
    total = 0.0
    for part in text.replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total
