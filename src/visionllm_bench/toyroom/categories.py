"""The categories of the play room and their numbers in annotation files."""

from __future__ import annotations

from typing import Final

CATEGORY_IDS: Final[dict[str, int]] = {
    "car": 3,
    "ball": 37,
    "cup": 47,
    "book": 84,
    "teddy bear": 88,
    "child": 101,
    "caregiver": 102,
    "block": 103,
}
"""Name → COCO-style sparse category_id; COCO's own number where COCO has the category."""

SUPERCATEGORIES: Final[dict[str, str]] = {
    "car": "toy",
    "ball": "toy",
    "cup": "household",
    "book": "household",
    "teddy bear": "toy",
    "child": "person",
    "caregiver": "person",
    "block": "toy",
}

PEOPLE: Final[tuple[str, ...]] = ("child", "caregiver")
TOYS: Final[tuple[str, ...]] = ("ball", "book", "cup", "teddy bear", "car", "block")


def category_records() -> list[dict[str, object]]:
    """The ``categories`` list of a COCO file, by rising id."""
    ordered = sorted(CATEGORY_IDS.items(), key=lambda item: item[1])
    return [{"id": number, "name": name, "supercategory": SUPERCATEGORIES[name]} for name, number in ordered]
