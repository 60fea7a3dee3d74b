"""The empty room: wall, window, images, floor, rug."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from visionllm_bench.toyroom.drawing.random_appearance import cloth, hsv, vivid
from visionllm_bench.toyroom.drawing.vector_sprites import RGB, Pen, VectorShape, render, shade

HORIZON = (0.4, 0.52)
"""Range of the height of the skirting board, as a share of the image's height from its top."""


def draw_backdrop(rng: np.random.Generator, size: tuple[int, int], *, horizon: float, unit: float) -> Image.Image:
    """An empty room of ``size`` pixels, its wall ending at row ``horizon``; ``unit`` is the room's height in pixels."""
    width, height = size
    room = Image.new("RGB", size)
    _wall(room, rng, horizon=horizon, unit=unit)
    _floor(room, rng, horizon=horizon, unit=unit)
    for x in np.arange(0.25 * unit, width, 0.62 * unit):
        if rng.random() < 0.75:
            place = (float(x + rng.uniform(-0.1, 0.1) * unit), horizon * float(rng.uniform(0.42, 0.52)))
            _hang(room, rng, place=place, unit=min(unit, horizon * 2.1))
    for _ in range(int(rng.integers(1, 3)) if width < 1.5 * unit else 3):
        spot = (float(rng.uniform(0.15, 0.85) * width), float(rng.uniform(0.35, 0.85) * (height - horizon) + horizon))
        _put(room, _rug(rng), spot, unit)
    return room


def _put(room: Image.Image, shapes: list[VectorShape], place: tuple[float, float], unit: float) -> None:
    sprite = render(shapes, scale=unit, relief=0.12)
    room.paste(sprite.rgb, (round(place[0]) + sprite.left, round(place[1]) + sprite.top), sprite.alpha)


def _ramp(room: Image.Image, top: int, bottom: int, *, colour: RGB, ends: tuple[float, float]) -> None:
    factor = np.linspace(*ends, max(bottom - top, 1))[:, None, None]
    band = np.clip(np.array(colour) * factor, 0, 255).astype(np.uint8)
    room.paste(Image.fromarray(np.repeat(band, room.width, axis=1)), (0, top))


