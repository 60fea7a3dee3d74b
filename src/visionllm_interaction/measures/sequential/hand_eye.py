"""Hand-eye coordination: the eyes of one person on the object in the hands of the same or another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, intersection, total_s
from visionllm_interaction.measures.sequential.observation import (
    BoutSummary,
    at_least,
    in_order,
    observed_parts,
    summarise,
)
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, median_of, ratio


@dataclass(frozen=True, slots=True, eq=False)
class HandEyeCoordination:
    """When the eyes are on the object that is handled.

    Attributes:
        bouts: looks at an object while it is handled, of all objects.
        targets: (N,) the object of each bout.
        share_of_looking: share of the time of looks at these objects in which the object looked at is handled.
        share_of_handling: share of the time of handling in which the object handled is looked at.
        eye_leads_s: (P,) begin of the handling less begin of the look, of each handling that has a look; above 0
            the eyes were there first.
        median_eye_lead: their median in seconds.
    """

    bouts: BoutSummary
    targets: tuple[str, ...]
    share_of_looking: Statistic
    share_of_handling: Statistic
    eye_leads_s: NDArray[np.float64]
    median_eye_lead: Statistic


def hand_eye_coordination(
    looks: Mapping[str, Intervals],
    handling: Mapping[str, Intervals],
    *,
    observed: Intervals,
    min_s: float = 0.0,
    max_gap_s: float = 0.0,
) -> HandEyeCoordination:
    """When a person looks at the object that somebody handles.

    With the child's looks and the child's handling it is the child's own coordination; with the child's looks and
    the caregiver's handling it is following the hands of the other.

    Source: Yu & Smith (2013), PLoS ONE 8; (2017), Child Development 88: hand-eye coordination and joint attention.

    Args:
        looks: object → (N, 2) looks at it, seconds.
        handling: object → (N, 2) seconds in which it is handled. An object that only one of the two knows was never
            looked at, or never handled.
        observed: (M, 2) time in which gaze and hands were both coded or processed.
        min_s: shortest bout.
        max_gap_s: longest pause within a look, a handling, or a bout.

    Returns:
        Bouts, shares and by how much the eyes are ahead.
    """
    bouts: dict[str, Intervals] = {}
    leads: list[float] = []
    looking_s = handling_s = both_s = 0.0
    for target in sorted(looks.keys() | handling.keys()):
        seen, held = (
            observed_parts(parts.get(target, np.zeros((0, 2))), observed, max_gap_s=max_gap_s)
            for parts in (looks, handling)
        )
        both = intersection(seen, held)
        looking_s, handling_s, both_s = (
            total + total_s(part) for total, part in ((looking_s, seen), (handling_s, held), (both_s, both))
        )
        bouts[target] = at_least(observed_parts(both, observed, max_gap_s=max_gap_s), min_s)
        leads += _eye_leads(seen, held).tolist()
    intervals, targets = in_order(bouts)
    return HandEyeCoordination(
        bouts=summarise(intervals, observed),
        targets=targets,
        share_of_looking=ratio(both_s, looking_s, reason="there is no look at an object"),
        share_of_handling=ratio(both_s, handling_s, reason="no object is handled"),
        eye_leads_s=np.array(leads),
        median_eye_lead=median_of(np.array(leads), "s", reason="no object is looked at while it is handled"),
    )


def _eye_leads(looks: Intervals, handling: Intervals) -> NDArray[np.float64]:
    """Of each handling with a look in it: its begin less the begin of the first such look."""
    first = np.searchsorted(looks[:, 1], handling[:, 0] + TOLERANCE_S, side="right")
    has = first < len(looks)
    has[has] = looks[first[has], 0] < handling[has, 1] - TOLERANCE_S
    return np.asarray(handling[has, 0] - looks[first[has], 0])
