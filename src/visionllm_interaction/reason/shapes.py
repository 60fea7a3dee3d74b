"""What each measure of the catalogue is about, in one place for plans, prompts and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Predicate = Literal["visible", "near", "in_contact", "holding"]
Shape = Literal["one", "pair", "bout"]

DEFAULT_PREDICATE: Predicate = "visible"
"""What a bout measure is about when no predicate is given."""

SHAPES: Mapping[str, Shape] = {
    "visible_duration": "one",
    "instance_count": "one",
    "first_seen": "one",
    "last_seen": "one",
    "co_presence_duration": "pair",
    "near_duration": "pair",
    "contact_duration": "pair",
    "bout_count": "bout",
    "longest_bout": "bout",
}
"""``one``: a subject; ``pair``: a subject and an object; ``bout``: a predicate, and an object unless it is *visible*."""

TOTALS: Mapping[str, Literal["sum", "largest", "none"]] = {
    "visible_duration": "sum",
    "instance_count": "sum",
    "first_seen": "none",
    "last_seen": "none",
    "co_presence_duration": "sum",
    "near_duration": "sum",
    "contact_duration": "sum",
    "bout_count": "sum",
    "longest_bout": "largest",
}
"""How the results of several videos add up; clock times of different videos do not."""
