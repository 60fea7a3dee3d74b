"""Backbones with a feature pyramid, put together from torchvision's parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torchvision
from torch import nn
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.ops.misc import FrozenBatchNorm2d

from visionllm_interaction.detection.models.config import ModelConfig

RESNET_LAYERS: Mapping[int, str] = MappingProxyType({4: "layer1", 8: "layer2", 16: "layer3", 32: "layer4"})
MOBILENET_BLOCKS: Mapping[int, str] = MappingProxyType({4: "3", 8: "6", 16: "12", 32: "16"})
MOBILENET_DEFAULT = ("13", "16")
MOBILENET_STAGE_STARTS = (0, 2, 4, 7, 13, 16)


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with at most 32 groups that divide ``channels``."""
    return nn.GroupNorm(math.gcd(32, channels), channels)


def norm_layer(config: ModelConfig) -> Callable[[int], nn.Module]:
    """The normalisation layer ``config`` asks for."""
    if config.frozen_norm:
        # torchvision's COCO_V1 ResNet-50 detector was trained with eps 0 (its builder overwrites it likewise)
        eps = 0.0 if config.weights == "default" and config.architecture == "fasterrcnn_resnet50_fpn" else 1e-5
        return partial(FrozenBatchNorm2d, eps=eps)
    return group_norm if config.normalization == "group" else nn.BatchNorm2d


def build_backbone(config: ModelConfig) -> BackboneWithFPN:
    """Backbone with feature pyramid, random weights, stages frozen as ``config`` says."""
    body, layers, channels = _mobilenet(config) if "mobilenet" in config.architecture else _resnet(config)
    pyramid_norm = nn.BatchNorm2d if config.architecture.endswith("_v2") else None
    backbone = BackboneWithFPN(
        body,
        return_layers={name: str(level) for level, name in enumerate(layers)},
        in_channels_list=channels,
        out_channels=config.fpn_channels,
        norm_layer=pyramid_norm,
    )
    if not config.fpn_extra_level:
        backbone.fpn.extra_blocks = None
    return backbone


def _resnet(config: ModelConfig) -> tuple[nn.Module, list[str], list[int]]:
    name = config.architecture.removeprefix("fasterrcnn_").split("_")[0]
    norm = nn.BatchNorm2d if config.architecture.endswith("_v2") else norm_layer(config)
    body = getattr(torchvision.models, name)(weights=None, norm_layer=norm)
    trainable = 5 if not config.pretrained else 3
    trainable = min(5, config.trainable_layers if config.trainable_layers is not None else trainable)
    stages = ["layer4", "layer3", "layer2", "layer1", "conv1"][:trainable] + (["bn1"] if trainable == 5 else [])
    for key, parameter in body.named_parameters():
        parameter.requires_grad_(key.startswith(tuple(stages)))
    strides = config.fpn_strides or (4, 8, 16, 32)
    widths = {stride: body.inplanes * stride // 32 for stride in RESNET_LAYERS}
    return body, [RESNET_LAYERS[s] for s in strides], [widths[s] for s in strides]


def _mobilenet(config: ModelConfig) -> tuple[nn.Module, list[str], list[int]]:
    body = torchvision.models.mobilenet_v3_large(weights=None, norm_layer=norm_layer(config)).features
    trainable = 6 if not config.pretrained else 3
    trainable = config.trainable_layers if config.trainable_layers is not None else trainable
    first = len(body) if trainable == 0 else MOBILENET_STAGE_STARTS[6 - trainable]
    for block in body[:first]:
        block.requires_grad_(False)
    names = [MOBILENET_BLOCKS[s] for s in config.fpn_strides] if config.fpn_strides else list(MOBILENET_DEFAULT)
    return body, names, [body[int(name)].out_channels for name in names]
