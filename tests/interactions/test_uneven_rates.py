"""Relations in seconds, also where the rate of frames changes within a video or frames are missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.interactions.holding import displacement_px
from visionllm_interaction.interactions.pair_geometry import APPROACH_PER_S, approach_deficit
from visionllm_interaction.interactions.relations import find_relations
from visionllm_interaction.interactions.track_grid import median_filter, spread_over, stabilise_rest
from visionllm_interaction.video.tracking.postprocess import summarise_tracks

Floats = NDArray[np.float64]
ADULT = (100.0, 20.0, 130.0, 110.0)


def two_rates(*, change_s: float = 6.0, end_s: float = 16.0) -> Floats:
    """30 frames a second, then 6."""
    return np.concatenate([np.arange(0, change_s, 1 / 30), np.arange(change_s, end_s, 1 / 6)])


def frames_of(times: Floats) -> FrameTable:
    return FrameTable.from_times(np.arange(len(times)), times, processed=np.ones(len(times), np.bool_))


def bouts(times: Floats, child_x: Callable[[float], float | None], predicate: str) -> list[tuple[float, float]]:
    """Bouts of a child, 15 wide, whose left edge is at ``child_x``, and an adult; ``None``: not seen."""
    rows = [(n, 2, "caregiver", ADULT) for n in range(len(times))]
    for n, time_s in enumerate(times.tolist()):
        x = child_x(time_s)
        rows += [] if x is None else [(n, 1, "child", (x, 50.0, x + 15, 100.0))]
    rows.sort(key=lambda row: row[0])
    index = np.array([row[0] for row in rows])
    table = DetectionTable(
        index,
        times[index],
        np.array([row[2] for row in rows], dtype=object),
        np.full(len(rows), 0.8, np.float32),
        np.array([row[3] for row in rows], np.float32),
        np.array([row[1] for row in rows]),
    )
    frames = frames_of(times)
    found = find_relations(table, frames, summarise_tracks(table, frames, roles={}))
    return [(r.begin_s, r.end_s) for r in found if r.predicate == predicate]


def test_a_second_of_nearness_is_a_second_at_either_rate() -> None:
    times = two_rates()
    assert bouts(times, lambda t: 80.0 if 3 <= t < 4 else 2.0, "near") == [pytest.approx((3, 4), abs=0.04)]
    assert bouts(times, lambda t: 80.0 if 12 <= t < 13 else 2.0, "near") == [pytest.approx((12, 13), abs=0.17)]


@pytest.mark.parametrize("begin_s", [2.0, 10.0])
@pytest.mark.parametrize(("hidden_s", "count"), [(0.3, 1), (2.0, 2)])
def test_who_is_hidden_for_longer_than_the_limit_is_so_at_either_rate(
    begin_s: float, hidden_s: float, count: int
) -> None:
    found = bouts(two_rates(), lambda t: None if begin_s <= t < begin_s + hidden_s - 0.01 else 80.0, "near")
    assert len(found) == count


def test_speed_is_taken_per_second_at_either_rate() -> None:
    times = two_rates()
    slow = bouts(times, lambda t: 2.0 + 0.10 * 70 * min(max(t - 1.0, 0.0), 13.0) * 0.8, "approaching")
    assert slow == [], "a fifth of the limit is never approaching"
    quick = bouts(times, lambda t: 2.0 + 0.5 * 70 * min(max(t - 10.0, 0.0), 1.8), "approaching")
    assert len(quick) == 1 and quick[0] == pytest.approx((10.0, 11.8), abs=0.4)


def test_no_bout_goes_on_over_a_gap_in_the_time_stamps() -> None:
    times = np.concatenate([np.arange(0, 3, 0.04), np.arange(6, 9, 0.04)])
    assert bouts(times, lambda _: 80.0, "near") == [pytest.approx((0.0, 3.0)), pytest.approx((6.0, 9.0))]


def test_closing_is_blind_at_a_gap_and_at_both_ends() -> None:
    times = np.concatenate([np.arange(0, 2, 0.1), np.arange(5, 7, 0.1)])
    gap = 3.0 - 0.4 * times
    found = approach_deficit(gap, times, window_s=0.5)
    known = np.isfinite(found)
    assert not known[[0, 1, 19, 20, 38, 39]].any()
    assert known[3:17].all() and known[23:37].all()
    assert found[known] == pytest.approx(np.full(int(known.sum()), APPROACH_PER_S - 0.4))


@pytest.mark.parametrize("fps", [6.0, 10.0, 25.0, 30.0])
def test_displacement_is_that_of_the_time_whatever_the_rate(fps: float) -> None:
    times = np.arange(0, 4, 1 / fps)
    boxes = np.stack([50 * times, 0 * times, 50 * times + 10, 0 * times + 10], axis=1)
    moved = displacement_px(boxes, times, window_s=0.24)
    assert moved[4:-4, 0] == pytest.approx(np.full(len(times) - 8, 12.0))
    assert (moved[:, 1] == 0).all()


def test_windows_of_several_lengths_in_one_filter() -> None:
    values = np.array([[0.0], [9.0], [0.0], [9.0], [9.0]])
    assert median_filter(values, np.array([0, 1, 0, 1, 0]), np.array([0, 1, 0, 1, 0])).ravel().tolist() == [
        0,
        0,
        0,
        9,
        9,
    ]
    assert median_filter(values, 0, 0) is values


def test_spreads_are_those_of_windows_of_any_length() -> None:
    rng = np.random.default_rng(1)
    column, steps = rng.normal(size=60), rng.integers(2, 25, size=60)
    column[33] = np.nan
    expected = [np.ptp(column[n : n + s]) if n + s <= 60 else np.nan for n, s in enumerate(steps.tolist())]
    np.testing.assert_allclose(spread_over(column, steps), expected)
    rest = stabilise_rest(np.zeros((10, 1)) + 0.001 * np.arange(10)[:, None], tolerance=1.0, steps=np.full(10, 4))
    assert len(np.unique(rest)) == 1
