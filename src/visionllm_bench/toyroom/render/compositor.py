"""Layers put together into one image, with a map of which object owns each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm_bench.toyroom.drawing.vector_sprites import Sprite

NOBODY = 0
"""Owner of pixels of the room itself and of furniture."""

Box = tuple[int, int, int, int]
Owners = NDArray[np.uint8]


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """A sprite with its anchor at pixel (``x``, ``y``), belonging to ``owner`` (1…255, or :data:`NOBODY`)."""

    sprite: Sprite
    x: int
    y: int
    owner: int

    @property
    def corner(self) -> tuple[int, int]:
        """Upper left pixel of the sprite's image."""
        return (self.x + self.sprite.left, self.y + self.sprite.top)


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """The visible part of one object.

    Attributes:
        box_xyxy: box of the visible pixels, edges half-open.
        mask: (y2 − y1, x2 − x1) bool, the visible pixels inside the box.
        area_px: number of visible pixels.
    """

    box_xyxy: Box
    mask: NDArray[np.bool_]
    area_px: int


def paint(backdrop: Image.Image, shadows: Sequence[Layer], layers: Sequence[Layer]) -> Image.Image:
    """The image: ``shadows`` on the backdrop, then ``layers`` from back to front."""
    image = backdrop.copy()
    for layer in (*shadows, *layers):
        image.paste(layer.sprite.rgb, layer.corner, layer.sprite.alpha)
    return image


def own(size: tuple[int, int], layers: Sequence[Layer]) -> Owners:
    """(H, W) uint8: the owner of each pixel, :data:`NOBODY` where the room or furniture is seen."""
    owners = Image.new("L", size, NOBODY)
    for layer in layers:
        owners.paste(layer.owner, (*layer.corner, *_far_corner(layer)), layer.sprite.hard)
    return np.asarray(owners)


def _far_corner(layer: Layer) -> tuple[int, int]:
    left, top = layer.corner
    width, height = layer.sprite.hard.size
    return (left + width, top + height)


def seen(owners: Owners, owner: int, *, within: Box | None = None) -> Seen | None:
    """The visible part of ``owner`` (looked for only ``within`` a box, where given); ``None`` if nothing is seen."""
    height, width = owners.shape
    x1, y1, x2, y2 = within or (0, 0, width, height)
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if x2 <= x1 or y2 <= y1:
        return None
    mask = owners[y1:y2, x1:x2] == owner
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    r1, r2, c1, c2 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    part = mask[r1:r2, c1:c2]
    return Seen((x1 + c1, y1 + r1, x1 + c2, y1 + r2), part, int(part.sum()))
