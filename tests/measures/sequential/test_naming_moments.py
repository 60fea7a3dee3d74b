"""What the view holds when an object is named."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.measures.sequential.naming_moments import Scene, Sizes, naming_moments

MINUTE = np.array([[0.0, 60.0]])


def parts(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


SCENE = Scene(
    in_view={"ball": parts((0, 10)), "cup": parts((5, 20)), "book": parts()},
    sizes={
        "ball": Sizes(parts((0, 10)), np.array([0.1])),
        "cup": Sizes(parts((5, 8), (8, 20)), np.array([0.05, 0.3])),
    },
    handled_by={"child": {"cup": parts((7, 9))}, "parent": {"ball": parts((0, 1))}},
    looked_at_by={"child": {"ball": parts((0, 4))}, "parent": {"ball": parts((3, 4)), "cup": parts((8, 9))}},
)


def test_each_naming_by_hand() -> None:
    namings = parts((12, 13), (3, 3.5), (6, 10), (30, 31), (40, 41))

    found = naming_moments(namings, ["ball", "ball", "cup", "book", "spoon"], SCENE, observed=MINUTE)

    first, second, third, fourth, fifth = found.moments
    assert (first.begin_s, first.in_view, first.size_rank) == (3, True, 1)
    assert (first.handled_by, first.looked_at_by) == ((), ("child", "parent"))
    # From 6 to 10 s the ball covers 0.1, and the cup 0.05 and 0.3 for half of it each: 0.175.
    assert (second.referent, second.size_rank, second.handled_by) == ("cup", 1, ("child",))
    assert second.looked_at_by == ("parent",)
    assert (third.referent, third.in_view, third.size_rank) == ("ball", False, None)
    assert (fourth.referent, fourth.in_view) == ("book", False)
    assert (fifth.referent, fifth.in_view) == ("spoon", None)  # not looked for
    assert found.count.value == 5
    assert found.share_in_view.value == pytest.approx(2 / 4)
    assert found.share_largest.value == 1.0
    assert found.share_handled.value == pytest.approx(1 / 5)
    assert found.share_looked_at.value == pytest.approx(2 / 5)


def test_a_moment_is_judged_by_the_frame_it_lies_in() -> None:
    found = naming_moments(parts((6, 6)), ["cup"], SCENE, observed=MINUTE)

    assert (found.moments[0].in_view, found.moments[0].size_rank) == (True, 2)
    assert found.mean_size_rank.value == 2.0


def test_the_window_can_be_wider_than_the_naming() -> None:
    assert naming_moments(parts((12, 12)), ["ball"], SCENE, observed=MINUTE).share_in_view.value == 0.0
    assert naming_moments(parts((12, 12)), ["ball"], SCENE, observed=MINUTE, pad_s=3).share_in_view.value == 1.0


def test_a_naming_in_unprocessed_time_is_not_known_to_be_out_of_view() -> None:
    found = naming_moments(parts((50, 51)), ["ball"], SCENE, observed=parts((0, 20)))

    assert found.moments[0].in_view is None
    assert found.share_in_view.value is None
    assert found.share_in_view.reason


def test_equal_sizes_share_the_better_rank() -> None:
    same = Sizes(parts((0, 10)), np.array([0.2]))
    scene = Scene(in_view={"ball": parts((0, 10))}, sizes={"ball": same, "cup": same})

    assert naming_moments(parts((1, 2)), ["ball"], scene, observed=MINUTE).moments[0].size_rank == 1


def test_without_namings_gaze_or_hands_there_are_reasons() -> None:
    found = naming_moments(parts(), [], Scene(in_view={}), observed=MINUTE)

    assert found.count.value == 0
    assert found.share_handled.reason == "nobody's hands are known"
    assert found.share_looked_at.reason == "nobody's gaze is known"
    assert found.mean_size_rank.reason == "no referent has a rank of size"


def test_each_naming_needs_its_referent() -> None:
    with pytest.raises(ValueError, match="1 namings have 0 referents"):
        naming_moments(parts((1, 2)), [], SCENE, observed=MINUTE)
