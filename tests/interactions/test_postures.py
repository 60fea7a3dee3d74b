"""Postures from key points, their bouts, and being held."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.core.bodies import PoseRow, Posture
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.interactions.postures import find_postures, is_held, posture_of


def _points(
    *, shoulders: tuple[float, float, float], hips: tuple[float, float, float], knees: tuple[float, float, float]
):
    points = np.zeros((33, 3))
    for side, shift in ((0, 15.0), (1, -15.0)):
        for first, at in ((11, shoulders), (23, hips), (25, knees)):
            points[first + side] = (at[0] + shift, at[1], at[2])
    return points


STANDING = _points(shoulders=(0, 0, 0), hips=(0, 100, 0), knees=(0, 185, 0))
SITTING_SIDEWAYS = _points(shoulders=(0, 0, 0), hips=(0, 100, 0), knees=(85, 105, 0))
SITTING_TOWARDS_THE_CAMERA = _points(shoulders=(0, 0, 0), hips=(0, 100, 0), knees=(0, 120, -80))
LYING = _points(shoulders=(0, 0, 0), hips=(100, 5, 0), knees=(185, 5, 0))
STOOPING = _points(shoulders=(70, 60, 0), hips=(0, 100, 0), knees=(0, 185, 0))
ALL_SEEN = np.ones(33)


@pytest.mark.parametrize(
    ("points", "posture"),
    [
        (STANDING, "standing"),
        (SITTING_SIDEWAYS, "sitting"),
        (SITTING_TOWARDS_THE_CAMERA, "sitting"),
        (LYING, "lying"),
    ],
)
def test_postures_are_read_from_trunk_and_thighs(points: np.ndarray, posture: str) -> None:
    assert posture_of(points, ALL_SEEN) == posture
    assert posture_of(points * 0.2 + 500, ALL_SEEN) == posture  # wherever and however large


def test_what_is_not_seen_is_not_known() -> None:
    no_knees, no_hips = ALL_SEEN.copy(), ALL_SEEN.copy()
    no_knees[[25, 26]] = no_hips[[23]] = 0.1
    assert posture_of(STANDING, no_knees) is None
    assert posture_of(STANDING, no_hips) is None
    assert posture_of(LYING, no_knees) == "lying"  # the trunk says so


def test_one_bent_leg_is_no_seat() -> None:
    points = STANDING.copy()
    points[25] = SITTING_SIDEWAYS[25]
    assert posture_of(points, ALL_SEEN) == "standing"


def test_held_is_small_inside_and_off_the_floor() -> None:
    adult = np.array([100.0, 0, 200, 300])
    assert is_held(np.array([120.0, 60, 190, 180]), adult)
    assert not is_held(np.array([120.0, 180, 190, 300]), adult), "stands beside, on the same floor"
    assert not is_held(np.array([260.0, 60, 330, 180]), adult), "elsewhere"
    assert not is_held(adult, np.array([120.0, 60, 190, 180])), "the larger one is not held by the smaller one"


def _rows(names: list[Posture | None], step_s: float = 0.2) -> tuple[list[PoseRow], FrameTable]:
    times = np.arange(len(names)) * step_s
    frames = FrameTable.from_times(np.arange(len(names)), times, processed=np.ones(len(names), np.bool_))
    nothing = np.zeros((33, 2), np.float32), np.ones(33, np.float32)
    return [PoseRow(n, float(times[n]), 7, 0.9, name, *nothing) for n, name in enumerate(names)], frames


def test_bouts_bridge_an_odd_pose_and_end_where_the_posture_changes() -> None:
    names: list[Posture | None] = ["sitting"] * 10
    names[4] = "standing"
    names[7] = None
    found = find_postures(*_rows([*names, *["standing"] * 10]))
    assert [(bout.track_id, bout.posture) for bout in found] == [(7, "sitting"), (7, "standing")]
    assert found[0].begin_s == pytest.approx(0) and found[0].end_s == pytest.approx(2.0, abs=0.21)
    assert found[1].end_s == pytest.approx(4.0, abs=0.21)
    assert found[0].share == pytest.approx(8 / 9)


def test_nobody_has_a_posture_where_no_pose_was_found_for_long() -> None:
    rows, frames = _rows(["sitting"] * 30)
    found = find_postures([*rows[:10], *rows[20:]], frames)
    assert len(found) == 2
    assert found[0].end_s <= 2.4 and found[1].begin_s >= 3.9
