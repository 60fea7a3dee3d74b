"""Detections from files, and roles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_files import write_video

from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.video.tracking.detections_file import load_detections, load_truth
from visionllm_interaction.video.tracking.pipeline import load_true_tracks, track_from_file
from visionllm_interaction.video.tracking.roles import load_roles, resolve_roles

FRAMES = FrameTable.from_times(np.arange(4), np.arange(4) / 10, processed=np.array([True, True, False, True]))


def content(**change: Any) -> dict[str, Any]:
    detection = {"frame_index": 1, "category_id": 7, "bbox": [10, 20, 30, 40], "score": 0.5}
    return {"categories": [{"id": 7, "name": "cup"}], "detections": [{**detection, **change}]}


def test_coco_like_results_become_a_table(tmp_path: Path) -> None:
    both = content()
    both["detections"].append({**both["detections"][0], "frame_index": 0})
    both["detections"].append({**both["detections"][0], "frame_index": 2})  # a frame that was not looked at
    path = tmp_path / "d.json"
    path.write_text(json.dumps(both))
    table, names = load_detections(path, FRAMES)
    assert names == ("cup",)
    assert table.frame_index.tolist() == [0, 1]
    assert table.timestamp_s.tolist() == [0.0, 0.1]
    assert table.boxes_xyxy[0].tolist() == [10, 20, 40, 60]
    assert table.confidence.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "change",
    [
        {"category_id": 8},
        {"frame_index": 4},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, -3, 4]},
        {"bbox": [1, 2, float("nan"), 4]},
        {"score": "high"},
    ],
    ids=str,
)
def test_faulty_results_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "d.json"
    path.write_text(json.dumps(content(**change)))
    with pytest.raises(InputDataError, match=r"d\.json"):
        load_detections(path, FRAMES)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"detections": 3}'])
def test_files_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    with pytest.raises(InputDataError):
        load_detections(path, FRAMES)
    with pytest.raises(InputDataError):
        load_truth(path, FRAMES, min_visible=0.0)


def test_truth_keeps_true_ids_and_leaves_out_the_hidden(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", times_ms=[0, 40, 80])
    things = [
        {"track_id": 4, "category": "child", "box_xyxy": [0, 0, 10, 20], "visible": 1.0},
        {"track_id": 9, "category": "ball", "box_xyxy": [5, 5, 9, 9], "visible": 0.1},
    ]
    frames = [{"index": n, "timestamp_s": n * 0.04, "objects": things} for n in range(3)]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"frames": frames}))
    followed = load_true_tracks(video, path)
    assert followed.detections.track_id.tolist() == [4, 9] * 3
    assert followed.categories == ("ball", "child")
    assert len(load_truth(path, followed.frames, min_visible=0.2)) == 3


def test_given_detections_are_tracked(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", times_ms=list(range(0, 1000, 40)))
    rows = [{**content()["detections"][0], "frame_index": n, "score": 0.9} for n in range(25)]
    path = tmp_path / "d.json"
    path.write_text(json.dumps({**content(), "detections": rows}))
    followed = track_from_file(video, path)
    assert set(followed.detections.track_id.tolist()) == {1} and len(followed.detections) == 25


def test_roles_follow_from_names_and_a_file_overrides(tmp_path: Path) -> None:
    path = tmp_path / "roles.csv"
    path.write_text("name,role\n3,child\nperson,caregiver\n")
    roles = resolve_roles(load_roles(path))
    assert (roles["child"], roles["3"], roles["person"]) == ("child", "child", "caregiver")
    assert "person" not in resolve_roles({})


@pytest.mark.parametrize("text", ["", "name,who\na,child\n", "name,role\na,dog\n", "name,role\na,child\na,child\n"])
def test_faulty_role_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "roles.csv"
    path.write_text(text)
    with pytest.raises(InputDataError, match=r"roles\.csv"):
        load_roles(path)
