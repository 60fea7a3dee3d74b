"""Furniture and decorations: objects in the room that belong to no category.

All are drawn with the anchor on the floor below their middle, in units of the room's height.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visionllm_bench.toyroom.drawing.random_appearance import cloth, hsv, vivid
from visionllm_bench.toyroom.drawing.vector_sprites import RGB, Pen, VectorShape, shade

Colours = tuple[RGB, RGB, RGB]


@dataclass(frozen=True, slots=True)
class FurnitureAppearance:
    """One piece of furniture: its kind, colours, and width in units of the room's height."""

    kind: str
    colours: Colours
    width: float


SURFACE: dict[str, float] = {"table": 0.2, "chest": 0.17}
"""Height of the top on which toys can stand, in units of the room's height."""
HIDING: tuple[str, ...] = ("sofa", "screen")
"""Pieces large enough to hide behind."""
WIDTHS: dict[str, float] = {
    "table": 0.42,
    "chest": 0.34,
    "sofa": 0.62,
    "plant": 0.22,
    "lamp": 0.18,
    "screen": 0.4,
    "stool": 0.16,
}


def random_furniture(rng: np.random.Generator, kind: str) -> FurnitureAppearance:
    """A piece of furniture of ``kind``."""
    wood = hsv(float(rng.uniform(0.05, 0.11)), float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.35, 0.85)))
    main = wood if kind in ("table", "chest", "stool") else cloth(rng)
    return FurnitureAppearance(kind, (main, cloth(rng), vivid(rng)), WIDTHS[kind] * float(rng.uniform(0.88, 1.12)))


def draw_furniture(appearance: FurnitureAppearance) -> list[VectorShape]:
    """The shapes of a piece of furniture."""
    pen = Pen()
    _DRAWINGS[appearance.kind](pen, appearance.width / 2, appearance.colours)
    return pen.shapes


def _table(pen: Pen, w: float, colours: Colours) -> None:
    wood = colours[0]
    top = SURFACE["table"]
    for x, y in ((-w * 0.8, -0.03), (w * 0.74, -0.03), (-w * 0.9, 0.0), (w * 0.83, 0.0)):
        pen.box((x, -top + 0.02), (0.026, top - 0.02 + y), shade(wood, 0.8))
    pen.poly(
        [(-w * 0.9, -top - 0.035), (w * 0.9, -top - 0.035), (w, -top + 0.02), (-w, -top + 0.02)], shade(wood, 1.18)
    )
    pen.box((-w, -top + 0.02), (2 * w, 0.028), wood)


def _chest(pen: Pen, w: float, colours: Colours) -> None:
    top = SURFACE["chest"]
    pen.poly(
        [(-w * 0.9, -top - 0.035), (w * 0.9, -top - 0.035), (w, -top + 0.015), (-w, -top + 0.015)],
        shade(colours[0], 1.18),
    )
    pen.box((-w, -top + 0.015), (2 * w, top - 0.03), colours[0])
    for x in (-w * 0.93, w * 0.04):
        pen.box((x, -top + 0.035), (w * 0.88, top - 0.07), shade(colours[0], 0.88))
        pen.box((x + w * 0.34, -top * 0.55), (w * 0.2, 0.012), (225, 220, 205), edge=False)


def _sofa(pen: Pen, w: float, colours: Colours) -> None:
    cloth_, cushion = colours[0], colours[1]
    pen.box((-w * 0.92, -0.33), (w * 1.84, 0.28), cloth_, radius=0.04)
    for x in (-w * 0.78, w * 0.02):
        pen.box((x, -0.2), (w * 0.76, 0.1), shade(cloth_, 1.14), radius=0.02)
    pen.box((-w * 0.84, -0.11), (w * 1.68, 0.09), shade(cloth_, 0.88))
    for x in (-w, w * 0.76):
        pen.box((x, -0.23), (w * 0.24, 0.22), shade(cloth_, 0.97), radius=0.03)
        pen.box((x + 0.02, -0.012), (0.03, 0.014), (60, 44, 34), edge=False)
    pen.blob([(-w * 0.7, -0.3), (-w * 0.36, -0.3), (-w * 0.38, -0.16), (-w * 0.68, -0.17)], cushion)


def _screen(pen: Pen, w: float, colours: Colours) -> None:
    for n in range(3):
        x = -w + n * w * 2 / 3
        tilt = 0.012 if n % 2 else -0.012
        pen.poly(
            [(x, -0.5 + tilt), (x + w * 2 / 3, -0.5 - tilt), (x + w * 2 / 3, -0.008 - tilt), (x, -0.008 + tilt)],
            colours[0],
        )
        pen.poly(
            [(x + 0.02, -0.47), (x + w * 2 / 3 - 0.02, -0.47), (x + w * 2 / 3 - 0.02, -0.26), (x + 0.02, -0.26)],
            shade(colours[1], 1.3),
            edge=False,
        )


def _plant(pen: Pen, w: float, colours: Colours) -> None:
    green: RGB = (62, 124, 66)
    for n, lean in enumerate((-0.95, -0.55, -0.15, 0.3, 0.7, 1.0)):
        tip = (lean * w * 0.95, -0.34 + 0.08 * abs(lean) + 0.015 * (n % 2))
        middle = (lean * w * 0.55, -0.24)
        leaf = shade(green, 0.85 + 0.1 * (n % 3))
        pen.blob([(0, -0.12), (middle[0] - 0.025, middle[1]), tip, (middle[0] + 0.03, middle[1] + 0.02)], leaf)
    pen.poly([(-w * 0.5, -0.14), (w * 0.5, -0.14), (w * 0.36, 0.0), (-w * 0.36, 0.0)], colours[0])
    pen.box((-w * 0.55, -0.16), (w * 1.1, 0.035), shade(colours[0], 1.15))


def _lamp(pen: Pen, w: float, colours: Colours) -> None:
    pen.box((-0.008, -0.5), (0.016, 0.5), (92, 88, 84), edge=False)
    pen.ellipse((0, -0.006), (w * 0.55, 0.016), (80, 76, 74))
    pen.poly([(-w * 0.45, -0.62), (w * 0.45, -0.62), (w * 0.9, -0.46), (-w * 0.9, -0.46)], shade(colours[0], 1.55))


def _stool(pen: Pen, w: float, colours: Colours) -> None:
    for x in (-w * 0.75, w * 0.55):
        pen.box((x, -0.1), (0.018, 0.1), shade(colours[0], 0.75))
    pen.box((-w, -0.125), (2 * w, 0.035), colours[0], radius=0.012)


_DRAWINGS: dict[str, Callable[[Pen, float, Colours], None]] = {
    "table": _table,
    "chest": _chest,
    "sofa": _sofa,
    "screen": _screen,
    "plant": _plant,
    "lamp": _lamp,
    "stool": _stool,
}
