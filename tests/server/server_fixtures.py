"""A tiny detector and a tiny video, made once for all tests."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector with random weights: it finds nothing worth finding, but runs like a trained one."""
    import torch

    from visionllm_interaction.core import Categories
    from visionllm_interaction.detection.models import CheckpointInfo, ModelConfig, build_model, save_checkpoint

    torch.manual_seed(0)
    categories = Categories.from_pairs([(1, "child"), (7, "ball")])
    config = ModelConfig(
        architecture="fasterrcnn_resnet18_fpn",
        weights="none",
        min_size=64,
        max_size=96,
        fpn_channels=16,
        box_head_width=32,
        score_threshold=0.0,
        detections_per_image=5,
        proposals_test=(40, 10),
    )
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.pt"
    model = build_model(config, num_classes=len(categories) + 1)
    save_checkpoint(path, model.state_dict(), info=CheckpointInfo(config, categories))
    return path


@pytest.fixture(scope="session")
def tiny_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a square that moves, 160 × 120 at 10 frames per second."""
    path = tmp_path_factory.mktemp("video") / "play room.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for n in range(20):
            picture = np.full((120, 160, 3), 220, np.uint8)
            picture[40:80, 4 * n : 4 * n + 40] = (200, 90, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
