"""Which images belong together: frames of one child or one session are no independent evidence."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.detection.training.data.coco_annotations import image_name
from visionllm_interaction.errors import AnnotationError

KEYS: tuple[str, ...] = ("group", "video_id", "video", "session", "household", "child")
"""Keys of COCO's ``images`` entries that name a group; the first that all images have is used."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of images.

    Attributes:
        source: where they come from, for people.
        names: of the groups.
        of_image: (images,) index into ``names``, in the order of the annotation file.
    """

    source: str
    names: tuple[str, ...]
    of_image: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)


def find_groups(truth: Mapping[str, Any], table: Path | None = None) -> Groups:
    """Find image groups, from a table or else from a key of the annotation file.

    Args:
        truth: COCO annotations; boxes are xywh pixels.
        table: CSV with the columns ``file_name,group``.

    Returns:
        The group of each image; without table or key, each image is its own group.

    Raises:
        AnnotationError: if the table cannot be read or leaves images out.
    """
    images = truth["images"]
    if table is not None:
        given = _read_table(table)
        names = [image_name(image) or str(image["id"]) for image in images]
        lost = [name for name in names if name not in given]
        if lost:
            raise AnnotationError(
                "The table of groups leaves images out.",
                expected=f"a line for each of the {len(images)} images",
                found=f"{len(lost)} missing, for example {lost[0]}",
                where=str(table),
            )
        return _indexed(f"table {table.name}", [given[name] for name in names])
    for key in KEYS:
        if images and all(key in image for image in images):
            return _indexed(f"images[].{key}", [str(image[key]) for image in images])
    return _indexed("each image by itself", [str(image["id"]) for image in images])


def _indexed(source: str, names: list[str]) -> Groups:
    unique, index = np.unique(np.array(names, dtype=object), return_inverse=True)
    return Groups(source, tuple(unique.tolist()), index.astype(np.int64))


def _read_table(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return {row["file_name"]: row["group"] for row in csv.DictReader(stream)}
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise AnnotationError(
            "The table of groups cannot be read.",
            expected="a CSV file with the columns file_name and group",
            found=f"{type(error).__name__}: {error}",
            where=str(path),
        ) from error
