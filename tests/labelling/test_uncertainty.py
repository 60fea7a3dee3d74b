"""How unsure a detector is, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visionllm_interaction.core.detections import Detections
from visionllm_interaction.labelling.uncertainty import disagreement, objects_of, rarity_weights, uncertainty


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def test_a_sure_detection_has_no_entropy_and_one_at_a_half_has_one_bit() -> None:
    assert uncertainty(objects_of(found((0, 0, 10, 10, 1.0, 1))), {}) == pytest.approx(0.0)
    assert uncertainty(objects_of(found((0, 0, 10, 10, 0.5, 1))), {}) == pytest.approx(1.0)
    assert uncertainty(objects_of(found()), {}) == 0.0


def test_labels_on_one_object_are_one_belief() -> None:
    both = found((0, 0, 10, 10, 0.5, 1), (0, 0, 10, 9, 0.5, 2), (50, 50, 60, 60, 0.5, 1))
    objects = objects_of(both)
    assert [dict(one.confidences) for one in objects] == [{1: 0.5, 2: 0.5}, {1: 0.5}]
    # One of two labels for sure: 1 bit. One label or nothing: 1 bit.
    assert uncertainty(objects, {}) == pytest.approx(2.0)
    three = objects_of(found((0, 0, 10, 10, 0.5, 1), (0, 0, 10, 9, 0.25, 2)))
    assert three[0].entropy_bits == pytest.approx(1.5)


def test_confidences_above_one_in_sum_are_shares() -> None:
    objects = objects_of(found((0, 0, 10, 10, 0.9, 1), (0, 0, 10, 9, 0.9, 2)))
    assert objects[0].entropy_bits == pytest.approx(1.0)


def test_rare_categories_weigh_more() -> None:
    weights = rarity_weights({1: 39, 2: 9, 3: 9}, power=0.5)
    assert weights == pytest.approx({1: math.sqrt(20 / 40), 2: math.sqrt(2), 3: math.sqrt(2)})
    assert rarity_weights({1: 39, 2: 0}, power=0.0) == {1: 1.0, 2: 1.0}
    rare, common = (objects_of(found((0, 0, 10, 10, 0.5, label))) for label in (2, 1))
    assert uncertainty(rare, weights) == pytest.approx(2 * uncertainty(common, weights))


def test_the_same_in_the_mirror_is_no_disagreement() -> None:
    here = found((10, 0, 20, 10, 0.8, 1), (60, 5, 90, 30, 0.4, 2))
    mirrored = found((80, 0, 90, 10, 0.8, 1), (10, 5, 40, 30, 0.4, 2))
    assert disagreement(here, mirrored, width=100) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("mirrored", "expected"),
    [
        (found(), 0.8),  # gone
        (found((80, 0, 90, 10, 0.8, 2)), 1.6),  # another label: lost here and new there
        (found((80, 0, 90, 10, 0.5, 1)), 0.3),  # less sure
        (found((80, 0, 90, 5, 0.8, 1)), 0.8),  # half of the box: 0.4 each way
    ],
)
def test_what_the_mirror_changes_counts_by_confidence(mirrored: Detections, expected: float) -> None:
    assert disagreement(found((10, 0, 20, 10, 0.8, 1)), mirrored, width=100) == pytest.approx(expected, abs=1e-6)
