"""Joint attention, who leads into it, mutual gaze, and sustained attention."""

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
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, mean_of, ratio

JOINT_MIN_S = 0.5
JOINT_GAP_S = 1.0
SUSTAINED_MIN_S = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class JointAttention:
    """Bouts in which two people look at the same target.

    Attributes:
        bouts: the bouts of all targets.
        targets: (N,) what each bout is about.
        leads_s: (N,) begin of the second person's look minus begin of the first one's; above 0 the first led.
        led_by_first: bouts into which the first person led.
        led_by_second: bouts into which the second person led.
        led_by_neither: bouts in which both looks began at once.
        share_led_by_first: share of the bouts with a leader that the first led.
        lead_of_first: mean seconds by which the first was ahead, over the bouts that the first led.
        lead_of_second: mean seconds by which the second was ahead, over the bouts that the second led.
    """

    bouts: BoutSummary
    targets: tuple[str, ...]
    leads_s: NDArray[np.float64]
    led_by_first: int
    led_by_second: int
    led_by_neither: int
    share_led_by_first: Statistic
    lead_of_first: Statistic
    lead_of_second: Statistic


def joint_attention(
    first: Mapping[str, Intervals],
    second: Mapping[str, Intervals],
    *,
    observed: Intervals,
    min_s: float = JOINT_MIN_S,
    max_gap_s: float = JOINT_GAP_S,
) -> JointAttention:
    """Bouts in which two people look at the same target at once, and who looked first.

    Pauses of joint looking up to ``max_gap_s`` do not end a bout; then bouts below ``min_s`` are dropped. The leader
    is whose look at the target, as it lasts at the begin of the bout, began earlier. Looks of one person are joined
    across the same pauses.

    Source: Yu & Smith (2013), PLoS ONE 8, and (2016), Current Biology 26: at least 0.5 s on the same object.

    Args:
        first: target → (N, 2) looks of the first person, seconds.
        second: the same of the second person.
        observed: (M, 2) time in which both people's gaze was coded.
        min_s: shortest bout.
        max_gap_s: longest pause within a bout.

    Returns:
        The bouts in order of time, and who led.
    """
    found: list[tuple[float, float, str, float]] = []
    for target in sorted(first.keys() & second.keys()):
        looks = [observed_parts(looks_at[target], observed, max_gap_s=max_gap_s) for looks_at in (first, second)]
        raw = [observed_parts(looks_at[target], observed) for looks_at in (first, second)]
        bouts = at_least(observed_parts(intersection(*raw), observed, max_gap_s=max_gap_s), min_s)
        leads = _begin_of_look(looks[1], bouts) - _begin_of_look(looks[0], bouts)
        found += [(begin, end, target, lead) for (begin, end), lead in zip(bouts, leads, strict=True)]
    found.sort()
    leads_s = np.array([lead for *_, lead in found])
    ahead, behind = leads_s > TOLERANCE_S, leads_s < -TOLERANCE_S
    return JointAttention(
        bouts=summarise(np.array([bout[:2] for bout in found]).reshape(-1, 2), observed),
        targets=tuple(target for _, _, target, _ in found),
        leads_s=leads_s,
        led_by_first=int(ahead.sum()),
        led_by_second=int(behind.sum()),
        led_by_neither=int((~ahead & ~behind).sum()),
        share_led_by_first=ratio(ahead.sum(), (ahead | behind).sum(), reason="nobody led into a bout"),
        lead_of_first=mean_of(leads_s[ahead], "s", reason="the first person led into no bout"),
        lead_of_second=mean_of(-leads_s[behind], "s", reason="the second person led into no bout"),
    )


def _begin_of_look(looks: Intervals, bouts: Intervals) -> NDArray[np.float64]:
    """(N,) begin of the look that each of the bouts (N, 2) begins in."""
    return np.asarray(looks[np.searchsorted(looks[:, 0], bouts[:, 0] + TOLERANCE_S, side="right") - 1, 0])


def mutual_gaze(
    first_at_second: Intervals,
    second_at_first: Intervals,
    *,
    observed: Intervals,
    min_s: float = 0.0,
    max_gap_s: float = 0.0,
) -> BoutSummary:
    """Bouts in which two people look at each other.

    Source: Argyle & Cook (1976), Gaze and Mutual Gaze; Kaye & Fogel (1980), Developmental Psychology 16.

    Args:
        first_at_second: (N, 2) looks of the first person at the second, seconds.
        second_at_first: (N, 2) looks of the second person at the first.
        observed: (M, 2) time in which both people's gaze was coded.
        min_s: shortest bout; shorter ones are dropped after joining.
        max_gap_s: longest pause within a bout.

    Returns:
        The bouts and their summary.
    """
    both = intersection(observed_parts(first_at_second, observed), observed_parts(second_at_first, observed))
    return summarise(at_least(observed_parts(both, observed, max_gap_s=max_gap_s), min_s), observed)


@dataclass(frozen=True, slots=True, eq=False)
class SustainedAttention:
    """Looks at one target that last long.

    Attributes:
        bouts: the long looks at all targets.
        targets: (N,) what each is at.
        share_of_looking: share of the time of all looks that the long ones take.
    """

    bouts: BoutSummary
    targets: tuple[str, ...]
    share_of_looking: Statistic


def sustained_attention(
    looks: Mapping[str, Intervals],
    *,
    observed: Intervals,
    min_s: float = SUSTAINED_MIN_S,
    max_gap_s: float = 0.0,
) -> SustainedAttention:
    """Looks of a person at one target that last at least ``min_s``.

    Source: Ruff & Lawson (1990), Developmental Psychology 26; the limit of 3 s as in Yu & Smith (2016), Current
    Biology 26.

    Args:
        looks: target → (N, 2) looks, seconds.
        observed: (M, 2) time in which gaze was coded.
        min_s: shortest look that counts as sustained.
        max_gap_s: longest pause within a look.

    Returns:
        The sustained looks in order of time.
    """
    all_looks = {target: observed_parts(looks[target], observed, max_gap_s=max_gap_s) for target in sorted(looks)}
    bouts, targets = in_order({target: at_least(parts, min_s) for target, parts in all_looks.items()})
    looking_s = sum(total_s(parts) for parts in all_looks.values())
    sustained_s = float((bouts[:, 1] - bouts[:, 0]).sum())
    return SustainedAttention(
        bouts=summarise(bouts, observed),
        targets=targets,
        share_of_looking=ratio(sustained_s, looking_s, reason="there is no look"),
    )
