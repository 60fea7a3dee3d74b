"""Burstiness, memory and the Allan factor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from visionllm_interaction.measures.sequential.burstiness import allan_factor, allan_factors, burstiness

HOUR = np.array([[0.0, 3600.0]])


def test_a_series_by_hand() -> None:
    # Intervals 1, 1, 4 s: mean 2, deviation sqrt(3) over n - 1.
    found = burstiness(np.array([0.0, 1, 2, 6]), observed=HOUR)

    r = np.sqrt(3) / 2
    assert found.events == 4
    assert (found.mean_interval.value, found.interval_deviation.value) == (2.0, pytest.approx(np.sqrt(3)))
    assert found.burstiness.value == pytest.approx((r - 1) / (r + 1))
    assert found.finite_size_burstiness.value == pytest.approx(
        (np.sqrt(5) * r - np.sqrt(3)) / ((np.sqrt(5) - 2) * r + np.sqrt(3))
    )


def test_regular_events_have_minus_one_and_random_ones_nought() -> None:
    regular = burstiness(np.arange(10.0), observed=HOUR)
    assert (regular.burstiness.value, regular.finite_size_burstiness.value) == (-1.0, -1.0)
    assert regular.memory.reason == "the intervals do not vary"

    rng = np.random.default_rng(8)
    poisson = burstiness(np.sort(rng.uniform(0, 3600, 3000)), observed=HOUR)
    assert poisson.burstiness.value == pytest.approx(0.0, abs=0.03)
    assert poisson.finite_size_burstiness.value == pytest.approx(0.0, abs=0.03)
    assert poisson.memory.value == pytest.approx(0.0, abs=0.06)


def test_the_finite_size_form_is_nought_at_the_variation_of_that_many_random_events() -> None:
    # Of n random events, deviation / mean is sqrt((n - 1) / (n + 1)). Here n = 4, and the intervals are 1, 1, x.
    x = (np.sqrt(3) + 2 * np.sqrt(0.6)) / (np.sqrt(3) - np.sqrt(0.6))

    found = burstiness(np.cumsum([0.0, 1, 1, x]), observed=HOUR)

    assert found.finite_size_burstiness.value == pytest.approx(0.0, abs=1e-12)
    assert found.burstiness.value == pytest.approx((np.sqrt(0.6) - 1) / (np.sqrt(0.6) + 1))


def test_memory_is_the_correlation_of_successive_intervals() -> None:
    times = np.cumsum([0.0, 1, 5, 2, 6, 1.5, 7, 3])
    steps = np.diff(times)

    found = burstiness(times, observed=HOUR)

    assert found.memory.value == pytest.approx(stats.pearsonr(steps[:-1], steps[1:]).statistic, rel=1e-12)
    assert burstiness(times[:4], observed=HOUR).memory.reason == "fewer than 3 pairs of successive intervals"


def test_intervals_across_a_break_do_not_count() -> None:
    observed = np.array([[0.0, 10.0], [1000.0, 1010.0]])

    found = burstiness(np.array([1.0, 2, 4, 1001, 1004]), observed=observed)

    assert found.events == 5
    assert found.mean_interval.value == pytest.approx((1 + 2 + 3) / 3)


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 2.0]])
def test_few_events_have_no_burstiness(times: list[float]) -> None:
    found = burstiness(np.array(times), observed=HOUR)

    assert found.burstiness.reason == "fewer than 3 events"
    assert found.finite_size_burstiness.value is None
    assert found.memory.value is None
    assert (found.mean_interval.value is None) == (len(times) < 2)


def test_events_at_one_moment_have_no_burstiness() -> None:
    assert burstiness(np.array([5.0, 5, 5]), observed=HOUR).burstiness.reason == "all events are at the same time"


def test_the_allan_factor_by_hand() -> None:
    # Counts 2, 0, 1 in windows of 10 s; the rest of 5 s does not count.
    found = allan_factor(np.array([1.0, 2, 25, 34]), observed=np.array([[0.0, 35.0]]), window_s=10)

    assert found.windows == 3
    assert found.factor.value == pytest.approx(((0 - 2) ** 2 + (1 - 0) ** 2) / 2 / (2 * 1.0))


def test_regular_events_cluster_at_no_scale_and_random_ones_at_all_alike() -> None:
    assert allan_factor(np.arange(0.5, 100), observed=np.array([[0.0, 100.0]]), window_s=5).factor.value == 0.0
    rng = np.random.default_rng(10)
    for found in allan_factors(rng.uniform(0, 36000, 20000), observed=np.array([[0.0, 36000.0]]), windows_s=(5, 20)):
        assert found.factor.value == pytest.approx(1.0, abs=0.12)


def test_windows_of_two_observations_do_not_adjoin() -> None:
    observed = np.array([[0.0, 20.0], [100.0, 120.0]])

    found = allan_factor(np.array([1.0, 2, 3, 101]), observed=observed, window_s=10)

    # Counts 3, 0 and 1, 0: steps of 3 and 1, none from one observation to the other.
    assert found.factor.value == pytest.approx((9 + 1) / 2 / (2 * 1.0))


def test_where_the_allan_factor_is_undefined() -> None:
    short = np.array([[0.0, 20.0]])

    assert allan_factor(np.array([1.0]), observed=short, window_s=10).factor.reason == "fewer than 3 windows of 10 s"
    assert allan_factor(np.array([]), observed=HOUR, window_s=10).factor.reason == "there is no event"
    assert allan_factor(np.array([]), observed=np.zeros((0, 2)), window_s=10).factor.value is None
    with pytest.raises(ValueError, match="above 0 s"):
        allan_factor(np.array([1.0]), observed=short, window_s=0)
