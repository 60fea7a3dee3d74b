"""Boxes and their captions drawn on images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from visionllm_interaction.reports.report_data import LabelledBoxes

PALETTE: tuple[str, ...] = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31",
)  # fmt: skip
"""Colours of Okabe and Ito (2008), distinguishable with colour vision deficiency, and two more."""
UNKNOWN_COLOUR = "#666666"

CaptionStyle = Literal["band", "outlined"]
"""``band``: white text on a band of the box's colour; ``outlined``: white text with an outline, inside the box."""


def colour_of(name: str, names: Sequence[str]) -> str:
    """The colour of ``name`` by its position in ``names``; grey if it is not among them."""
    return PALETTE[list(names).index(name) % len(PALETTE)] if name in names else UNKNOWN_COLOUR


def draw_boxes(image_rgb: NDArray[np.uint8], boxes: LabelledBoxes, *, names: Sequence[str]) -> Image.Image:
    """Draw captioned boxes on a copy of an image.

    Args:
        image_rgb: (H, W, 3) uint8.
        boxes: what to draw, xyxy pixels of the image.
        names: category names in the order that fixes their colours.

    Returns:
        The image with the boxes.
    """
    image = Image.fromarray(np.asarray(image_rgb)).convert("RGB")
    canvas = ImageDraw.Draw(image)
    size = max(10, image.width // 45)
    for box, caption, name in zip(boxes.boxes_xyxy, boxes.captions, boxes.names, strict=True):
        draw_box(
            canvas,
            box.tolist(),
            colour=colour_of(name, names),
            line_width=max(2, image.width // 240),
            caption=caption,
            font_size=size,
        )
    return image


def draw_box(
    canvas: ImageDraw.ImageDraw,
    box_xyxy: Sequence[float],
    *,
    colour: str,
    line_width: int = 2,
    caption: str = "",
    font_size: int = 11,
    style: CaptionStyle = "band",
    outline: str | None = None,
) -> None:
    """Draw one box and, if there is one, its caption.

    Args:
        canvas: of the image to draw on.
        box_xyxy: corners in pixels of the image; a box of negative size is drawn as a line or a point.
        colour: of the box, and of the band behind the caption.
        line_width: in pixels.
        caption: empty for none.
        font_size: of the caption, in pixels.
        style: how the caption stays readable on any image.
        outline: colour around the letters of an ``outlined`` caption; the box's colour if not given.
    """
    x1, y1, x2, y2 = box_xyxy
    canvas.rectangle((x1, y1, max(x1, x2), max(y1, y2)), outline=colour, width=line_width)
    if not caption:
        return
    font = ImageFont.load_default(size=font_size)
    if style == "outlined":
        place = (x1 + 3, y1 + 1)
        canvas.text(place, caption, fill="white", font=font, stroke_width=2, stroke_fill=outline or colour)
        return
    left, top, right, bottom = canvas.textbbox((0, 0), caption, font=font)
    height = bottom - top + 4
    band_top = y1 - height if y1 >= height else y1
    canvas.rectangle((x1, band_top, x1 + right - left + 6, band_top + height), fill=colour)
    canvas.text((x1 + 3 - left, band_top + 2 - top), caption, fill="white", font=font)
