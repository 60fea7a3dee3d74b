"""Sentences for results. Numbers reach a sentence only through :func:`format_number`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.measures.turn_limits import STANDARD
from visionllm_interaction.reasoning.execution.evidence_aggregation import TIE, Number, Value, labels
from visionllm_interaction.reasoning.language.synonyms import plural
from visionllm_interaction.reasoning.planning.capabilities import (
    DEFAULT_PREDICATE,
    PREDICATE_OF,
    PROCESSED_DURATION,
    SIGNATURES,
)
from visionllm_interaction.reasoning.planning.plan import Atom, Condition, Moment, Plan, Step

DECIMALS = 2
"""Decimals shown in sentences; claim values keep all of theirs."""

_VERB: Mapping[str, str] = {
    "visible": "was in view",
    "near": "was near {b}",
    "in_contact": "was in contact with {b}",
    "holding": "held {b}",
    "speaks": "spoke",
    "looks_at": "looked at {b}",
    "names": "named {b}",
}
_NOT_VERB: Mapping[str, str] = {
    "visible": "was not in view",
    "near": "was not near {b}",
    "in_contact": "was not in contact with {b}",
    "holding": "did not hold {b}",
}
_NEVER_VERB: Mapping[str, str] = {
    "visible": "was never in view",
    "near": "was never near {b}",
    "in_contact": "was never in contact with {b}",
    "holding": "never held {b}",
    "speaks": "never spoke",
    "looks_at": "never looked at {b}",
    "names": "never named {b}",
}
_OF_VIEW = "the {a} was never in view"
_NEVER: Mapping[str, str] = {
    **dict.fromkeys(("first_seen", "last_seen"), "the {a} was not seen"),
    **dict.fromkeys(("object_size", "centredness", "competitor_count", "dominance"), _OF_VIEW),
    "size_at_naming": "no processed time around a naming of the {a} was found",
    "mean_gap": "the {a} and the {b} were never in view together",
    "turn_lag": "the {b} never answered the {a} ({limits})",
}
"""Sentences for measures that found nothing though no input is missing; bouts have :data:`_NEVER_VERB`."""
_SENTENCE: Mapping[str, str] = {
    "visible_duration": "the {a} was visible for {v}",
    "first_seen": "the {a} was first seen at {v}",
    "last_seen": "the {a} was last seen at {v}",
    "co_presence_duration": "the {a} and the {b} were visible together for {v}",
    "near_duration": "the {a} was near the {b} for {v}",
    "contact_duration": "the {a} was in contact with the {b} for {v}",
    "holding_duration": "the {a} held the {b} for {v}",
    "joint_handling_duration": "the {a} handled the {b} together with somebody for {v}",
    "visible_share": "the {a} was in view for {v} of the processed time",
    "mean_count": "the mean number of {as_} in view at once was {v}",
    "object_size": "while in view, the {a} covered {v} of the image on average",
    "centredness": "the mean centredness of the {a} was {v} (least in a corner of the image, most in its middle)",
    "competitor_count": "while the {a} was in view, the mean number of other objects in view was {v}",
    "dominance": "the {a} covered as much of the image as all else together for {v} of the time in view",
    "size_at_naming": "around its naming, the {a} covered {v} of the image on average",
    "mean_gap": "the mean distance between the {a} and the {b}, from edge to edge, was {v}",
    "turn_count": "the {b} answered the {a} {v} ({limits})",
    "turn_lag": "the {b} answered the {a} after {v} at the median ({limits})",
    PROCESSED_DURATION: "{v} of video were looked at",
}
_BOUT_SENTENCE: Mapping[str, str] = {
    "longest_bout": "the longest time {phrase} was {v}",
    "mean_bout": "the mean length of the times {phrase} was {v}",
    "first_onset": "the first time {phrase} began at {v}",
    "last_offset": "the last time {phrase} ended at {v}",
}
_WINNER: Mapping[tuple[str, str], str] = {
    ("visible_duration", "largest"): "visible longest",
    ("visible_duration", "smallest"): "visible for the shortest time",
    ("first_seen", "smallest"): "first seen earliest",
    ("first_seen", "largest"): "first seen latest",
    ("last_seen", "largest"): "last seen latest",
    ("last_seen", "smallest"): "last seen earliest",
    ("instance_count", "largest"): "most numerous",
    ("instance_count", "smallest"): "least numerous",
}


def format_number(value: float | int) -> str:
    """At most :data:`DECIMALS` decimals, no closing zeros."""
    text = f"{value:.{DECIMALS}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def describe(step: Step, value: float | int | None) -> str:
    """What ``step`` found, as the body of a sentence."""
    verb = _verb(step)
    if value is None or (step.measure == "longest_bout" and not value):
        return _nothing(step)
    if step.measure == "instance_count":
        return _count(step.subject, int(value))
    if step.measure == "bout_count":
        return f"the {step.subject} {verb} {_times(int(value))}"
    shown = _times(int(value)) if step.measure == "turn_count" else amount(value, said_unit(step.measure))
    if step.measure in _BOUT_SENTENCE:
        return _BOUT_SENTENCE[step.measure].format(phrase=f"the {step.subject} {verb}", v=shown)
    if step.measure in _SENTENCE:
        names = {"a": step.subject, "b": step.object, "as_": plural(step.subject or "")}
        return _SENTENCE[step.measure].format(**names, v=shown, limits=_limits(step))
    return f"{_measured(step)} was {shown}"


def unknown(step: Step, missing: str) -> str:
    """That ``step`` has no value because an input is ``missing``, as the body of a sentence."""
    return f"{_measured(step)} is not known: {missing}"


def _nothing(step: Step) -> str:
    """The sentence for a step without a value though no input is missing."""
    if step.measure in _NEVER:
        return _NEVER[step.measure].format(a=step.subject, b=step.object, limits=_limits(step))
    if SIGNATURES[step.measure].inputs == "bout":
        return f"the {step.subject} {_verb_of(_predicate(step), step.object, table=_NEVER_VERB)}"
    return f"{_measured(step)} has no value"


def _measured(step: Step) -> str:
    """What a step measures: "mean bout of the child and the ball (holding)"."""
    name = step.measure.replace("_", " ")
    about = " and ".join(f"the {name}" for name in (step.subject, step.object) if name)
    of = f"{name} of {about}" if about else name
    return f"{of} ({step.predicate.replace('_', ' ')})" if step.predicate else of


def _limits(step: Step) -> str:
    """The limits of a turn, where the step is about turns."""
    limits = step.turns or STANDARD
    return (
        f"beginning at most {format_number(limits.max_gap_s)} s after the end and "
        f"at most {format_number(limits.max_overlap_s)} s before it"
    )


def conclude(plan: Plan, value: Value, *, values: Mapping[str, Number | None], n_videos: int, place: str) -> str:
    """The sentence for what a plan makes of its steps, with every number that goes into it."""
    step = plan.steps[0]
    if plan.combine in ("videos", "mean"):
        return _over_videos(plan, value, n_videos=n_videos)
    body = _conclusion(plan, value, values=values)
    same_scope = len({_scope(other) for other in plan.steps if other.measure != PROCESSED_DURATION}) == 1
    where = f"in {n_videos} videos together, " if n_videos > 1 and not place else place
    return _capital(f"{where}{body}{_scope(step) if same_scope else ''}.")


def _conclusion(plan: Plan, value: Value, *, values: Mapping[str, Number | None]) -> str:
    step, unit = plan.steps[0], said_unit(plan.steps[0].measure)
    details = _details(plan, values)
    nothing = "never" if step.measure in _TIMES_OF else "no value"
    listing = ", ".join(f"{label} {nothing if n is None else amount(n, unit)}" for label, n in values.items())
    if plan.combine in ("largest", "smallest"):
        title = _WINNER.get((step.measure, plan.combine)) or _title(plan)
        return f"{title}: {_tied(values, plan.combine) if value == TIE else f'the {value}'} ({listing})"
    if plan.combine == "which":
        return f"{_lead(plan.steps)}: {value} ({listing})"
    if plan.combine == "order":
        return f"in order of time, {_topic(plan.steps)}: {value} ({listing})"
    if plan.combine == "difference":
        first, second = labels(plan.steps).values()
        return f"{_topic(plan.steps)}, {first} minus {second}: {amount(value, unit)} ({listing})"
    if plan.combine == "share":
        return f"{amount(value, '%')} of that time: {details}"
    if plan.combine == "rate":
        return f"{amount(value, 'per min')}: {details}"
    more = f", more than {amount(plan.threshold, unit)}" if plan.threshold is not None else ""
    return f"{value}{more}: {details}"


def _tied(values: Mapping[str, Number | None], combine: str) -> str:
    """Which of several are equal: "a tie between the car and the cup"."""
    known = {label: value for label, value in values.items() if value is not None}
    best = max(known.values()) if combine == "largest" else min(known.values())
    *others, last = (f"the {label}" for label, value in known.items() if math.isclose(value, best, abs_tol=1e-9))
    return f"a tie between {', '.join(others)} and {last}" if others else "a tie"


def _title(plan: Plan) -> str:
    """What a comparison of other measures was for: "ended holding the ball earliest", "largest contact duration"."""
    step = plan.steps[0]
    if step.measure not in _EDGE_VERB or _predicate(step) not in _DOING:
        return f"{plan.combine} {_topic(plan.steps)}"
    doing = _DOING[_predicate(step)]
    when = "earliest" if plan.combine == "smallest" else "latest"
    if len({other.object for other in plan.steps}) == 1 and step.object:
        return f"{_EDGE_VERB[step.measure]} {doing} the {step.object} {when}"
    return f"what the {step.subject} {_EDGE_VERB[step.measure]} {doing} {when}"


def _over_videos(plan: Plan, value: Value, *, n_videos: int) -> str:
    step = plan.steps[0]
    if plan.combine == "mean":
        shown = amount(value, said_unit(step.measure))
        return _capital(f"on average over {n_videos} videos, {_topic([step])}: {shown}{_scope(step)}.")
    phrase = f"the {step.subject} {_verb(step)}"
    return _capital(f"in {value} of {n_videos} videos {phrase}{_scope(step)}.")


def _details(plan: Plan, values: Mapping[str, Number | None]) -> str:
    bodies = []
    for step, number in zip(plan.steps, values.values(), strict=True):
        whole = isinstance(number, float) and SIGNATURES[step.measure].unit == "count"
        bodies.append(describe(step, int(number) if whole and number is not None else number))
    return "; ".join(bodies)


def _topic(steps: Sequence[Step]) -> str:
    """What the steps of a comparison have in common: the measure, and the name on the side that does not vary."""
    step = steps[0]
    same_subject = len({other.subject for other in steps}) == 1
    same_object = len({other.object for other in steps}) == 1
    name = step.measure.replace("_", " ")
    if step.predicate and step.predicate != DEFAULT_PREDICATE:
        name += f" of {_NOUN[step.predicate]}"
    if step.subject and same_subject:
        name += f" of the {step.subject}"
    if step.object and same_object:
        name += f" with the {step.object}"
    return name


def _lead(steps: Sequence[Step]) -> str:
    """What those in a list have in common: "the child held", "held the ball", "was in view"."""
    step = steps[0]
    verb = _VERB[_predicate(step)]
    if step.object is None:
        return verb.format(b="something")
    if len({other.subject for other in steps}) == 1:
        return f"the {step.subject} {verb.format(b='').strip()}"
    return verb.format(b=f"the {step.object}")


_TIMES_OF = frozenset({"first_seen", "last_seen", "first_onset", "last_offset", "mean_bout"})
_EDGE_VERB: Mapping[str, str] = {"first_onset": "began", "last_offset": "ended"}
_DOING: Mapping[str, str] = {"near": "being near", "in_contact": "touching", "holding": "holding"}
_NOUN: Mapping[str, str] = {
    "near": "being near",
    "in_contact": "contact",
    "holding": "holding",
    "speaks": "speaking",
    "looks_at": "looking",
    "names": "naming",
}


def said_unit(measure: str) -> str:
    """The unit in which sentences say the values of a measure; a share that is of nothing is a plain number."""
    return "number" if measure == "centredness" else SIGNATURES[measure].unit


def amount(value: Value, unit: str) -> str:
    """A value with its unit, as sentences show it; shares in per cent."""
    if value is None:
        return "no value"
    if not isinstance(value, (int, float)):
        return str(value)
    if unit == "share":
        return f"{format_number(100 * value)} %"
    shown = format_number(value)
    return shown if unit in ("count", "number") else f"{shown} {_UNIT_WORDS.get(unit, unit)}"


_UNIT_WORDS: Mapping[str, str] = {"heights": "reference heights", "per_min": "per minute"}


def sentence(body: str, *, place: str, step: Step) -> str:
    """``body`` with where and within which limits it holds, capital letter first, full stop last."""
    return _capital(f"{place}{body}{_scope(step)}.")


def moment_words(moment: Moment) -> str:
    """A moment in words: "the first time the child held the ball began"."""
    edge = "began" if moment.edge == "begin" else "ended"
    return f"the {moment.occurrence} time {_atom_words(moment)} {edge}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _atom_words(atom: Atom) -> str:
    negated = isinstance(atom, Condition) and atom.negated
    return f"the {atom.subject} {_verb_of(atom.predicate, atom.object, table=_NOT_VERB if negated else _VERB)}"


def _verb(step: Step) -> str:
    return _verb_of(_predicate(step), step.object, table=_VERB)


def _predicate(step: Step) -> str:
    return step.predicate or PREDICATE_OF.get(step.measure, DEFAULT_PREDICATE)


def _verb_of(predicate: str, target: str | None, *, table: Mapping[str, str]) -> str:
    if predicate == "visible" and target:
        return f"{table['visible']} together with the {target}"
    anything = "anything" if table is _NEVER_VERB else "something"
    return table[predicate].format(b=f"the {target}" if target else anything)


def _count(name: str, value: int) -> str:
    if value == 0:
        return f"no {name} was seen"
    counted = f"{name} was" if value == 1 else f"{plural(name)} were"
    if name in PERSON_CATEGORIES:  # people come and go: whether a later one is the same is not known
        return f"at least {value} {counted} there (the most in view at once)"
    return f"{value} {counted} counted (the most in view at once)"


def _times(value: int) -> str:
    return f"{value} {'time' if value == 1 else 'times'}"


def _scope(step: Step) -> str:
    """The limits of a step: its condition, its moments and its window."""
    words = f", while {_atom_words(step.during)}" if step.during else ""
    words += f", after {moment_words(step.after)}" if step.after else ""
    words += f", before {moment_words(step.before)}" if step.before else ""
    return words + _window(step)


def _window(step: Step) -> str:
    if step.begin_s is not None and step.end_s is not None:
        return f" (looking only between {format_number(step.begin_s)} s and {format_number(step.end_s)} s)"
    if step.begin_s is not None:
        return f" (looking only after {format_number(step.begin_s)} s)"
    return f" (looking only before {format_number(step.end_s)} s)" if step.end_s is not None else ""
