"""Eyes on the object in the hands."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.measures.sequential.hand_eye import hand_eye_coordination

MINUTE = np.array([[0.0, 60.0]])


def parts(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def test_a_time_line_by_hand() -> None:
    eyes = {"ball": parts((1, 4), (10, 11)), "cup": parts((20, 22))}
    hands = {"ball": parts((2, 6)), "cup": parts((19, 21), (30, 33))}

    found = hand_eye_coordination(eyes, hands, observed=MINUTE)

    assert found.bouts.intervals.tolist() == [[2, 4], [20, 21]]
    assert found.targets == ("ball", "cup")
    assert found.share_of_looking.value == pytest.approx(3 / 6)
    assert found.share_of_handling.value == pytest.approx(3 / 9)
    assert found.eye_leads_s.tolist() == [1.0, -1.0]  # the eyes first at the ball, the hand first at the cup
    assert found.median_eye_lead.value == 0.0


def test_only_the_same_object_counts() -> None:
    found = hand_eye_coordination({"ball": parts((0, 5))}, {"cup": parts((0, 5))}, observed=MINUTE)

    assert found.bouts.count.value == 0
    assert found.share_of_looking.value == 0.0
    assert found.median_eye_lead.reason == "no object is looked at while it is handled"


def test_without_looks_or_handling_the_shares_are_undefined() -> None:
    found = hand_eye_coordination({}, {}, observed=MINUTE)

    assert found.share_of_looking.reason == "there is no look at an object"
    assert found.share_of_handling.reason == "no object is handled"
    assert found.bouts.total.value == 0.0