def _wall(room: Image.Image, rng: np.random.Generator, *, horizon: float, unit: float) -> None:
    colour = hsv(float(rng.random()), float(rng.uniform(0.04, 0.3)), float(rng.uniform(0.62, 0.95)))
    edge = round(horizon)
    _ramp(room, 0, edge, colour=colour, ends=(0.93, 1.04))
    draw = ImageDraw.Draw(room)
    pattern = int(rng.integers(3))
    step = max(8, round(unit * float(rng.uniform(0.05, 0.12))))
    faint = shade(colour, 0.93)
    if pattern == 1:
        for x in range(0, room.width, step):
            draw.rectangle((x, 0, x + step // 2, edge), fill=faint)
    elif pattern == 2:
        for row, y in enumerate(range(step // 2, edge, step)):
            for x in range((row % 2) * step // 2, room.width, step):
                draw.ellipse((x, y, x + step // 4, y + step // 4), fill=faint)
    board = max(3, round(0.022 * unit))
    draw.rectangle((0, edge - board, room.width, edge), fill=shade(colour, 1.5))
    draw.line((0, edge, room.width, edge), fill=shade(colour, 0.55), width=max(1, board // 4))


def _floor(room: Image.Image, rng: np.random.Generator, *, horizon: float, unit: float) -> None:
    wooden = rng.random() < 0.6
    hue = float(rng.uniform(0.05, 0.11)) if wooden else float(rng.random())
    colour = hsv(hue, float(rng.uniform(0.15, 0.5)), float(rng.uniform(0.4, 0.85)))
    edge = round(horizon) + 1
    _ramp(room, edge, room.height, colour=colour, ends=(0.85, 1.08))
    draw = ImageDraw.Draw(room)
    line, centre = shade(colour, 0.82), room.width / 2
    depth = room.height - horizon
    spread = float(rng.uniform(0.09, 0.16)) * unit
    if wooden or rng.random() < 0.4:
        for n in range(-30, 31):
            draw.line((centre + n * spread * 0.55, edge, centre + n * spread * 1.3, room.height), fill=line, width=1)
    if not wooden or rng.random() < 0.5:
        for n in range(1, 8):
            y = horizon + depth * (n / 8) ** 1.5
            draw.line((0, y, room.width, y), fill=line, width=1)


def _rug(rng: np.random.Generator) -> list[VectorShape]:
    pen = Pen()
    w, h = float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.08, 0.16))
    colours = [cloth(rng), cloth(rng), cloth(rng)]
    if rng.random() < 0.5:
        for n, colour in enumerate((colours[0], colours[1], colours[0], colours[2])):
            pen.ellipse((0, 0), (w * (1 - 0.24 * n), h * (1 - 0.24 * n)), colour)
    else:
        pen.poly([(-w * 0.88, -h), (w * 0.88, -h), (w, h), (-w, h)], colours[0])
        for n in range(1, 6):
            y = -h + 2 * h * n / 6
            half = w * (0.88 + 0.12 * n / 6) - 0.015
            pen.stroke([(-half, y), (half, y)], 0.012 + 0.012 * (n % 2), colours[1 + n % 2])
    return pen.shapes


def _hang(room: Image.Image, rng: np.random.Generator, *, place: tuple[float, float], unit: float) -> None:
    kinds = (_window, _picture, _shelf, _clock, _bunting)
    shapes = kinds[int(rng.choice(5, p=[0.3, 0.3, 0.16, 0.1, 0.14]))](rng)
    _put(room, shapes, place, unit)


def _window(rng: np.random.Generator) -> list[VectorShape]:
    pen = Pen()
    w, h = float(rng.uniform(0.13, 0.2)), float(rng.uniform(0.15, 0.18))
    sky = hsv(0.56, float(rng.uniform(0.15, 0.5)), float(rng.uniform(0.75, 1.0)))
    pen.box((-w - 0.015, -h - 0.015), (2 * w + 0.03, 2 * h + 0.03), (240, 238, 232))
    pen.box((-w, -h), (2 * w, 2 * h), sky)
    pen.poly(
        [(-w, h), (-w, h * 0.45), (-w * 0.3, h * 0.25), (w * 0.4, h * 0.5), (w, h * 0.3), (w, h)],
        (118, 168, 98),
        edge=False,
    )
    pen.box((-0.006, -h), (0.012, 2 * h), (240, 238, 232), edge=False)
    pen.box((-w, -0.006), (2 * w, 0.012), (240, 238, 232), edge=False)
    if rng.random() < 0.6:
        curtain = cloth(rng)
        for side in (-1, 1):
            x = side * w
            pen.poly(
                [(x - 0.05, -h - 0.03), (x + 0.05, -h - 0.03), (x + 0.035, h + 0.03), (x - 0.035, h + 0.03)], curtain
            )
            pen.stroke([(x, -h), (x, h)], 0.01, shade(curtain, 0.8))
    return pen.shapes


def _picture(rng: np.random.Generator) -> list[VectorShape]:
    pen = Pen()
    w, h = float(rng.uniform(0.06, 0.12)), float(rng.uniform(0.06, 0.11))
    pen.box((-w, -h), (2 * w, 2 * h), hsv(0.08, 0.5, float(rng.uniform(0.25, 0.7))))
    pen.box((-w * 0.84, -h * 0.84), (w * 1.68, h * 1.68), shade(cloth(rng), 1.4))
    for _ in range(int(rng.integers(2, 5))):
        x, y = rng.uniform(-0.5, 0.5, 2) * (w, h)
        a, b, c = rng.uniform(0.12, 0.4, 3)
        pen.poly([(x - a * w, y + c * h), (x + b * w, y + a * h), (x, y - b * h)], vivid(rng), edge=False)
    return pen.shapes


def _shelf(rng: np.random.Generator) -> list[VectorShape]:
    """A board with vases, boxes and a candle on it."""
    pen = Pen()
    w = float(rng.uniform(0.14, 0.2))
    for n in range(3):
        x = (-0.66 + 0.62 * n) * w
        colour = cloth(rng)
        kind = int(rng.integers(3))
        if kind == 0:
            pen.blob(
                [
                    (x - 0.03, 0),
                    (x - 0.035, -0.05),
                    (x - 0.008, -0.1),
                    (x + 0.008, -0.1),
                    (x + 0.035, -0.05),
                    (x + 0.03, 0),
                ],
                colour,
            )
        elif kind == 1:
            pen.poly([(x - 0.03, 0), (x + 0.03, 0), (x, -0.085)], colour)
        else:
            pen.box((x - 0.012, -0.07), (0.024, 0.07), colour)
            pen.ellipse((x, -0.085), (0.006, 0.013), (255, 214, 110), edge=False)
    pen.box((-w, 0), (2 * w, 0.018), hsv(0.08, 0.45, float(rng.uniform(0.3, 0.8))))
    return pen.shapes


def _clock(rng: np.random.Generator) -> list[VectorShape]:
    pen = Pen()
    r = float(rng.uniform(0.045, 0.065))
    pen.ellipse((0, 0), (r, r), cloth(rng))
    pen.ellipse((0, 0), (r * 0.82, r * 0.82), (248, 247, 242), edge=False)
    for length in (0.7, 0.5):
        t = float(rng.uniform(0, 6.28))
        pen.stroke([(0, 0), (length * r * np.cos(t), length * r * np.sin(t))], 0.007, (40, 40, 44))
    return pen.shapes


def _bunting(rng: np.random.Generator) -> list[VectorShape]:
    pen = Pen()
    for n in range(6):
        x = -0.25 + n * 0.1
        y = -0.04 + 0.06 * (1 - ((n - 2.5) / 2.5) ** 2)
        pen.poly([(x - 0.036, y), (x + 0.036, y), (x, y + 0.08)], vivid(rng))
    return pen.shapes
