"""Box voting: a detection's edges are the mean of all that the box head said about the same thing."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import clip_boxes_to_image

# torchvision's own values, which FasterRCNN gives its heads
_FOREGROUND_IOU = _BACKGROUND_IOU = 0.5


class VotingHeads(RoIHeads):  # type: ignore[misc]  # torchvision has no types
    """torchvision's heads, but suppression does not throw away what the suppressed boxes say about the edges.

    Each detection gets the mean of the boxes of its category, itself included, that overlap it by at least ``vote_iou``
    (intersection over union), weighted by the square of their confidences; confidences stay as they are. Several
    proposals see one thing, and the errors of their edges are partly their own.

    Source: Gidaris & Komodakis, Object detection via a multi-region and semantic segmentation-aware CNN model, 2015.
    """

    vote_iou: float

    @classmethod
    def of(cls, heads: Any, *, vote_iou: float) -> Self:
        """Heads with the parts and settings of ``heads``."""
        own = cls(
            heads.box_roi_pool,
            heads.box_head,
            heads.box_predictor,
            fg_iou_thresh=_FOREGROUND_IOU,
            bg_iou_thresh=_BACKGROUND_IOU,
            batch_size_per_image=heads.fg_bg_sampler.batch_size_per_image,
            positive_fraction=heads.fg_bg_sampler.positive_fraction,
            bbox_reg_weights=heads.box_coder.weights,
            score_thresh=heads.score_thresh,
            nms_thresh=heads.nms_thresh,
            detections_per_img=heads.detections_per_img,
        )
        own.vote_iou = vote_iou
        return own

    def postprocess_detections(
        self,
        class_logits: Tensor,
        box_regression: Tensor,
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """See torchvision: boxes (n, 4) xyxy, confidences (n,) and labels (n,) of each image."""
        boxes, scores, labels = super().postprocess_detections(class_logits, box_regression, proposals, image_shapes)
        counts = [len(of_one) for of_one in proposals]
        said = torch.split(self.box_coder.decode(box_regression, proposals), counts)
        sure = torch.split(torch.softmax(class_logits, -1), counts)
        voted = [
            vote(kept, clip_boxes_to_image(all_said, shape)[:, names], all_sure[:, names], min_iou=self.vote_iou)
            for kept, names, all_said, all_sure, shape in zip(boxes, labels, said, sure, image_shapes, strict=True)
        ]
        return voted, scores, labels


def vote(kept: Tensor, said: Tensor, sure: Tensor, *, min_iou: float) -> Tensor:
    """(m, 4) means of the boxes ``said`` (n, m, 4) of each of ``kept`` (m, 4) with confidences ``sure`` (n, m)."""
    upper, lower = torch.maximum(kept[:, :2], said[..., :2]), torch.minimum(kept[:, 2:], said[..., 2:])
    common = (lower - upper).clamp(min=0).prod(-1)
    iou = common / (_area(kept) + _area(said) - common).clamp(min=1e-6)
    weights = torch.where(iou >= min_iou, sure.square(), 0.0)[..., None]
    total = weights.sum(0)
    return torch.where(total > 0, (weights * said).sum(0) / total.clamp(min=1e-12), kept)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)
