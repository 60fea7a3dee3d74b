"""How results of the measures in the catalogue are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from visionllm_interaction.scenes.measures import Predicate

DEFAULT_PREDICATE: Predicate = "visible"
"""What a bout measure is about when no predicate is given."""

TOTALS: Mapping[str, Literal["sum", "largest", "none"]] = {
    "visible_duration": "sum",
    # The same people and toys come back in other videos: the largest number is the one that never counts twice.
    "instance_count": "largest",
    "first_seen": "none",
    "last_seen": "none",
    "co_presence_duration": "sum",
    "near_duration": "sum",
    "contact_duration": "sum",
    "bout_count": "sum",
    "longest_bout": "largest",
}
"""How the results of several videos add up; clock times of different videos do not."""
