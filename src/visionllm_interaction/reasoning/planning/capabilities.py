"""What a plan may ask for: the measures of the catalogue, the few that are read off stretches of time, and how their
results add up over videos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from visionllm_interaction.measures.api import CATALOGUE, MEASURES, Measure, Predicate

DEFAULT_PREDICATE: Predicate = "visible"
"""What a bout measure is about when no predicate is given."""

AskedPredicate = Literal["visible", "near", "in_contact", "holding", "speaks", "looks_at", "names"]
"""Predicates that a step may be about: those that are computed, and those that people code and import."""

Total = Literal["sum", "largest", "none"]
Inputs = Literal["none", "one", "pair", "bout"]


@dataclass(frozen=True)
class Shape:
    """What a measure takes and gives.

    ``inputs``: nothing, one thing, a pair, or a predicate (with an object unless it is *visible*). ``total``: how the
    results of several videos add up; clock times of different videos do not. ``stretches``: whether it can be limited
    to the time in which something else holds.
    """

    inputs: Inputs
    unit: str
    definition: str
    total: Total = "none"
    stretches: bool = False


LOOKED = "looked_duration"
"""The seconds of video that were looked at: what shares and rates refer to."""

_OWN: Mapping[str, Shape] = {
    "first_onset": Shape("bout", "s", "Time at which the predicate first begins to hold.", "none", True),
    "last_offset": Shape("bout", "s", "Time at which the predicate has held for the last time.", "none", True),
    LOOKED: Shape("none", "s", "Seconds of video that were looked at.", "sum", True),
}
_TOTALS: Mapping[str, Total] = {
    # The same people and toys come back in other videos: the largest number is the one that never counts twice.
    "instance_count": "largest",
    "longest_bout": "largest",
    "bout_count": "sum",
    "turn_count": "sum",
}
_STRETCHES = frozenset(
    {
        *("visible_duration", "co_presence_duration", "near_duration", "contact_duration", "holding_duration"),
        *("bout_count", "longest_bout", "mean_bout"),
    }
)


def _shape_of(measure: Measure, inputs: Inputs) -> Shape:
    added_up: Total = "sum" if measure.name.endswith("_duration") else "none"
    return Shape(
        inputs,
        measure.unit,
        measure.definition,
        _TOTALS.get(measure.name, added_up),
        measure.name in _STRETCHES,
    )


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        # Measures of events ask for a kind of event, which no question form names yet.
        **{m.name: _shape_of(m, m.inputs) for m in MEASURES.values() if m.inputs != "event"},
        **_OWN,
    }
)
"""Every measure that a plan may name. A measure that is new in the store's list is here without further ado."""

TOTALS: Mapping[str, Total] = MappingProxyType({name: shape.total for name, shape in SHAPES.items()})
"""How the results of several videos add up."""

ASKED: frozenset[str] = frozenset({*CATALOGUE, "holding_duration", "mean_bout", *_OWN})
"""The measures that a language model may choose from: each one costs words in every prompt."""

PREDICATE_OF: Mapping[str, Predicate] = MappingProxyType(
    {"near_duration": "near", "contact_duration": "in_contact", "holding_duration": "holding"}
)
"""The predicate that is part of a measure's name."""
