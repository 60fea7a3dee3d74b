"""An image with what was found, missed and wrongly seen drawn on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from visionllm_interaction.core.image_decoding import read_rgb
from visionllm_interaction.detection.evaluation.coco_metrics import Results
from visionllm_interaction.detection.evaluation.id_numbering import Id
from visionllm_interaction.reports.html_base import image_data_uri
from visionllm_interaction.reports.overlays import draw_box

MAX_SIDE_PX = 560
COLOURS: Mapping[str, str] = {"found": "#0072B2", "wrong": "#CC3311", "missed": "#E69F00"}
Marks = Sequence[tuple[str, tuple[float, float, float, float], str]]
"""(found | wrong | missed, box xywh in pixels, words)."""


def draw(path: Path, marks: Marks, *, size: tuple[int, int] | None = None) -> str:
    """Draw boxes on an image.

    Args:
        path: the image file.
        marks: the boxes to draw (xyxy pixels) with their style.
        size: annotated width and height in pixels.

    Returns:
        A ``data:`` URI of the scaled-down image.

    Raises:
        ImageError: if it cannot be decoded.
    """
    image = Image.fromarray(read_rgb(path, size=size))
    scale = min(1.0, MAX_SIDE_PX / max(image.size))
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    canvas = ImageDraw.Draw(image)
    for kind, (x, y, width, height), words in marks:
        place = (x * scale, y * scale, (x + width) * scale, (y + height) * scale)
        draw_box(canvas, place, colour=COLOURS[kind], caption=words)
    return image_data_uri(image, quality=80)


def marks_of(
    image_id: Id, truth: Mapping[str, Any], kept: Results, diagnostics: Mapping[str, Any], names: Mapping[Id, str]
) -> list[tuple[str, tuple[float, float, float, float], str]]:
    """Marks of one image from hotcoco's diagnostics of the results ``kept``."""
    marks: list[tuple[str, tuple[float, float, float, float], str]] = []
    for number, annotation in enumerate(truth["annotations"], start=1):
        missed = annotation["image_id"] == image_id and diagnostics["gt_status"].get(number) == "fn"
        if missed:
            marks.append(("missed", tuple(annotation["bbox"]), names[annotation["category_id"]]))
    for row in np.flatnonzero(kept.image_ids == image_id).tolist():
        status = diagnostics["dt_status"].get(row + 1)
        if status in ("tp", "fp"):
            kind = "found" if status == "tp" else "wrong"
            x, y, width, height = kept.boxes_xywh[row].tolist()
            name = names[kept.category_ids[row]]
            marks.append((kind, (x, y, width, height), f"{name} {kept.scores[row]:.2f}"))
    return marks
