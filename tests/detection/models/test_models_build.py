"""Models are put together as torchvision does it, and as the configuration says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from tiny_model import tiny
from torch import nn
from torchvision.ops import box_iou
from torchvision.ops.misc import FrozenBatchNorm2d

from visionllm_interaction.detection.models.box_voting import vote
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.errors import ConfigError

OFFICIAL = (
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
)


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {k: tuple(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}


@pytest.mark.parametrize("name", OFFICIAL)
def test_tensors_are_those_of_torchvisions_own_model(name: str) -> None:
    with torch.device("meta"):
        own = build_model(ModelConfig.model_validate({"architecture": name}), num_classes=91)
        official = getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None, num_classes=91)
    assert shapes(own) == shapes(official)
    levels = set(own.backbone.body.return_layers.values())  # torchvision also names levels that do not exist
    own_names, official_names = (m.roi_heads.box_roi_pool.featmap_names for m in (own, official))
    assert own_names == [name for name in official_names if name in levels]
    assert own.rpn.anchor_generator.sizes == official.rpn.anchor_generator.sizes
    assert own.rpn.score_thresh == official.rpn.score_thresh


def test_same_weights_give_the_same_detections_as_torchvisions_model() -> None:
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    torch.manual_seed(0)
    official = getattr(torchvision.models.detection, name)(
        weights=None, weights_backbone=None, num_classes=4, box_score_thresh=0.0
    ).eval()
    config = {"architecture": name, "min_size": 320, "max_size": 640, "proposals_test": (150, 150)}
    own = build_model(ModelConfig.model_validate({**config, "score_threshold": 0.0}), num_classes=4).eval()
    state = {k: v for k, v in official.state_dict().items() if not k.endswith("num_batches_tracked")}
    own.load_state_dict(state)
    picture = torch.rand(3, 200, 300)
    with torch.inference_mode():
        expected, found = official([picture])[0], own([picture])[0]
    assert len(expected["boxes"]) > 10
    torch.testing.assert_close(found["boxes"], expected["boxes"], atol=0.01, rtol=1e-3)
    torch.testing.assert_close(found["scores"], expected["scores"], atol=1e-4, rtol=1e-3)


def test_voted_boxes_are_means_of_what_overlaps_weighted_by_squared_confidence() -> None:
    kept = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    said = torch.tensor(
        [[[0.0, 0, 10, 10], [90, 90, 95, 95]], [[2, 0, 12, 10], [50, 50, 60, 60]], [[8, 0, 18, 10]] * 2]
    )
    sure = torch.tensor([[0.8, 0.9], [0.4, 0.5], [0.7, 0.1]])
    # of the first: overlaps 1, 8 / 12 and 2 / 18; weights 0.64 and 0.16
    expected = torch.tensor([[0.4, 0, 10.4, 10], [50, 50, 60, 60]])
    torch.testing.assert_close(vote(kept, said, sure, min_iou=0.6), expected)
    torch.testing.assert_close(vote(kept, said, sure, min_iou=0.7), kept)


def test_voting_changes_boxes_and_nothing_else() -> None:
    torch.manual_seed(0)
    plain = build_model(tiny(score_threshold=0.0), num_classes=4).eval()
    voting = build_model(tiny(score_threshold=0.0, box_voting=0.5), num_classes=4).eval()
    assert shapes(voting) == shapes(plain)
    voting.load_state_dict(plain.state_dict())
    pictures = [torch.rand(3, 60, 90), torch.rand(3, 90, 60)]
    with torch.inference_mode():
        for one, other in zip(plain(pictures), voting(pictures), strict=True):
            assert torch.equal(one["labels"], other["labels"])
            assert torch.equal(one["scores"], other["scores"])
            assert len(one["boxes"]) > 10
            assert not torch.allclose(one["boxes"], other["boxes"])
            assert (torch.diagonal(box_iou(one["boxes"], other["boxes"])) > 0.4).all()


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet101"])
def test_other_resnets_build_with_chosen_levels(name: str) -> None:
    config = {"architecture": f"fasterrcnn_{name}_fpn", "weights": "none", "fpn_strides": (8, 32), "fpn_channels": 64}
    with torch.device("meta"):
        model = build_model(ModelConfig.model_validate(config), num_classes=4)
    assert list(model.backbone.body.return_layers.values()) == ["0", "1"]
    assert model.backbone.fpn.inner_blocks[1][0].out_channels == 64
    assert model.rpn.anchor_generator.sizes == ((32,), (64,), (128,))
    assert model.roi_heads.box_predictor.cls_score.out_features == 4


@pytest.mark.parametrize(("stride", "size"), [(4, 24), (8, 12), (16, 6), (32, 3)])
@pytest.mark.parametrize("name", ["fasterrcnn_resnet18_fpn", "fasterrcnn_mobilenet_v3_large_fpn"])
def test_pyramid_levels_have_the_strides_they_are_called_by(name: str, stride: int, size: int) -> None:
    config = tiny(architecture=name, fpn_strides=(stride,), anchor_sizes=((16,),))
    model = build_model(config, num_classes=2).eval()
    with torch.inference_mode():
        levels = model.backbone(torch.zeros(1, 3, 96, 96))
    assert {k: tuple(v.shape) for k, v in levels.items()} == {"0": (1, 16, size, size)}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"normalization": "batch"}, nn.BatchNorm2d),
        ({"normalization": "group"}, nn.GroupNorm),
        ({"normalization": "frozen_batch"}, FrozenBatchNorm2d),
    ],
)
def test_normalisation_layers(changes: dict[str, Any], kind: type[nn.Module]) -> None:
    with torch.device("meta"):
        body = build_model(tiny(**changes), num_classes=2).backbone.body
    found = {type(m) for m in body.modules() if "Norm" in type(m).__name__}
    assert found == {kind}


@pytest.mark.parametrize(
    ("layers", "first"), [(5, "conv1"), (4, "layer1"), (3, "layer2"), (2, "layer3"), (1, "layer4"), (None, "conv1")]
)
def test_stages_before_the_trainable_ones_are_frozen(layers: int | None, first: str) -> None:
    with torch.device("meta"):
        model = build_model(tiny(trainable_layers=layers, fpn_strides=(8, 32)), num_classes=2)
    learn = {n.split(".")[0] for n, p in model.backbone.body.named_parameters() if p.requires_grad}
    order = ["conv1", "layer1", "layer2", "layer3", "layer4"]
    assert learn - {"bn1"} == set(order[order.index(first) :])


def test_anchors_that_do_not_fit_the_pyramid_are_refused() -> None:
    with pytest.raises(ConfigError, match="each of the 2 levels"):
        build_model(tiny(anchor_sizes=((8,), (16,), (32,))), num_classes=2)
