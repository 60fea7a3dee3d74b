"""The detector's path: frames in batches, boxes tracked, the detector's name and digest recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.video.config import VideoConfig
from visionllm_interaction.video.tracking.pipeline import track_with_detector
from visionllm_interaction.video.tracking.postprocess import summarise_tracks


class ByBrightness:
    """A detector whose ball is where the image's grey level says, so that frames and boxes can be told apart."""

    categories = Categories.from_pairs([(5, "ball"), (9, "cup")])
    digest = "d" * 64
    name = "by-brightness"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        self.batches.append(len(images_rgb))
        levels = [float(image.mean()) / 2 for image in images_rgb]
        return [
            Detections(
                np.array([[x, 10, x + 20, 30]], np.float32), np.array([0.9], np.float32), np.array([1], np.int64)
            )
            for x in levels
        ]


def test_frames_go_to_the_detector_in_batches_and_boxes_to_their_frames(clip: Path) -> None:
    detector, calls = ByBrightness(), []
    followed = track_with_detector(clip, detector, progress=lambda done, total: calls.append((done, total)))
    assert detector.batches == [4] * 12 + [2]
    assert calls[-1] == (50, 50)
    assert followed.categories == ("ball", "cup")
    assert followed.detections.frame_index.tolist() == list(range(50))
    # The clip's frame n has the grey level 4 n.
    assert followed.detections.boxes_xyxy[:, 0].tolist() == pytest.approx((2.0 * np.arange(50)).tolist(), abs=2.0)
    [only] = summarise_tracks(followed.detections, followed.frames, roles={})
    assert (only.category, only.n_detections) == ("ball", 50)


def test_only_sampled_frames_are_detected_in(clip: Path) -> None:
    detector = ByBrightness()
    config = VideoConfig.model_validate({"decode": {"sample_fps": 5}, "track": {"box_buffer": 1.0}})
    followed = track_with_detector(clip, detector, config=config)
    assert sum(detector.batches) == 10 == followed.frames.processed.sum()
    assert set(followed.detections.frame_index.tolist()) == set(range(0, 50, 5))
