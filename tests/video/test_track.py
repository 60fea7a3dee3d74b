"""Tracking on closed-form motions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import OK, UNCHANGED, FrameTable
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.tracking.linking import link
from visionllm_interaction.video.tracking.postprocess import postprocess_tracklets, summarise_tracks, track

Path_ = dict[int, tuple[float, float]]


def frames_at(fps: float, seconds: float) -> FrameTable:
    n = round(fps * seconds)
    return FrameTable.from_times(np.arange(n), np.arange(n) / fps, processed=np.ones(n, bool))


def table(
    frames: FrameTable, things: list[tuple[str, NDArray[np.float64], float]], *, size: float = 40
) -> DetectionTable:
    """Things as (category, centre x per frame with NaN where not seen, y); boxes are ``size`` squares."""
    rows = [
        (index, category, x[index], y)
        for category, x, y in things
        for index in range(len(frames))
        if np.isfinite(x[index])
    ]
    rows.sort(key=lambda r: r[0])
    x, y = np.array([r[2] for r in rows]), np.array([r[3] for r in rows])
    half = size / 2
    index = np.array([r[0] for r in rows])
    return DetectionTable(
        index,
        frames.timestamp_s[index],
        np.array([r[1] for r in rows], dtype=object),
        np.full(len(rows), 0.9, np.float32),
        np.stack([x - half, y - half, x + half, y + half], axis=1).astype(np.float32),
        np.full(len(rows), UNTRACKED),
    )


@pytest.mark.parametrize("fps", [5.0, 10.0, 25.0, 30.0])
def test_two_things_that_cross_keep_their_tracks_at_any_rate(fps: float) -> None:
    frames = frames_at(fps, 6)
    t = frames.timestamp_s
    found = track(table(frames, [("child", 50 + 80 * t, 100), ("caregiver", 530 - 80 * t, 100)]), frames)
    tracks = summarise_tracks(found, frames, roles={"child": "child"})
    assert [(k.category, k.role, k.n_detections) for k in tracks] in (
        [("child", "child", len(frames)), ("caregiver", None, len(frames))],
        [("caregiver", None, len(frames)), ("child", "child", len(frames))],
    )
    assert {(k.begin_s, round(k.end_s, 6)) for k in tracks} == {(0.0, 6.0)}


def test_who_stops_before_frames_are_passed_over_is_still_there_after_them() -> None:
    every = frames_at(25, 2)
    n = np.arange(len(every))
    x = np.minimum(50.0 + 25.0 * n, 300.0)  # stops in frame 10; nothing changes from then on
    looked = (n <= 10) | (n % 12 == 11)
    notes = tuple(OK if look else UNCHANGED for look in looked)
    frames = FrameTable.from_times(n, every.timestamp_s, processed=looked, quality=notes)
    found = link(table(frames, [("child", np.where(looked, x, np.nan), 100)]), frames, config=TrackConfig())
    # once it is confirmed, in its second frame, it keeps its number; moving on at its speed it would be 300 px away
    assert set(found[1:].tolist()) == {1}


def test_the_first_sighting_belongs_to_the_track() -> None:
    frames = frames_at(25, 2)
    x = np.where(frames.timestamp_s >= 0.5, 100.0, np.nan)
    [only] = summarise_tracks(track(table(frames, [("ball", x, 50)]), frames), frames, roles={})
    assert (only.begin_s, only.end_s) == (pytest.approx(0.52), pytest.approx(2.0))


def test_short_gaps_are_filled_and_marked_long_ones_are_not() -> None:
    frames = frames_at(25, 4)
    t = frames.timestamp_s
    x = 100 + 20 * t
    x[(t > 1.0) & (t < 1.3)] = np.nan
    x[(t > 2.0) & (t < 3.0)] = np.nan
    found = track(table(frames, [("ball", x, 50)]), frames)
    assert set(found.track_id.tolist()) == {1}
    filled = found.select(found.interpolated)
    assert filled.timestamp_s.tolist() == pytest.approx(np.arange(26, 33) / 25)
    assert filled.boxes_xyxy[:, 0].tolist() == pytest.approx((80 + 20 * filled.timestamp_s).tolist(), abs=1e-3)


@pytest.mark.parametrize(
    ("hider", "hidden", "gap_s", "filled"),
    [
        ("caregiver", "child", 1.6, True),
        ("caregiver", "child", 2.6, False),  # longer than hidden_s
        ("caregiver", "ball", 1.6, False),  # things do not stay where they were: they are carried away
        ("ball", "child", 1.6, False),  # a ball hides nobody
        (None, "child", 1.6, False),
    ],
)
def test_people_behind_somebody_are_there_meanwhile(
    hider: str | None, hidden: str, gap_s: float, *, filled: bool
) -> None:
    frames = frames_at(25, 8)
    t = frames.timestamp_s
    x = 100 + 10 * t
    x[(t > 3) & (t < 3 + gap_s)] = np.nan
    there = table(frames, [(hidden, x, 100)])
    if hider is not None:
        there = DetectionTable.concat([there, table(frames, [(hider, np.full(len(frames), 140.0), 110)], size=90)])
    found = track(there, frames)
    own = found.select(found.category == hidden)
    assert set(own.track_id.tolist()) == {own.track_id[0]} != {UNTRACKED}
    assert len(own) == (len(frames) if filled else np.isfinite(x).sum())
    assert own.interpolated.sum() == len(own) - np.isfinite(x).sum()
    assert own.boxes_xyxy[:, 0].tolist() == pytest.approx((80 + 10 * own.timestamp_s).tolist(), abs=1e-3)


def test_someone_hidden_for_a_while_is_the_same_track_afterwards() -> None:
    frames = frames_at(25, 10)
    t = frames.timestamp_s
    x = np.where(t < 4, 100 + 20 * t, np.where(t < 7, np.nan, 200 + 20 * (t - 7)))
    found = track(table(frames, [("child", x, 100)], size=80), frames)
    assert set(found.track_id.tolist()) == {1}
    far = np.where(t < 4, 100.0, np.where(t < 7, np.nan, 600.0))
    assert set(track(table(frames, [("child", far, 100)], size=80), frames).track_id.tolist()) == {1, 2}
    off = track(table(frames, [("child", x, 100)], size=80), frames, config=TrackConfig(rejoin_s=0.0))
    assert set(off.track_id.tolist()) == {1, 2}


def test_flicker_is_no_track_and_stays_in_the_table() -> None:
    frames = frames_at(25, 4)
    rng = np.random.default_rng(3)
    steady, flicker = np.full(len(frames), 100.0), np.full(len(frames), np.nan)
    flicker[10:13] = 400.0
    scattered = np.where(rng.random(len(frames)) < 0.08, rng.uniform(300, 600, len(frames)), np.nan)
    rows = table(frames, [("ball", steady, 50), ("ball", flicker, 200), ("ball", scattered, 350)])
    found = track(rows, frames)
    assert len(summarise_tracks(found, frames, roles={})) == 1
    assert (~found.interpolated).sum() == len(rows)
    assert (found.track_id == UNTRACKED).sum() == len(rows) - len(frames)


def test_categories_never_share_a_track() -> None:
    frames = frames_at(25, 4)
    t = frames.timestamp_s
    cup, ball = np.where(t < 2, 100.0, np.nan), np.where(t >= 2, 100.0, np.nan)
    found = track(table(frames, [("cup", cup, 50), ("ball", ball, 50)]), frames)
    assert {(c, i) for c, i in zip(found.category.tolist(), found.track_id.tolist(), strict=True)} == {
        ("cup", 1),
        ("ball", 2),
    }


def test_sampled_frames_track_like_all_frames() -> None:
    frames = frames_at(25, 6)
    chosen = np.arange(len(frames)) % 5 == 0
    quality = tuple("ok" if c else "not sampled" for c in chosen)
    sampled = FrameTable.from_times(frames.frame_index, frames.timestamp_s, processed=chosen, quality=quality)
    rows = table(frames, [("child", 50 + 60 * frames.timestamp_s, 100)])
    found = track(rows.select(np.isin(rows.frame_index, np.flatnonzero(chosen))), sampled)
    [only] = summarise_tracks(found, sampled, roles={})
    assert (only.begin_s, only.end_s, only.n_detections) == (0.0, pytest.approx(6.0), 30)


def test_no_detections_no_tracks() -> None:
    frames = frames_at(25, 1)
    assert len(track(DetectionTable.empty(), frames)) == 0


def double(frames: FrameTable, *, apart_px: float) -> tuple[DetectionTable, NDArray[np.int64]]:
    """A child in two tracklets that share 0.8 s: the first one, less and less sure, and one that goes on for it."""
    t = frames.timestamp_s
    first = np.where(t < 4.8, 100 + 20 * t, np.nan)
    second = np.where(t >= 4.0, 100 + 20 * t + apart_px, np.nan)
    rows = table(frames, [("child", first, 100), ("child", second, 100)], size=80)
    middles = rows.boxes_xyxy[:, [0, 2]].mean(axis=1) - 20 * rows.timestamp_s
    ids = np.where(np.abs(middles - 100) < 1, 1, 2)
    sure = np.where((ids == 1) == (rows.timestamp_s < 4.4), 0.9, 0.6).astype(np.float32)
    spoilt = DetectionTable(
        rows.frame_index, rows.timestamp_s, rows.category, sure, rows.boxes_xyxy, rows.track_id, rows.interpolated
    )
    return spoilt, ids


def test_one_child_seen_twice_in_a_huddle_is_one_track_of_the_surer_boxes() -> None:
    frames = frames_at(25, 8)
    rows, ids = double(frames, apart_px=25)
    found = postprocess_tracklets(rows, ids, frames, config=TrackConfig())
    kept = found.select(found.track_id == 1)
    assert set(found.track_id.tolist()) == {1, UNTRACKED}
    assert kept.frame_index.tolist() == list(range(len(frames)))  # one box a frame, in every frame
    assert kept.confidence.min() == pytest.approx(0.9)


def test_a_child_that_comes_while_another_goes_is_another() -> None:
    frames = frames_at(25, 8)
    rows, ids = double(frames, apart_px=150)
    assert set(postprocess_tracklets(rows, ids, frames, config=TrackConfig()).track_id.tolist()) == {1, 2}


def test_a_thing_that_two_tracklets_take_turns_with_is_one_track() -> None:
    # Lost behind a hand, it comes out fast and far and gets a new tracklet; for four frames the old one is back.
    frames = frames_at(25, 8)
    t = frames.timestamp_s
    x = np.where(t < 3.8, 100.0, 300 + 40 * (t - 4))
    x[(t > 3.8) & (t < 4.0)] = np.nan
    rows = table(frames, [("ball", x, 100)])
    s = rows.timestamp_s
    ids = np.where((s < 3.9) | ((s > 4.5) & (s < 4.65)), 1, 2)
    assert set(postprocess_tracklets(rows, ids, frames, config=TrackConfig()).track_id.tolist()) == {1}
    apart = np.where(s < 3.9, 1, 2)  # nothing says that these are the same
    assert set(postprocess_tracklets(rows, apart, frames, config=TrackConfig()).track_id.tolist()) == {1, 2}


def walks_in(fps: float, *, step_px: float, weak: int) -> DetectionTable:
    """Somebody comes from the left from 1 s on, detected weakly in the first ``weak`` frames; then strongly."""
    frames = frames_at(fps, 4.0)
    own = np.flatnonzero(frames.timestamp_s >= 1.0)
    lefts = step_px * np.arange(len(own))
    boxes = np.stack([lefts, np.full(len(own), 50.0), lefts + 100.0, np.full(len(own), 250.0)], axis=1)
    sure = np.where(np.arange(len(own)) < weak, 0.4, 0.9).astype(np.float32)
    untracked = np.full(len(own), UNTRACKED)
    names = np.array(["person"] * len(own), dtype=object)
    rows = DetectionTable(own, frames.timestamp_s[own], names, sure, boxes.astype(np.float32), untracked)
    return track(rows, frames, size_px=(1000, 300))


def test_who_is_seen_weakly_at_first_is_there_from_then_on() -> None:
    """Trackers go on with weak detections and begin with none; 0.4 s before the first sure one, no further."""
    found = walks_in(25.0, step_px=4.0, weak=8)
    assert found.timestamp_s[found.track_id != UNTRACKED].min() == pytest.approx(1.0)
    found = walks_in(25.0, step_px=4.0, weak=25)
    assert found.timestamp_s[found.track_id != UNTRACKED].min() == pytest.approx(2.0 - 0.4, abs=0.05)


def test_the_first_sighting_belongs_to_the_track_at_few_frames_a_second_too() -> None:
    """Between frames 0.3 s apart somebody who walks has gone on by half their width: boxes overlap by 0.29."""
    found = walks_in(10 / 3, step_px=55.0, weak=1)
    assert found.timestamp_s[found.track_id != UNTRACKED].min() == pytest.approx(1.2, abs=0.01)


def test_weak_detections_before_a_track_never_make_it_noise() -> None:
    """The whole track would be too uncertain with them: then they are left out, and not the track."""
    frames = frames_at(25.0, 2.0)
    sure = np.r_[np.full(10, 0.21), np.full(10, 0.56)].astype(np.float32)
    own = np.arange(10, 30)
    boxes = np.tile(np.array([400.0, 50.0, 500.0, 250.0], np.float32), (20, 1))
    names, untracked = np.array(["person"] * 20, dtype=object), np.full(20, UNTRACKED)
    found = track(
        DetectionTable(own, frames.timestamp_s[own], names, sure, boxes, untracked), frames, size_px=(1000, 300)
    )
    tracked = found.timestamp_s[found.track_id != UNTRACKED]
    assert len(tracked) > 10 and tracked.max() == pytest.approx(29 / 25)
    assert found.confidence[found.track_id != UNTRACKED].mean() >= TrackConfig().min_mean_confidence


@pytest.mark.parametrize(("category", "kept"), [("person", True), ("child", True), ("cup", False)])
def test_things_have_to_be_surer_than_people(category: str, kept: bool) -> None:
    frames = frames_at(25.0, 2.0)
    own = np.arange(0, 50)
    sure = np.r_[np.full(10, 0.6), np.full(40, 0.41)].astype(np.float32)
    boxes = np.tile(np.array([400.0, 50.0, 500.0, 250.0], np.float32), (50, 1))
    names, untracked = np.array([category] * 50, dtype=object), np.full(50, UNTRACKED)
    found = track(
        DetectionTable(own, frames.timestamp_s[own], names, sure, boxes, untracked), frames, size_px=(1000, 300)
    )
    assert (found.track_id != UNTRACKED).any() == kept
    assert len(found) == 50, "the detections stay"
