"""Who and what is in the room, and their sprites; the images and the videos draw from here alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from visionllm_bench.toyroom.categories import PEOPLE
from visionllm_bench.toyroom.drawing.furniture import FurnitureAppearance, draw_furniture
from visionllm_bench.toyroom.drawing.people import UPRIGHT, PersonAppearance, Pose, draw_hands, draw_person
from visionllm_bench.toyroom.drawing.random_appearance import random_person, random_toy
from visionllm_bench.toyroom.drawing.toys import ToyAppearance, draw_toy
from visionllm_bench.toyroom.drawing.vector_sprites import Sprite, render
from visionllm_bench.toyroom.render.compositor import NOBODY, Layer

SIZES: dict[str, tuple[float, float]] = {
    "child": (0.45, 0.55),
    "caregiver": (0.74, 0.86),
    "ball": (0.1, 0.15),
    "book": (0.12, 0.17),
    "cup": (0.1, 0.135),
    "teddy bear": (0.16, 0.23),
    "car": (0.14, 0.2),
    "block": (0.095, 0.13),
}
"""Height (people) or longest side (toys) as a share of the room's height, at the front of the room."""


@dataclass(frozen=True, slots=True)
class Member:
    """One person or toy: its number (also the track id), category, appearance, and size as in :data:`SIZES`."""

    number: int
    category: str
    appearance: PersonAppearance | ToyAppearance
    size: float

    @property
    def is_person(self) -> bool:
        """Whether this is a child or a caregiver."""
        return self.category in PEOPLE


def random_member(rng: np.random.Generator, number: int, category: str) -> Member:
    """A person or toy of ``category`` with a random appearance and size."""
    appearance = random_person(rng, category) if category in PEOPLE else random_toy(rng, category)
    return Member(number, category, appearance, float(rng.uniform(*SIZES[category])))


@dataclass(frozen=True, slots=True)
class Room:
    """The geometry of a room on a canvas.

    Attributes:
        width, height: canvas in pixels.
        horizon: row where the wall meets the floor.
        unit: the room's height in pixels; sizes of toys are shares of it.
    """

    width: int
    height: int
    horizon: float
    unit: float

    def scale_at(self, y: float) -> float:
        """Pixels per unit for something standing on the floor at row ``y`` (smaller farther back)."""
        return self.unit * (0.76 + 0.24 * (y - self.horizon) / (self.unit - self.horizon))


@dataclass(frozen=True, slots=True)
class Standing:
    """One member at one moment.

    Attributes:
        member: who or what.
        x, y: the point on the floor below it, in canvas pixels.
        scale: pixels per unit.
        lift: how far it is above the floor in pixels (toys on tables or in hands; measured to its lowest point).
        pose: a person's pose.
        angle: a toy's rotation in radians.
        depth: drawing order, larger is nearer.
        centre: a held toy's centre, which overrides ``x``, ``y`` and ``lift``.
    """

    member: Member
    x: float
    y: float
    scale: float
    lift: float = 0.0
    pose: Pose = UPRIGHT
    angle: float = 0.0
    depth: float = 0.0
    centre: tuple[float, float] | None = None


def quantise(pixels: float) -> float:
    """``pixels`` rounded to steps of 2 %, so that sprites can be used again."""
    return float(1.02 ** round(np.log(max(pixels, 1.0)) / np.log(1.02)))


@lru_cache(maxsize=384)
def _person(appearance: PersonAppearance, pose: Pose, pixels: float) -> Sprite:
    return render(draw_person(appearance, pose), scale=pixels)


@lru_cache(maxsize=128)
def _hands(appearance: PersonAppearance, pose: Pose, pixels: float) -> Sprite:
    return render(draw_hands(appearance, pose), scale=pixels)


@lru_cache(maxsize=256)
def _toy(appearance: ToyAppearance, pixels: float, angle: float) -> Sprite:
    return render(draw_toy(appearance), scale=pixels, angle=angle, relief=0.6 if appearance.kind == "ball" else 0.4)


