"""Anchors, suppression and regions: the geometry between a detector's numbers and an image's pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionllm_interaction.video.bodies.anchors import Anchors, Candidates, decode, distinct, suppress
from visionllm_interaction.video.bodies.crop_regions import Region, angle_of, around_box, box_of
from visionllm_interaction.video.bodies.faces import ANCHORS as FACES
from visionllm_interaction.video.bodies.hands import ANCHORS as PALMS


@pytest.mark.parametrize(("anchors", "count"), [(FACES, 896), (PALMS, 2016), (Anchors(224, (8, 16, 32, 32, 32)), 2254)])
def test_grids_have_as_many_anchors_as_the_networks_have_outputs(anchors: Anchors, count: int) -> None:
    assert anchors.centres.shape == (count, 2)
    assert ((anchors.centres > 0) & (anchors.centres < 1)).all()


def test_anchors_go_row_by_row_and_layers_of_one_stride_share_a_cell() -> None:
    centres = Anchors(32, (8, 16, 16)).centres
    np.testing.assert_allclose(centres[:4] * 32, [[4, 4], [4, 4], [12, 4], [12, 4]])
    np.testing.assert_allclose(centres[32:36] * 32, [[8, 8]] * 4)


def test_boxes_and_points_are_counted_from_the_anchor_in_input_pixels() -> None:
    anchors = Anchors(32, (16,))
    raw = np.zeros((8, 8), np.float32)
    raw[2] = [2, -4, 8, 16, 1, 1, -2, 3]  # of the second cell, whose centre is at (24, 8)
    logits = np.full((8, 1), -9.0, np.float32)
    logits[2] = 2.0
    found = decode(raw, logits, anchors, min_score=0.5)
    np.testing.assert_allclose(found.boxes_xyxy[0] * 32, [22, -4, 30, 12])
    np.testing.assert_allclose(found.points_xy[0] * 32, [[25, 9], [22, 11]])
    assert found.scores[0] == pytest.approx(1 / (1 + math.exp(-2)))


def test_nothing_found_is_an_empty_table_of_the_same_form() -> None:
    found = decode(np.zeros((8, 18), np.float32), np.full((8, 1), -9.0, np.float32), Anchors(32, (16,)), min_score=0.5)
    assert suppress(found, max_iou=0.3).points_xy.shape == (0, 7, 2)


def test_overlapping_candidates_become_their_mean_weighted_by_the_scores() -> None:
    boxes = np.array([[0.0, 0, 0.4, 0.4], [0.04, 0, 0.44, 0.4], [0.7, 0.7, 0.9, 0.9]], np.float32)
    points = boxes[:, None, :2] + 0.1
    found = suppress(Candidates(boxes, np.array([0.9, 0.3, 0.6], np.float32), points), max_iou=0.3)
    assert len(found) == 2
    np.testing.assert_allclose(found.boxes_xyxy[0], [0.01, 0, 0.41, 0.4], atol=1e-6)
    np.testing.assert_allclose(found.points_xy[0], [[0.11, 0.1]], atol=1e-6)
    assert found.scores[0] == pytest.approx(0.9)  # the best one's, not the mean


coordinates = st.floats(-200, 800)


@given(coordinates, coordinates, st.floats(2, 900), st.floats(-math.pi, math.pi), st.floats(0, 1), st.floats(0, 1))
def test_a_point_of_the_crop_is_at_the_same_distance_from_the_centre_in_the_image(
    x: float, y: float, side: float, angle: float, u: float, v: float
) -> None:
    region = Region(x, y, side, angle)
    found = region.to_image(np.array([[u, v], [0.5, 0.5]]))
    np.testing.assert_allclose(found[1], [x, y], atol=1e-2)
    expected = math.hypot(u - 0.5, v - 0.5) * side
    assert math.hypot(*(found[0] - found[1])) == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize("angle", [0.0, 0.5, -1.2, math.pi])
def test_a_mark_is_found_in_the_crop_where_the_region_says(angle: float) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[98:103, 178:183] = 255
    region = Region(150.0, 90.0, 120.0, angle)
    crop = region.crop(image, 96).astype(float)[..., 0]
    rows, columns = np.mgrid[:96, :96] + 0.5
    at = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum() / 96
    np.testing.assert_allclose(region.to_image(at[None])[0], [180.5, 100.5], atol=0.6)


def test_a_head_up_body_is_not_turned_and_one_that_lies_is() -> None:
    down = np.array([100.0, 100.0])
    assert angle_of(down, np.array([100.0, 50.0]), upright_deg=90) == pytest.approx(0)
    assert angle_of(down, np.array([150.0, 100.0]), upright_deg=90) == pytest.approx(math.pi / 2)
    assert angle_of(down, np.array([150.0, 100.0]), upright_deg=0) == pytest.approx(0)


def test_boxes_around_points_and_squares_around_boxes() -> None:
    np.testing.assert_allclose(box_of(np.array([[10.0, 20], [30, 60]]), margin=0.1), [6, 16, 34, 64])
    assert around_box(np.array([10.0, 20, 30, 60]), scale=1.5) == Region(20, 40, 60)


def test_what_is_seen_in_two_regions_of_one_image_is_one_thing() -> None:
    image, other = np.zeros((100, 100, 3), np.uint8), np.zeros((100, 100, 3), np.uint8)
    whole, part = Region(50, 50, 100), Region(25, 25, 50)

    def one(score: float, *box: float) -> Candidates:
        boxes = np.array([box], np.float32)
        return Candidates(boxes, np.array([score], np.float32), boxes[:, None, :2])

    seen = [one(0.4, 0.1, 0.1, 0.3, 0.3), one(0.9, 0.2, 0.2, 0.6, 0.6), one(0.5, 0.1, 0.1, 0.3, 0.3)]
    assert distinct(seen, [image, image, other], [whole, part, whole]) == [(1, 0), (2, 0)]
    apart = [seen[0], one(0.9, 0.7, 0.7, 0.9, 0.9)]
    assert distinct(apart, [image, image], [whole, part]) == [(0, 0), (1, 0)]
