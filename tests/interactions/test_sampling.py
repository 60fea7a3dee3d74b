"""Relations and events at low rates of processed frames, at tables and at the lower edge."""

from __future__ import annotations

import numpy as np
import pytest
from test_relations import HEIGHT, box, frames_at, of, scene

from visionllm_interaction.core.frame_table import NOT_SAMPLED, OK, FrameTable
from visionllm_interaction.interactions.sampling_error import expected_errors, unknown_at


def sampled(every: int, seconds: float) -> FrameTable:
    """25 frames a second, of which every ``every``-th was processed."""
    frames = frames_at(25, seconds)
    processed = frames.frame_index % every == 0
    notes = tuple(OK if one else NOT_SAMPLED for one in processed.tolist())
    return FrameTable.from_times(frames.frame_index, frames.timestamp_s, processed=processed, quality=notes)


@pytest.mark.parametrize("every", [1, 5, 6])
def test_a_bout_begins_between_frames_that_are_far_apart(every: int) -> None:
    # The gap closes from 140 to 0 px in 2.13 to 4.13 s and opens from 7.07 to 9.07 s: near at 50 px.
    frames = sampled(every, 12)
    t, n = frames.timestamp_s, len(frames)
    x = np.interp(t, [0, 2.13, 4.13, 7.07, 9.07, 12], [100, 100, 240, 240, 100, 100])
    relations, _ = scene(
        frames, {1: ("child", box(300, 100, 60, HEIGHT, n)), 2: ("caregiver", box(x, 100, 60, HEIGHT, n))}
    )
    [(_, _, begin, end)] = of(relations, "near")
    assert (begin, end) == (pytest.approx(3.42, abs=0.06), pytest.approx(7.78, abs=0.06))


def test_where_no_frame_was_left_out_a_frame_stands_for_the_time_until_the_next() -> None:
    # A video of six frames a second: near in four frames, from 3 s on.
    frames = frames_at(6, 8)
    t, n = frames.timestamp_s, len(frames)
    x = np.where((t > 2.99) & (t < 3.6), 240.0, 20.0)
    things = {1: ("child", box(300, 100, 60, HEIGHT, n)), 2: ("caregiver", box(x, 100, 60, HEIGHT, n))}
    [(_, _, begin, end)] = of(scene(frames, things)[0], "near")
    assert (begin, end) == (pytest.approx(3.0), pytest.approx(3.0 + 4 / 6))


@pytest.mark.parametrize("every", [1, 5])
def test_holding_is_from_lifting_to_putting_down_at_five_frames_a_second(every: int) -> None:
    frames = sampled(every, 10)
    t, n = frames.timestamp_s, len(frames)
    y = np.interp(t, [0, 2, 2.6, 5, 5.6, 10], [280, 280, 180, 180, 280, 280.0])
    relations, _ = scene(frames, {1: ("child", box(100, 100, 60, HEIGHT, n)), 2: ("cup", box(150, y, 20, 20, n))})
    [(_, _, begin, end)] = of(relations, "holding")
    assert (begin, end) == (pytest.approx(2.0, abs=0.2), pytest.approx(5.6, abs=0.2))


@pytest.mark.parametrize(("to", "until"), [(220.0, 6.6), (180.0, 12.0)])
def test_what_was_set_down_on_a_table_is_not_held_until_the_end(to: float, until: float) -> None:
    # Lifted at 2 s, carried, and from 6 s on lowered to a table (or kept up); the person stays beside it.
    frames = frames_at(25, 12)
    t, n = frames.timestamp_s, len(frames)
    y = np.interp(t, [0, 2, 2.6, 6, 6.6, 12], [280, 280, 180, 180, to, to])
    x = np.interp(t, [0, 3, 5, 12], [100, 100, 300, 300.0])
    things = {1: ("child", box(x, 100, 60, HEIGHT, n)), 2: ("cup", box(x + 50, y, 20, 20, n))}
    [(_, _, begin, end)] = of(scene(frames, things)[0], "holding")
    assert (begin, end) == (pytest.approx(2.0, abs=0.2), pytest.approx(until, abs=0.2))


def test_what_lies_on_the_floor_behind_somebody_who_walked_to_the_front_is_not_held() -> None:
    # Carried and put down at 4.6 s; then the person comes nearer: the feet are lower in the image than the toy.
    frames = frames_at(25, 12)
    t, n = frames.timestamp_s, len(frames)
    y = np.interp(t, [0, 2, 2.6, 4, 4.6, 12], [280, 280, 180, 180, 280, 280.0])
    top = np.interp(t, [0, 7, 8, 12], [100, 100, 200, 200.0])
    things = {1: ("child", box(100, top, 60, HEIGHT, n)), 2: ("cup", box(150, y, 20, 20, n))}
    [(_, _, begin, end)] = of(scene(frames, things)[0], "holding")
    assert (begin, end) == (pytest.approx(2.0, abs=0.2), pytest.approx(4.6, abs=0.2))


@pytest.mark.parametrize(("grows", "kinds"), [(True, ["enters"]), (False, [])])
def test_who_walks_in_from_below_enters_and_who_stands_in_front_does_not(grows: bool, kinds: list[str]) -> None:
    frames = frames_at(10, 12)
    t, n = frames.timestamp_s, len(frames)
    share = np.clip((t - 3) / 2, 0, 1) if grows else np.zeros(n)
    top = 380 - 280 * share if grows else np.full(n, 277.0)
    person = np.stack([np.full(n, 300.0), top, np.full(n, 360.0), 477.0 - 60 * share], axis=1)  # the image is 480 high
    person[t < 3] = np.nan
    _, events = scene(frames, {1: ("person", person)})
    assert [event.kind for event in events] == kinds


def test_what_a_rate_does_not_show_is_not_known() -> None:
    assert unknown_at(0.04) == {} == unknown_at(0.2) and unknown_at(None) == {}
    assert "holding" in unknown_at(1.0) and "enters" not in unknown_at(1.0) and "enters" in unknown_at(2.0)
    assert "near" not in unknown_at(5.0)
    assert set(expected_errors(0.2)) == {"visible", "near", "in_contact", "holding"}
    assert "holding" not in expected_errors(1.0) and expected_errors(10.0) == {} == expected_errors(None)
