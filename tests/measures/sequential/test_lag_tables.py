"""Lag-sequential tables and their statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import contingency as scipy_contingency

from visionllm_interaction.measures.sequential.lag_sequential import association, lag_table, window_association


def test_statistics_of_a_table_by_hand() -> None:
    found = association(10, 5, 4, 20)

    assert found.odds_ratio.value == 10 * 20 / (5 * 4)
    assert found.yules_q.value == pytest.approx((200 - 20) / (200 + 20))
    expected = 15 * 14 / 39
    assert found.adjusted_residual.value == pytest.approx(
        (10 - expected) / np.sqrt(expected * (1 - 15 / 39) * (1 - 14 / 39))
    )


def test_the_residual_of_a_table_of_two_is_the_root_of_its_chi_square() -> None:
    table = [[10, 5], [4, 20]]

    chi_square = scipy_contingency.chi2_contingency(table, correction=False).statistic

    assert association(10, 5, 4, 20).adjusted_residual.value == pytest.approx(np.sqrt(chi_square), rel=1e-9)


def test_expected_tallies_and_odds_equal_those_of_scipy() -> None:
    codes = [f"c{n}" for n in np.random.default_rng(2).integers(0, 4, 200)]

    found = lag_table([codes])

    assert found.expected == pytest.approx(scipy_contingency.expected_freq(found.counts), rel=1e-9)
    cell = found.pair("c1", "c3")
    assert cell is not None
    table = [[cell.both, cell.given_only], [cell.target_only, cell.neither]]
    assert cell.odds_ratio.value == pytest.approx(scipy_contingency.odds_ratio(table, kind="sample").statistic)
    assert sum(map(sum, table)) == 199


def test_adjusted_residuals_have_their_textbook_form() -> None:
    codes = [f"c{n}" for n in np.random.default_rng(4).integers(0, 3, 100)]

    found = lag_table([codes])

    total = found.counts.sum()
    rows, columns = found.counts.sum(axis=1) / total, found.counts.sum(axis=0) / total
    for row, given in enumerate(found.codes):
        for column, target in enumerate(found.codes):
            error = np.sqrt(found.expected[row, column] * (1 - rows[row]) * (1 - columns[column]))
            cell = found.pair(given, target)
            assert cell is not None
            assert cell.adjusted_residual.value == pytest.approx(
                (found.counts[row, column] - found.expected[row, column]) / error
            )


def test_codes_that_cannot_repeat_have_no_expected_repetitions() -> None:
    # Each code follows each other equally often: nothing deviates from chance, once repetitions are ruled out.
    found = lag_table([["a", "b", "c", "a", "c", "b", "a"]], can_repeat=False)

    assert found.counts.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert found.expected == pytest.approx(found.counts.astype(float))
    assert found.pair("a", "a") is None
    cell = found.pair("a", "b")
    assert cell is not None
    assert cell.adjusted_residual.value == pytest.approx(0.0, abs=1e-9)


def test_expected_tallies_without_repetitions_keep_the_sums() -> None:
    rng = np.random.default_rng(6)
    codes = [f"c{n}" for n in rng.integers(0, 4, 300)]
    changes = [code for place, code in enumerate(codes) if place == 0 or code != codes[place - 1]]

    found = lag_table([changes], can_repeat=False)

    assert found.expected.sum(axis=0) == pytest.approx(found.counts.sum(axis=0), rel=1e-6)
    assert found.expected.sum(axis=1) == pytest.approx(found.counts.sum(axis=1), rel=1e-6)
    assert np.diagonal(found.expected).tolist() == [0, 0, 0, 0]


def test_no_tally_reaches_from_one_series_into_the_next() -> None:
    found = lag_table([["a", "b"], ["c", "a"]])

    assert found.codes == ("a", "b", "c")
    assert found.counts.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]


def test_later_lags_count_what_comes_later() -> None:
    assert lag_table([["a", "b", "a", "c"]], lag=2).counts.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_statistics_of_tables_with_empty_cells_have_reasons() -> None:
    always = association(5, 0, 3, 4)
    assert always.odds_ratio.reason == "a cell beside the diagonal is 0"
    assert always.yules_q.value == 1.0
    nothing = association(0, 0, 0, 0)
    assert [x.value for x in (nothing.odds_ratio, nothing.yules_q, nothing.adjusted_residual)] == [None] * 3
    never_target = association(0, 5, 0, 4)
    assert never_target.adjusted_residual.reason == "a row or column is empty, or holds all tallies"
    assert lag_table([]).codes == ()
    assert lag_table([["a"]]).counts.tolist() == [[0]]


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"lag": 0}, "at least 1"), ({"codes": ["a"]}, "codes lack"), ({"can_repeat": False}, "a code follows itself")],
)
def test_what_makes_no_table_is_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        lag_table([["a", "b", "b"]], **options)  # type: ignore[arg-type]


def test_ticks_within_a_window_by_hand() -> None:
    # Ten ticks of 1 s. After the given event at 2 s, the ticks 2 to 4 are within; targets begin in ticks 3 and 8.
    found = window_association(
        np.array([2.0]), np.array([3.5, 3.7, 8.0]), observed=np.array([[0.0, 10.4]]), window_s=3, tick_s=1
    )

    assert (found.both, found.given_only, found.target_only, found.neither) == (1, 2, 1, 6)
    assert found.odds_ratio.value == pytest.approx(6 / 2)
    assert found.yules_q.value == pytest.approx(0.5)


def test_a_window_ends_with_the_observation() -> None:
    found = window_association(
        np.array([4.0]), np.array([11.0]), observed=np.array([[0.0, 5.0], [10.0, 15.0]]), window_s=3, tick_s=1
    )

    assert (found.both, found.given_only, found.target_only, found.neither) == (0, 1, 1, 8)


def test_no_observed_time_has_no_ticks() -> None:
    found = window_association(np.array([4.0]), np.array([4.5]), observed=np.zeros((0, 2)))

    assert found.both == 0
    assert found.yules_q.value is None
    with pytest.raises(ValueError, match="above 0 s"):
        window_association(np.array([4.0]), np.array([4.5]), observed=np.zeros((0, 2)), tick_s=0)
