"""Contingency within windows, beside time-shifted responses."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.measures.sequential.contingency import contingency, mutual_contingency

HUNDRED = np.array([[0.0, 100.0]])


def test_probability_and_chance_of_a_time_line() -> None:
    # Responses at 12, 33 and 50 s: within 2 s after the events at 10 and 49 s, later than that after the one at 30 s.
    found = contingency(np.array([10.0, 30, 49]), np.array([12.0, 33, 50]), observed=HUNDRED, window_s=2)

    assert (found.events, found.followed) == (3, 2)
    assert found.probability.value == pytest.approx(2 / 3)
    assert found.expected.value == pytest.approx(6 / 100)  # 2 s before each of three responses
    assert found.difference.value == pytest.approx(2 / 3 - 0.06)
    assert found.ratio.value == pytest.approx(2 / 3 / 0.06)


def test_windows_before_responses_that_overlap_count_once() -> None:
    found = contingency(np.array([10.0]), np.array([20.0, 21, 99.5]), observed=HUNDRED, window_s=5)

    assert found.expected.value == pytest.approx((6 + 5) / 100)


def test_an_event_whose_window_is_cut_off_does_not_count() -> None:
    found = contingency(np.array([10.0, 97]), np.array([98.0]), observed=HUNDRED, window_s=5)

    assert (found.events, found.followed) == (1, 0)


def test_a_response_at_the_same_moment_is_none_and_one_at_the_limit_is() -> None:
    assert contingency(np.array([10.0]), np.array([10.0]), observed=HUNDRED, window_s=2).followed == 0
    assert contingency(np.array([10.0]), np.array([12.0]), observed=HUNDRED, window_s=2).followed == 1
    assert contingency(np.array([10.0]), np.array([12.01]), observed=HUNDRED, window_s=2).followed == 0


def test_a_break_in_the_observation_parts_event_and_response() -> None:
    found = contingency(np.array([8.0, 30]), np.array([21.0, 31]), observed=np.array([[0, 10.0], [20, 40]]), window_s=2)

    assert (found.events, found.followed) == (2, 1)
    assert found.expected.value == pytest.approx(4 / 30)


def test_the_expected_probability_is_the_mean_over_shifts() -> None:
    rng = np.random.default_rng(1)
    events, responses = np.sort(rng.uniform(0, 90, 20)), np.sort(rng.uniform(0, 100, 15))
    shifts = np.arange(0, 100, 0.02)[:, None, None]
    later = ((responses + shifts) % 100 - events[:, None]) % 100  # (shift, event, response)
    followed = ((later > 0) & (later <= 3)).any(axis=2)

    found = contingency(events, responses, observed=HUNDRED, window_s=3)

    assert found.expected.value == pytest.approx(followed.mean(), abs=1e-3)


def test_true_answers_are_rarer_by_chance_than_random_ones() -> None:
    events = np.array([5.0, 18, 24, 41, 52, 57, 71, 80])

    # Of shifts around 100 s, those by -0.7 to 0.3 s leave every event answered.
    assert contingency(events, events + 0.7, observed=HUNDRED, window_s=1).p_value.value == pytest.approx(
        0.01, abs=0.01
    )
    unrelated = contingency(events, np.array([1.0, 11, 33, 63, 93]), observed=HUNDRED, window_s=1)
    assert unrelated.p_value.value == 1.0


def test_both_directions_within_one_two_and_five_seconds() -> None:
    child, parent = np.array([10.0, 30]), np.array([11.5, 34])

    found = mutual_contingency(child, parent, observed=HUNDRED, surrogates=20)

    assert [(one.window_s, one.followed) for one in found.forward] == [(1, 0), (2, 1), (5, 2)]
    assert [(one.window_s, one.followed) for one in found.backward] == [(1, 0), (2, 0), (5, 0)]


def test_without_events_it_is_undefined_and_without_responses_nought() -> None:
    none = np.zeros(0)

    assert (
        contingency(none, np.array([1.0]), observed=HUNDRED).probability.reason == "no event with 2 s observed after it"
    )
    silent = contingency(np.array([1.0]), none, observed=HUNDRED)
    assert (silent.probability.value, silent.expected.value) == (0.0, 0.0)
    assert silent.ratio.reason == "there is no response"
    assert contingency(np.array([1.0]), none, observed=np.zeros((0, 2))).probability.value is None


def test_a_window_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0 s"):
        contingency(np.array([1.0]), np.array([1.0]), observed=HUNDRED, window_s=0)
