"""Relations and events on motions whose answers follow from arithmetic."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import OK, UNCHANGED, FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation
from visionllm_interaction.interactions.config import EventsConfig, RelationsConfig, ScenesConfig
from visionllm_interaction.interactions.dyadic_events import find_joint_handling
from visionllm_interaction.interactions.events import find_events
from visionllm_interaction.interactions.relations import find_relations
from visionllm_interaction.interactions.spans import Span, bridge, clean_spans, hysteresis
from visionllm_interaction.interactions.track_grid import median_filter, stabilise_rest
from visionllm_interaction.video.tracking.postprocess import summarise_tracks

SIZE = (640, 480)
HEIGHT = 200.0
Boxes = NDArray[np.float64]


def frames_at(fps: float, seconds: float) -> FrameTable:
    n = round(fps * seconds)
    return FrameTable.from_times(np.arange(n), np.arange(n) / fps, processed=np.ones(n, bool))


def box(x: NDArray[np.float64] | float, y: NDArray[np.float64] | float, w: float, h: float, n: int) -> Boxes:
    """(n, 4) boxes with the upper left corner at x, y."""
    x, y = np.broadcast_to(x, n), np.broadcast_to(y, n)
    return np.stack([x, y, x + w, y + h], axis=1)


def scene(
    frames: FrameTable, things: dict[int, tuple[str, Boxes]], config: EventsConfig = EventsConfig()
) -> tuple[list[Relation], list[Event]]:
    """Relations and events of things by track id; NaN boxes are not seen."""
    rows = [
        (index, track_id, category, boxes[index])
        for track_id, (category, boxes) in things.items()
        for index in np.flatnonzero(frames.processed).tolist()
        if np.isfinite(boxes[index]).all()
    ]
    rows.sort(key=lambda r: (r[0], r[1]))
    index = np.array([r[0] for r in rows])
    table = DetectionTable(
        index,
        frames.timestamp_s[index],
        np.array([r[2] for r in rows], dtype=object),
        np.full(len(rows), 0.8, np.float32),
        np.array([r[3] for r in rows], np.float32),
        np.array([r[1] for r in rows]),
    )
    tracks = summarise_tracks(table, frames, roles={})
    relations = find_relations(table, frames, tracks)
    return relations, find_events(table, frames, tracks, relations=relations, size_px=SIZE, config=config)


def passed_over(frames: FrameTable, things: dict[int, tuple[str, Boxes]], *, most: int) -> FrameTable:
    """The same frames, those passed over in which all is where it was; at most ``most`` in a row."""
    looked = [True]
    for n in range(1, len(frames)):
        same = all(np.array_equal(boxes[n], boxes[n - 1], equal_nan=True) for _, boxes in things.values())
        looked.append(not same or not any(looked[-most:]))
    notes = tuple(OK if look else UNCHANGED for look in looked)
    return FrameTable.from_times(frames.frame_index, frames.timestamp_s, processed=np.array(looked), quality=notes)


def of(relations: list[Relation], predicate: str) -> list[tuple[int, int, float, float]]:
    return [(r.subject_track_id, r.object_track_id, r.begin_s, r.end_s) for r in relations if r.predicate == predicate]


@pytest.mark.parametrize("fps", [10.0, 25.0, 30.0])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_near_and_contact_are_the_same_at_any_rate_size_and_side(fps: float, mirrored: bool, scale: float) -> None:
    frames = frames_at(fps, 10)
    t, n = frames.timestamp_s, len(frames)
    # The gap to the ball is 100 - 20 t: near from 2.5 s (50 px), in contact from 4.8 s (4 px) on.
    child, ball = box(20 * t, 100, 60, HEIGHT, n), box(160, 250, 30, 30, n)
    if mirrored:
        for boxes in (child, ball):
            boxes[:, [0, 2]] = SIZE[0] - boxes[:, [2, 0]]
    relations, _ = scene(frames, {1: ("child", child * scale), 2: ("ball", ball * scale)})
    [(subject, other, near, end)] = of(relations, "near")
    assert (subject, other, end) == (1, 2, 10.0)
    assert near == pytest.approx(2.5, abs=1 / fps + 1e-6)
    [(_, _, touch, _)] = of(relations, "in_contact")
    assert touch == pytest.approx(4.8, abs=1 / fps + 1e-6)


def test_the_lower_id_of_two_people_is_the_subject_and_things_have_no_relations() -> None:
    frames = frames_at(25, 2)
    n = len(frames)
    things = {
        5: ("child", box(100, 100, 60, HEIGHT, n)),
        3: ("caregiver", box(150, 100, 60, HEIGHT, n)),
        1: ("cup", box(400, 300, 20, 20, n)),
        2: ("ball", box(425, 300, 20, 20, n)),
    }
    relations, _ = scene(frames, things)
    assert of(relations, "near") == [(3, 5, 0.0, 2.0)] == of(relations, "in_contact")
    assert [r.confidence for r in relations] == pytest.approx([0.8] * len(relations))


def test_shaking_at_the_limit_is_one_bout() -> None:
    frames = frames_at(25, 4)
    n = len(frames)
    shake = np.random.default_rng(1).normal(0, 1.0, n)
    relations, _ = scene(
        frames, {1: ("child", box(0, 100, 60, HEIGHT, n)), 2: ("cup", box(109 + shake, 250, 20, 20, n))}
    )
    assert len(of(relations, "near")) == 1


def carried(frames: FrameTable) -> dict[int, tuple[str, Boxes]]:
    """At 2 s the child lifts the cup for 0.5 s, stands until 3.5 s, carries it to the right until 5.5 s, lowers it
    until 6 s, stands beside it until 7 s and walks on."""
    t, n = frames.timestamp_s, len(frames)
    knots = [0, 3.5, 5.5, 7, 9, 10]
    x = np.interp(t, knots, [100, 100, 300, 300, 500, 500])
    cup_x = np.interp(t, [0, 3.5, 5.5, 10], [150, 150, 350, 350])
    cup_y = np.interp(t, [0, 2, 2.5, 5.5, 6, 10], [280, 280, 180, 180, 280, 280])
    return {1: ("child", box(x, 100, 60, HEIGHT, n)), 2: ("cup", box(cup_x, cup_y, 20, 20, n))}


@pytest.mark.parametrize("fps", [10.0, 25.0, 30.0])
def test_holding_is_from_lifting_to_putting_down(fps: float) -> None:
    relations, events = scene(frames_at(fps, 10), carried(frames_at(fps, 10)))
    [(subject, thing, begin, end)] = of(relations, "holding")
    assert (subject, thing) == (1, 2)
    assert (begin, end) == (pytest.approx(2.0, abs=0.2), pytest.approx(6.0, abs=0.2))
    assert [(e.kind, e.track_ids) for e in events] == [("picks_up", (1, 2)), ("puts_down", (1, 2))]
    assert [e.begin_s for e in events] == [begin, end]


@pytest.mark.parametrize("min_absence_s", [0.0, 0.5, 60.0])
def test_how_long_people_are_away_does_not_decide_what_is_picked_up(min_absence_s: float) -> None:
    config = EventsConfig(min_absence_s=min_absence_s, in_sight_s=1.0)
    _, events = scene(frames_at(10, 10), carried(frames_at(10, 10)), config)
    assert [e.kind for e in events] == ["picks_up", "puts_down"]


@pytest.mark.parametrize("brought", [False, True])
def test_what_is_carried_out_of_sight_or_brought_along_is_neither_put_down_nor_picked_up(brought: bool) -> None:
    frames = frames_at(10, 12)
    t, n = frames.timestamp_s, len(frames)
    # A child takes a cup and walks off with it to the left; it is lost a moment before the cup. Or all of it backwards.
    x = np.interp(t, [0, 3.5, 6, 12], [300, 300, 20, 20])
    child, cup = box(x, 100, 60, HEIGHT, n), box(x + 50, np.interp(t, [0, 2, 2.5, 12], [280, 280, 180, 180]), 20, 20, n)
    child[t > 6.0], cup[t > 6.25] = np.nan, np.nan
    if brought:
        child, cup = child[::-1].copy(), cup[::-1].copy()
    relations, events = scene(frames, {1: ("child", child), 2: ("cup", cup)})
    assert len(of(relations, "holding")) == 1
    kinds = {event.kind for event in events}
    assert kinds & {"picks_up", "puts_down"} == ({"puts_down"} if brought else {"picks_up"})


def test_standing_beside_or_passing_in_front_is_not_holding() -> None:
    frames = frames_at(25, 6)
    t, n = frames.timestamp_s, len(frames)
    cup = box(300, 280, 20, 20, n)
    walker = box(50 + 80 * t, 100, 60, HEIGHT, n)
    covered = (walker[:, 0] < 320) & (walker[:, 2] > 300)
    cup[covered, 0] = np.minimum(np.maximum(cup[covered, 0], walker[covered, 2]), 318)
    relations, events = scene(frames, {1: ("child", walker), 2: ("cup", cup)})
    assert len(of(relations, "in_contact")) == 1
    assert of(relations, "holding") == [] == events


def test_a_thing_given_changes_hands_once() -> None:
    frames = frames_at(25, 10)
    t, n = frames.timestamp_s, len(frames)
    # Lifted at 1 s, brought 40 px towards the other from 4 to 5 s, taken 50 px further until 5.6 s; then A walks off.
    thing_x = np.interp(t, [0, 4, 4.9, 5.0, 5.6, 10], [150, 150, 188, 190, 235, 235])
    thing_y = np.interp(t, [0, 1, 1.5, 10], [280, 280, 200, 200])
    hand_a = np.interp(t, [0, 4, 5, 5.3, 10], [160, 160, 195, 160, 160])
    hand_b = np.interp(t, [0, 4.2, 4.9, 5.6, 10], [260, 260, 200, 240, 240])
    away = np.interp(t, [0, 6.5, 8, 10], [0, 0, -90, -90])
    a = np.stack([100 + away, np.full(n, 100.0), hand_a + away, np.full(n, 300.0)], axis=1)
    b = np.stack([hand_b, np.full(n, 100.0), np.full(n, 320.0), np.full(n, 300.0)], axis=1)
    relations, events = scene(
        frames, {1: ("caregiver", a), 2: ("child", b), 3: ("ball", box(thing_x, thing_y, 20, 20, n))}
    )
    first, second = sorted(of(relations, "holding"), key=lambda h: h[2])
    assert (first[0], second[0]) == (1, 2)
    assert first[3] == second[2] == pytest.approx(5.0, abs=0.3)
    moments = [(e.kind, e.track_ids) for e in events if e.kind in ("picks_up", "hands_over", "puts_down")]
    assert moments == [("picks_up", (1, 3)), ("hands_over", (1, 2, 3))]
    assert second[3] == 10.0  # still off the floor when the video ends


def test_what_one_holds_and_another_touches_is_handled_jointly() -> None:
    relations = [
        Relation(1, "holding", 9, 1.0, 5.0, 0.9),
        Relation(1, "in_contact", 9, 0.5, 6.0, 0.9),
        Relation(2, "in_contact", 9, 4.0, 6.0, 0.7),
        Relation(2, "in_contact", 9, 1.0, 1.3, 0.9),  # too short
        Relation(3, "in_contact", 8, 1.0, 5.0, 0.9),  # another thing
    ]
    assert find_joint_handling(relations, EventsConfig()) == [(4.0, "joint_handling", (1, 2, 9), 5.0, 0.7)]


def test_coming_and_going() -> None:
    frames = frames_at(25, 10)
    t, n = frames.timestamp_s, len(frames)
    left = np.clip(-200 + 100 * t, 0, 250)
    right = np.clip(left + 80 - np.clip(80 - (-200 + 100 * t + 80), 0, 80), 0, 330)
    walker = np.stack([left, np.full(n, 100.0), np.maximum(right, left + 1), np.full(n, 300.0)], axis=1)
    walker[t < 1.4] = np.nan  # in at the left, at 1.4 s
    walker[t >= 8.0] = np.nan  # out of sight in the middle of the room: hidden, not gone
    stayer = box(400, 100, 60, HEIGHT, n)
    leaver = box(np.clip(300 + 60 * t, 0, 579), 50, 60, HEIGHT, n)
    leaver[t >= 6.0] = np.nan
    _, events = scene(frames, {1: ("child", walker), 2: ("caregiver", stayer), 3: ("caregiver", leaver)})
    moves = [(e.kind, e.track_ids, round(e.begin_s, 2)) for e in events if e.kind in ("enters", "leaves")]
    assert moves == [
        ("enters", (1,), 1.4),
        ("leaves", (3,), 6.0),
    ]


@pytest.mark.parametrize("fps", [10.0, 25.0, 30.0])
def test_who_moves_approaches_and_withdraws(fps: float) -> None:
    frames = frames_at(fps, 12)
    t, n = frames.timestamp_s, len(frames)
    # The gap is 140 px, closes from 2 to 4 s to 0, opens from 7 to 9 s: near at 50 px: from 3.29 s
    # until 7.71 s.
    walker = box(np.interp(t, [0, 2, 4, 7, 9, 12], [100, 100, 240, 240, 100, 100]), 100, 60, HEIGHT, n)
    relations, events = scene(frames, {1: ("child", box(300, 100, 60, HEIGHT, n)), 2: ("caregiver", walker)})
    assert [(e.kind, e.track_ids) for e in events] == [("approaches", (2, 1)), ("withdraws", (2, 1))]
    assert [e.begin_s for e in events] == [
        pytest.approx(3.29, abs=1 / fps + 0.02),
        pytest.approx(7.71, abs=1 / fps + 0.02),
    ]
    [(_, _, begin, end)] = of(relations, "approaching")
    assert (begin, end) == (pytest.approx(2.0, abs=0.3), pytest.approx(4.0, abs=0.1))


@pytest.mark.parametrize("fps", [10.0, 25.0, 30.0])
def test_places_follow_from_the_boxes(fps: float) -> None:
    frames = frames_at(fps, 10)
    t, n = frames.timestamp_s, len(frames)
    # The ball, 20 px wide, goes from 100 to 300 px; the child stands from 180 to 240 px.
    ball = box(100 + 20 * t, 150, 20, 20, n)
    relations, _ = scene(frames, {1: ("child", box(180, 100, 60, HEIGHT, n)), 2: ("ball", ball)})
    step = 1 / fps + 0.06  # the slack of 0.02 heights takes another 0.2 s at most of leaving
    # Centre of the ball beyond the left edge, centre of the child beyond its right edge: until 110 + 20 t = 180.
    assert of(relations, "right_of") == [(1, 2, 0.0, pytest.approx(3.5, abs=0.2 + step))]
    assert of(relations, "left_of") == [(1, 2, pytest.approx(6.5, abs=step), 10.0)]
    # 0.9 of its 20 px are beyond 180 px at 3.9 s, and less than that within 240 px after 6.1 s.
    [(thing, person, begin, end)] = of(relations, "inside")
    assert (thing, person) == (2, 1)
    assert (begin, end) == (pytest.approx(3.9, abs=step), pytest.approx(6.1, abs=step))
    assert [b[:2] for b in of(relations, "overlaps")] == [(1, 2), (1, 2)]
    assert of(relations, "above") == [] == of(relations, "below")


def test_above_and_below_are_seen_from_the_subject() -> None:
    frames = frames_at(25, 2)
    n = len(frames)
    things = {1: ("child", box(100, 200, 60, HEIGHT, n)), 2: ("cup", box(110, 100, 20, 20, n))}
    relations, _ = scene(frames, things)
    assert of(relations, "below") == [(1, 2, 0.0, 2.0)]
    assert of(relations, "above") == [] == of(relations, "inside")


def test_placement_can_be_left_out() -> None:
    frames = frames_at(25, 2)
    boxes = box(100, 100, 60, HEIGHT, len(frames))
    index = np.arange(len(frames))
    table = DetectionTable(
        np.repeat(index, 2),
        np.repeat(frames.timestamp_s, 2),
        np.array(["child", "cup"] * len(frames), dtype=object),
        np.full(2 * len(frames), 0.8, np.float32),
        np.repeat(boxes, 2, axis=0).astype(np.float32),
        np.tile([1, 2], len(frames)),
    )
    config = ScenesConfig(relations=RelationsConfig(placement=False))
    found = find_relations(table, frames, summarise_tracks(table, frames, roles={}), config=config)
    assert {r.predicate for r in found} == {"near", "in_contact"}


def test_hysteresis_holds_between_its_limits_and_ends_at_the_unknown() -> None:
    values = np.array([5, 1, 2, 2, 4, 2, 1, np.nan, 2, 1], dtype=float)
    assert hysteresis(values, enter=1.0, leave=3.0).tolist() == [
        *[False, True, True, True, False],
        *[False, True, False, False, True],
    ]
    assert hysteresis(np.zeros(0), enter=1, leave=2).tolist() == []


def test_short_stretches_of_the_unknown_take_the_larger_neighbour() -> None:
    values = np.array([np.nan, 1, np.nan, np.nan, 3, np.nan, np.nan, np.nan, 2, np.nan])
    expected = [np.nan, 1, 3, 3, 3, np.nan, np.nan, np.nan, 2, np.nan]
    times = np.arange(11) / 25
    bridged = bridge(values, times[:-1], times[1:], longest_s=np.full(10, 2.4 / 25))
    np.testing.assert_array_equal(bridged, expected)
    assert np.isnan(values[2])  # what was given is as it was


@pytest.mark.parametrize(("hidden_s", "apart", "bouts"), [(0.4, False, 1), (0.6, False, 2), (0.4, True, 1)])
def test_a_bout_goes_on_while_somebody_is_hidden_for_a_moment(hidden_s: float, apart: bool, bouts: int) -> None:
    frames = frames_at(25, 6)
    child = box(100, 200, 80, HEIGHT, len(frames))
    toy = box(200, 350, 30, 30, len(frames))
    begin, end = 50, 50 + round(25 * hidden_s)
    child[begin:end] = np.nan
    if apart:  # who comes back elsewhere was not near to the end of his absence
        child[end:] -= [90, 0, 90, 0]
    relations, _ = scene(frames, {1: ("child", child), 2: ("cup", toy)})
    found = of(relations, "near")
    assert len(found) == bouts
    if apart:
        assert found[0][3] == pytest.approx(2.0, abs=0.05)
    else:
        seen_s = 6.0 if bouts == 1 else 6.0 - hidden_s
        assert sum(end_s - begin_s for _, _, begin_s, end_s in found) == pytest.approx(seen_s, abs=0.05)


def test_spans_are_joined_then_cleaned() -> None:
    spans = [Span(0, 1), Span(1.1, 1.2), Span(2, 2.1), Span(2.3, 2.4)]
    assert clean_spans(spans, merge_gap_s=0.19, min_duration_s=0.2) == [Span(0, 1.2)]
    assert clean_spans(spans, merge_gap_s=0.2, min_duration_s=0.2) == [Span(0, 1.2), Span(2, 2.4)]


def test_a_gap_of_exactly_the_limit_closes_at_every_frame_rate() -> None:
    for begin in range(0, 500, 7):
        spans = [Span(begin / 25, (begin + 10) / 25), Span((begin + 15) / 25, (begin + 30) / 25)]
        assert len(clean_spans(spans, merge_gap_s=0.2, min_duration_s=0.2)) == 1
        shorter = [Span(begin / 25, (begin + 10) / 25), Span((begin + 16) / 25, (begin + 21) / 25)]
        assert len(clean_spans(shorter, merge_gap_s=0.2, min_duration_s=0.2)) == 2


def test_the_median_takes_out_a_spike_and_keeps_the_unseen() -> None:
    values = np.array([[1.0], [1.0], [9.0], [1.0], [np.nan], [2.0]])
    smooth = median_filter(values, 1, 1)
    assert smooth[[0, 1, 2, 3, 5], 0].tolist() == [1, 1, 1, 5, 2]
    assert np.isnan(smooth[4, 0])


def test_the_median_of_nothing_warns_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters of warnings are shared by the threads of a service: another one may just take this one's away."""
    monkeypatch.setattr(warnings, "filterwarnings", lambda *_, **__: None)
    values = np.array([[1.0, 1.0], *[[np.nan, np.nan]] * 5, [np.nan, 2.0], [3.0, 4.0]])
    smooth = median_filter(values, 1, 1)
    assert smooth[0].tolist() == [1.0, 1.0] and np.isnan(smooth[1:6]).all()
    assert np.isnan(smooth[6, 0]) and smooth[6, 1] == 3.0 and smooth[7].tolist() == [3.0, 3.0]


