"""Object categories: COCO's sparse ``category_id`` beside the contiguous training ``label``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

PERSON_CATEGORIES: frozenset[str] = frozenset({"person", "child", "caregiver", "infant", "adult"})
"""Category names that relations and roles treat as people; every other category is an object."""
BODY_CATEGORIES: frozenset[str] = frozenset({"hand", "left hand", "right hand", "face", "head"})
"""Category names of body parts. They are detected, but are not objects that a child looks at or handles."""
COCO_CLASSES: tuple[str, ...] = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear"),
    *("hair drier", "toothbrush"),
)
"""COCO's 80 categories as classes 0 to 79, as detectors of the YOLO family write them."""
_UNUSED_IDS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
COCO_NAMES: Mapping[int, str] = MappingProxyType(
    dict(zip((n for n in range(1, 91) if n not in _UNUSED_IDS), COCO_CLASSES, strict=True))
)
"""COCO's ``category_id`` → name."""


@dataclass(frozen=True, slots=True)
class Category:
    """One object category.

    ``category_id`` is the sparse number of the annotation file; ``label`` is the contiguous number a model
    is trained with (1…K; 0 is background).
    """

    category_id: int
    name: str
    label: int

    @property
    def is_person(self) -> bool:
        """Whether tracks of this category are people."""
        return self.name in PERSON_CATEGORIES


@dataclass(frozen=True)
class Categories:
    """An ordered set of categories, ``label`` 1…K in order.

    Raises:
        ValueError: if names or ids repeat or labels are not 1…K.
    """

    items: tuple[Category, ...]

    def __post_init__(self) -> None:
        if [c.label for c in self.items] != list(range(1, len(self.items) + 1)):
            raise ValueError("labels must be 1…K in order")
        for field in ("name", "category_id"):
            values = [getattr(c, field) for c in self.items]
            if len(set(values)) != len(values):
                raise ValueError(f"category {field}s repeat: {values}")

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[int, str]]) -> Categories:
        """Build from ``(category_id, name)`` pairs; labels follow the order of ``category_id``."""
        ordered = sorted(pairs)
        return cls(tuple(Category(cid, name, label) for label, (cid, name) in enumerate(ordered, start=1)))

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Category]:
        return iter(self.items)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in label order."""
        return tuple(c.name for c in self.items)

    @cached_property
    def by_label(self) -> dict[int, Category]:
        """Label → category."""
        return {c.label: c for c in self.items}

    @cached_property
    def by_id(self) -> dict[int, Category]:
        """category_id → category."""
        return {c.category_id: c for c in self.items}

    @cached_property
    def by_name(self) -> dict[str, Category]:
        """Name → category."""
        return {c.name: c for c in self.items}


def nearest_names(name: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """The known names most similar to ``name``, best first, for "did you mean" messages; possibly none."""
    return tuple(difflib.get_close_matches(name, list(known), n=limit, cutoff=0.6))


def coco_categories() -> Categories:
    """COCO's 80 categories with their ids."""
    return Categories.from_pairs(COCO_NAMES.items())
