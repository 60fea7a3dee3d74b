"""The demo's own reading of truth.json, on a scene small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visionllm_bench.demo.config import DemoQuestion
from visionllm_bench.demo.expected_answers import Truth, agrees, true_value


@pytest.fixture
def truth(tmp_path: Path) -> Truth:
    """Ten frames at 10 fps: a child in all, a ball in frames 2-5, a second ball hidden to nine tenths in 4-5."""
    frames = []
    for index in range(10):
        objects = [{"track_id": 1, "category": "child", "box_xyxy": [0, 0, 9, 9], "visible": 1.0}]
        if 2 <= index <= 5:
            objects.append({"track_id": 2, "category": "ball", "box_xyxy": [0, 0, 3, 3], "visible": 0.8})
        if 4 <= index <= 5:
            objects.append({"track_id": 3, "category": "ball", "box_xyxy": [5, 5, 8, 8], "visible": 0.1})
        frames.append({"index": index, "timestamp_s": index / 10, "objects": objects})
    relations = [
        {"subject_track_id": 1, "predicate": "near", "object_track_id": 2, "begin_s": 0.2, "end_s": 0.4},
        {"subject_track_id": 1, "predicate": "near", "object_track_id": 3, "begin_s": 0.3, "end_s": 0.6},
        {"subject_track_id": 1, "predicate": "holding", "object_track_id": 2, "begin_s": 0.3, "end_s": 0.4},
    ]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"fps": 10, "frames": frames, "relations": relations, "events": []}))
    return Truth.load(path)


@pytest.mark.parametrize(
    ("measure", "subject", "other", "predicate", "expected"),
    [
        ("visible_duration", "ball", None, None, 0.4),
        ("instance_count", "ball", None, None, 1),  # the second one is hidden too far to count
        ("first_seen", "ball", None, None, 0.2),
        ("last_seen", "ball", None, None, 0.5),
        ("co_presence_duration", "child", "ball", None, 0.4),
        ("near_duration", "child", "ball", None, 0.4),  # overlapping bouts count once
        ("near_duration", "ball", "child", None, 0.4),  # order does not matter
        ("bout_count", "child", "ball", "holding", 1),
        ("longest_bout", "child", "ball", "near", 0.3),
    ],
)
def test_values_by_hand(
    truth: Truth, measure: str, subject: str, other: str | None, predicate: str | None, expected: float
) -> None:
    question = DemoQuestion(text="?", measure=measure, subject=subject, object=other, predicate=predicate)
    assert true_value(truth, question) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("measure", "found", "true", "verdict"),
    [
        ("bout_count", 2, 2, True),
        ("bout_count", 3, 2, False),  # counts are exact
        ("first_seen", 1.45, 1.0, True),
        ("first_seen", 1.55, 1.0, False),  # times within half a second
        ("near_duration", 9.1, 10.0, True),
        ("near_duration", 8.9, 10.0, False),  # durations within a tenth
        ("near_duration", None, 10.0, False),  # no answer never agrees
    ],
)
def test_tolerances(measure: str, found: float | None, true: float, verdict: bool) -> None:
    assert agrees(measure, found, true) is verdict
