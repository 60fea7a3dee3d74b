"""The people of an image, and what is found in several regions of one: once each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.video.bodies.crop_regions import Region
from visionllm_interaction.video.bodies.poses import Pose

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

_SAME_IOU = 0.4
"""Two boxes that overlap by more are of one hand or face."""


@dataclass(frozen=True, eq=False)
class Person:
    """One person of one image.

    Attributes:
        image: number of the image.
        row: of the person among those of the image.
        image_rgb: (H, W, 3) uint8.
        box_xyxy: (4,) pixels.
        pose: if known.
    """

    image: int
    row: int
    image_rgb: Image = field(repr=False)
    box_xyxy: Floats
    pose: Pose | None = None


class Boxed(Protocol):
    """A face or a hand."""

    @property
    def box_xyxy(self) -> Floats:
        """(4,) pixels of the image."""


def whole_images(images_rgb: Sequence[Image]) -> Iterator[tuple[int, Region]]:
    """The whole of each image: near the camera there are hands and faces of people whose box is not known."""
    for number, image in enumerate(images_rgb):
        height, width = image.shape[:2]
        yield number, Region(width / 2, height / 2, float(max(width, height)))


def is_met(x: float, y: float, found: Sequence[Boxed]) -> bool:
    """Whether a point lies in the box of something that was found already."""
    return any(f.box_xyxy[0] <= x <= f.box_xyxy[2] and f.box_xyxy[1] <= y <= f.box_xyxy[3] for f in found)


def distinct_rows(boxes: Sequence[Floats], scores: Sequence[float]) -> list[int]:
    """Rows of boxes (4,) without those that overlap a better one, best first."""
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda n: -scores[n]):
        if not kept or box_iou(boxes[row], np.array([boxes[n] for n in kept])).max() < _SAME_IOU:
            kept.append(row)
    return kept
