"""Box geometry: hand-worked values, and properties that hold for any boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionllm_interaction.core.boxes import (
    box_area_px,
    box_centres,
    box_gap_px,
    box_iou,
    clip_boxes,
    xywh_to_xyxy,
    xyxy_to_xywh,
)

finite = st.floats(-1e4, 1e4)
sizes = st.floats(0, 1e4)
boxes_xywh = st.lists(st.tuples(finite, finite, sizes, sizes), min_size=1, max_size=8).map(np.array)


@pytest.mark.parametrize(
    ("a", "b", "iou", "gap"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0, 0.0),  # the same box
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3, 0.0),  # half shared
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0, 0.0),  # edges meet
        ((0, 0, 10, 10), (13, 14, 20, 20), 0.0, 5.0),  # apart 3 right and 4 down
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04, 0.0),  # inside
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0, 0.0),  # both empty: no division by zero
    ],
)
def test_iou_and_gap_by_hand(a: tuple[int, ...], b: tuple[int, ...], iou: float, gap: float) -> None:
    assert box_iou(np.array(a), np.array(b)) == pytest.approx(iou)
    assert box_gap_px(np.array(a), np.array(b)) == pytest.approx(gap)


@given(boxes_xywh)
def test_xywh_round_trip(boxes: np.ndarray) -> None:
    np.testing.assert_allclose(xyxy_to_xywh(xywh_to_xyxy(boxes)), boxes, atol=1e-8)


@given(boxes_xywh, boxes_xywh)
def test_iou_is_symmetric_and_bounded(a: np.ndarray, b: np.ndarray) -> None:
    pairs = box_iou(xywh_to_xyxy(a)[:, None], xywh_to_xyxy(b)[None])
    assert ((pairs >= 0) & (pairs <= 1 + 1e-9)).all()
    np.testing.assert_allclose(pairs.T, box_iou(xywh_to_xyxy(b)[:, None], xywh_to_xyxy(a)[None]))


@given(boxes_xywh)
def test_mirrored_boxes_keep_area_and_gap(boxes: np.ndarray) -> None:
    xyxy = xywh_to_xyxy(boxes)
    mirrored = xyxy[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1])
    np.testing.assert_allclose(box_area_px(mirrored), box_area_px(xyxy), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(
        box_gap_px(mirrored[:, None], mirrored[None]), box_gap_px(xyxy[:, None], xyxy[None]), atol=1e-6
    )


def test_centres_and_clipping() -> None:
    boxes = np.array([[-5.0, 2.0, 15.0, 30.0]])
    np.testing.assert_array_equal(box_centres(boxes), [[5.0, 16.0]])
    np.testing.assert_array_equal(clip_boxes(boxes, width=10, height=20), [[0.0, 2.0, 10.0, 20.0]])
