"""Optimiser and learning rate schedule."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from visionllm_interaction.detection.training.config import TrainConfig

MOMENTUM = 0.9
START_SHARE = 0.01
"""The warm-up starts at this share of the learning rate."""
DROP = 0.1


def build_optimizer(model: nn.Module, config: TrainConfig) -> Optimizer:
    """AdamW or SGD over what may learn; vectors (biases, normalisation) are not decayed."""
    learn = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learn if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in learn if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=MOMENTUM)
    return torch.optim.AdamW(groups, lr=config.lr, fused=True)


def build_schedule(optimizer: Optimizer, config: TrainConfig, *, steps: int) -> LRScheduler:
    """The learning rate over ``steps`` steps.

    Source of one_cycle: Smith & Topin, Super-Convergence, 2018.
    """
    warmup = max(1, round(config.warmup_share * steps))
    if config.schedule == "one_cycle":
        share, total = max(config.warmup_share, 1e-3), steps + 1
        if math.isclose(share * total, 1.0):
            share *= 0.99  # torch would divide by the length of a rise of exactly no step
        return OneCycleLR(optimizer, config.lr, total_steps=total, pct_start=share)
    return LambdaLR(optimizer, lambda step: _share(step, config, warmup=warmup, steps=steps))


def _share(step: int, config: TrainConfig, *, warmup: int, steps: int) -> float:
    if step < warmup:
        return START_SHARE + (1 - START_SHARE) * step / warmup
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    passed = sum(step >= milestone * steps for milestone in config.milestones)
    return float(DROP**passed) if config.schedule == "steps" else 1.0
