"""Torchvision's own weights files: the same detections as torchvision gives, under COCO's 80 categories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.detection.runtimes.torchvision_detector import _architecture, _shapes
from visionllm_interaction.errors import CheckpointError

NAME = "fasterrcnn_mobilenet_v3_large_320_fpn"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision offers it, with random weights that find something."""
    torch.manual_seed(0)
    model = get_model(NAME, weights=None, weights_backbone=None)
    with torch.no_grad():  # much is found: people, and as much of an output that means nothing
        model.roi_heads.box_predictor.cls_score.bias[[1, 12]] = 4.0
    path = tmp_path_factory.mktemp("weights") / f"{NAME}-907ea3f9.pth"
    torch.save(model.state_dict(), path)
    return path


def test_detections_are_those_of_torchvision(weights: Path) -> None:
    image = np.random.default_rng(1).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    detector = load_detector(weights, device="cpu")
    assert detector.name == NAME and len(detector.categories) == 80
    [found] = detector.detect([image], min_confidence=0.05)
    reference = get_model(NAME, weights=None, weights_backbone=None).eval()
    reference.load_state_dict(torch.load(weights, weights_only=True))
    for module in reference.modules():
        if type(module).__name__ == "FrozenBatchNorm2d":
            module.eps = 0.0  # as torchvision does with its own weights
    with torch.inference_mode():
        [expected] = reference([torch.from_numpy(image).permute(2, 0, 1).float() / 255])
    ids = [detector.categories.by_label[label].category_id for label in found.labels.tolist()]
    meaning = np.isin(expected["labels"].numpy(), list(detector.categories.by_id))
    assert meaning.sum() > 5, "random weights find enough to compare"
    assert ids == expected["labels"].numpy()[meaning].tolist()
    np.testing.assert_allclose(found.confidences, expected["scores"].numpy()[meaning], atol=1e-5)
    np.testing.assert_allclose(found.boxes_xyxy, expected["boxes"].numpy()[meaning], atol=1e-2)


def test_the_name_tells_the_two_mobilenets_apart(weights: Path) -> None:
    state = {key: torch.empty(shape, device="meta") for key, shape in _shapes(NAME).items()}
    assert _architecture(state, weights) == NAME
    assert _architecture(state, Path("fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth")) == NAME.replace("_320", "")


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="no detector of torchvision"):
        load_detector(tmp_path / "other.pth")
