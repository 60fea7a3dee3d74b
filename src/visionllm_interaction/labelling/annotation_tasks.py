"""Tasks for CVAT and Label Studio, with the detector's boxes drawn in: people correct rather than draw.

Sources: docs.cvat.ai, *CVAT for image 1.1*; labelstud.io, *Import pre-annotated data*.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring
from xml.sax.saxutils import quoteattr

from visionllm_interaction.utils.atomic_files import write_file

IMAGES = "images"
CVAT_FILE, CVAT_LABELS = "annotations.xml", "labels.json"
LABELSTUDIO_FILE, LABELSTUDIO_CONFIG = "tasks.json", "labeling_config.xml"


@dataclass(frozen=True)
class DrawnBox:
    """A box for people to correct: category, confidence, and corners (xyxy) in pixels inside the image."""

    category: str
    confidence: float
    box_xyxy: tuple[float, float, float, float]


@dataclass(frozen=True)
class AnnotationTask:
    """One image to annotate: its file name, width and height in pixels, and the boxes drawn in."""

    image: str
    width: int
    height: int
    boxes: tuple[DrawnBox, ...]


def write_cvat(tasks: Sequence[AnnotationTask], categories: Sequence[str], folder: Path, *, name: str) -> list[Path]:
    """Write *CVAT for images 1.1*: the annotations to upload to a task, and its labels.

    Args:
        tasks: the images, in order.
        categories: names people can choose from.
        folder: where to write.
        name: of the CVAT task.

    Returns:
        The files: ``annotations.xml``, and ``labels.json`` for *Raw* of CVAT's constructor of labels.
    """
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    task = SubElement(SubElement(root, "meta"), "task")
    SubElement(task, "name").text = name
    SubElement(task, "size").text = str(len(tasks))
    SubElement(task, "mode").text = "annotation"
    labels = SubElement(task, "labels")
    for category in categories:
        SubElement(SubElement(labels, "label"), "name").text = category
    for number, one in enumerate(tasks):
        about = {"id": str(number), "name": one.image, "width": str(one.width), "height": str(one.height)}
        image = SubElement(root, "image", about)
        for box in one.boxes:
            corners = dict(zip(("xtl", "ytl", "xbr", "ybr"), (f"{value:.2f}" for value in box.box_xyxy), strict=True))
            SubElement(
                image, "box", {"label": box.category, "source": "auto", "occluded": "0", **corners, "z_order": "0"}
            )
    indent(root)
    content = bytes(tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"
    write_file(folder / CVAT_FILE, content)
    declared = [{"name": category, "type": "rectangle", "attributes": []} for category in categories]
    write_file(folder / CVAT_LABELS, json.dumps(declared, indent=1, ensure_ascii=False).encode())
    return [folder / CVAT_FILE, folder / CVAT_LABELS]


def write_labelstudio(
    tasks: Sequence[AnnotationTask], categories: Sequence[str], folder: Path, *, name: str, model: str
) -> list[Path]:
    """Write Label Studio's tasks with predictions, and the labeling interface.

    Args:
        tasks: the images, in order.
        categories: names people can choose from.
        folder: where to write.
        name: of the folder that holds the images, below Label Studio's root of local files.
        model: who predicted.

    Returns:
        The files: ``tasks.json`` and ``labeling_config.xml``.
    """
    content = [
        {
            "data": {"image": f"/data/local-files/?d={name}/{IMAGES}/{task.image}"},
            "predictions": [{"model_version": model, "result": [_region(task, n) for n in range(len(task.boxes))]}],
        }
        for task in tasks
    ]
    labels = "".join(f"<Label value={quoteattr(category)}/>" for category in categories)
    interface = (
        '<View><Image name="image" value="$image" zoom="true"/>'
        f'<RectangleLabels name="label" toName="image">{labels}</RectangleLabels></View>\n'
    )
    write_file(folder / LABELSTUDIO_FILE, json.dumps(content, indent=1, ensure_ascii=False).encode())
    write_file(folder / LABELSTUDIO_CONFIG, interface.encode())
    return [folder / LABELSTUDIO_FILE, folder / LABELSTUDIO_CONFIG]


def _region(task: AnnotationTask, number: int) -> dict[str, Any]:
    """A rectangle in per cent of the image."""
    box = task.boxes[number]
    left, top, right, bottom = box.box_xyxy
    value = {
        "x": 100.0 * left / task.width,
        "y": 100.0 * top / task.height,
        "width": 100.0 * (right - left) / task.width,
        "height": 100.0 * (bottom - top) / task.height,
        "rotation": 0,
        "rectanglelabels": [box.category],
    }
    return {
        "id": f"box{number}",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": task.width,
        "original_height": task.height,
        "image_rotation": 0,
        "score": round(box.confidence, 4),
        "value": value,
    }
