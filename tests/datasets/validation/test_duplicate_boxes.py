"""Pairs of boxes on the same pixels: the sweep finds what comparing each with each finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionllm_interaction.datasets.validation.rules.duplicate_boxes import iou_xywh, overlapping_pairs

MIN_IOU = 0.6


def boxes_from(seed: int, *, count: int, farthest_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (m, 4) of few images, about half of them shaken copies of others; and their image ids (m,)."""
    random = np.random.default_rng(seed)
    origin = random.choice([0.0, 1.0, farthest_px]) + random.uniform(-50, 50, (count, 2))
    boxes = np.hstack([origin, random.uniform(0.5, 40, (count, 2))])
    copies = random.integers(0, count, count // 2)
    boxes = np.vstack([boxes, boxes[copies] + random.normal(0, 1, (len(copies), 4))])
    images = random.choice([3, 4, 900_719_925_474], len(boxes))
    images[count:] = images[copies]
    return boxes, images


@pytest.mark.parametrize("farthest_px", [0.0, 1e9])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 60))
def test_sweep_finds_the_pairs_that_comparing_all_finds(farthest_px: float, seed: int, count: int) -> None:
    boxes, images = boxes_from(seed, count=count, farthest_px=farthest_px)
    usable = np.random.default_rng(seed + 1).random(len(boxes)) < 0.9
    first, second = np.triu_indices(len(boxes), k=1)
    sound = usable & (boxes[:, 2:] > 0).all(axis=1)
    with np.errstate(all="ignore"):
        same = (images[first] == images[second]) & (iou_xywh(boxes[first], boxes[second]) >= MIN_IOU)
    kept = same & sound[first] & sound[second]
    wanted = set(zip(first[kept].tolist(), second[kept].tolist(), strict=True))

    pairs = overlapping_pairs(boxes, images, usable=usable, min_iou=MIN_IOU)

    assert set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == wanted
    assert len(pairs.first) == len(wanted)
    assert pairs.second.tolist() == sorted(pairs.second.tolist())
