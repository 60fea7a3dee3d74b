"""How many different objects a person handles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, intersection, total_s, union
from visionllm_interaction.measures.sequential.value_or_reason import NOTHING_OBSERVED, Statistic, ratio, undefined


@dataclass(frozen=True, slots=True)
class ObjectsHandled:
    """The different objects that a person handles.

    Attributes:
        names: the objects, the longest handled first.
        count: how many they are.
        rate: how many per observed minute.
    """

    names: tuple[str, ...]
    count: Statistic
    rate: Statistic


def objects_handled(handling: Mapping[str, Intervals], *, observed: Intervals, min_s: float = 0.0) -> ObjectsHandled:
    """How many different objects a person handles.

    Args:
        handling: object → (N, 2) seconds in which the person handles it. Two objects of one name count once.
        observed: (M, 2) processed time.
        min_s: shortest time of handling, in all, that counts.

    Returns:
        The objects and their number.
    """
    totals = {name: total_s(intersection(union(parts), union(observed))) for name, parts in handling.items()}
    names = sorted(
        (name for name, total in totals.items() if total > TOLERANCE_S and total >= min_s - TOLERANCE_S),
        key=lambda name: (-totals[name], name),
    )
    observed_s = total_s(observed)
    return ObjectsHandled(
        names=tuple(names),
        count=Statistic(len(names), "count") if observed_s else undefined("count", NOTHING_OBSERVED),
        rate=ratio(60.0 * len(names), observed_s, unit="per_min", reason=NOTHING_OBSERVED),
    )
