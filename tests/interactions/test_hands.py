"""Several people touch a thing: whose hands is it in?"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from test_relations import HEIGHT, Boxes, box, frames_at, of, scene

A, B, CUP = 1, 2, 3
FLOOR_Y, HAND_Y = 280.0, 180.0


def play(
    fps: float,
    *,
    cup_x: NDArray[np.float64],
    cup_y: NDArray[np.float64],
    a_x: NDArray[np.float64],
    b_x: NDArray[np.float64],
) -> tuple[list[tuple[int, float, float]], list[tuple[str, tuple[int, ...]]]]:
    """Holders with begin and end, and who picks up, puts down and hands over.

    Places are those at 0, 2, 2.5, 4, 4.5, 7, 7.5, 8 and 10 s.
    """
    frames = frames_at(fps, 10)
    t, n = frames.timestamp_s, len(frames)

    def over_time(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(t, [0, 2, 2.5, 4, 4.5, 7, 7.5, 8, 10], values)

    def person(x: NDArray[np.float64]) -> Boxes:
        return box(x, 100, 60, HEIGHT, n)

    things = {
        A: ("child", person(over_time(a_x))),
        B: ("caregiver", person(over_time(b_x))),
        CUP: ("cup", box(over_time(cup_x), over_time(cup_y), 20, 20, n)),
    }
    relations, events = scene(frames, things)
    holders = [(subject, begin, end) for subject, _, begin, end in sorted(of(relations, "holding"), key=lambda h: h[2])]
    kinds = ("picks_up", "puts_down", "hands_over")
    return holders, [(e.kind, e.track_ids) for e in sorted(events, key=lambda e: e.begin_s) if e.kind in kinds]


@pytest.mark.parametrize("fps", [10.0, 25.0])
def test_what_one_puts_down_another_picks_up_later_though_both_touch_it_then(fps: float) -> None:
    # A lifts it at 2 s, has put it down at 4.5 s and stays; B comes, lifts it at 7 s and walks off with it at 8 s.
    holders, events = play(
        fps,
        cup_x=np.array([150, 150, 150, 150, 150, 150, 150, 150, 350.0]),
        cup_y=np.array([FLOOR_Y, FLOOR_Y, HAND_Y, HAND_Y, FLOOR_Y, FLOOR_Y, HAND_Y, HAND_Y, HAND_Y]),
        a_x=np.full(9, 100.0),
        b_x=np.array([255] * 5 + [155, 155, 155, 355.0]),
    )
    assert events == [("picks_up", (A, CUP)), ("puts_down", (A, CUP)), ("picks_up", (B, CUP))]
    assert holders == [
        (A, pytest.approx(2.0, abs=0.2), pytest.approx(4.5, abs=0.2)),
        (B, pytest.approx(7.0, abs=0.2), 10.0),
    ]


@pytest.mark.parametrize("fps", [10.0, 25.0])
def test_who_stands_beside_when_another_picks_it_up_has_done_nothing(fps: float) -> None:
    # A has touched it for longer and touches it while B lifts it at 7 s; B alone has it when he walks off.
    holders, events = play(
        fps,
        cup_x=np.array([150, 150, 150, 150, 150, 150, 150, 150, 350.0]),
        cup_y=np.array([FLOOR_Y] * 6 + [HAND_Y] * 3),
        a_x=np.full(9, 100.0),
        b_x=np.array([155] * 8 + [355.0]),
    )
    assert events == [("picks_up", (B, CUP))]
    assert holders == [(B, pytest.approx(7.0, abs=0.2), 10.0)]


@pytest.mark.parametrize("fps", [10.0, 25.0])
def test_what_is_held_still_in_the_air_was_not_put_down(fps: float) -> None:
    # A carries it to B at 2 to 2.5 s; they stand, both touching it, until B walks off with it at 8 s.
    holders, events = play(
        fps,
        cup_x=np.array([10, 50, 150, 150, 150, 150, 150, 150, 350.0]),
        cup_y=np.full(9, HAND_Y),
        a_x=np.array([-40, 0, 100, 100, 100, 100, 100, 100, 100.0]),
        b_x=np.array([160] * 8 + [360.0]),
    )
    assert [holder for holder, _, _ in holders] == [A, B] and holders[-1][2] == 10.0
    assert "puts_down" not in {kind for kind, _ in events} and ("hands_over", (A, B, CUP)) in events
