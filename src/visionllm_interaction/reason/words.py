"""Sentences for results. Numbers reach a sentence only through :func:`format_number`."""

from __future__ import annotations

from collections.abc import Mapping

from visionllm_interaction.reason.aliases import plural
from visionllm_interaction.reason.plan import Step
from visionllm_interaction.reason.shapes import DEFAULT_PREDICATE

DECIMALS = 2
"""Decimals shown in sentences; claim values keep all of theirs."""

_VERB: Mapping[str, str] = {
    "visible": "was in view",
    "near": "was near {b}",
    "in_contact": "was in contact with {b}",
    "holding": "held {b}",
}
_SENTENCE: Mapping[str, str] = {
    "visible_duration": "the {a} was visible for {v}",
    "first_seen": "the {a} was first seen at {v}",
    "last_seen": "the {a} was last seen at {v}",
    "co_presence_duration": "the {a} and the {b} were visible together for {v}",
    "near_duration": "the {a} was near the {b} for {v}",
    "contact_duration": "the {a} was in contact with the {b} for {v}",
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
    return text.rstrip("0").rstrip(".") if "." in text else text


def describe(step: Step, value: float | int | None) -> str:
    """What ``step`` found, as the body of a sentence."""
    verb = _verb(step)
    if value is None:
        return (
            f"the {step.subject} was not seen"
            if step.object is None
            else f"no time the {step.subject} {verb} was found"
        )
    if step.measure == "instance_count":
        return _count(step.subject, int(value))
    if step.measure == "bout_count":
        return f"the {step.subject} {verb} {_times(int(value))}"
    if step.measure == "longest_bout":
        return f"the longest time the {step.subject} {verb} was {format_number(value)} s"
    return _SENTENCE[step.measure].format(a=step.subject, b=step.object, v=f"{format_number(value)} s")


def describe_winner(measure: str, combine: str, *, name: str | None, values: Mapping[str, str]) -> str:
    """Who wins a comparison, with every value; ``name`` None means a tie."""
    title = _WINNER.get((measure, combine), f"{combine} {measure.replace('_', ' ')}")
    listing = ", ".join(f"{subject} {value}" for subject, value in values.items())
    return f"{title}: {f'the {name}' if name else 'a tie'} ({listing})"


def sentence(body: str, *, place: str, step: Step) -> str:
    """``body`` with where and within which time window it holds, capital letter first, full stop last."""
    text = f"{place}{body}{_window(step)}."
    return text[0].upper() + text[1:]


def _verb(step: Step) -> str:
    predicate = step.predicate or DEFAULT_PREDICATE
    if predicate == "visible" and step.object:
        return f"was in view together with the {step.object}"
    return _VERB[predicate].format(b=f"the {step.object}" if step.object else "something")


def _count(name: str, value: int) -> str:
    if value == 0:
        return f"no {name} was seen"
    counted = f"{name} was" if value == 1 else f"{plural(name)} were"
    return f"{value} {counted} counted (the most in view at once)"


def _times(value: int) -> str:
    return f"{value} {'time' if value == 1 else 'times'}"


def _window(step: Step) -> str:
    if step.begin_s is not None and step.end_s is not None:
        return f" (looking only between {format_number(step.begin_s)} s and {format_number(step.end_s)} s)"
    if step.begin_s is not None:
        return f" (looking only after {format_number(step.begin_s)} s)"
    return f" (looking only before {format_number(step.end_s)} s)" if step.end_s is not None else ""
