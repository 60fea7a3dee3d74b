"""Time alone, latency to approach, episodes without contact, objects handled, and rates over observed time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visionllm_interaction.measures.sequential.object_handling import objects_handled
from visionllm_interaction.measures.sequential.observation import event_rate, running_time
from visionllm_interaction.measures.sequential.time_apart import (
    episodes_without_contact,
    latency_to_approach,
    time_alone,
)
from visionllm_interaction.measures.sequential.value_or_reason import Statistic

MINUTE = np.array([[0.0, 60.0]])


def parts(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def test_time_alone_by_hand() -> None:
    found = time_alone(parts((0, 20), (30, 40)), parts((5, 10), (35, 60)), observed=MINUTE)

    assert found.bouts.intervals.tolist() == [[0, 5], [10, 20], [30, 35]]
    assert found.bouts.total.value == 20.0
    assert found.share_of_visible.value == pytest.approx(20 / 30)
    assert time_alone(parts(), parts((5, 10)), observed=MINUTE).share_of_visible.reason == "the person is never in view"


def test_latency_to_approach_by_hand() -> None:
    together = parts((10, 20), (30, 50))

    found = latency_to_approach(np.array([4.0, 34, 45]), together, observed=MINUTE)

    assert (found.from_s, found.to_s, found.latency.value) == (10.0, 34.0, 24.0)
    assert found.at_risk.value == 14.0  # 10 to 20 and 30 to 34


def test_without_an_approach_the_latency_is_censored() -> None:
    found = latency_to_approach(np.array([4.0]), parts((10, 20), (30, 50)), observed=MINUTE)

    assert found.latency.reason == "there is no approach"
    assert found.at_risk.value == 30.0
    never = latency_to_approach(np.array([4.0]), parts(), observed=MINUTE)
    assert (never.from_s, never.latency.reason) == (None, "they are never in view at once")


def test_episodes_without_contact_by_hand() -> None:
    found = episodes_without_contact(parts((2, 4), (4.3, 6)), parts((0, 10), (20, 25)), observed=MINUTE)

    assert found.intervals.tolist() == [[0, 2], [6, 10], [20, 25]]  # the pause of 0.3 s is none
    assert (found.count.value, found.longest.value) == (3, 5.0)
    assert episodes_without_contact(parts((0, 10)), parts((0, 10)), observed=MINUTE).mean.reason == "there is no bout"


def test_objects_handled_are_counted_once_each() -> None:
    handling = {"ball": parts((1, 2), (5, 6)), "cup": parts((10, 14)), "book": parts(), "block": parts((70, 80))}

    found = objects_handled(handling, observed=MINUTE)

    assert found.names == ("cup", "ball")
    assert (found.count.value, found.rate.value) == (2, 2.0)
    assert objects_handled(handling, observed=MINUTE, min_s=3).names == ("cup",)
    assert objects_handled(handling, observed=parts()).count.reason == "nothing was observed"


def test_rates_are_over_exactly_the_observed_time() -> None:
    times = np.array([1.0, 5, 9.999, 10, 12, 31])

    assert event_rate(times, parts((0, 10), (5, 10), (30, 50))).value == pytest.approx(60 * 4 / 30)
    assert event_rate(np.zeros(0), MINUTE).value == 0.0
    assert event_rate(times, parts()).reason == "nothing was observed"


def test_time_stands_still_while_nothing_is_observed() -> None:
    assert running_time(np.array([1.0, 30, 35]), parts((0, 10), (30, 50))).tolist() == [1.0, 10.0, 15.0]


@pytest.mark.parametrize(
    ("value", "reason"), [(None, None), (1.0, "why not"), (math.nan, None), (math.inf, None)], ids=str
)
def test_a_quantity_is_a_number_or_a_reason(value: float | None, reason: str | None) -> None:
    with pytest.raises(ValueError, match=r"value"):
        Statistic(value, "s", reason)
