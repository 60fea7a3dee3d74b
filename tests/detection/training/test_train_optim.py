"""Learning rate over the steps, and what is decayed."""

from __future__ import annotations

import pytest
import torch
from tiny_model import tiny
from tiny_training import tiny_train
from torch import nn

from visionllm_interaction.detection.models import build_model
from visionllm_interaction.detection.training.optimizers import build_optimizer, build_schedule


def rates(schedule: str, steps: int = 20, warmup: float = 0.25) -> list[float]:
    config = tiny_train(schedule=schedule, lr=0.4, warmup_share=warmup)
    optimizer = build_optimizer(nn.Linear(2, 2), config)
    scheduler = build_schedule(optimizer, config, steps=steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "steps", "constant"])
def test_the_rate_rises_to_its_peak_in_the_warm_up(schedule: str) -> None:
    seen = rates(schedule)
    peak = seen.index(max(seen))
    assert max(seen) == pytest.approx(0.4, rel=0.02)
    assert peak in (4, 5)
    assert seen[:peak] == sorted(seen[:peak]) and seen[0] < 0.1


@pytest.mark.parametrize(("steps", "warmup"), [(9, 0.1), (4, 0.2), (19, 0.05), (1, 0.5), (1, 0.0), (1, 0.9)])
def test_a_training_too_short_for_a_rise_starts_at_the_peak_or_below(steps: int, warmup: float) -> None:
    seen = rates("one_cycle", steps=steps, warmup=warmup)
    assert len(seen) == steps
    assert 0.0 < seen[0] <= 0.4
    assert seen[1:] == sorted(seen[1:], reverse=True)


def test_ends() -> None:
    assert rates("one_cycle")[-1] < 0.01
    assert rates("cosine")[-1] < 0.01
    assert rates("constant")[-1] == pytest.approx(0.4)
    assert [rates("steps")[n] for n in (13, 14, 17, 18)] == pytest.approx([0.4, 0.04, 0.04, 0.004])


@pytest.mark.parametrize("milestones", [(0.9, 0.5), (0.5, 0.5), (0.0,), (0.5, 1.0)])
def test_milestones_increase_within_the_training(milestones: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="milestones must increase"):
        tiny_train(milestones=milestones)


def test_vectors_are_not_decayed_and_frozen_tensors_not_touched() -> None:
    model = build_model(tiny(trainable_layers=1), num_classes=3)
    groups = build_optimizer(model, tiny_train(weight_decay=0.1)).param_groups
    assert [(g["weight_decay"], {p.ndim > 1 for p in g["params"]}) for g in groups] == [(0.1, {True}), (0.0, {False})]
    listed = {id(p) for g in groups for p in g["params"]}
    assert listed == {id(p) for p in model.parameters() if p.requires_grad}
    assert id(model.backbone.body.conv1.weight) not in listed


def test_sgd_on_request() -> None:
    assert isinstance(build_optimizer(nn.Linear(1, 1), tiny_train(optimizer="sgd")), torch.optim.SGD)
