"""Box geometry. Boxes are ``xyxy``: x1, y1, x2, y2 in pixels, x to the right, y down, edges half-open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating]


def xywh_to_xyxy(boxes_xywh: Boxes) -> Boxes:
    """COCO's ``bbox`` (x, y, width, height), shape (…, 4) → xyxy of the same shape."""
    boxes = np.asarray(boxes_xywh, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def xyxy_to_xywh(boxes_xyxy: Boxes) -> Boxes:
    """xyxy, shape (…, 4) → COCO's ``bbox`` (x, y, width, height) of the same shape."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def box_area_px(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Area in square pixels, shape (…,); inverted boxes have area 0."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    sides = np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])


def box_centres(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Centre points (x, y), shape (…, 2)."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2.0)


def box_intersection_px(a_xyxy: Boxes, b_xyxy: Boxes) -> NDArray[np.float64]:
    """Area shared by boxes ``a`` and ``b`` (broadcast), in square pixels."""
    a, b = np.asarray(a_xyxy, dtype=np.float64), np.asarray(b_xyxy, dtype=np.float64)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., 2:], b[..., 2:])
    return box_area_px(np.concatenate([low, high], axis=-1))


def box_iou(a_xyxy: Boxes, b_xyxy: Boxes) -> NDArray[np.float64]:
    """Intersection over union of boxes ``a`` and ``b`` (broadcast), in [0, 1]; 0 where both are empty."""
    shared = box_intersection_px(a_xyxy, b_xyxy)
    union = box_area_px(a_xyxy) + box_area_px(b_xyxy) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def box_gap_px(a_xyxy: Boxes, b_xyxy: Boxes) -> NDArray[np.float64]:
    """Shortest distance between the edges of boxes ``a`` and ``b`` (broadcast), in pixels; 0 if they meet."""
    a, b = np.asarray(a_xyxy, dtype=np.float64), np.asarray(b_xyxy, dtype=np.float64)
    apart = np.maximum(np.maximum(a[..., :2] - b[..., 2:], b[..., :2] - a[..., 2:]), 0.0)
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]))


def clip_boxes(boxes_xyxy: Boxes, *, width: int, height: int) -> Boxes:
    """Boxes cut to an image of ``width`` × ``height`` pixels, same shape."""
    limit = np.array([width, height, width, height], dtype=np.float64)
    return np.asarray(np.clip(np.asarray(boxes_xyxy, dtype=np.float64), 0.0, limit))
