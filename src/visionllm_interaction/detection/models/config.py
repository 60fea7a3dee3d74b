"""Settings of the detector: architecture, weights, input size, feature pyramid, anchors and heads."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from visionllm_interaction.config_loading import Section

Architecture = Literal[
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_resnet18_fpn",
    "fasterrcnn_resnet34_fpn",
    "fasterrcnn_resnet101_fpn",
]
Normalization = Literal["auto", "frozen_batch", "batch", "group"]


class ModelConfig(Section):
    """Section ``model``. The number of classes is derived from the data, never trusted."""

    architecture: Architecture = "fasterrcnn_resnet50_fpn"
    """Backbone and head family; the first four are torchvision's, with weights trained on COCO."""
    weights: str = "default"
    """``default``: torchvision's COCO weights (downloaded once); ``backbone``: ImageNet backbone only; ``none``:
    from scratch; otherwise a local file or an http(s) URL (then ``weights_sha256`` is required)."""
    weights_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """sha256 of the weights file; checked before loading."""
    num_classes: int | None = Field(default=None, ge=2)
    """Categories + 1 (the background), if you want it checked: another number than the data has ends with exit 3."""
    normalization: Normalization = "auto"
    """Normalisation layers of the backbone. ``auto``: frozen batch statistics with pretrained weights, else batch."""
    trainable_layers: int | None = Field(default=None, ge=0, le=6)
    """Backbone stages that learn, counted from the last; null: 3 with pretrained weights, all from scratch."""
    min_size: int = Field(default=800, ge=64, le=4096)
    """The shorter side is scaled to this many pixels …"""
    max_size: int = Field(default=1333, ge=64, le=8192)
    """… unless the longer side would exceed this many."""
    fpn_channels: int = Field(default=256, ge=16, le=512)
    """Width of the feature pyramid; pretrained detectors have 256."""
    fpn_strides: tuple[Literal[4, 8, 16, 32], ...] | None = None
    """Pyramid levels taken from the backbone, as pixel strides; null: the architecture's own."""
    fpn_extra_level: bool = True
    """Whether the region proposals also use one level of twice the last stride (a max-pool)."""
    anchor_sizes: tuple[tuple[int, ...], ...] | None = None
    """Anchor side lengths in input pixels, one tuple per pyramid level; null: the architecture's own."""
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Anchor height / width."""
    proposals_train: tuple[int, int] = (2000, 2000)
    """Region proposals per level before, and per image after, non-maximum suppression while training."""
    proposals_test: tuple[int, int] = (1000, 1000)
    """The same while detecting."""
    rpn_samples: int = Field(default=256, ge=8)
    """Anchors per image in the proposal loss."""
    box_samples: int = Field(default=512, ge=8)
    """Proposals per image in the box loss."""
    box_positive_share: float = Field(default=0.25, gt=0.0, le=1.0)
    """Largest share of proposals that hit an object among them; only the box edges are learned from these."""
    box_head_width: int = Field(default=1024, ge=32, le=4096)
    """Width of the two fully connected layers of the box head; pretrained detectors have 1024."""
    roi_sampling: int = Field(default=2, ge=1, le=4)
    """Sampling points per bin side in RoIAlign."""
    roi_canonical_size: int = Field(default=224, ge=32)
    """Box side in input pixels that is read from the stride-16 level; halve it for small inputs."""
    score_threshold: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Detections below this confidence are never produced."""
    nms_threshold: float = Field(default=0.5, gt=0.0, le=1.0)
    """Intersection over union above which the weaker of two detections of one category is dropped."""
    box_voting: float | None = Field(default=None, gt=0.0, le=1.0)
    """Boxes of one category with at least this intersection over union with a detection help to place its edges,
    weighted by confidence; 0.7 places them better at no cost. null: the most confident box alone, as in torchvision."""
    detections_per_image: int = Field(default=100, ge=1)
    """Most detections kept per image."""
    image_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Subtracted from the image (RGB in 0…1)."""
    image_std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """The image is divided by this after subtraction."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.max_size < self.min_size:
            raise ValueError("max_size must be at least min_size")
        if self.weights.startswith(("http://", "https://")) and self.weights_sha256 is None:
            raise ValueError("weights from a URL need weights_sha256")
        if self.fpn_strides is not None and list(self.fpn_strides) != sorted(set(self.fpn_strides)):
            raise ValueError("fpn_strides must increase")
        if len({len(sizes) for sizes in self.anchor_sizes or ((32,),)}) != 1:
            raise ValueError("anchor_sizes must have the same number of sizes on each level")
        return self

    @property
    def pretrained(self) -> bool:
        """Whether training starts from learned weights."""
        return self.weights != "none"

    @property
    def frozen_norm(self) -> bool:
        """Whether the backbone's normalisation uses frozen batch statistics."""
        return self.normalization == "frozen_batch" or (self.normalization == "auto" and self.pretrained)
