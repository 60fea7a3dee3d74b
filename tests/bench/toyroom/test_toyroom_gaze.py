"""Gaze of ToyRoom: its truth is consistent, and the product's import and language give it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes_gaze import (
    VIDEO,
    film_truth,
    found_bouts,
    found_joint,
    hits,
    largest_difference_s,
    publish_film,
    record_gaze,
    true_bouts,
    true_joint,
)

from visionllm_bench.toyroom.sensors.gaze import TrueGaze, gaze_truth, random_gaze, targets_at, track
from visionllm_interaction.measures.api import Query, run_query
from visionllm_interaction.store.reader import open_store


def test_points_lie_on_what_is_looked_at(room_videos: list[dict[str, Any]]) -> None:
    film = film_truth(room_videos[0]["content"])
    rng = np.random.default_rng(0)
    for gaze in random_gaze(rng, [("child", 1), ("caregiver", 2)], film.frames, film.edges_s, size=film.size):
        assert [look.begin_s for look in gaze.looks] == [0.0, *(look.end_s for look in gaze.looks[:-1])]
        assert gaze.looks[-1].end_s == film.edges_s[-1]
        content = gaze_truth([gaze], film.edges_s, size=film.size)["people"][0]
        for frame, (x, y, target) in zip(film.frames, content["frames"], strict=True):
            boxes = {seen.track_id: seen.box_xyxy for seen in frame}
            inside = {k for k, (x1, y1, x2, y2) in boxes.items() if x1 <= x <= x2 and y1 <= y <= y2}
            assert target is None or target in inside
            assert target != gaze.track_id


def test_a_tracker_loses_the_eyes_in_blinks_and_is_noisy() -> None:
    edges = np.arange(1001) / 10
    gaze = TrueGaze("child", 1, (), np.full((1000, 2), 100.0))
    found = track(np.random.default_rng(1), gaze, edges, noise_deg=1.0, loss=0.2, size=(1030, 800))
    assert 1 - found.valid.mean() == pytest.approx(0.2, abs=0.02)
    assert np.hypot(*(found.points_px - 100.0).T).std() < 10 < 2 * found.points_px.std()
    lost = np.flatnonzero(np.diff(np.concatenate([[True], found.valid, [True]]).astype(int)))
    assert np.diff(lost)[::2].max() <= 31  # samples of a blink, 200 a second


def test_looks_and_joint_attention_of_two_trackers_are_those_of_the_truth(
    tmp_path: Path, room_videos: list[dict[str, Any]]
) -> None:
    matched = found_count = true_count = 0
    differences, joint_count = [], 0
    for n, video in enumerate(room_videos):
        film = film_truth(video["content"])
        store = tmp_path / f"store{n}"
        publish_film(store, film)
        for seed in (10 * n, 10 * n + 1):
            gazes = record_gaze(store, film, seed=seed)
            truth = {gaze.who: true_bouts(gaze, film) for gaze in gazes}
            for who, bouts in truth.items():
                found = found_bouts(store, who)
                matched += hits(found, bouts)
                found_count, true_count = found_count + len(found), true_count + len(bouts)
            joint = true_joint(truth["child"], truth["caregiver"])
            joint_count += len(joint)
            differences.append(largest_difference_s(found_joint(store), joint))
    assert true_count > 30 and joint_count >= 2
    assert 2 * matched / (found_count + true_count) >= 0.95
    assert max(differences) <= 0.1


def test_eyes_that_are_lost_look_nowhere_and_not_away(tmp_path: Path, room_videos: list[dict[str, Any]]) -> None:
    film = film_truth(room_videos[0]["content"])
    publish_film(tmp_path / "store", film)
    record_gaze(tmp_path / "store", film, seed=3, loss=0.0)
    with open_store(tmp_path / "store") as opened:
        before = [c for c in opened.codes(VIDEO) if c.kind == "coded" and c.participant == "child"]
        [share] = run_query(opened, Query("bout_rate", "child", predicate="looks_at"))
    assert [(c.begin_s, c.end_s) for c in before] == [pytest.approx((0.0, 12.0), abs=0.01)]
    record_gaze(tmp_path / "store", film, seed=3, loss=0.2)
    with open_store(tmp_path / "store") as opened:
        coded = sum(c.end_s - c.begin_s for c in opened.codes(VIDEO) if c.kind == "coded" and c.participant == "child")
        [noisy] = run_query(opened, Query("bout_rate", "child", predicate="looks_at"))
    # Blinks do not count as time in which somebody looked away: time and rate stay as they were.
    assert coded == pytest.approx(12.0, abs=0.3)
    assert float(noisy.value or 0) == pytest.approx(float(share.value or 0), rel=0.15)


def test_targets_by_time() -> None:
    from visionllm_bench.toyroom.sensors.gaze import TrueLook

    gaze = TrueGaze("child", 1, (TrueLook(4, 0.0, 1.0), TrueLook(None, 1.0, 2.0)), np.zeros((20, 2)))
    assert targets_at(gaze, np.array([0.0, 0.999, 1.0, 1.9])) == [4, 4, None, None]
