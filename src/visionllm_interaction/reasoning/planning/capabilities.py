"""What a plan may ask for: the measures, what each takes, and how its results add up over videos."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from visionllm_interaction.measures.api import CATALOGUE, MEASURES, Measure, Predicate

DEFAULT_PREDICATE: Predicate = "visible"
"""What a bout measure is about when no predicate is given."""

StepPredicate = Literal["visible", "near", "in_contact", "holding", "speaks", "looks_at", "names"]
"""Predicates that a step may be about: those that are computed, and those that people code and import."""

Total = Literal["sum", "largest", "none"]
Inputs = Literal["none", "one", "pair", "bout"]


class MeasureSignature(Struct, frozen=True):
    """What a measure takes and gives.

    Attributes:
        inputs: nothing, one name, a pair, or a predicate (with an object unless it is *visible*).
        unit: unit of its values.
        definition: what it measures.
        total: how the results of several videos add up; clock times of different videos do not.
        supports_during: whether it can be limited to the time in which something else holds.
    """

    inputs: Inputs
    unit: str
    definition: str
    total: Total = "none"
    supports_during: bool = False


PROCESSED_DURATION = "looked_duration"
"""The seconds of processed video, the denominator of shares and rates."""

_OWN: Mapping[str, MeasureSignature] = {
    "first_onset": MeasureSignature("bout", "s", "Time at which the predicate first begins to hold.", "none", True),
    "last_offset": MeasureSignature(
        "bout", "s", "Time at which the predicate has held for the last time.", "none", True
    ),
    PROCESSED_DURATION: MeasureSignature("none", "s", "Seconds of processed video.", "sum", True),
}
_TOTALS: Mapping[str, Total] = {
    # The same people and toys appear in several videos: a sum would count them twice, the largest number never does.
    "instance_count": "largest",
    "longest_bout": "largest",
    "bout_count": "sum",
    "turn_count": "sum",
}
_WITH_DURING = frozenset(
    {
        *("visible_duration", "co_presence_duration", "near_duration", "contact_duration", "holding_duration"),
        *("bout_count", "longest_bout", "mean_bout"),
    }
)


def _signature_of(measure: Measure, inputs: Inputs) -> MeasureSignature:
    added_up: Total = "sum" if measure.name.endswith("_duration") else "none"
    return MeasureSignature(
        inputs,
        measure.unit,
        measure.definition,
        _TOTALS.get(measure.name, added_up),
        measure.name in _WITH_DURING,
    )


SIGNATURES: Mapping[str, MeasureSignature] = MappingProxyType(
    {
        # Measures of events ask for a kind of event, which no question form names yet.
        **{m.name: _signature_of(m, m.inputs) for m in MEASURES.values() if m.inputs != "event"},
        **_OWN,
    }
)
"""Every measure that a plan may name; a new measure of the catalogue is included by itself."""

TOTALS: Mapping[str, Total] = MappingProxyType({name: signature.total for name, signature in SIGNATURES.items()})
"""How the results of several videos add up."""

LLM_MEASURES: frozenset[str] = frozenset({*CATALOGUE, "holding_duration", "mean_bout", *_OWN})
"""The measures that a language model may choose from; each costs words in every prompt."""

PREDICATE_OF: Mapping[str, Predicate] = MappingProxyType(
    {"near_duration": "near", "contact_duration": "in_contact", "holding_duration": "holding"}
)
"""The predicate that is part of a measure's name."""
