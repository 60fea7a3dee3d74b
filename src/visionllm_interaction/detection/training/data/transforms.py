"""Random changes to a training image and its boxes. Each draws only from the generator it is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

GREY = 114
MIN_VISIBLE_SHARE = 0.3
"""A box with less of its area left after a crop is dropped."""
MIN_SIDE_PX = 2.0
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601 weights of red, green and blue."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its objects.

    Attributes:
        image: (3, H, W) uint8 RGB.
        boxes_xyxy: (n, 4) float32, pixels.
        labels: (n,) int64, 1…K.
    """

    image: Tensor
    boxes_xyxy: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Augmentation:
    """Mirror, zoom and change the light, with the strengths of ``TrainConfig``."""

    hflip: float
    zoom: tuple[float, float]
    photometric: float

    def __call__(self, sample: Sample, generator: Generator) -> Sample:
        """A changed copy of ``sample``."""
        if _uniform(generator) < self.hflip:
            sample = mirror(sample)
        scale = _uniform(generator, *self.zoom)
        sample = zoom(sample, scale, place=(_uniform(generator), _uniform(generator)))
        factors = [_uniform(generator, 1 - self.photometric, 1 + self.photometric) for _ in range(3)]
        image = change_light(sample.image, brightness=factors[0], contrast=factors[1], saturation=factors[2])
        return Sample(image, sample.boxes_xyxy, sample.labels)


def mirror(sample: Sample) -> Sample:
    """Left and right exchanged."""
    width = sample.image.shape[2]
    boxes = sample.boxes_xyxy[:, [2, 1, 0, 3]].clone()
    boxes[:, [0, 2]] = width - boxes[:, [0, 2]]
    return Sample(sample.image.flip(2), boxes, sample.labels)


def zoom(sample: Sample, scale: float, *, place: tuple[float, float]) -> Sample:
    """Objects ``scale`` times as large relative to the frame, without resampling: the model resizes frames anyway.

    Above 1 a part of the image is cut out, below 1 it is laid on a larger grey canvas; ``place`` (x, y in 0…1)
    says where.
    """
    height, width = sample.image.shape[1:]
    new_h, new_w = max(1, round(height / scale)), max(1, round(width / scale))
    if (new_h, new_w) == (height, width):
        return sample
    x, y = round(place[0] * abs(width - new_w)), round(place[1] * abs(height - new_h))
    if scale < 1:
        canvas = torch.full((3, new_h, new_w), GREY, dtype=torch.uint8)
        canvas[:, y : y + height, x : x + width] = sample.image
        return Sample(canvas, sample.boxes_xyxy + torch.tensor([x, y, x, y], dtype=torch.float32), sample.labels)
    return _crop(sample, (x, y, x + new_w, y + new_h))


def _crop(sample: Sample, window_xyxy: tuple[int, int, int, int]) -> Sample:
    x1, y1, x2, y2 = window_xyxy
    boxes = sample.boxes_xyxy
    cut = boxes - torch.tensor([x1, y1, x1, y1], dtype=torch.float32)
    cut = torch.stack([cut[:, 0::2].clamp(0, x2 - x1), cut[:, 1::2].clamp(0, y2 - y1)], dim=2).flatten(1)
    sides = cut[:, 2:] - cut[:, :2]
    share = sides.prod(1) / (boxes[:, 2:] - boxes[:, :2]).prod(1).clamp(min=1e-6)
    keep = (share >= MIN_VISIBLE_SHARE) & (sides >= MIN_SIDE_PX).all(1)
    return Sample(sample.image[:, y1:y2, x1:x2], cut[keep], sample.labels[keep])


def change_light(image: Tensor, *, brightness: float, contrast: float, saturation: float) -> Tensor:
    """(3, H, W) uint8 → the same, with brightness, contrast around the mean and colour scaled by the factors."""
    pixels = image.float()
    grey = torch.tensor(LUMA).view(3, 1, 1).mul(pixels).sum(0, keepdim=True)
    pixels = torch.lerp(grey, pixels, saturation)
    mean = grey.mean()
    return pixels.sub_(mean).mul_(contrast * brightness).add_(mean * brightness).clamp_(0, 255).byte()


def _uniform(generator: Generator, low: float = 0.0, high: float = 1.0) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()
