"""One split's annotations as columns, so that checks are a few array operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageColumns:
    """Images of a split, one row each.

    Attributes:
        ids: (n,) COCO image ids; may repeat.
        sizes_px: (n, 2) width and height; NaN where the record's value is unusable.
        file_names: n names; ``None`` where unusable.
        positions: (n,) place in the file's list.
    """

    ids: Ints
    sizes_px: Floats
    file_names: tuple[str | None, ...]
    positions: Ints


@dataclass(frozen=True, eq=False)
class AnnotationColumns:
    """Annotations of a split, one row each.

    Attributes:
        ids, image_ids, category_ids: (m,) COCO ids.
        boxes_xywh: (m, 4) pixels; NaN where malformed.
        positions: (m,) place in the file's list.
        malformed: row → what stood in place of a box.
    """

    ids: Ints
    image_ids: Ints
    category_ids: Ints
    boxes_xywh: Floats
    positions: Ints
    malformed: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SplitTable:
    """One split: images, annotations, and the ``(category_id, name)`` pairs in the file's order."""

    split: str
    images: ImageColumns
    annotations: AnnotationColumns
    categories: tuple[tuple[int, str], ...]


def first_rows(wanted: Ints, ids: Ints) -> Ints:
    """For each of ``wanted`` (m,) the first row of ``ids`` (n,) that equals it, or -1; output (m,)."""
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    place = np.searchsorted(ids[order], wanted)
    rows = order[np.minimum(place, len(ids) - 1)]
    return np.where(ids[rows] == wanted, rows, -1)
