"""A question form of the evaluation, and how the plan that it means is built.

``{a}``, ``{b}``, ``{c}`` are filled with names of the store, ``{t}`` and ``{u}`` with times in seconds,
``{n}`` with a number. Canonical wordings are what the rule planner promises to read; paraphrases stand in no table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from visionllm_interaction.reasoning.planning.capabilities import PROCESSED_DURATION
from visionllm_interaction.reasoning.planning.plan import Combine, Condition, Moment, Plan, Step

Fill = Mapping[str, Any]
Kind = Literal["person", "object", "any"]


@dataclass(frozen=True)
class EvalForm:
    """One form of a question.

    Attributes:
        name: of the form.
        family: of forms.
        places: what kind of name fills each place.
        plan: what the question means, given the names; ``None`` if it must be refused.
        canonical: English texts that the rule planner promises to read.
        norwegian: the same in Norwegian.
        paraphrases: free texts.
    """

    name: str
    family: str
    places: Mapping[str, Kind]
    plan: Callable[[Fill], Plan] | None
    canonical: tuple[str, ...]
    norwegian: tuple[str, ...]
    paraphrases: tuple[str, ...]


def step_of(fill: Fill, measure: str, *places: str, predicate: Any = None, **limits: Any) -> Step:
    """The step that measures ``measure`` for what stands in ``places``: the subject, then the object."""
    names = [fill[place] for place in places]
    return Step(
        measure=measure,
        subject=names[0] if names else "",
        object=names[1] if len(names) > 1 else None,
        predicate=predicate,
        **limits,
    )


def one(measure: str, *places: str, predicate: Any = None, **limits: str) -> Callable[[Fill], Plan]:
    """A plan of one step; ``limits`` name the places of its times."""

    def plan(fill: Fill) -> Plan:
        times = {key: float(fill[place]) for key, place in limits.items()}
        return Plan(steps=(step_of(fill, measure, *places, predicate=predicate, **times),))

    return plan


def one_while(
    measure: str, places: str, condition: str, *, held: Any = "visible", negated: bool = False, predicate: Any = None
) -> Callable[[Fill], Plan]:
    """A plan of one step that counts only while ``condition`` (subject, then object) holds, or does not."""

    def plan(fill: Fill) -> Plan:
        names = [fill[place] for place in condition]
        limit = Condition(
            predicate=held, subject=names[0], object=names[1] if len(names) > 1 else None, negated=negated
        )
        return Plan(steps=(step_of(fill, measure, *places, predicate=predicate, during=limit),))

    return plan


def one_at(
    measure: str, places: str, side: Literal["after", "before"], about: str, **what: Any
) -> Callable[[Fill], Plan]:
    """A plan of one step before or after a moment."""

    def plan(fill: Fill) -> Plan:
        names = [fill[place] for place in about]
        predicate = what.get("predicate")
        moment = Moment(
            predicate=what.get("holds", "visible"),
            occurrence=what.get("occurrence", "first"),
            edge=what.get("edge", "begin"),
            subject=names[0],
            object=names[1] if len(names) > 1 else None,
        )
        step = step_of(fill, measure, *places, predicate=predicate)
        return Plan(steps=(step.model_copy(update={side: moment}),))

    return plan


def two(measure: str, first: str, second: str, combine: Combine, predicate: Any = None) -> Callable[[Fill], Plan]:
    """A plan that compares or combines one measure of two pairs of places."""

    def plan(fill: Fill) -> Plan:
        steps = tuple(step_of(fill, measure, *places, predicate=predicate) for places in (first, second))
        return Plan(steps=steps, combine=combine)

    return plan


def read(
    measure: str, places: str, combine: Combine, *, predicate: Any = None, threshold: bool = False
) -> Callable[[Fill], Plan]:
    """A plan of one step whose value is read in another way: a share, a rate, yes or no, a list."""

    def plan(fill: Fill) -> Plan:
        steps: tuple[Step, ...] = (step_of(fill, measure, *places, predicate=predicate),)
        if combine in ("share", "rate"):
            steps += (Step(measure=PROCESSED_DURATION),)
        return Plan(steps=steps, combine=combine, threshold=float(fill["n"]) if threshold else None)

    return plan


def each_of(
    measure: str, side: str, over: Literal["objects", "people"], combine: Combine, predicate: Any = None
) -> Callable[[Fill], Plan]:
    """A plan of a step for each object or person.

    ``side``: "a*" goes through objects of ``a``, "*b" through subjects with ``b``, "*" through subjects alone.
    """

    def plan(fill: Fill) -> Plan:
        steps = []
        for name in fill[over]:
            places = {**fill, "x": name}
            pair = side.replace("*", "x")
            if len({places[p] for p in pair}) == len(pair):
                steps.append(step_of(places, measure, *pair, predicate=predicate))
        return Plan(steps=tuple(steps), combine=combine)

    return plan


def absent(fill: Fill) -> Plan:
    """The plan that measures the time in which something is not visible."""
    return Plan(steps=(Step(measure=PROCESSED_DURATION, during=Condition(subject=fill["a"], negated=True)),))


P: Mapping[str, Kind] = {"a": "person"}
T: Mapping[str, Kind] = {"a": "object"}
X: Mapping[str, Kind] = {"a": "any"}
PT: Mapping[str, Kind] = {"a": "person", "b": "object"}
PP: Mapping[str, Kind] = {"a": "person", "b": "person"}
XX: Mapping[str, Kind] = {"a": "any", "b": "any"}
TT: Mapping[str, Kind] = {"a": "object", "b": "object"}
PPT: Mapping[str, Kind] = {"a": "person", "b": "person", "c": "object"}
PTT: Mapping[str, Kind] = {"a": "object", "b": "object", "c": "person"}
PTP: Mapping[str, Kind] = {"a": "person", "b": "object", "c": "person"}
