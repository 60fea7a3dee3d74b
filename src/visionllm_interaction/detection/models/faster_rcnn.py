"""``ModelConfig`` → torchvision ``FasterRCNN``."""

from __future__ import annotations

from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import MultiScaleRoIAlign

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models.backbones import build_backbone
from visionllm_interaction.detection.models.box_voting import BoxVotingRoIHeads
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.pretrained import load_initial_weights
from visionllm_interaction.errors import ConfigError, InputDataError

ROI_BINS = 7


def build_model(config: ModelConfig, *, num_classes: int) -> FasterRCNN:
    """Build a Faster R-CNN with random weights (see :func:`build_pretrained` for the configured ones).

    Args:
        config: of the detector.
        num_classes: the background included: categories + 1.

    Returns:
        The model. Input: list of (3, H, W) float tensors in 0…1. Output in evaluation mode: per image ``boxes`` (n, 4)
        xyxy pixels of the input image, ``labels`` (n,), ``scores`` (n,).

    Raises:
        ConfigError: if the anchors do not fit the pyramid's levels.

    Source: Ren et al., Faster R-CNN, 2015; Lin et al., Feature Pyramid Networks, 2017.
    """
    backbone = build_backbone(config)
    levels = len(backbone.fpn.inner_blocks)
    anchors = _anchors(config, levels=levels + int(config.fpn_extra_level))
    v2 = config.architecture.endswith("_v2")
    model = FasterRCNN(
        backbone,
        min_size=config.min_size,
        max_size=config.max_size,
        image_mean=list(config.image_mean),
        image_std=list(config.image_std),
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(config.fpn_channels, anchors.num_anchors_per_location()[0], conv_depth=2 if v2 else 1),
        rpn_pre_nms_top_n_train=config.proposals_train[0],
        rpn_post_nms_top_n_train=config.proposals_train[1],
        rpn_pre_nms_top_n_test=config.proposals_test[0],
        rpn_post_nms_top_n_test=config.proposals_test[1],
        rpn_batch_size_per_image=config.rpn_samples,
        rpn_score_thresh=0.05 if "mobilenet" in config.architecture else 0.0,
        box_roi_pool=MultiScaleRoIAlign(
            [str(level) for level in range(levels)],
            ROI_BINS,
            config.roi_sampling,
            canonical_scale=config.roi_canonical_size,
        ),
        box_head=_box_head(config),
        box_predictor=FastRCNNPredictor(config.box_head_width, num_classes),
        box_batch_size_per_image=config.box_samples,
        box_positive_fraction=config.box_positive_share,
        box_score_thresh=config.score_threshold,
        box_nms_thresh=config.nms_threshold,
        box_detections_per_img=config.detections_per_image,
    )
    if config.box_voting is not None:
        model.roi_heads = BoxVotingRoIHeads.from_heads(model.roi_heads, vote_iou=config.box_voting)
    return model


def build_pretrained(config: ModelConfig, *, categories: Categories) -> FasterRCNN:
    """Build the model for these categories and load the weights that the config names.

    Args:
        config: of the detector; ``config.weights`` says where to start from.
        categories: in label order.

    Returns:
        The model, as of :func:`build_model`.

    Raises:
        CheckpointError: if a weights file is unreadable, unsafe or of another architecture.
        InputDataError: if ``config.num_classes`` contradicts the categories.
        ServiceError: if weights must be downloaded and cannot be.
    """
    _check_num_classes(config, categories)
    model = build_model(config, num_classes=len(categories) + 1)
    load_initial_weights(model, config, categories=categories)
    return model


def _check_num_classes(config: ModelConfig, categories: Categories) -> None:
    if config.num_classes not in (None, len(categories) + 1):
        raise InputDataError(
            "The number of classes contradicts the data.",
            expected=f"{len(categories) + 1}: the background and {', '.join(categories.names[:8])}"
            + (" …" if len(categories) > 8 else ""),
            found=str(config.num_classes),
            where="model.num_classes",
            fix="leave model.num_classes out: it follows from the categories of the data",
        )


def _anchors(config: ModelConfig, *, levels: int) -> AnchorGenerator:
    sizes = config.anchor_sizes
    if sizes is None and "mobilenet" in config.architecture:
        sizes = ((32, 64, 128, 256, 512),) * levels
    elif sizes is None:
        sizes = tuple((32 * 2**level,) for level in range(levels))
    if len(sizes) != levels:
        raise ConfigError(
            "The anchors do not fit the feature pyramid.",
            expected=f"one tuple of sizes for each of the {levels} levels",
            found=f"{len(sizes)} tuples",
            where="model.anchor_sizes",
            fix="give one tuple per entry of model.fpn_strides, and one more when model.fpn_extra_level is true",
        )
    return AnchorGenerator(sizes, (config.anchor_ratios,) * levels)


def _box_head(config: ModelConfig) -> nn.Module:
    if config.architecture.endswith("_v2"):
        shape = (config.fpn_channels, ROI_BINS, ROI_BINS)
        head: nn.Module = FastRCNNConvFCHead(shape, [256] * 4, [config.box_head_width], norm_layer=nn.BatchNorm2d)
    else:
        head = TwoMLPHead(config.fpn_channels * ROI_BINS**2, config.box_head_width)
    return head
