"""An image with what was found, missed and wrongly seen drawn on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from visionllm_interaction.errors import ImageError
from visionllm_interaction.reports.html import image_data_uri
from visionllm_interaction.reports.overlays import draw_box

MAX_SIDE_PX = 560
COLOURS: Mapping[str, str] = {"found": "#0072B2", "wrong": "#CC3311", "missed": "#E69F00"}
Marks = Sequence[tuple[str, tuple[float, float, float, float], str]]
"""(found | wrong | missed, box xywh in pixels, words)."""


def draw(path: Path, marks: Marks) -> str:
    """The image, scaled down, with its marks, as a ``data:`` address.

    Raises:
        ImageError: if it cannot be decoded.
    """
    try:
        with Image.open(path) as stored:
            image = ImageOps.exif_transpose(stored).convert("RGB")
    except OSError as error:
        raise ImageError("An image cannot be decoded.", found=str(error), where=str(path)) from error
    scale = min(1.0, MAX_SIDE_PX / max(image.size))
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    canvas = ImageDraw.Draw(image)
    for kind, (x, y, width, height), words in marks:
        place = (x * scale, y * scale, (x + width) * scale, (y + height) * scale)
        draw_box(canvas, place, colour=COLOURS[kind], caption=words)
    return image_data_uri(image, quality=80)


def marks_of(
    image_id: int, truth: Mapping[str, Any], kept: Any, diagnostics: Mapping[str, Any], names: Mapping[int, str]
) -> list[tuple[str, tuple[float, float, float, float], str]]:
    """Marks of one image from hotcoco's diagnostics of the results ``kept`` ((n, 7), see metrics.Results)."""
    marks: list[tuple[str, tuple[float, float, float, float], str]] = []
    for number, annotation in enumerate(truth["annotations"], start=1):
        missed = annotation["image_id"] == image_id and diagnostics["gt_status"].get(number) == "fn"
        if missed:
            marks.append(("missed", tuple(annotation["bbox"]), names[annotation["category_id"]]))
    for number, row in enumerate(kept.tolist(), start=1):
        status = diagnostics["dt_status"].get(number)
        if row[0] == image_id and status in ("tp", "fp"):
            kind = "found" if status == "tp" else "wrong"
            marks.append((kind, (row[1], row[2], row[3], row[4]), f"{names[int(row[6])]} {row[5]:.2f}"))
    return marks
