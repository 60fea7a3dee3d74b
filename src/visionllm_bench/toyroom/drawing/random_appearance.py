"""Random appearances: clothes, hair, skin and colours of toys."""

from __future__ import annotations

import colorsys

import numpy as np

from visionllm_bench.toyroom.drawing.people import PersonAppearance
from visionllm_bench.toyroom.drawing.toys import ToyAppearance
from visionllm_bench.toyroom.drawing.vector_sprites import RGB

SKINS: tuple[RGB, ...] = (
    (250, 219, 195),
    (241, 200, 168),
    (224, 172, 128),
    (190, 132, 90),
    (142, 92, 62),
    (96, 62, 46),
)
HAIRS: tuple[RGB, ...] = (
    (34, 28, 28),
    (66, 42, 30),
    (112, 72, 42),
    (168, 116, 60),
    (222, 184, 108),
    (150, 62, 34),
    (150, 148, 146),
)
FURS: tuple[RGB, ...] = (
    (166, 112, 62),
    (120, 76, 46),
    (206, 164, 108),
    (150, 130, 116),
    (222, 190, 160),
    (196, 140, 150),
)

_CHILD_HAIR = ("short", "tuft", "pigtails", "curls", "short")
_ADULT_HAIR = ("long", "bun", "short", "curls", "ponytail", "short")


def hsv(hue: float, saturation: float, value: float) -> RGB:
    """A colour from hue, saturation and value in [0, 1]."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return (round(r * 255), round(g * 255), round(b * 255))


def pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    """One of ``options``."""
    return options[int(rng.integers(len(options)))]


def vivid(rng: np.random.Generator) -> RGB:
    """A strong colour, as toys have."""
    return hsv(float(rng.random()), float(rng.uniform(0.6, 0.95)), float(rng.uniform(0.65, 0.97)))


def cloth(rng: np.random.Generator) -> RGB:
    """A colour of clothes, from muted to bright."""
    return hsv(float(rng.random()), float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.45, 0.97)))


def random_person(rng: np.random.Generator, kind: str) -> PersonAppearance:
    """A child or a caregiver."""
    child = kind == "child"
    hair_style = pick(rng, _CHILD_HAIR if child else _ADULT_HAIR)
    hairs = HAIRS[:-1] if child else HAIRS
    bottoms = ("trousers", "shorts", "trousers", "skirt") if child else ("trousers", "trousers", "skirt", "dress")
    tops = ("plain", "stripes", "overalls", "print") if child else ("plain", "cardigan", "plain", "stripes", "print")
    beard = not child and hair_style == "short" and bool(rng.random() < 0.45)
    return PersonAppearance(
        kind=kind,
        skin=SKINS[int(rng.integers(len(SKINS)))],
        hair=hairs[int(rng.integers(len(hairs)))],
        top=cloth(rng),
        bottom=cloth(rng),
        accent=vivid(rng),
        shoes=hsv(float(rng.random()), 0.4, float(rng.uniform(0.15, 0.7))),
        hair_style=hair_style,
        bottom_style="trousers" if beard else pick(rng, bottoms),
        top_style=pick(rng, tops),
        glasses=not child and bool(rng.random() < 0.3),
        beard=beard,
    )


def random_toy(rng: np.random.Generator, kind: str) -> ToyAppearance:
    """A toy of ``kind``."""
    variants = 2 if kind == "teddy bear" else 3
    colours = (vivid(rng), vivid(rng), vivid(rng))
    if kind == "teddy bear":
        fur = FURS[int(rng.integers(len(FURS)))]
        light = tuple(min(255, round(c + (255 - c) * 0.55)) for c in fur)
        colours = (fur, (light[0], light[1], light[2]), colours[2])
    return ToyAppearance(kind, colours, int(rng.integers(variants)))
