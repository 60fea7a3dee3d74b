"""Tracklets of different categories in one place become one thing; things that pass each other stay two."""

from __future__ import annotations

import numpy as np

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.video.tracking.postprocess import summarise_tracks, track

FRAMES = FrameTable.from_times(np.arange(50), np.arange(50) / 25, processed=np.ones(50, bool))


def _table(rows: list[tuple[int, str, float, float]]) -> DetectionTable:
    """Rows of (frame, category, centre x, confidence): squares of 40 px."""
    rows = sorted(rows, key=lambda row: row[0])
    index = np.array([row[0] for row in rows])
    x = np.array([row[2] for row in rows])
    return DetectionTable(
        index,
        FRAMES.timestamp_s[index],
        np.array([row[1] for row in rows], dtype=object),
        np.array([row[3] for row in rows], np.float32),
        np.stack([x - 20, np.full_like(x, 80), x + 20, np.full_like(x, 120)], axis=1).astype(np.float32),
        np.full(len(rows), UNTRACKED),
    )


def _tracks(rows: list[tuple[int, str, float, float]]) -> list[tuple[str, int]]:
    found = track(_table(rows), FRAMES)
    return sorted((t.category, t.n_detections) for t in summarise_tracks(found, FRAMES, roles={}))


def test_a_thing_seen_in_turns_as_two_categories_is_one_of_the_surer() -> None:
    rows = [(i, "cup" if i // 5 % 3 == 1 else "ball", 100.0 + i, 0.9) for i in range(50)]
    found = _tracks(rows)
    assert [category for category, _ in found] == ["ball"]
    assert found[0][1] >= 45  # each turn but the first may lose its first sighting


def test_a_thing_seen_as_two_categories_at_once_is_one_and_counts_once_a_frame() -> None:
    rows = [(i, "ball", 100.0, 0.8) for i in range(50)] + [(i, "cup", 101.0, 0.9) for i in range(10, 30)]
    assert _tracks(rows) == [("ball", 50)]


def test_things_that_pass_each_other_stay_two() -> None:
    rows = [(i, "ball", 20.0 + 4 * i, 0.9) for i in range(50)] + [(i, "cup", 120.0, 0.9) for i in range(50)]
    assert _tracks(rows) == [("ball", 50), ("cup", 50)]


def test_a_person_and_what_it_carries_stay_two() -> None:
    rows = [(i, "child", 100.0, 0.9) for i in range(50)] + [(i, "teddy bear", 100.0, 0.9) for i in range(50)]
    assert _tracks(rows) == [("child", 50), ("teddy bear", 50)]
