"""Categorical cross-recurrence against the matrix it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.core.run_lengths import true_runs
from visionllm_interaction.measures.sequential.recurrence import cross_recurrence, sample_states


def test_a_small_matrix_by_hand() -> None:
    #        second: 1 1 2
    # first 1        x x .
    # first 1        x x .
    # first 2        . . x
    found = cross_recurrence(np.array([1, 1, 2]), np.array([1, 1, 2]), max_lag=1)

    assert found.recurrence_rate.value == pytest.approx(5 / 9)
    assert found.diagonal.share.value == pytest.approx(3 / 5)  # the main diagonal
    assert found.diagonal.longest.value == 3
    assert found.vertical.share.value == pytest.approx(4 / 5)
    assert found.vertical.mean.value == 2.0
    assert found.vertical.entropy.value == 0.0
    assert {lag: share.value for lag, share in found.profile.items()} == {-1: 0.5, 0: 1.0, 1: 0.5}
    assert found.peak_lag.value == 0


def by_matrix(recurrent: np.ndarray, shortest: int) -> dict[str, tuple[float, float, float]]:
    """(share, mean, longest) of the lines of a whole matrix, run by run."""

    def lines(rows: list[np.ndarray]) -> tuple[float, float, float]:
        runs = np.concatenate([np.diff(true_runs(row), axis=1).ravel() for row in rows])
        long = runs[runs >= shortest]
        return long.sum() / recurrent.sum(), long.mean(), long.max()

    n = len(recurrent)
    return {
        "diagonal": lines([np.diagonal(recurrent, k) for k in range(1 - n, n)]),
        "vertical": lines(list(recurrent.T)),
        "horizontal": lines(list(recurrent)),
    }


@pytest.mark.parametrize("shortest", [2, 3])
def test_random_series_equal_their_matrix(shortest: int) -> None:
    rng = np.random.default_rng(11)
    first, second = (np.repeat(rng.integers(0, 4, 40), rng.integers(1, 6, 40))[:90] for _ in range(2))
    pairs = {(1, 1), (2, 2), (1, 3), (3, 2)}
    recurrent = np.array([[(a, b) in pairs for b in second] for a in first])

    found = cross_recurrence(first, second, matches=pairs, min_line=shortest)

    assert found.recurrence_rate.value == pytest.approx(recurrent.mean())
    for name, wanted in by_matrix(recurrent, shortest).items():
        lines = getattr(found, name)
        assert (lines.share.value, lines.mean.value, lines.longest.value) == pytest.approx(wanted)
    for lag, share in found.profile.items():
        assert share.value == pytest.approx(np.diagonal(recurrent, lag).mean())


def test_a_second_who_follows_two_samples_later_peaks_at_two() -> None:
    first = np.random.default_rng(12).integers(1, 4, 200)
    second = np.concatenate([[0, 0], first[:-2]])

    found = cross_recurrence(first, second)

    assert found.peak_lag.value == 2
    assert found.profile[2].value == 1.0
    assert cross_recurrence(second, first).peak_lag.value == -2


def test_having_no_state_is_nothing_in_common() -> None:
    found = cross_recurrence(np.array([0, 0, 1]), np.array([0, 0, 2]))

    assert found.recurrence_rate.value == 0.0
    assert found.diagonal.share.reason == "nothing is recurrent"
    assert found.vertical.mean.reason == "no line of at least 2 samples"
    assert found.peak_lag.reason == "nothing is recurrent"


def test_samples_that_were_not_observed_leave_the_denominators() -> None:
    found = cross_recurrence(np.array([1, 1, -1, -1]), np.array([1, 1, 1, -1]), max_lag=0)

    assert found.recurrence_rate.value == 1.0  # 2 × 3 pairs
    assert found.profile[0].value == 1.0  # two samples in which both were observed


def test_without_samples_all_is_undefined() -> None:
    found = cross_recurrence(np.zeros(0, dtype=int), np.zeros(0, dtype=int), max_lag=1)

    assert found.samples == 0
    assert found.recurrence_rate.reason == "no sample was observed"
    assert found.profile[1].value is None
    assert found.horizontal.longest.value is None


@pytest.mark.parametrize(
    ("second", "options", "problem"),
    [([1, 2], {}, "one length"), ([1, 2, 3], {"min_line": 1}, "at least 2 samples")],
)
def test_what_makes_no_matrix_is_refused(second: list[int], options: dict[str, int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        cross_recurrence(np.array([1, 2, 3]), np.array(second), **options)


def test_states_are_sampled_in_the_middle_of_each_step() -> None:
    states = {"ball": np.array([[0.0, 2.0], [6.0, 7.0]]), "cup": np.array([[1.0, 3.0]])}

    codes = sample_states(states, ["ball", "cup", "book"], observed=np.array([[0.0, 4.0], [6.0, 8.0]]), step_s=1)

    assert codes.tolist() == [1, 1, 2, 0, -1, -1, 1, 0]
    assert len(sample_states(states, ["ball"], observed=np.zeros((0, 2)), step_s=1)) == 0
    with pytest.raises(ValueError, match="above 0 s"):
        sample_states(states, ["ball"], observed=np.zeros((0, 2)), step_s=0)
