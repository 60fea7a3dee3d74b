"""Detections of some frames only: which frames were processed, and what is present in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_files import write_video

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import NOT_SAMPLED, FrameTable
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.store.sightings import find_sightings
from visionllm_interaction.video.config import TrackConfig, VideoConfig
from visionllm_interaction.video.detection_files.processed_frames import (
    NO_OUTPUT,
    find_frame_grid,
    find_processed,
    silence_notes,
    with_processed,
)
from visionllm_interaction.video.tracking.adapt_to_rate import adapt_to_rate
from visionllm_interaction.video.tracking.pipeline import TrackedVideo, track_from_file
from visionllm_interaction.video.tracking.postprocess import track

PLAIN = VideoConfig.model_validate({"track": {"appearance": False}})


def frames_at(fps: float, seconds: float) -> FrameTable:
    times = np.arange(round(fps * seconds)) / fps
    return FrameTable.from_times(np.arange(len(times)), times, processed=np.ones(len(times), np.bool_))


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        (range(0, 500, 25), (0, 25)),
        (range(7, 500, 25), (7, 25)),
        ([0, 25, 100, 150, 400], (0, 25)),  # nothing found in between
        (range(0, 500, 2), (0, 2)),
        ([round(n * 29.97) for n in range(20)], (0, 29.97)),
        (range(500), None),
        ([3, 4, 90, 200], None),  # two in a row: every frame
        ([0, 250], None),  # too few to tell
        (np.random.default_rng(1).choice(5000, 30, replace=False), None),
    ],
)
def test_a_regular_pattern_of_frames_is_recognised(frames: Any, found: tuple[float, float] | None) -> None:
    grid = find_frame_grid(np.array(list(frames), dtype=np.int64))
    if found is None:
        assert grid is None
    else:
        assert grid is not None
        assert (grid.first, grid.period) == (pytest.approx(found[0], abs=1), pytest.approx(found[1], abs=0.05))


def test_a_pattern_goes_on_to_both_ends_of_the_video() -> None:
    grid = find_frame_grid(np.arange(57, 400, 25))
    assert grid is not None and grid.frames(500).tolist() == list(range(7, 500, 25))


def test_uneven_frames_without_neighbours_are_the_processed_ones() -> None:
    index = np.cumsum([3, 25, 28, 22, 24, 29, 21, 25, 26, 23, 27, 22, 25])
    pattern = find_processed(index)
    assert pattern is not None and set(index.tolist()) <= set(pattern.frames(330).tolist())
    assert len(pattern.frames(330)) <= len(index) + 2


def test_two_rates_in_one_file_are_told_apart() -> None:
    pattern = find_processed(np.array([*range(0, 250, 25), *range(250, 300)]))
    assert pattern is not None and pattern.frames(310).tolist() == [*range(0, 250, 25), *range(250, 310)]
    pattern = find_processed(np.array([*range(0, 250, 25), *range(250, 500, 5)]))
    assert pattern is not None and pattern.frames(500).tolist() == [*range(0, 250, 25), *range(250, 500, 5)]


def test_frames_without_a_detection_between_sampled_ones_count_as_processed() -> None:
    index = np.array([n for n in [*range(0, 500, 25), *range(500, 600)] if n not in (100, 125, 300)])
    pattern = find_processed(index)
    assert pattern is not None and {100, 125, 300} <= set(pattern.frames(600).tolist())


@pytest.mark.parametrize("seed", range(20))
def test_something_that_is_found_now_and_then_is_no_pattern(seed: int) -> None:
    pattern = find_processed(np.flatnonzero(np.random.default_rng(seed).random(5000) < 0.04))
    assert pattern is None or len(pattern.frames(5000)) > 0.95 * 5000


def test_a_silent_end_is_told() -> None:
    frames = frames_at(25, 20)
    assert "none after 10.0 s" in silence_notes(np.arange(250), frames)[0]
    assert "none before 10.0 s" in silence_notes(np.arange(250, 500), frames)[0]
    assert silence_notes(np.arange(20, 480), frames) == ()


def test_a_processed_frame_stands_until_the_next_one_but_not_for_what_was_left_out() -> None:
    frames = with_processed(frames_at(25, 20), np.array([*range(0, 125, 25), *range(375, 500, 25)]))
    assert frames.processed.sum() == 10
    assert frames.duration_s[frames.processed].tolist() == pytest.approx([1.0] * 10)
    assert frames.quality[30] == NOT_SAMPLED and frames.quality[200] == NO_OUTPUT
    half = with_processed(frames_at(25, 20), np.arange(0, 500, 25), sample_fps=0.5)
    assert half.frame_index[half.processed].tolist() == list(range(0, 500, 50))
    assert half.duration_s[half.processed].tolist() == pytest.approx([2.0] * 10)


def write_detections(path: Path, *, every: int, n: int) -> Path:
    """A face in each processed frame; a hand in every second one, each time elsewhere."""
    rows = []
    for k, frame in enumerate(range(0, n, every)):
        rows.append({"frame_index": frame, "category_id": 3, "bbox": [20, 15, 12, 20], "score": 0.9})
        if k % 2 == 0:
            rows.append({"frame_index": frame, "category_id": 2, "bbox": [(k * 13) % 50, 30, 6, 6], "score": 0.8})
    names = [{"id": 2, "name": "hand"}, {"id": 3, "name": "face"}]
    path.write_text(json.dumps({"categories": names, "detections": rows}))
    return path


def shares(video: TrackedVideo) -> dict[str, float]:
    """Share of the processed time in which each category is on a track."""
    seen = find_sightings(video.detections, video.frames).to_pylist()
    names = dict(zip(video.detections.track_id.tolist(), video.detections.category.tolist(), strict=True))
    total = float(video.frames.duration_s[video.frames.processed].sum())
    found: dict[str, float] = {}
    for run in seen:
        name = str(names[run["track_id"]])
        found[name] = found.get(name, 0.0) + (run["end_s"] - run["begin_s"]) / total
    return found


@pytest.mark.parametrize("sample_fps", [None, 1.0])
def test_presence_at_one_frame_a_second_needs_no_track(tmp_path: Path, sample_fps: float | None) -> None:
    video = write_video(tmp_path / "v.mp4", times_ms=list(range(0, 20_000, 200)))
    given = write_detections(tmp_path / "d.json", every=5, n=100)
    decode = PLAIN.decode.model_copy(update={"sample_fps": sample_fps})
    tracked = track_from_file(video, given, config=PLAIN.model_copy(update={"decode": decode}))
    assert tracked.frames.processed.sum() == 20
    assert shares(tracked) == {"face": pytest.approx(1.0), "hand": pytest.approx(0.5)}
    assert not (tracked.detections.track_id == UNTRACKED).any()


def test_frames_without_detections_count_where_the_file_says_that_they_were_processed(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", times_ms=list(range(0, 10_000, 200)))
    path = write_detections(tmp_path / "d.json", every=5, n=20)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "processed_frames": list(range(0, 50, 5))}))
    tracked = track_from_file(video, path, config=PLAIN)
    assert tracked.frames.processed.sum() == 10
    assert shares(tracked)["face"] == pytest.approx(0.4)


def test_detections_of_another_video_are_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", times_ms=list(range(0, 1000, 200)))
    path = write_detections(tmp_path / "d.json", every=25, n=500)
    with pytest.raises(InputDataError, match="not in the video"):
        track_from_file(video, path, config=PLAIN)


def test_settings_are_as_given_at_full_rate_and_adapt_below() -> None:
    config = TrackConfig()
    assert adapt_to_rate(config, 0.04) == config == adapt_to_rate(config, 0.1) == adapt_to_rate(config, None)
    five = adapt_to_rate(config, 0.2)
    assert (five.min_hits, five.min_detections, five.lost_s) == (2, 2, 1.0)
    slow = adapt_to_rate(config, 5.0)
    assert (slow.min_hits, slow.min_detections, slow.lost_s) == (1, 1, 7.5)


def test_a_toy_picked_up_between_two_frames_stays_on_its_track() -> None:
    frames = frames_at(5, 6)
    x = np.interp(frames.timestamp_s, [0, 2, 2.4, 6], [20.0, 20.0, 110.0, 110.0])  # 45 pixels a frame, 20 wide
    n = len(frames)
    ball = np.stack([x, np.full(n, 50.0), x + 20, np.full(n, 70.0)], axis=1)
    child = np.tile([100.0, 0.0, 160.0, 200.0], (n, 1))
    rows = DetectionTable(
        np.repeat(frames.frame_index, 2),
        np.repeat(frames.timestamp_s, 2),
        np.array(["child", "ball"] * n, dtype=object),
        np.full(2 * n, 0.9, np.float32),
        np.stack([child, ball], axis=1).reshape(-1, 4).astype(np.float32),
        np.full(2 * n, UNTRACKED),
    )
    assert track(rows, frames).track_id.tolist() == [2, 1] * n


def test_a_few_frames_at_uneven_steps_were_sampled() -> None:
    index = np.array([0, 23, 52, 74, 104, 126, 147, 175])
    assert find_processed(index).frames(200).tolist() == [*index, 175 + 21]  # type: ignore[union-attr]
    assert find_processed(np.array([0, 23, 52, 74, 104, 126, 147, 270])) is None