def test_what_keeps_still_is_at_its_median_and_what_moves_is_left_alone() -> None:
    rng = np.random.default_rng(3)
    path = np.concatenate([np.zeros(50), np.linspace(0, 60, 30), np.full(60, 60.0)])
    seen = np.stack([path + rng.normal(0, 0.3, len(path)), path], axis=1)
    seen[20, 0] = np.nan
    rest = stabilise_rest(seen, tolerance=2.0, steps=10)
    for stretch, value in ((slice(0, 20), 0.0), (slice(21, 50), 0.0), (slice(80, 140), 60.0)):
        assert np.ptp(rest[stretch, 0]) == 0.0
        assert rest[stretch.start, 0] == pytest.approx(value, abs=0.2)
    assert np.array_equal(rest[55:75], seen[55:75])
    assert np.isnan(rest[20, 0])
    assert np.array_equal(stabilise_rest(seen, tolerance=0.0, steps=10), seen, equal_nan=True)


@pytest.mark.parametrize("speed", [0.001, 0.01, 0.1])
def test_what_creeps_is_never_further_off_than_the_tolerance(speed: float) -> None:
    path = speed * np.arange(4000.0)[:, None]
    rest = stabilise_rest(path, tolerance=2.0, steps=25)
    assert np.abs(rest - path).max() <= 2.0
    assert (np.diff(rest[:, 0]) >= 0).all()


