"""Drawings of the six kinds of toys: ball, book, cup, teddy bear, car, block.

Each is about one unit large, centred on its anchor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visionllm_bench.toyroom.drawing.vector_sprites import RGB, Pen, VectorShape, arc_points, shade

WHITE: RGB = (245, 243, 238)
DARK: RGB = (38, 34, 36)


@dataclass(frozen=True, slots=True)
class ToyAppearance:
    """What one toy looks like: its kind, three colours, and which variant of the drawing."""

    kind: str
    colours: tuple[RGB, RGB, RGB]
    variant: int


def draw_toy(appearance: ToyAppearance) -> list[VectorShape]:
    """The shapes of a toy, one unit large, centred on the origin."""
    pen = Pen()
    _DRAWINGS[appearance.kind](pen, appearance)
    return pen.shapes


def _ball(pen: Pen, appearance: ToyAppearance) -> None:
    a, b, c = appearance.colours
    pen.ellipse((0, 0), (0.5, 0.5), a)
    if appearance.variant == 0:
        _beach_panels(pen, (WHITE, b, WHITE, c))
    elif appearance.variant == 1:
        pen.sector((0, 0), (0.485, 0.485), b, begin=0.35, end=math.pi - 0.35)
        pen.poly(_band(0.1), WHITE, edge=False)
    else:
        for x, y in ((0, 0), (0.3, 0.14), (-0.3, 0.16), (0.12, -0.32), (-0.22, -0.24), (0.02, 0.35)):
            pen.ellipse((x, y), (0.105 - 0.07 * abs(x), 0.105 - 0.07 * abs(y)), b, edge=False)
    pen.ellipse((-0.19, -0.22), (0.11, 0.07), shade(a, 1.75), angle=-0.7, edge=False)


def _beach_panels(pen: Pen, colours: tuple[RGB, ...]) -> None:
    for n, colour in enumerate(colours):
        begin = math.tau * (2 * n) / 8
        rim = arc_points((0, 0), (0.485, 0.485), begin=begin, end=begin + math.tau / 8)
        pen.poly(np.concatenate([[(-0.08, -0.1)], rim]), colour, edge=False)
    pen.ellipse((-0.08, -0.1), (0.07, 0.07), colours[-1])


def _band(half: float) -> list[tuple[float, float]]:
    x = math.sqrt(0.485**2 - half**2)
    return [(-x, -half), (x, -half), (0.485, 0), (x, half), (-x, half), (-0.485, 0)]


def _book(pen: Pen, appearance: ToyAppearance) -> None:
    if appearance.variant == 0:
        _open_book(pen, appearance.colours)
    else:
        _closed_book(pen, appearance.colours, upright=appearance.variant == 2)


def _open_book(pen: Pen, colours: tuple[RGB, RGB, RGB]) -> None:
    cover, image, accent = colours
    pen.poly([(-0.54, -0.26), (0, -0.2), (0.54, -0.26), (0.54, 0.3), (0, 0.36), (-0.54, 0.3)], cover)
    for side in (-1, 1):
        page = [
            (0, -0.24),
            (side * 0.2, -0.33),
            (side * 0.49, -0.31),
            (side * 0.49, 0.23),
            (side * 0.2, 0.22),
            (0, 0.3),
        ]
        pen.poly(page, WHITE)
    for n in range(5):
        y = -0.2 + 0.085 * n
        pen.stroke([(0.09, y + 0.02), (0.42, y - 0.02)], 0.026, (120, 118, 125))
    pen.box((-0.42, -0.22), (0.33, 0.26), image, edge=False)
    pen.ellipse((-0.26, -0.09), (0.09, 0.09), accent, edge=False)
    pen.stroke([(-0.41, 0.12), (-0.1, 0.14)], 0.026, (120, 118, 125))
    pen.stroke([(0, -0.22), (0, 0.32)], 0.022, (140, 132, 126))


def _closed_book(pen: Pen, colours: tuple[RGB, RGB, RGB], *, upright: bool) -> None:
    cover, image, accent = colours
    w, h = (0.34, 0.46) if upright else (0.42, 0.4)
    pen.poly(
        [(-w, -h), (w, -h), (w + 0.09, -h + 0.08), (w + 0.09, h + 0.06), (-w + 0.09, h + 0.06)], shade(cover, 0.55)
    )
    pen.poly([(-w + 0.05, h - 0.02), (w, h - 0.02), (w + 0.07, h + 0.03), (-w + 0.1, h + 0.03)], WHITE, edge=False)
    pen.poly(
        [(w - 0.01, -h + 0.04), (w + 0.07, -h + 0.1), (w + 0.07, h + 0.03), (w - 0.01, h - 0.02)], WHITE, edge=False
    )
    for n in range(3):
        x = w + 0.01 + 0.02 * n
        pen.stroke([(x, -h + 0.09 + 0.01 * n), (x, h)], 0.006, (170, 165, 158))
    pen.box((-w, -h), (2 * w, 2 * h - 0.02), cover, radius=0.03)
    pen.box((-w, -h), (0.1, 2 * h - 0.02), shade(cover, 0.75), edge=False)
    pen.box((-w + 0.17, -h + 0.08), (2 * w - 0.24, 0.13), WHITE, edge=False)
    pen.stroke([(-w + 0.22, -h + 0.145), (w - 0.12, -h + 0.145)], 0.035, DARK)
    pen.ellipse((0.06, 0.1), (0.19, 0.17), image)
    pen.poly([(0.06, -0.03), (0.17, 0.17), (-0.05, 0.17)], accent, edge=False)


def _cup(pen: Pen, appearance: ToyAppearance) -> None:
    body, band, inside = appearance.colours
    taper = 0.07 if appearance.variant != 1 else -0.02
    pen.ellipse((0.36, 0.02), (0.19, 0.22), body)
    pen.ellipse((0.36, 0.02), (0.1, 0.13), shade(body, 0.42))
    if appearance.variant == 2:
        pen.ellipse((-0.36, 0.02), (0.17, 0.22), body)
        pen.ellipse((-0.36, 0.02), (0.09, 0.13), shade(body, 0.42))
    bottom = arc_points((0, 0.38), (0.34 - taper, 0.1), begin=0, end=math.pi)
    pen.poly(np.concatenate([[(-0.34, -0.38)], [(0.34, -0.38)], bottom]), body)
    _cup_pattern(pen, band, appearance.variant)
    pen.ellipse((0, -0.38), (0.34, 0.11), shade(body, 1.25))
    pen.ellipse((0, -0.37), (0.28, 0.08), shade(inside, 0.6), edge=False)
    pen.stroke([(-0.24, -0.2), (-0.21, 0.28)], 0.05, shade(body, 1.55))


def _cup_pattern(pen: Pen, band: RGB, variant: int) -> None:
    if variant == 0:
        pen.poly([(-0.315, -0.05), (0, 0.03), (0.315, -0.05), (0.3, 0.16), (0, 0.24), (-0.3, 0.16)], band, edge=False)
    elif variant == 1:
        for x, y in ((-0.14, -0.08), (0.12, -0.12), (0.0, 0.14), (0.22, 0.16), (-0.2, 0.26)):
            pen.ellipse((x, y), (0.06, 0.06), band, edge=False)
    else:
        heart = [(0.0, 0.28), (-0.2, 0.02), (-0.16, -0.14), (0, -0.02), (0.16, -0.14), (0.2, 0.02)]
        pen.blob(heart, band, edge=False)


def _teddy(pen: Pen, appearance: ToyAppearance) -> None:
    fur, inner, bow = appearance.colours
    for side in (-1, 1):
        pen.ellipse((side * 0.2, -0.43), (0.105, 0.105), fur)
        pen.ellipse((side * 0.2, -0.42), (0.06, 0.06), inner, edge=False)
        pen.limb((side * 0.16, 0.02), (side * 0.35, 0.16), fur, widths=(0.15, 0.14))
    pen.ellipse((0, 0.16), (0.26, 0.28), fur)
    pen.ellipse((0, 0.19), (0.16, 0.18), inner, edge=False)
    for side in (-1, 1):
        pen.ellipse((side * 0.23, 0.38), (0.15, 0.12), fur)
        pen.ellipse((side * 0.25, 0.38), (0.085, 0.075), inner, edge=False)
    pen.ellipse((0, -0.25), (0.26, 0.235), fur)
    pen.ellipse((0, -0.165), (0.125, 0.1), inner, edge=False)
    pen.ellipse((0, -0.215), (0.05, 0.035), DARK, edge=False)
    pen.stroke([(-0.05, -0.12), (0, -0.1), (0.05, -0.12)], 0.018, DARK)
    for side in (-1, 1):
        pen.ellipse((side * 0.105, -0.3), (0.033, 0.037), DARK, edge=False)
        if appearance.variant:
            pen.poly([(0, -0.01), (side * 0.15, -0.08), (side * 0.15, 0.07)], bow)
    if appearance.variant:
        pen.ellipse((0, -0.01), (0.04, 0.04), shade(bow, 0.8), edge=False)


def _car(pen: Pen, appearance: ToyAppearance) -> None:
    paint, trim, _ = appearance.colours
    glass: RGB = (176, 214, 232)
    if appearance.variant == 1:
        pen.box((-0.5, -0.32), (0.98, 0.5), paint, radius=0.09)
        for x in (-0.42, -0.14, 0.14):
            pen.box((x, -0.24), (0.24, 0.19), glass, radius=0.03)
        pen.box((-0.49, 0.0), (0.96, 0.06), trim, edge=False)
    else:
        cabin = [(-0.3, -0.06), (-0.2, -0.32), (0.12, -0.32), (0.27, -0.06)]
        pen.blob([(-0.36, 0.0), *cabin[1:3], (0.34, 0.0)], paint)
        pen.poly([(-0.23, -0.07), (-0.15, -0.25), (-0.05, -0.25), (-0.05, -0.07)], glass)
        pen.poly([(0.0, -0.07), (0.0, -0.25), (0.09, -0.25), (0.2, -0.07)], glass)
        pen.box((-0.5, -0.09), (1.0, 0.27), paint, radius=0.1)
        pen.box((-0.46, 0.04), (0.92, 0.045), trim, edge=False)
        if appearance.variant == 2:
            pen.box((-0.12, -0.36), (0.14, 0.06), trim, radius=0.02)
    pen.ellipse((0.455, -0.01), (0.035, 0.045), (255, 240, 170))
    pen.box((-0.5, -0.03), (0.04, 0.07), (210, 40, 40), edge=False)
    for x in (-0.27, 0.27):
        pen.ellipse((x, 0.18), (0.135, 0.135), DARK)
        pen.ellipse((x, 0.18), (0.065, 0.065), (205, 205, 210))


def _block(pen: Pen, appearance: ToyAppearance) -> None:
    front, side, mark = appearance.colours
    pen.poly([(-0.46, -0.22), (-0.22, -0.46), (0.46, -0.46), (0.22, -0.22)], shade(front, 1.3))
    pen.poly([(0.22, -0.22), (0.46, -0.46), (0.46, 0.22), (0.22, 0.46)], shade(side, 0.7))
    pen.poly([(-0.46, -0.22), (0.22, -0.22), (0.22, 0.46), (-0.46, 0.46)], front)
    pen.box((-0.39, -0.15), (0.54, 0.54), shade(front, 1.7), edge=False)
    if appearance.variant == 0:
        pen.stroke([(-0.28, 0.31), (-0.12, -0.07), (0.04, 0.31)], 0.085, mark)
        pen.stroke([(-0.21, 0.18), (-0.03, 0.18)], 0.07, mark)
    elif appearance.variant == 1:
        pen.stroke([(-0.24, -0.06), (-0.24, 0.3)], 0.085, mark)
        for y in (0.02, 0.2):
            pen.stroke([(-0.22, y - 0.08), (-0.05, y - 0.06), (-0.02, y + 0.02), (-0.22, y + 0.09)], 0.075, mark)
    else:
        pen.stroke([(-0.24, -0.04), (0.0, -0.04), (-0.24, 0.29), (0.0, 0.29)], 0.085, mark)


_DRAWINGS: dict[str, Callable[[Pen, ToyAppearance], None]] = {
    "ball": _ball,
    "book": _book,
    "cup": _cup,
    "teddy bear": _teddy,
    "car": _car,
    "block": _block,
}
