"""Decoding, detection and linking at the same time: the detector sets the pace."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from video_files import write_video

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.video.config import VideoConfig
from visionllm_interaction.video.tracking.pipeline import track_with_detector

FRAMES, SECONDS = 100, 0.04


class Slow:
    """Takes its time, as a detector on a GPU does, without using the processor."""

    categories = Categories.from_pairs([(1, "ball")])
    digest = name = "slow"

    def __init__(self) -> None:
        self.largest_batch = 0

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        self.largest_batch = max(self.largest_batch, len(images_rgb))
        time.sleep(SECONDS * len(images_rgb))
        ball = Detections(np.array([[5, 5, 20, 20]], np.float32), np.ones(1, np.float32), np.ones(1, np.int64))
        return [ball] * len(images_rgb)


def seconds_for(frames: int, folder: Path) -> float:
    video = write_video(folder / f"{frames}.mp4", times_ms=[40 * n for n in range(frames)])
    detector = Slow()
    begin = time.perf_counter()
    followed = track_with_detector(video, detector)
    assert int(followed.frames.processed.sum()) == frames
    assert detector.largest_batch == VideoConfig().detect.batch_size
    return time.perf_counter() - begin


@pytest.mark.slow
def test_the_detector_is_the_only_bottleneck(tmp_path: Path) -> None:
    seconds_for(8, tmp_path)  # the first one loads libraries
    # Starting the process that decodes takes as long for a minute as for an hour, so it is subtracted.
    few, many = seconds_for(20, tmp_path), seconds_for(20 + FRAMES, tmp_path)
    assert many - few <= FRAMES * SECONDS / 0.9, (few, many)