def test_a_detector_that_wavers_about_the_limit_neither_makes_nor_breaks_bouts() -> None:
    frames = frames_at(25, 20)
    n = len(frames)
    rng = np.random.default_rng(5)
    child = box(100.0, 100, 60, HEIGHT, n)
    for gap_px, bouts in ((49.9, 1), (50.2, 0)):  # near is 50 pixels
        block = box(160 + gap_px, 250, 30, 30, n) + rng.normal(0, 0.5, (n, 1))
        relations, _ = scene(frames, {1: ("child", child), 2: ("block", block)})
        assert len(of(relations, "near")) == bouts
        assert all(end - begin == pytest.approx(20.0) for _, _, begin, end in of(relations, "near"))


def test_what_is_passed_over_because_nothing_changed_changes_nothing() -> None:
    # A child stands, walks up to a ball, stands, carries it away, stands; the caregiver is hidden for a while.
    frames = frames_at(25.0, 12.0)
    n = len(frames)
    x = np.interp(frames.timestamp_s, [0, 2, 3.5, 6, 7, 12], [60, 60, 300, 300, 420, 420])
    ball_x = np.interp(frames.timestamp_s, [0, 6, 7, 12], [330, 330, 450, 450])
    caregiver = box(500.0, 200.0, 80, HEIGHT, n)
    caregiver[100:180] = np.nan
    things = {
        1: ("child", box(x, 200.0, 60, HEIGHT, n)),
        2: ("ball", box(ball_x, 320.0, 30, 30, n)),
        3: ("caregiver", caregiver),
    }
    adaptive = passed_over(frames, things, most=12)
    assert adaptive.processed.sum() < n / 2
    whole, fewer = scene(frames, things), scene(adaptive, things)
    assert {r.predicate for r in whole[0]} >= {"near", "in_contact", "holding", "approaching"}
    assert whole == fewer
