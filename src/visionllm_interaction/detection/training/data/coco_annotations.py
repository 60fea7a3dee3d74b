"""COCO annotation files as training needs them: boxes and labels by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.errors import AnnotationError
from visionllm_interaction.utils.paths import StrPath


@dataclass(frozen=True, eq=False)
class Picture:
    """One image and what it shows; crowd regions are left out (evaluation reads them from the file).

    Attributes:
        boxes_xyxy: (n, 4) float32, pixels.
        labels: (n,) int64, 1…K.
    """

    image_id: int
    path: Path
    width: int
    height: int
    boxes_xyxy: NDArray[np.float32]
    labels: NDArray[np.int64]


def read_coco(path: StrPath) -> dict[str, Any]:
    """The annotation file as plain values.

    Raises:
        AnnotationError: if it is missing, is not JSON, or lacks images, annotations or categories.
    """
    path = Path(path)
    try:
        content = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except msgspec.DecodeError as error:
        raise _unusable(path, f"no JSON ({error})") from error
    missing = [k for k in ("images", "annotations", "categories") if not isinstance(content, dict) or k not in content]
    if missing:
        raise _unusable(path, f"no {', '.join(missing)}")
    return dict(content)


def _unusable(path: Path, found: str) -> AnnotationError:
    return AnnotationError(
        "An annotation file cannot be used.",
        expected="a COCO file with images, annotations and categories",
        found=found,
        where=str(path),
    )


def categories_of(coco: dict[str, Any]) -> Categories:
    """The file's categories, labelled in order of their ids."""
    return Categories.from_pairs((c["id"], c["name"]) for c in coco["categories"])


def list_pictures(coco: dict[str, Any], folder: Path, *, categories: Categories) -> list[Picture]:
    """All images of the file in its order, empty ones included."""
    by_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        if not annotation.get("iscrowd", 0):
            by_image[annotation["image_id"]].append(annotation)
    return [_picture(image, by_image[image["id"]], folder, categories) for image in coco["images"]]


def _picture(
    image: dict[str, Any], annotations: Sequence[dict[str, Any]], folder: Path, categories: Categories
) -> Picture:
    boxes = np.array([a["bbox"] for a in annotations], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    # boxes that only graze the image would be cut to nothing by the model's own clipping
    boxes = np.clip(boxes, 0, np.array([image["width"], image["height"]] * 2, dtype=np.float32))
    labels = np.array([categories.by_id[a["category_id"]].label for a in annotations], dtype=np.int64)
    keep = (boxes[:, 2:] - boxes[:, :2] > 0).all(axis=1)
    return Picture(image["id"], folder / image["file_name"], image["width"], image["height"], boxes[keep], labels[keep])
