"""Box voting: the edges of a detection are a mean over all boxes predicted for the same object."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import clip_boxes_to_image

# torchvision's own values, which FasterRCNN gives its heads
_FOREGROUND_IOU = _BACKGROUND_IOU = 0.5


class BoxVotingRoIHeads(RoIHeads):  # type: ignore[misc]  # torchvision has no types
    """torchvision's RoI heads; boxes that suppression drops still help to place the edges of the one that is kept.

    Each detection gets the mean of the decoded boxes of its category, its own included, that overlap it by at least
    ``vote_iou`` (intersection over union), weighted by the square of their confidences. Confidences stay as they are.
    Several proposals cover one object, and the errors of their edges are partly independent.

    Source: Gidaris & Komodakis, Object detection via a multi-region and semantic segmentation-aware CNN model, 2015.
    """

    vote_iou: float

    @classmethod
    def from_heads(cls, heads: Any, *, vote_iou: float) -> Self:
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
        counts = [len(per_image) for per_image in proposals]
        decoded = torch.split(self.box_coder.decode(box_regression, proposals), counts)
        confidences = torch.split(torch.softmax(class_logits, -1), counts)
        voted = [
            vote(kept, clip_boxes_to_image(all_boxes, size)[:, own], scores_of[:, own], min_iou=self.vote_iou)
            for kept, own, all_boxes, scores_of, size in zip(
                boxes, labels, decoded, confidences, image_shapes, strict=True
            )
        ]
        return voted, scores, labels


def vote(kept: Tensor, candidates: Tensor, confidences: Tensor, *, min_iou: float) -> Tensor:
    """Move each kept box to the weighted mean of the candidates that overlap it.

    Args:
        kept: (m, 4) xyxy pixels.
        candidates: (n, m, 4) boxes of each proposal for the category of each kept box.
        confidences: (n, m) of the candidates.
        min_iou: smallest intersection over union of a candidate that counts.

    Returns:
        (m, 4) xyxy pixels.
    """
    top_left, bottom_right = (
        torch.maximum(kept[:, :2], candidates[..., :2]),
        torch.minimum(kept[:, 2:], candidates[..., 2:]),
    )
    common = (bottom_right - top_left).clamp(min=0).prod(-1)
    iou = common / (_area(kept) + _area(candidates) - common).clamp(min=1e-6)
    weights = torch.where(iou >= min_iou, confidences.square(), 0.0)[..., None]
    total = weights.sum(0)
    return torch.where(total > 0, (weights * candidates).sum(0) / total.clamp(min=1e-12), kept)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)
