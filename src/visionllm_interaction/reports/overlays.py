"""Boxes drawn on images, and images as data URIs."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from visionllm_interaction.reports.data import LabelledBoxes

PALETTE: tuple[str, ...] = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31",
)  # fmt: skip
"""Okabe and Ito's colours, told apart with colour-blind eyes, and two more."""


def colour_of(name: str, names: tuple[str, ...]) -> str:
    """The colour of ``name`` among ``names`` in their order."""
    return PALETTE[names.index(name) % len(PALETTE)] if name in names else "#666666"


def draw_boxes(image_rgb: NDArray[np.uint8], boxes: LabelledBoxes, *, names: tuple[str, ...]) -> Image.Image:
    """The image with each box and its caption; colours follow ``names``."""
    picture = Image.fromarray(np.asarray(image_rgb)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=max(10, picture.width // 45))
    for box, caption, name in zip(boxes.boxes_xyxy, boxes.captions, boxes.names, strict=True):
        _draw_box(draw, box, caption, colour=colour_of(name, names), font=font, width=max(2, picture.width // 240))
    return picture


def _draw_box(
    draw: ImageDraw.ImageDraw, box: NDArray[Any], caption: str, *, colour: str, font: Any, width: int
) -> None:
    x1, y1, x2, y2 = (float(v) for v in box)
    draw.rectangle((x1, y1, max(x1, x2), max(y1, y2)), outline=colour, width=width)
    left, top, right, bottom = draw.textbbox((0, 0), caption, font=font)
    height = bottom - top + 4
    at = y1 - height if y1 >= height else y1
    draw.rectangle((x1, at, x1 + right - left + 6, at + height), fill=colour)
    draw.text((x1 + 3 - left, at + 2 - top), caption, fill="white", font=font)


def as_data_uri(picture: Image.Image, *, max_width: int = 480, quality: int = 85) -> str:
    """The image as a JPEG data URI, at most ``max_width`` pixels wide."""
    if picture.width > max_width:
        picture = picture.resize((max_width, round(picture.height * max_width / picture.width)))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