@lru_cache(maxsize=64)
def furniture_sprite(appearance: FurnitureAppearance, pixels: float) -> Sprite:
    """The sprite of a piece of furniture at ``pixels`` per unit."""
    return render(draw_furniture(appearance), scale=pixels)


@lru_cache(maxsize=64)
def _shadow(width: int, strength: int) -> Sprite:
    height = max(4, round(width * 0.26))
    soft = max(1.5, height * 0.18)
    alpha = Image.new("L", (width + 8, height + 8))
    y, x = np.mgrid[-1 : 1 : (height + 8) * 1j, -1 : 1 : (width + 8) * 1j]
    alpha = Image.fromarray((np.clip(1.25 - np.hypot(x, y) * 1.5, 0, 1) * strength).astype(np.uint8))
    alpha = alpha.filter(ImageFilter.GaussianBlur(soft))
    rgb = Image.new("RGB", alpha.size, (24, 18, 20))
    return Sprite(rgb, alpha, Image.new("L", alpha.size), -alpha.width // 2, -alpha.height // 2, (0, 0, 0, 0), 0)


def main_sprite(standing: Standing) -> Sprite:
    """The sprite of a person (hands included) or toy; the silhouette all truth refers to."""
    member = standing.member
    pixels = quantise(member.size * standing.scale)
    if isinstance(member.appearance, PersonAppearance):
        return _person(member.appearance, standing.pose, pixels)
    return _toy(member.appearance, pixels, round(standing.angle, 2))


def anchor(standing: Standing, sprite: Sprite) -> tuple[int, int]:
    """Pixel of the sprite's anchor: people by their feet, toys by their lowest point or their centre if held."""
    if standing.centre is not None:
        return (round(standing.centre[0]), round(standing.centre[1]))
    if standing.member.is_person:
        return (round(standing.x), round(standing.y))
    return (round(standing.x), round(standing.y - standing.lift) - sprite.bounds[3])


def silhouette_box(standing: Standing) -> tuple[int, int, int, int]:
    """Box of the whole silhouette on the canvas, whether seen or not."""
    sprite = main_sprite(standing)
    x, y = anchor(standing, sprite)
    x1, y1, x2, y2 = sprite.bounds
    return (x + x1, y + y1, x + x2, y + y2)


def member_layers(standings: Sequence[Standing]) -> list[tuple[float, Layer]]:
    """(depth, layer) of every member; hands that hold something come just before their owner's held toy."""
    out: list[tuple[float, Layer]] = []
    for standing in standings:
        sprite = main_sprite(standing)
        x, y = anchor(standing, sprite)
        out.append((standing.depth, Layer(sprite, x, y, standing.member.number)))
        appearance = standing.member.appearance
        reaching = standing.pose.left is not None or standing.pose.right is not None
        if isinstance(appearance, PersonAppearance) and reaching:
            hands = _hands(appearance, standing.pose, quantise(standing.member.size * standing.scale))
            out.append((standing.depth + 0.02, Layer(hands, x, y, standing.member.number)))
    return out


def furniture_layer(appearance: FurnitureAppearance, room: Room, *, x: float, y: float) -> Layer:
    """A piece of furniture standing on the floor at (``x``, ``y``)."""
    return Layer(furniture_sprite(appearance, quantise(room.scale_at(y))), round(x), round(y), NOBODY)


def shadow_layers(standings: Sequence[Standing]) -> list[Layer]:
    """Soft shadows on the floor below people and toys that stand on it."""
    out = []
    for standing in standings:
        if standing.centre is not None or standing.lift > 0:
            continue
        x1, _, x2, _ = main_sprite(standing).bounds
        share = 0.75 if standing.member.is_person else 1.1
        width = max(8, round((x2 - x1) * share / 4) * 4)
        out.append(Layer(_shadow(width, 110), round(standing.x + (x1 + x2) / 4), round(standing.y) - 2, NOBODY))
    return out


def in_order(pairs: Sequence[tuple[float, Layer]]) -> list[Layer]:
    """Layers from back to front."""
    return [layer for _, layer in sorted(pairs, key=lambda pair: pair[0])]
