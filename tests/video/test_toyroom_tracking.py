"""HOTA and IDF1 on ToyRoom videos from a simulated detector: 15 % dropped, 5 % false, edges shaken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from trackers.eval import compute_hota_metrics
from trackers.eval.identity import compute_identity_metrics
from video_noise import spoil

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import NOT_SAMPLED, OK, FrameTable
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.reader import VideoReader
from visionllm_interaction.video.tracking.camera_motion import CameraMotionTracker, CameraPath
from visionllm_interaction.video.tracking.detections_file import load_truth
from visionllm_interaction.video.tracking.postprocess import track

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SEEDS = (1, 2, 3, 4)
SIZE = (480, 360)
SAMPLED_FPS = 25 / 3
"""A head camera at the rate at which long recordings are analysed; a jerk is over in one or two frames."""


def make(folder: Path, view: Literal["room", "ego"]) -> list[Path]:
    config = ToyRoomConfig(video_width=SIZE[0], video_height=SIZE[1])
    made = [make_toyroom(folder / str(s), images=0, videos=1, seed=s, view=view, config=config) for s in SEEDS]
    return [video.path for one in made for video in one.videos]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make(tmp_path_factory.mktemp("room"), "room")


@pytest.fixture(scope="module")
def ego(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make(tmp_path_factory.mktemp("ego"), "ego")


def score(found: DetectionTable, true: DetectionTable, frames: FrameTable) -> tuple[float, float]:
    """HOTA and IDF1; a track is right whatever its category."""
    true_ids, found_ids, overlaps = [], [], []
    for index in frames.frame_index[frames.processed].tolist():
        a = true.select(true.frame_index == index)
        b = found.select((found.frame_index == index) & (found.track_id != UNTRACKED))
        true_ids.append(a.track_id.astype(int))
        found_ids.append(b.track_id.astype(int))
        overlaps.append(box_iou(a.boxes_xyxy[:, None], b.boxes_xyxy[None]).reshape(len(a), len(b)))
    hota = compute_hota_metrics(true_ids, found_ids, overlaps)["HOTA"]
    return float(hota), float(compute_identity_metrics(true_ids, found_ids, overlaps)["IDF1"])


def camera_and_frames(path: Path, fps: float | None) -> tuple[CameraPath, FrameTable]:
    reader = VideoReader(path, config=DecodeConfig(sample_fps=fps))
    follower = CameraMotionTracker(reader.info.width)
    seen = [(frame.frame_index, follower.update(frame.image_rgb)) for frame in reader.frames("grey")]
    return CameraPath(np.array([n for n, _ in seen]), np.stack([m for _, m in seen])), reader.frame_table()


def scores(paths: list[Path], *, fps: float | None = None, compensate: bool = False) -> tuple[float, float]:
    """Mean HOTA and IDF1."""
    found = []
    for seed, path in zip(SEEDS, paths, strict=True):
        camera, frames = camera_and_frames(path, fps)
        true = load_truth(path.parent / "truth.json", frames, min_visible=0.0)
        noisy = spoil(true, rng=np.random.default_rng(seed))
        tracked = track(noisy, frames, camera=camera if compensate else None, size_px=SIZE)
        found.append(score(tracked, true, frames))
    return float(np.mean([h for h, _ in found])), float(np.mean([i for _, i in found]))


def test_room_view(room: list[Path]) -> None:
    hota, idf1 = scores(room)
    assert hota >= 0.8 and idf1 >= 0.9, (hota, idf1)


def test_ego_view_with_the_cameras_motion_taken_out(ego: list[Path]) -> None:
    hota, idf1 = scores(ego, compensate=True)
    assert idf1 >= 0.85, (hota, idf1)
    assert idf1 >= scores(ego)[1] + 0.03  # at 25 frames a second a jerk is spread over frames and costs little


def test_ego_view_as_long_recordings_are_sampled(ego: list[Path]) -> None:
    with_motion = scores(ego, fps=SAMPLED_FPS, compensate=True)[1]
    without = scores(ego, fps=SAMPLED_FPS)[1]
    assert with_motion >= 0.85 and with_motion >= without + 0.15, (with_motion, without)


def camera_errors_px(paths: list[Path]) -> list[float]:
    """How far each step of the estimated path is from the true one, sorted."""
    errors: list[float] = []
    for path in paths:
        truth = json.loads((path.parent / "truth.json").read_text())
        camera, frames = camera_and_frames(path, None)
        assert set(frames.quality) <= {OK, NOT_SAMPLED}
        views = np.array(truth["camera"])
        middle = np.array([SIZE[0] / 2, SIZE[1] / 2])
        # Where the middle of each image was on the canvas, and where the path says it was, frame by frame.
        canvas = middle / views[:, 2:] + views[:, :2]
        first = camera.to_first[:, :, :2] @ middle + camera.to_first[:, :, 2]
        steps = np.diff(first, axis=0) / np.sqrt(np.abs(np.linalg.det(camera.to_first[:-1, :, :2])))[:, None]
        errors += np.abs(steps - np.diff(canvas, axis=0) * views[:-1, 2:]).max(axis=1).tolist()
    return sorted(errors)


def test_the_camera_is_followed(ego: list[Path]) -> None:
    errors = camera_errors_px(ego)
    # Measured 0.51 and 20.2 px. In the middle of a jerk the image is smeared and the step only roughly known.
    assert np.median(errors) <= 0.75 and np.percentile(errors, 99) <= 25, np.percentile(errors, [50, 90, 99])
