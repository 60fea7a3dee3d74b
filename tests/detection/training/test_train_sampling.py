"""Which images an epoch shows: rare categories more often, wide and tall images apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny_training import tiny_train

from visionllm_interaction.detection.training.data.coco_annotations import TrainingImage
from visionllm_interaction.detection.training.data.samplers import EpochPlan, EpochSampler, repeat_factors


def training_images(*labels: Sequence[int], sizes: Sequence[tuple[int, int]] = ()) -> list[TrainingImage]:
    shapes = sizes or [(80, 60)] * len(labels)
    return [
        TrainingImage(n, Path(f"{n}.png"), *size, np.zeros((len(mine), 4), np.float32), np.array(mine, np.int64))
        for n, (mine, size) in enumerate(zip(labels, shapes, strict=True))
    ]


def epoch(plan: EpochPlan, number: int = 0) -> list[int]:
    sampler = EpochSampler(plan, seed=1)
    sampler.set_epoch(number)
    return [picture for _, picture in sampler]


def test_factors_are_those_of_lvis() -> None:
    # category 1 in 8 of 8 images, category 2 in one, nothing in none
    found = repeat_factors(training_images(*[[1]] * 7, [1, 2, 2]), 0.5)
    assert found.tolist() == pytest.approx([1.0] * 7 + [2.0])  # √(0.5 / (1/8))
    assert repeat_factors(training_images([], [1]), 0.9).tolist() == pytest.approx([1.0, 0.9**0.5 * 2**0.5])


def test_rare_categories_are_shown_as_often_as_their_factor_says() -> None:
    data = training_images(*[[1]] * 95, *[[1, 2]] * 5)
    plan = EpochPlan.of(data, tiny_train(repeat_threshold=0.3))
    assert plan.length == round(95 + 5 * 6**0.5)
    seen = Counter(number for n in range(200) for number in epoch(plan, n))
    rare = sum(seen[number] for number in range(95, 100)) / 200 / 5
    assert rare == pytest.approx(6**0.5, rel=0.03)
    assert {len(epoch(plan, n)) for n in range(20)} == {plan.length}
    assert epoch(plan, 3) == epoch(plan, 3) != epoch(plan, 4)


def test_without_a_threshold_each_picture_is_shown_once() -> None:
    plan = EpochPlan.of(training_images(*[[1]] * 9), tiny_train())
    assert sorted(epoch(plan)) == list(range(9))


@pytest.mark.parametrize("grouping", [True, False])
def test_wide_and_tall_pictures_have_batches_of_their_own(grouping: bool) -> None:
    sizes = [(80, 60) if n % 3 else (60, 80) for n in range(60)]
    plan = EpochPlan.of(training_images(*[[1]] * 60, sizes=sizes), tiny_train(batch_size=4, aspect_grouping=grouping))
    order = epoch(plan)
    assert sorted(order) == list(range(60))
    mixed = [len({sizes[number] for number in batch}) > 1 for batch in _batches(order, 4)]
    assert any(mixed) != grouping


def test_pictures_of_one_shape_are_in_the_same_order_with_and_without_groups() -> None:
    data = training_images(*[[1]] * 10)
    plans = [EpochPlan.of(data, tiny_train(batch_size=4, aspect_grouping=grouping)) for grouping in (True, False)]
    assert epoch(plans[0]) == epoch(plans[1])


def test_a_resumed_epoch_gives_the_rest_of_it() -> None:
    sizes = [(80, 60) if n % 3 else (60, 80) for n in range(12)]
    plan = EpochPlan.of(training_images(*[[1]] * 12, sizes=sizes), tiny_train(batch_size=2, repeat_threshold=0.5))
    sampler = EpochSampler(plan, seed=1, done=(0, 4))
    assert [number for _, number in sampler] == epoch(plan)[4:]


def _batches(order: list[int], size: int) -> list[list[int]]:
    return [order[n : n + size] for n in range(0, len(order), size)]
