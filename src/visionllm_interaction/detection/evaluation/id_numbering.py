"""Ids of annotation files, of whatever kind, as numbers from 1 that no floating point number can confuse.

COCO's ids are whole numbers; exporters also write hashes, nanoseconds and texts. The evaluation calculates with
numbers of its own, in the order of the ids, which is the order in which pycocotools goes through them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.errors import AnnotationError

Id = int | str
Ids = NDArray[Any]
"""(n,) int64, or objects where the ids are texts."""
_EXACT = 2.0**53
_LOW, _HIGH = -(2**63), 2**63 - 1


def ids_of(values: Sequence[object], *, key: str, where: str | None = None) -> Ids:
    """Read ids as one column.

    Whole numbers written with a fraction (``7.0``) count as whole where that is exact.

    Args:
        values: what a file has, one per record.
        key: their key in the file, for messages.
        where: the file, for messages.

    Returns:
        One column: int64, or texts.

    Raises:
        AnnotationError: unless all are whole numbers of 64 bits, or all are texts.
    """
    kinds = set(map(type, values))
    if float in kinds:
        values = [int(v) if isinstance(v, float) and v.is_integer() and abs(v) <= _EXACT else v for v in values]
        kinds = set(map(type, values))
    if kinds <= {int}:
        odd = next((v for v in values if not _LOW <= v <= _HIGH), None)  # type: ignore[operator]
        if odd is None:
            return np.array(values, np.int64)
        raise _unusable(key, odd, where)
    if kinds == {str}:
        column = np.empty(len(values), object)
        column[:] = values
        return column
    usual = int if int in kinds else str
    raise _unusable(key, next(v for v in values if type(v) is not usual), where)


def _unusable(key: str, value: object, where: str | None) -> AnnotationError:
    return AnnotationError(
        "An id cannot be used.",
        expected=f"every {key} a whole number of 64 bits, or every {key} a text",
        found=f"{key} {value!r}",
        where=where,
        fix="number images, annotations and categories with whole numbers",
    )


@dataclass(frozen=True, eq=False)
class Numbering:
    """The ids of a COCO file's images and categories, distinct and in order; their numbers count from 1."""

    images: Ids
    categories: Ids

    @classmethod
    def of(cls, truth: Mapping[str, Any]) -> Numbering:
        """Number the images and categories of an annotation file.

        Args:
            truth: COCO annotations; boxes are xywh pixels.

        Returns:
            The numbering.

        Raises:
            AnnotationError: if an id cannot be used.
        """
        columns = (ids_of([r["id"] for r in truth[key]], key=f"{key}[].id") for key in ("images", "categories"))
        return cls(*map(np.unique, columns))

    def image_numbers(self, ids: Ids) -> NDArray[np.int64]:
        """(n,) numbers; 0 for ids that no image has."""
        return _numbers(ids, self.images)

    def category_numbers(self, ids: Ids) -> NDArray[np.int64]:
        """(n,) numbers; 0 for ids that no category has."""
        return _numbers(ids, self.categories)

    def image_id(self, number: int) -> Id:
        """The id of an image's number."""
        return _plain(self.images[number - 1])

    def category_ids(self) -> list[Id]:
        """The ids of the categories in the order of their numbers."""
        return [_plain(value) for value in self.categories]


def _plain(value: Any) -> Id:
    return value if isinstance(value, str) else int(value)


def _numbers(ids: Ids, known: Ids) -> NDArray[np.int64]:
    if not len(known) or not len(ids) or ids.dtype != known.dtype:
        return np.zeros(len(ids), np.int64)
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[places] == ids, places + 1, 0).astype(np.int64)


def image_numbers(truth: Mapping[str, Any]) -> list[int]:
    """The number of each image of an annotation file, in the file's order."""
    numbers = Numbering.of(truth).image_numbers(ids_of([i["id"] for i in truth["images"]], key="images[].id"))
    return [int(number) for number in numbers]


def category_names(truth: Mapping[str, Any]) -> dict[Id, str]:
    """Category id → name, in the order of the ids; a name that several have is told apart by the id."""
    names = {
        category["id"]: str(category.get("name", f"category {category['id']}")) for category in truth["categories"]
    }
    given = list(names.values())
    unique = {key: name if given.count(name) == 1 else f"{name} ({key})" for key, name in names.items()}
    return {key: unique[key] for key in Numbering.of(truth).category_ids()}
