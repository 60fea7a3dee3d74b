"""Dwell times, shifts and transition entropies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from visionllm_interaction.measures.sequential.looks import look_rates, looks_in_order, pairs_of, transition_table

MINUTE = np.array([[0.0, 60.0]])


def looks(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def test_dwell_times_and_shifts_of_a_time_line() -> None:
    child = {"ball": looks((0, 2), (5, 6)), "cup": looks((2, 3), (9, 13)), "book": looks()}

    found = look_rates(child, observed=MINUTE)

    assert found.mean_dwell.value == 2.0
    assert found.median_dwell.value == 1.5
    assert found.dwell_by_target["ball"].value == 1.5
    assert found.dwell_by_target["book"].reason == "no look at it"
    assert found.look_rate.value == 4.0
    assert found.shift_count.value == 3  # ball, cup, ball, cup
    assert found.shift_rate.value == 3.0


def test_a_second_look_at_the_same_target_is_no_shift() -> None:
    found = look_rates({"ball": looks((0, 1), (2, 3)), "cup": looks((4, 5))}, observed=MINUTE)

    assert found.shift_count.value == 1


def test_there_is_no_shift_across_time_that_was_not_observed() -> None:
    child = {"ball": looks((0, 1)), "cup": looks((20, 21))}

    assert look_rates(child, observed=looks((0, 10), (15, 30))).shift_count.value == 0
    assert look_rates(child, observed=looks((0, 10), (15, 30))).look_rate.value == pytest.approx(60 * 2 / 25)


def test_without_a_look_there_is_no_dwell_and_the_rate_is_nought() -> None:
    found = look_rates({"ball": looks()}, observed=MINUTE)

    assert found.mean_dwell.reason == "there is no look"
    assert (found.look_rate.value, found.shift_rate.value) == (0.0, 0.0)
    assert look_rates({"ball": looks()}, observed=looks()).shift_rate.reason == "nothing was observed"


def test_entropies_of_a_series_that_can_be_computed_by_hand() -> None:
    # a → b, b → a, a → c, c → a: from a to b and c alike, from b and c always to a.
    found = transition_table(pairs_of(["a", "b", "a", "c", "a"]))

    assert found.targets == ("a", "b", "c")
    assert found.counts.tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert found.probabilities[0] == (0.0, 0.5, 0.5)
    assert found.transition_entropy.value == pytest.approx(0.5)  # half of the transitions leave a, with 1 bit
    assert found.stationary_entropy.value == pytest.approx(1.5)  # shares 1/2, 1/4, 1/4


@pytest.mark.parametrize("states", [2, 3, 5])
def test_uniform_transitions_have_the_entropy_of_a_fair_choice(states: int) -> None:
    names = [f"s{n}" for n in range(states)]

    found = transition_table([(a, b) for a in names for b in names if a != b])

    assert found.transition_entropy.value == pytest.approx(np.log2(states - 1))
    assert found.stationary_entropy.value == pytest.approx(np.log2(states))


def test_entropies_equal_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    pairs = pairs_of([f"s{code}" for code in rng.integers(0, 4, 300)])

    found = transition_table(pairs)

    leaving = found.counts.sum(axis=1)
    following = [stats.entropy(row, base=2) for row in found.counts]
    assert found.transition_entropy.value == pytest.approx(np.average(following, weights=leaving), rel=1e-12)
    assert found.stationary_entropy.value == pytest.approx(stats.entropy(leaving, base=2), rel=1e-12)


def test_a_target_that_nothing_follows_has_no_probabilities() -> None:
    found = transition_table(pairs_of(["a", "b"]))

    assert found.probabilities == ((0.0, 1.0), (None, None))


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "a", "a"]])
def test_without_a_transition_the_entropies_are_undefined(labels: list[str]) -> None:
    found = transition_table(pairs_of(labels))

    assert found.transition_entropy.value is None
    assert found.stationary_entropy.reason == "there is no transition"


def test_looks_are_ordered_and_joined_per_target() -> None:
    found = looks_in_order({"cup": looks((4, 5)), "ball": looks((3, 3.5), (3.5, 4), (0, 1))}, observed=MINUTE)

    assert found.intervals.tolist() == [[0, 1], [3, 4], [4, 5]]
    assert found.pairs == [("ball", "cup")]


def test_a_target_outside_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="cup"):
        transition_table([("ball", "cup")], targets=["ball"])
