"""Turns between two speakers, and turns by chance."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.measures.sequential.turn_taking import turn_taking, turns_by_chance
from visionllm_interaction.measures.turn_limits import LENA, STANDARD, TurnLimits

MINUTE = np.array([[0.0, 60.0]])


def said(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


CASES = {
    # child, caregiver, limits, lags of the caregiver's answers
    "an answer at the limit of the gap": (said((1, 2)), said((4, 5)), STANDARD, [2.0]),
    "beyond the limit": (said((1, 2)), said((4.1, 5)), STANDARD, []),
    "within LENA's 5 s": (said((1, 2)), said((4.1, 5)), LENA, [2.1]),
    "at the limit of the overlap": (said((1, 3)), said((2, 4)), STANDARD, [-1.0]),
    "beyond the limit of the overlap": (said((1, 3)), said((1.9, 4)), STANDARD, []),
    "no overlap in LENA's": (said((1, 3)), said((2.5, 4)), LENA, []),
    "inside the other's": (said((1, 5)), said((4.2, 4.8)), STANDARD, []),
    "only the nearest utterance is answered": (said((1, 2), (2.5, 3)), said((3.5, 4)), STANDARD, [0.5]),
    "only the nearest utterance answers": (said((1, 2)), said((2.5, 3), (3.2, 4)), STANDARD, [0.5]),
    "one's own overlapping utterances are no turns": (said((1, 3), (2, 4)), said(), STANDARD, []),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_turns_of_a_time_line(case: str) -> None:
    child, caregiver, limits, lags = CASES[case]

    found = turn_taking(child, caregiver, observed=MINUTE, limits=limits)

    assert found.lags_s == pytest.approx(np.array(lags))
    assert found.count.value == len(lags)


def test_the_numbers_of_a_conversation() -> None:
    child, caregiver = said((1, 2), (5, 6), (20, 21)), said((2.5, 4), (5.5, 7), (23, 24))

    found = turn_taking(child, caregiver, observed=MINUTE)

    assert found.lags_s.tolist() == [0.5, -0.5, 2.0]
    assert (found.count.value, found.rate.value, found.share_answered.value) == (3, 3.0, 1.0)
    assert found.median_lag.value == 0.5
    assert found.share_overlapping.value == pytest.approx(1 / 3)


def test_a_turn_belongs_to_the_time_in_which_the_answered_utterance_begins() -> None:
    child, caregiver = said((1, 2), (9.5, 9.8)), said((2.5, 4), (10.2, 11))

    assert turn_taking(child, caregiver, observed=said((0, 10))).count.value == 2
    assert turn_taking(child, caregiver, observed=said((10, 20))).count.value == 0


def test_without_utterances_there_is_no_lag() -> None:
    found = turn_taking(said(), said((1, 2)), observed=MINUTE)

    assert found.count.value == 0
    assert found.median_lag.reason == "there is no turn"
    assert found.share_answered.reason == "there is no utterance to answer"
    assert turn_taking(said((1, 2)), said((2, 3)), observed=said()).count.reason == "nothing was observed"


def by_definition(first: np.ndarray, second: np.ndarray, limits: TurnLimits) -> list[float]:
    """The lags, from the words of the definition, one utterance at a time."""

    def outside(mine: np.ndarray, others: np.ndarray) -> list[list[float]]:
        return sorted([b, e] for b, e in mine.tolist() if not any(o <= b and e <= p for o, p in others.tolist()))

    asking, answering, lags = outside(first, second), outside(second, first), []
    for place, (begin, end) in enumerate(asking):
        following = asking[place + 1][0] if place + 1 < len(asking) else np.inf
        latest, earliest = min(end + limits.max_gap_s, following), end - limits.max_overlap_s
        answers = [b for b, _ in answering if b > begin and earliest - 1e-6 <= b <= latest + 1e-6]
        lags += [min(answers) - end] if answers else []
    return lags


def test_random_conversations_follow_the_definition() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        first, second = (
            np.stack([begins, begins + rng.uniform(0.2, 3.0, 6)], axis=1) for begins in rng.uniform(0, 25, (2, 6))
        )
        for limits in (STANDARD, LENA):
            found = turn_taking(first, second, observed=MINUTE, limits=limits)
            assert found.lags_s == pytest.approx(np.array(by_definition(first, second, limits)))


def test_speakers_who_answer_each_other_have_more_turns_than_by_chance() -> None:
    child = np.stack([np.arange(0, 300, 10.0), np.arange(0, 300, 10.0) + 1], axis=1)
    caregiver = child + 1.5  # half a second after each of the child's utterances

    found = turns_by_chance(child, caregiver, observed=said((0, 300)))

    assert found.count.value == 30
    assert found.expected.value is not None
    assert found.expected.value < 15
    assert found.p_value.value == pytest.approx(1 / 1001)
    assert found.z.value is not None
    assert found.z.value > 5


def test_chance_of_one_utterance_each_has_a_closed_form() -> None:
    # Two moments at random in 100 s; the second answers if it begins 0 to 2 s later: (2 * 100 - 2) / 100**2.
    tiny, limits = 1e-6, TurnLimits(max_gap_s=2.0, max_overlap_s=0.0)

    found = turns_by_chance(
        said((10, 10 + tiny)), said((50, 50 + tiny)), observed=said((0, 100)), limits=limits, shuffles=40000
    )

    expected = (2 * 100 - 2**2 / 2) / 100**2
    assert found.expected.value == pytest.approx(expected, abs=4 * (expected / 40000) ** 0.5)


def test_shuffles_stay_within_each_observation() -> None:
    # The two speak in different observations, and never within reach of each other.
    found = turns_by_chance(said((1, 2)), said((51, 52)), observed=said((0, 10), (50, 60)), shuffles=200)

    assert (found.count.value, found.expected.value) == (0, 0.0)
    assert found.z.reason == "all shuffles have the same number of turns"
    assert found.p_value.value == 1.0


def test_chance_is_the_same_every_time_and_undefined_without_speech() -> None:
    child, caregiver = said((1, 2), (5, 6)), said((2.5, 4))

    once = turns_by_chance(child, caregiver, observed=MINUTE, shuffles=50)

    assert once == turns_by_chance(child, caregiver, observed=MINUTE, shuffles=50)
    silent = turns_by_chance(child, said(), observed=MINUTE, shuffles=50)
    assert silent.expected.reason == "one of the two says nothing"
    assert silent.count.value == 0


def test_utterances_without_any_link_have_as_many_turns_as_by_chance() -> None:
    rng = np.random.default_rng(13)
    # Own utterances overlap often; that is the same in the data and in the shuffles.
    first, second = (
        np.stack([begins, begins + rng.uniform(0.3, 3.0, 400)], axis=1) for begins in rng.uniform(0, 2000, (2, 400))
    )

    found = turns_by_chance(first, second, observed=said((0, 2004)), shuffles=300)

    assert found.z.value is not None
    assert abs(found.z.value) < 2


def test_the_number_of_shuffles_at_once_changes_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = said((1, 2), (5, 6), (20, 21)), said((2.5, 4), (5.5, 7), (23, 24))
    monkeypatch.setattr("visionllm_interaction.measures.sequential.turn_taking._ROWS_AT_ONCE", 60)

    found = turns_by_chance(first, second, observed=MINUTE, shuffles=95)

    assert found.shuffles == 95
    assert found.expected.value is not None
    assert 0 < found.expected.value < 1
