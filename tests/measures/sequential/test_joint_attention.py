"""Joint attention, mutual gaze and sustained attention on time lines computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.measures.sequential.attention import joint_attention, mutual_gaze, sustained_attention

MINUTE = np.array([[0.0, 60.0]])
NEVER = np.zeros((0, 2))


def looks(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def test_bouts_and_leads_of_a_time_line() -> None:
    child = {"ball": looks((1, 4), (10, 12)), "cup": looks((20, 23), (30, 30.4))}
    parent = {"ball": looks((2, 5), (9.5, 11)), "cup": looks((20, 22), (30, 31)), "book": looks((40, 50))}

    found = joint_attention(child, parent, observed=MINUTE)

    assert found.bouts.intervals.tolist() == [[2, 4], [10, 11], [20, 22]]  # 30 to 30.4 is too short
    assert found.targets == ("ball", "ball", "cup")
    assert found.leads_s.tolist() == [1.0, -0.5, 0.0]  # the child led by 1 s, the parent by 0.5 s, nobody
    assert (found.led_by_first, found.led_by_second, found.led_by_neither) == (1, 1, 1)
    assert found.share_led_by_first.value == 0.5
    assert (found.lead_of_first.value, found.lead_of_second.value) == (1.0, 0.5)
    assert (found.bouts.count.value, found.bouts.rate.value) == (3, 3.0)
    assert found.bouts.total.value == 5.0
    assert found.bouts.share.value == pytest.approx(5 / 60)
    assert found.bouts.mean.value == pytest.approx(5 / 3)
    assert found.bouts.longest.value == 2.0


@pytest.mark.parametrize(
    ("pause_s", "bouts"),
    [
        (1.0, [[2, 7]]),  # at the limit
        (1.1, [[2, 4], [5.1, 7.1]]),
    ],
)
def test_a_pause_of_a_second_does_not_end_a_bout(pause_s: float, bouts: list[list[float]]) -> None:
    child = {"ball": looks((1, 8))}
    parent = {"ball": looks((2, 4), (4 + pause_s, 6 + pause_s))}

    found = joint_attention(child, parent, observed=MINUTE)

    assert found.bouts.intervals == pytest.approx(np.array(bouts))
    assert found.leads_s[0] == 1.0


def test_a_bout_of_half_a_second_counts_and_a_shorter_one_does_not() -> None:
    parent = {"ball": looks((0, 60))}

    assert joint_attention({"ball": looks((1, 1.5))}, parent, observed=MINUTE).bouts.count.value == 1
    assert joint_attention({"ball": looks((1, 1.49))}, parent, observed=MINUTE).bouts.count.value == 0


def test_short_joint_looks_are_joined_before_they_are_judged() -> None:
    child, parent = {"ball": looks((1, 1.3), (1.6, 1.9))}, {"ball": looks((0, 60))}

    found = joint_attention(child, parent, observed=MINUTE)

    assert found.bouts.intervals == pytest.approx(np.array([[1, 1.9]]))


def test_the_end_of_an_observation_ends_a_bout() -> None:
    both = {"ball": looks((1, 9))}

    found = joint_attention(both, both, observed=looks((0, 5), (5.5, 10)))

    assert found.bouts.intervals.tolist() == [[1, 5], [5.5, 9]]
    assert found.bouts.share.value == pytest.approx(7.5 / 9.5)


def test_without_a_bout_there_is_a_reason_for_every_missing_number() -> None:
    found = joint_attention({"ball": looks((1, 2))}, {"ball": NEVER}, observed=MINUTE)

    assert (found.bouts.count.value, found.bouts.rate.value, found.bouts.total.value) == (0, 0.0, 0.0)
    for statistic in (found.bouts.mean, found.bouts.longest, found.share_led_by_first, found.lead_of_first):
        assert statistic.value is None
        assert statistic.reason


def test_without_observed_time_nothing_is_known() -> None:
    found = joint_attention({"ball": looks((1, 2))}, {"ball": looks((1, 2))}, observed=NEVER)

    assert {found.bouts.count.reason, found.bouts.rate.reason, found.bouts.share.reason} == {"nothing was observed"}


def test_mutual_gaze_is_when_both_look_at_each_other() -> None:
    found = mutual_gaze(looks((1, 5), (8, 9)), looks((3, 8.25)), observed=MINUTE)

    assert found.intervals.tolist() == [[3, 5], [8, 8.25]]
    assert (found.count.value, found.total.value) == (2, 2.25)
    assert mutual_gaze(looks((1, 5), (8, 9)), looks((3, 8.25)), observed=MINUTE, min_s=0.5).count.value == 1


def test_sustained_attention_is_a_look_of_three_seconds() -> None:
    child = {"ball": looks((0, 3), (10, 12.9)), "cup": looks((3, 7))}

    found = sustained_attention(child, observed=MINUTE)

    assert found.bouts.intervals.tolist() == [[0, 3], [3, 7]]
    assert found.targets == ("ball", "cup")
    assert found.bouts.count.value == 2
    assert found.bouts.mean.value == 3.5
    assert found.share_of_looking.value == pytest.approx(7 / 9.9)
    assert sustained_attention({}, observed=MINUTE).share_of_looking.reason == "there is no look"
