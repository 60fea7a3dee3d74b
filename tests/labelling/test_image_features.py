"""Features of images: a detector's own pyramid, or thumbnails."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from label_pool import WrittenDetector

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.detection.runtimes.torch_detector import TorchDetector
from visionllm_interaction.labelling.image_features import detect_and_describe, has_feature_pyramid

MODEL = ModelConfig(
    architecture="fasterrcnn_resnet18_fpn",
    weights="none",
    min_size=64,
    max_size=96,
    fpn_channels=16,
    fpn_strides=(8, 16),
    fpn_extra_level=False,
    anchor_sizes=((12,), (24,)),
    proposals_test=(50, 50),
    box_head_width=32,
)


@pytest.fixture
def detector() -> TorchDetector:
    torch.manual_seed(0)
    categories = Categories.from_pairs([(1, "cup"), (2, "ball")])
    info = CheckpointInfo(MODEL, categories, None, 0, {})
    return TorchDetector(build_model(MODEL, num_classes=3).eval(), info, "d" * 64, torch.device("cpu"))


def test_a_checkpoint_is_described_by_its_pyramid_in_the_pass_that_detects(detector: TorchDetector) -> None:
    images = [np.random.default_rng(n).integers(0, 256, (64, 80, 3), np.uint8) for n in range(2)]
    found, features = detect_and_describe(detector, images, min_confidence=0.0)
    assert features.shape == (2, 2 * 2 * 16)  # two levels, mean and maximum of 16 channels
    alone, own = detect_and_describe(detector, images[1:], min_confidence=0.0)
    assert np.allclose(features[1], own[0], atol=1e-4)
    assert np.allclose(found[1].boxes_xyxy, alone[0].boxes_xyxy, atol=1e-2)
    assert not np.allclose(features[0], features[1], atol=1e-4)
    assert not detector.model.backbone._forward_hooks, "nothing stays attached to the detector"
    with torch.inference_mode():
        batch, _ = detector.model.transform([torch.from_numpy(images[0]).permute(2, 0, 1).float() / 255])
        level = detector.model.backbone(batch.tensors)["0"]
    assert np.allclose(features[0][:16], level.mean(dim=(2, 3))[0].numpy(), atol=1e-4)


def test_other_detectors_are_described_by_thumbnails() -> None:
    assert not has_feature_pyramid(WrittenDetector())
    dark, light = (np.full((48, 64, 3), value, np.uint8) for value in (0, 255))
    _, features = detect_and_describe(WrittenDetector(), [dark, light], min_confidence=0.0)
    assert features[0].max() == 0.0
    assert features[1].min() == 1.0
