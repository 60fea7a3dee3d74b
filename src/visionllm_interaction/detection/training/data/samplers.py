"""Which images a training sees, in which order: decided by seed and epoch alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.utils.data import Sampler

from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.data.coco_annotations import TrainingImage


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """What an epoch is made of.

    Attributes:
        images: how many there are to choose from.
        length: how many one epoch shows.
        repeats: (images,) how often each is shown on average; ``None``: each once.
        groups: for each image a number; batches are of one group as far as that goes. ``None``: all are one group.
        batch_size: images of a batch, over all processes.
    """

    images: int
    length: int
    repeats: Tensor | None = None
    groups: Sequence[int] | None = None
    batch_size: int = 1

    @classmethod
    def of(cls, images: Sequence[TrainingImage], config: TrainConfig) -> EpochPlan:
        """The plan that ``config`` asks for."""
        repeats = repeat_factors(images, config.repeat_threshold) if config.repeat_threshold else None
        return cls(
            images=len(images),
            length=len(images) if repeats is None else round(repeats.sum().item()),
            repeats=repeats,
            groups=[int(p.width >= p.height) for p in images] if config.aspect_grouping else None,
            batch_size=config.batch_size,
        )

    def order(self, generator: Generator) -> list[int]:
        """(length) numbers of images for one epoch."""
        order = self._shuffled(generator)
        return order if self.groups is None else _by_group(order, self.groups, self.batch_size)

    def _shuffled(self, generator: Generator) -> list[int]:
        once = torch.randperm(self.images, generator=generator)
        if self.repeats is None:
            return once.tolist()
        # the fraction of a factor is drawn anew each epoch; what is too many or too few for the length is made even
        counts = (self.repeats + torch.rand(self.images, generator=generator)).floor().long()
        numbers = torch.arange(self.images).repeat_interleave(counts)
        numbers = numbers[torch.randperm(len(numbers), generator=generator)]
        return torch.cat([numbers, once])[: self.length].tolist()


def repeat_factors(images: Sequence[TrainingImage], threshold: float) -> Tensor:
    """(images,) √(threshold / share of images with the category) of an image's rarest category, at least 1.

    Source: Gupta et al., LVIS, 2019, appendix.
    """
    labels = [set(image.labels.tolist()) for image in images]
    seen: dict[int, int] = {}
    for label in (label for mine in labels for label in mine):
        seen[label] = seen.get(label, 0) + 1
    factor = {label: max(1.0, math.sqrt(threshold * len(images) / count)) for label, count in seen.items()}
    return torch.tensor([max((factor[label] for label in mine), default=1.0) for mine in labels])


def _by_group(order: Sequence[int], groups: Sequence[int], batch_size: int) -> list[int]:
    """The same numbers; whole batches of one group first, in the order in which they fill."""
    waiting: dict[int, list[int]] = {}
    batches: list[int] = []
    for number in order:
        queue = waiting.setdefault(groups[number], [])
        queue.append(number)
        if len(queue) == batch_size:
            batches += queue
            queue.clear()
    return batches + [number for queue in waiting.values() for number in queue]


class EpochSampler(Sampler[tuple[int, int]]):
    """``(epoch, number)`` pairs in an order that seed and epoch decide; Lightning calls :meth:`set_epoch`.

    ``done`` (epoch, pairs) is where a resumed training stands: so many pairs of that epoch are not given again.
    ``share`` (rank, processes): every process gets its share of each batch, so that together they see the batches one
    process alone would see.
    """

    def __init__(
        self, plan: EpochPlan, *, seed: int, done: tuple[int, int] = (0, 0), share: tuple[int, int] = (0, 1)
    ) -> None:
        self._plan = plan
        self._seed = seed
        self._done = done
        self._share = share
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order for ``epoch`` (from 0)."""
        self._epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self._plan.length / self._share[1])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = self._plan.order(torch.Generator().manual_seed(hash((self._seed, self._epoch)) % 2**63))
        skipped = self._done[1] if self._epoch == self._done[0] else 0
        mine, processes = self._share
        order += order[: -len(order) % processes]  # shares of one length, or the processes would wait for each other
        return iter([(self._epoch, number) for number in order[skipped + mine :: processes]])
