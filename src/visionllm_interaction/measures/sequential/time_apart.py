"""People apart: time alone, latency to approach, episodes without contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, complement, total_s
from visionllm_interaction.measures.sequential.observation import (
    BoutSummary,
    Times,
    at_least,
    observed_parts,
    observed_times,
    summarise,
)
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, ratio, undefined

WITHOUT_CONTACT_MIN_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class TimeAlone:
    """Time in which a person is in view and nobody else is.

    Attributes:
        bouts: the intervals alone; their share is over the observed time.
        share_of_visible: share of the person's time in view that is alone.
    """

    bouts: BoutSummary
    share_of_visible: Statistic


def time_alone(visible: Intervals, others_visible: Intervals, *, observed: Intervals, min_s: float = 0.0) -> TimeAlone:
    """When a person is in view without anybody else. Who is out of view may still be in the room.

    Args:
        visible: (N, 2) seconds in which the person is in view.
        others_visible: (M, 2) seconds in which any other person is.
        observed: (P, 2) processed time.
        min_s: shortest interval alone; shorter ones are dropped.

    Returns:
        The intervals alone, and their share of the person's time in view.
    """
    seen = observed_parts(visible, observed)
    alone = at_least(complement(others_visible, within=seen), min_s)
    return TimeAlone(
        bouts=summarise(alone, observed),
        share_of_visible=ratio(total_s(alone), total_s(seen), reason="the person is never in view"),
    )


@dataclass(frozen=True, slots=True)
class ApproachLatency:
    """How long it takes until one person approaches another.

    Attributes:
        from_s: when both were first in view; None if they never were.
        to_s: when the first approach after that began; None if there was none.
        latency: the time between; undefined where there was no approach.
        at_risk: seconds from then on in which both were in view until the approach, or until the end.
    """

    from_s: float | None
    to_s: float | None
    latency: Statistic
    at_risk: Statistic


def latency_to_approach(approaches_s: Times, together: Intervals, *, observed: Intervals) -> ApproachLatency:
    """Seconds from the first moment with both in view to the first approach.

    Without an approach there is no latency, and ``at_risk`` is what a survival analysis needs as the censored time.

    Args:
        approaches_s: (N,) moments at which the one begins to approach the other, seconds.
        together: (M, 2) seconds in which both are in view.
        observed: (P, 2) processed time.

    Returns:
        The latency, or the reason why there is none.
    """
    both = observed_parts(together, observed)
    if not len(both):
        never = "they are never in view at once"
        return ApproachLatency(None, None, undefined("s", never), undefined("s", never))
    begin = float(both[0, 0])
    after = observed_times(approaches_s, observed)
    after = after[after >= begin - TOLERANCE_S]
    to_s = float(after[0]) if len(after) else None
    latency = undefined("s", "there is no approach") if to_s is None else Statistic(max(to_s - begin, 0.0), "s")
    until = np.clip(both, begin, to_s) if to_s is not None else both
    return ApproachLatency(begin, to_s, latency, Statistic(total_s(until), "s"))


def episodes_without_contact(
    contact: Intervals, together: Intervals, *, observed: Intervals, min_s: float = WITHOUT_CONTACT_MIN_S
) -> BoutSummary:
    """Intervals with both in view that are not in contact.

    Args:
        contact: (N, 2) seconds in which the two are in contact.
        together: (M, 2) seconds in which both are in view.
        observed: (P, 2) processed time.
        min_s: shortest episode; shorter pauses of contact are none.

    Returns:
        The episodes; their share is over the observed time.
    """
    apart = complement(contact, within=observed_parts(together, observed))
    return summarise(at_least(apart, min_s), observed)
