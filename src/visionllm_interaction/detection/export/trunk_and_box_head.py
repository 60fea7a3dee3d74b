"""A Faster R-CNN cut into its two dense graphs: trunk (image → pyramid, proposal outputs) and boxes (RoIs → classes).

What lies between them (anchors, proposals, non-maximum suppression) is control flow over boxes, which converters and
quantisers do not handle; it stays in torchvision's code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align


class TrunkGraph(nn.Module):
    """Normalised images (1, 3, H, W) → pyramid levels, then objectness per level, then box deltas per level."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone = model.backbone
        self.head = model.rpn.head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """``3 × levels`` tensors, or fewer pyramid levels than proposal levels (the extra one has no RoIs)."""
        levels = list(self.backbone(images).values())
        objectness, deltas = self.head(levels)
        return (*levels, *objectness, *deltas)


class BoxHeadGraph(nn.Module):
    """Pyramid levels and the RoIs of each (n_l, 5: 0, x1, y1, x2, y2) → class logits (n, K+1), box codes (n, 4(K+1)).

    Rows are in the order of levels, then of RoIs within a level.
    """

    def __init__(self, model: Any, scales: Sequence[float]) -> None:
        super().__init__()
        pooler = model.roi_heads.box_roi_pool
        self.size: int = pooler.output_size[0]
        self.sampling: int = pooler.sampling_ratio
        self.scales = tuple(scales)
        self.head = model.roi_heads.box_head
        self.predictor = model.roi_heads.box_predictor

    def forward(self, *levels_then_rois: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        count = len(self.scales)
        levels, rois = levels_then_rois[:count], levels_then_rois[count:]
        pooled = [
            roi_align(level, boxes, (self.size, self.size), scale, self.sampling)
            for level, boxes, scale in zip(levels, rois, self.scales, strict=True)
        ]
        logits, codes = self.predictor(self.head(torch.cat(pooled)))
        return logits, codes


@dataclass(frozen=True)
class GraphShapes:
    """Shapes of inputs and outputs of the two graphs.

    Attributes:
        scales: pyramid level / image, per level with RoIs.
        proposal_levels: levels with proposals (one more where ``fpn_extra_level``).
        channels: of the pyramid.
    """

    scales: tuple[float, ...]
    proposal_levels: int
    channels: int

    @classmethod
    @torch.inference_mode()
    def measure(cls, model: Any) -> GraphShapes:
        """Measured on a small empty image."""
        side = 256
        levels = model.backbone(torch.zeros(1, 3, side, side))
        names = model.roi_heads.box_roi_pool.featmap_names
        scales = tuple(2.0 ** round(math.log2(levels[name].shape[-1] / side)) for name in names)
        return cls(scales, len(levels), int(model.backbone.out_channels))

    def example_boxes(self) -> tuple[Tensor, ...]:
        """Inputs of :class:`BoxHeadGraph` for tracing: a pyramid of a 256-pixel image, two RoIs on each level."""
        levels = [torch.rand(1, self.channels, int(256 * s), int(256 * s)) for s in self.scales]
        return (*levels, *(torch.tensor([[0.0, 8, 8, 90, 70], [0.0, 0, 0, 200, 200]]) for _ in self.scales))
