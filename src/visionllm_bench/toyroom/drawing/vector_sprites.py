"""Vector shapes in an object's own units, turned into anti-aliased sprites with exact silhouettes.

Local coordinates: x to the right, y **down**, origin at the object's anchor. A sprite's silhouette (``hard``) is
every pixel covered at least half by the object's shapes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

RGB = tuple[int, int, int]
Point = tuple[float, float]
Points = NDArray[np.float64]

SUPERSAMPLE = 2
LIGHT = (0.5, 0.86)
"""Direction the light travels in the image (from the upper left)."""


@dataclass(frozen=True, eq=False, slots=True)
class VectorShape:
    """One filled polygon: ``points`` (n, 2) in local units, colour, and outline colour if it has one."""

    points: Points
    fill: RGB
    edge: RGB | None


@dataclass(frozen=True, eq=False, slots=True)
class Sprite:
    """A drawn object.

    Attributes:
        rgb: colours, straight (not multiplied by alpha).
        alpha: coverage 0–255, for blending.
        hard: 255 where the silhouette is, else 0.
        left: column of the sprite's first pixel relative to the anchor.
        top: row of the sprite's first pixel relative to the anchor.
        bounds: silhouette box (x1, y1, x2, y2) relative to the anchor.
        area_px: pixels in the silhouette.
    """

    rgb: Image.Image
    alpha: Image.Image
    hard: Image.Image
    left: int
    top: int
    bounds: tuple[int, int, int, int]
    area_px: int


def shade(colour: RGB, factor: float) -> RGB:
    """``colour`` made darker (factor < 1) or lighter (factor > 1, towards white)."""
    if factor <= 1.0:
        r, g, b = (round(c * factor) for c in colour)
    else:
        r, g, b = (round(255 - (255 - c) * (2.0 - factor)) for c in colour)
    return (r, g, b)


def smooth(points: Sequence[Point], rounds: int = 3) -> list[Point]:
    """A closed outline with its corners cut ``rounds`` times (Chaikin's method)."""
    ring = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        after = np.roll(ring, -1, axis=0)
        ring = np.stack([0.75 * ring + 0.25 * after, 0.25 * ring + 0.75 * after], axis=1).reshape(-1, 2)
    return [(float(x), float(y)) for x, y in ring]


def arc_points(centre: Point, radii: Point, *, begin: float = 0.0, end: float = math.tau, angle: float = 0.0) -> Points:
    """Points (n, 2) along an ellipse from ``begin`` to ``end`` radians, turned by ``angle``."""
    x, y = _unit_arc(begin, end)
    x, y = radii[0] * x, radii[1] * y
    c, s = math.cos(angle), math.sin(angle)
    return np.stack([centre[0] + c * x - s * y, centre[1] + s * x + c * y], axis=1)


@lru_cache(maxsize=256)
def _unit_arc(begin: float, end: float) -> tuple[Points, Points]:
    steps = max(8, round(28 * abs(end - begin) / math.tau))
    closed = abs(end - begin) >= math.tau - 1e-9
    t = np.linspace(begin, end, steps, endpoint=not closed)
    return np.cos(t), np.sin(t)


class Pen:
    """Collects shapes, painted in the order of the calls."""

    def __init__(self) -> None:
        self.shapes: list[VectorShape] = []

    def poly(self, points: Sequence[Point] | Points, fill: RGB, *, edge: bool = True) -> None:
        """A filled polygon; ``edge`` draws a darker outline."""
        ring = np.asarray(points, dtype=np.float64)
        self.shapes.append(VectorShape(ring, fill, shade(fill, 0.66) if edge else None))

    def blob(self, points: Sequence[Point], fill: RGB, *, edge: bool = True) -> None:
        """A polygon with rounded corners."""
        self.poly(smooth(points), fill, edge=edge)

    def ellipse(self, centre: Point, radii: Point, fill: RGB, *, angle: float = 0.0, edge: bool = True) -> None:
        """A filled ellipse."""
        self.poly(arc_points(centre, radii, angle=angle), fill, edge=edge)

    def sector(self, centre: Point, radii: Point, fill: RGB, *, begin: float, end: float, edge: bool = False) -> None:
        """The part of an ellipse cut off by the chord from angle ``begin`` to angle ``end`` (radians)."""
        self.poly(arc_points(centre, radii, begin=begin, end=end), fill, edge=edge)

    def limb(self, a: Point, b: Point, fill: RGB, *, widths: Point, edge: bool = True) -> None:
        """A round-ended bar from ``a`` to ``b``, as wide as ``widths`` at the two ends."""
        heading = math.atan2(b[1] - a[1], b[0] - a[0])
        quarter = math.pi / 2
        first = arc_points(a, (widths[0] / 2,) * 2, begin=quarter, end=3 * quarter, angle=heading)
        last = arc_points(b, (widths[1] / 2,) * 2, begin=-quarter, end=quarter, angle=heading)
        self.poly(np.concatenate([first, last]), fill, edge=edge)

    def box(self, corner: Point, size: Point, fill: RGB, *, radius: float = 0.0, edge: bool = True) -> None:
        """A rectangle from its upper left ``corner``, with rounded corners of ``radius``."""
        (x, y), (w, h) = corner, size
        if radius <= 0:
            self.poly([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], fill, edge=edge)
            return
        turns = [(x + w - radius, y + radius, -0.25), (x + w - radius, y + h - radius, 0.0)]
        turns += [(x + radius, y + h - radius, 0.25), (x + radius, y + radius, 0.5)]
        arcs = [
            arc_points((cx, cy), (radius, radius), begin=t * math.tau, end=(t + 0.25) * math.tau) for cx, cy, t in turns
        ]
        self.poly(np.concatenate(arcs), fill, edge=edge)

    def stroke(self, points: Sequence[Point], width: float, fill: RGB) -> None:
        """A line of ``width`` through ``points``, without outline."""
        for a, b in itertools.pairwise(points):
            self.limb(a, b, fill, widths=(width, width), edge=False)


def render(shapes: Sequence[VectorShape], *, scale: float, angle: float = 0.0, relief: float = 0.35) -> Sprite:
    """Draw ``shapes`` at ``scale`` pixels per unit, turned by ``angle`` radians.

    ``relief`` is the strength of the shading that makes flat shapes look round.
    """
    c, s = math.cos(angle) * scale * SUPERSAMPLE, math.sin(angle) * scale * SUPERSAMPLE
    turn = np.array([[c, s], [-s, c]])
    placed = [shape.points @ turn for shape in shapes]
    low = np.min([p.min(axis=0) for p in placed], axis=0)
    high = np.max([p.max(axis=0) for p in placed], axis=0)
    left, top = (math.floor(v / SUPERSAMPLE) - 2 for v in low)
    right, bottom = (math.ceil(v / SUPERSAMPLE) + 2 for v in high)
    canvas = Image.new("RGBA", ((right - left) * SUPERSAMPLE, (bottom - top) * SUPERSAMPLE))
    draw = ImageDraw.Draw(canvas)
    offset = np.array([left, top]) * SUPERSAMPLE
    width = max(2, round(0.008 * scale * SUPERSAMPLE)) if scale > 60 else 2
    for shape, points in zip(shapes, placed, strict=True):
        _fill(draw, points - offset, shape, width)
    return _finish(canvas.reduce(SUPERSAMPLE), left, top, relief=relief)


def _fill(draw: ImageDraw.ImageDraw, points: Points, shape: VectorShape, width: int) -> None:
    flat = points.ravel().tolist()
    draw.polygon(flat, fill=(*shape.fill, 255))
    if shape.edge is not None:
        draw.line(flat + flat[:4], fill=(*shape.edge, 255), width=width, joint=None)


def _finish(image: Image.Image, left: int, top: int, *, relief: float) -> Sprite:
    pixels = np.asarray(image)
    alpha = pixels[..., 3]
    # Pixels outside the shapes are (0, 0, 0, 0), so averaging has multiplied the colours by alpha; undo that.
    colours = pixels[..., :3] * (255.0 / np.maximum(alpha, 1))[..., None].astype(np.float32)
    colours *= _relief(image.getchannel("A"), relief)[..., None]
    hard = alpha >= 128
    rows, columns = np.flatnonzero(hard.any(axis=1)), np.flatnonzero(hard.any(axis=0))
    if not len(rows):
        rows = columns = np.zeros(1, dtype=np.int64)
    bounds = (left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
    return Sprite(
        rgb=Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)),
        alpha=image.getchannel("A"),
        hard=Image.fromarray(hard.astype(np.uint8) * 255),
        left=left,
        top=top,
        bounds=bounds,
        area_px=int(hard.sum()),
    )


def _relief(alpha: Image.Image, strength: float) -> NDArray[np.float32]:
    """Brightness factor (h, w): the side towards the light brighter, the far side darker."""
    radius = min(max(0.07 * min(alpha.size), 1.5), 12.0)
    height = np.asarray(alpha.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / 255.0
    rise = np.zeros_like(height)
    rise[:, 1:-1] += LIGHT[0] * (height[:, 2:] - height[:, :-2])
    rise[1:-1, :] += LIGHT[1] * (height[2:, :] - height[:-2, :])
    return np.asarray(1.0 + strength * np.clip(rise * radius, -1.0, 1.0), dtype=np.float32)
