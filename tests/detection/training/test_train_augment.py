"""Boxes follow the image through every change."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visionllm_interaction.detection.training.data.transforms import (
    GREY,
    Augmentation,
    Sample,
    change_light,
    mirror,
    zoom,
)


def painted(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (60, 80)) -> Sample:
    """Black, each box filled with its own red."""
    image = torch.zeros(3, *size, dtype=torch.uint8)
    for number, (x1, y1, x2, y2) in enumerate(boxes, start=1):
        image[0, y1:y2, x1:x2] = 100 + number
    return Sample(image, torch.tensor(boxes, dtype=torch.float32), torch.arange(1, len(boxes) + 1))


def where(image: torch.Tensor, number: int) -> list[float]:
    """The box of all pixels painted for object ``number``."""
    rows, columns = torch.nonzero(image[0] == 100 + number, as_tuple=True)
    edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return [float(edge) for edge in edges]


BOXES = ((10, 20, 30, 40), (50, 5, 70, 50))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.4, 1.6), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_boxes_stay_on_their_pixels(scale: float, x: float, y: float, flip: bool) -> None:
    sample = painted(*BOXES)
    changed = zoom(mirror(sample) if flip else sample, scale, place=(x, y))
    height, width = changed.image.shape[1:]
    assert abs(width - 80 / scale) <= 1 and abs(height - 60 / scale) <= 1
    for box, label in zip(changed.boxes_xyxy.tolist(), changed.labels.tolist(), strict=True):
        assert box == where(changed.image, label)


def test_mirror_twice_is_the_same() -> None:
    sample = painted(*BOXES)
    twice = mirror(mirror(sample))
    assert torch.equal(twice.image, sample.image)
    assert torch.equal(twice.boxes_xyxy, sample.boxes_xyxy)


def test_a_crop_drops_what_is_hardly_left() -> None:
    sample = painted((0, 0, 20, 20), (38, 28, 78, 58))
    cropped = zoom(sample, 2.0, place=(1.0, 1.0))  # the lower right quarter, from (40, 30)
    assert cropped.labels.tolist() == [2]
    assert cropped.boxes_xyxy.tolist() == [[0, 0, 38, 28]]
    assert zoom(sample, 2.0, place=(0.0, 0.0)).labels.tolist() == [1]  # of the other a sliver is left


def test_a_smaller_picture_lies_on_grey() -> None:
    shrunk = zoom(painted((0, 0, 80, 60)), 0.5, place=(0.0, 0.0))
    assert shrunk.image.shape == (3, 120, 160)
    assert (shrunk.image[:, 60:, :] == GREY).all() and (shrunk.image[:, :, 80:] == GREY).all()


def test_change_light_against_hand_figures() -> None:
    image = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    assert (change_light(image, brightness=1.5, contrast=1.0, saturation=1.0) == 150).all()
    assert (change_light(image, brightness=3.0, contrast=1.0, saturation=1.0) == 255).all()
    red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(3, 1, 1)
    grey = change_light(red, brightness=1.0, contrast=1.0, saturation=0.0)
    assert grey.flatten().tolist() == pytest.approx([60, 60, 60], abs=1)  # 0.299 × 200
    flat = torch.tensor([[[50, 150]]], dtype=torch.uint8).expand(3, 1, 2)
    assert (change_light(flat, brightness=1.0, contrast=0.0, saturation=1.0) - 100.0).abs().max() <= 1
    assert torch.equal(change_light(image, brightness=1.0, contrast=1.0, saturation=1.0), image)


def test_the_generator_alone_decides() -> None:
    augmentation = Augmentation(hflip=0.5, zoom=(0.7, 1.4), photometric=0.3)
    sample = painted(*BOXES)
    first, again, other = (augmentation(sample, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.image, again.image)
    assert first.image.shape != other.image.shape or not torch.equal(first.image, other.image)
