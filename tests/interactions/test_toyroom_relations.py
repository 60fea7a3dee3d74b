"""Relations and events against ToyRoom's scripted truth, from true boxes and from those of a simulated detector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scenes_noise import spoil, true_ids
from scenes_toyroom import PREDICATES, load_room, new_scores, score_room

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.video.tracking.pipeline import read_times
from visionllm_interaction.video.tracking.postprocess import track

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SEEDS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One 20-second video per seed, the last one with a variable frame rate."""
    out = []
    for seed in SEEDS:
        rate = "variable" if seed == SEEDS[-1] else "constant"
        config = ToyRoomConfig(video_width=480, video_height=360, frame_rate=rate)
        made = make_toyroom(tmp_path_factory.mktemp("room") / "r", images=0, videos=1, seed=seed, config=config)
        out += [video.path for video in made.videos]
    return out


def test_decoded_times_are_the_true_times(videos: list[Path]) -> None:
    for path in videos:
        truth = json.loads((path.parent / "truth.json").read_text())
        _, frames = read_times(path)
        assert frames.timestamp_s.tolist() == pytest.approx([f["timestamp_s"] for f in truth["frames"]], abs=1e-4)


def test_true_boxes_give_the_true_relations_and_events(videos: list[Path]) -> None:
    scores = new_scores()
    for path in videos:
        truth, frames, boxes = load_room(path)
        score_room(truth, frames, boxes, scores, ids={int(i): int(i) for i in boxes.track_id})
    assert all(scores[name].f1 >= 0.95 for name in PREDICATES), scores
    assert scores["events"].f1 >= 0.9, scores


def test_a_noisy_detector_gives_nearly_the_same(videos: list[Path]) -> None:
    scores = new_scores()
    errors, extra = [], 0
    for seed, path in enumerate(videos):
        truth, frames, boxes = load_room(path)
        noisy = spoil(boxes, frames, rng=np.random.default_rng(seed))
        found = track(noisy, frames)
        ids = true_ids(found, boxes)
        extra += len(np.unique(found.track_id[found.track_id >= 0])) - len(set(ids.values()))
        score_room(truth, frames, found, scores, ids=ids)
        errors += _visible_errors(found, boxes, ids)
    assert all(scores[name].f1 >= 0.85 for name in (*PREDICATES, "events")), scores
    assert max(errors) <= 0.1, errors
    assert extra <= 1


def _visible_errors(found: DetectionTable, boxes: DetectionTable, ids: Mapping[int, int]) -> list[float]:
    mapped = np.array([ids.get(int(i), -9) for i in found.track_id])
    errors = []
    for true_id in np.unique(boxes.track_id).tolist():
        true = len(np.unique(boxes.frame_index[boxes.track_id == true_id]))
        if true >= 25:
            errors.append(abs(len(np.unique(found.frame_index[mapped == true_id])) - true) / true)
    return errors
