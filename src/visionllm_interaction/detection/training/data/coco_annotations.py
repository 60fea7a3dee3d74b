"""COCO annotation files as training needs them: boxes and labels by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.errors import AnnotationError
from visionllm_interaction.utils.path_type import StrPath


@dataclass(frozen=True, eq=False)
class TrainingImage:
    """One image and what it shows; crowd regions are left out (evaluation reads them from the file).

    Attributes:
        boxes_xyxy: (n, 4) float32, pixels.
        labels: (n,) int64, 1…K.
    """

    image_id: int | str
    path: Path
    width: int
    height: int
    boxes_xyxy: NDArray[np.float32]
    labels: NDArray[np.int64]


class _ImageKeys(msgspec.Struct):
    id: int | float | str


class _AnnotationKeys(msgspec.Struct, gc=False):
    image_id: int | float | str
    category_id: int | float | str
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: Literal[0, 1] | bool = 0


class _CategoryKeys(msgspec.Struct):
    id: int | float | str
    name: str = ""


class _SizedImage(msgspec.Struct):
    """What is needed of an image to decode it."""

    id: int | str
    width: Annotated[int, msgspec.Meta(ge=1)]
    height: Annotated[int, msgspec.Meta(ge=1)]
    file_name: str | None = None
    coco_url: str | None = None


_SECTIONS: dict[str, Any] = {
    "images": list[_ImageKeys],
    "annotations": list[_AnnotationKeys],
    "categories": list[_CategoryKeys],
}


def read_coco(path: StrPath) -> dict[str, Any]:
    """Read and check an annotation file.

    Args:
        path: COCO annotation file.

    Returns:
        Images, annotations (``bbox`` in xywh pixels) and categories, each record with the keys that evaluation needs.

    Raises:
        AnnotationError: if it is missing, is not JSON, lacks images, annotations or categories, or a record has no
            usable id, box, area or crowd flag.
    """
    path = Path(path)
    try:
        content = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unusable(path, f"no JSON ({error})") from error
    missing = [key for key in _SECTIONS if not isinstance(content, dict) or key not in content]
    if missing:
        raise _unusable(path, f"no {', '.join(missing)}")
    for key, kind in _SECTIONS.items():
        try:
            msgspec.convert(content[key], kind)
        except msgspec.ValidationError as error:
            raise _unusable(path, f"{key}: {error}") from error
    return dict(content)


def _unusable(path: Path, found: str) -> AnnotationError:
    return AnnotationError(
        "An annotation file cannot be used.",
        expected="a COCO file with images, annotations and categories",
        found=found,
        where=str(path),
        fix="correct the record at its source; visionllm validate lists every one",
    )


def categories_of(coco: dict[str, Any]) -> Categories:
    """Label the categories in order of their ids.

    Args:
        coco: content of the annotation file.

    Returns:
        The categories; labels are contiguous from 1, 0 is background.

    Raises:
        AnnotationError: if ids are no whole numbers, or ids or names repeat.
    """
    pairs = [(c["id"], c.get("name", f"category {c['id']}")) for c in coco["categories"]]
    try:
        return Categories.from_pairs(pairs)
    except (ValueError, TypeError) as error:
        raise AnnotationError(
            "The categories of the annotation file cannot be used.",
            expected="whole numbers as ids, and one name each",
            found=str(error),
            fix="correct them at their source; visionllm validate says more (CAT-…)",
        ) from error


def image_name(record: Mapping[str, Any]) -> str | None:
    """File name of an image's record: ``file_name``, else the last part of LVIS's ``coco_url``."""
    name = record.get("file_name")
    if isinstance(name, str) and name:
        return name
    url = record.get("coco_url")
    return PurePosixPath(urlsplit(url).path).name or None if isinstance(url, str) else None


def list_images(coco: dict[str, Any], folder: Path, *, categories: Categories) -> list[TrainingImage]:
    """List all images in file order, also those without objects.

    Annotations of unlisted images or categories are left out, as in evaluation.

    Args:
        coco: content of the annotation file.
        folder: folder that ``file_name`` is relative to.
        categories: the categories to keep.

    Returns:
        The images with their objects, boxes in xyxy pixels.

    Raises:
        AnnotationError: if an image has no usable name or size.
    """
    by_image: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        listed = annotation["image_id"] in by_image and annotation["category_id"] in categories.by_id
        if listed and not annotation.get("iscrowd", 0):
            by_image[annotation["image_id"]].append(annotation)
    return [_training_image(image, by_image[image["id"]], folder, categories) for image in coco["images"]]


def _training_image(
    image: dict[str, Any], annotations: Sequence[dict[str, Any]], folder: Path, categories: Categories
) -> TrainingImage:
    try:
        sized = msgspec.convert(image, _SizedImage)
    except msgspec.ValidationError as error:
        raise _unusable_image(image, str(error)) from error
    name = image_name(image)
    if name is None:
        raise _unusable_image(image, "neither file_name nor coco_url")
    boxes = np.array([a["bbox"] for a in annotations], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    # boxes that only graze the image would be cut to nothing by the model's own clipping
    boxes = np.clip(boxes, 0, np.array([sized.width, sized.height] * 2, dtype=np.float32))
    labels = np.array([categories.by_id[a["category_id"]].label for a in annotations], dtype=np.int64)
    keep = (boxes[:, 2:] - boxes[:, :2] > 0).all(axis=1)
    return TrainingImage(sized.id, folder / name, sized.width, sized.height, boxes[keep], labels[keep])


def _unusable_image(image: Mapping[str, Any], found: str) -> AnnotationError:
    return AnnotationError(
        "An image of the annotation file cannot be used.",
        expected="id, width, height and file_name (or coco_url)",
        found=f"{found}, in the image with id {image.get('id')!r}",
        fix="correct the record at its source; visionllm validate lists every one",
    )
