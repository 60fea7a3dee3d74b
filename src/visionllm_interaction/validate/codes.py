"""The catalogue of faults: one stable code each, with what it means, the harm it does and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["error", "drop", "warn", "ignore"]


@dataclass(frozen=True, slots=True)
class FaultType:
    """One kind of fault.

    ``action`` is what the shipped policy does; ``None`` for invalid boxes, which follow ``drop_invalid_bbox``.
    ``of_annotation``: the ids are annotation ids, so the action may be ``drop``.
    """

    code: str
    meaning: str
    harm: str
    remedy: str
    action: Action | None = "error"
    of_annotation: bool = False


def _box(code: str, meaning: str, harm: str) -> FaultType:
    return FaultType(code, meaning, harm, "correct the box at its source, or let stage 3 drop it", None, True)


_TYPES = (
    FaultType(
        "MANIFEST-KEY-MISSING",
        "the data manifest lacks a key",
        "later stages cannot find the data",
        "run stage 1 again",
    ),
    FaultType(
        "SPLIT-MISSING",
        "a split has no image folder or no annotation file",
        "there is nothing to train on, or nothing to measure with",
        "provide train2017/, val2017/ and both annotation files",
    ),
    FaultType(
        "SPLIT-EMPTY",
        "a split has no images or no annotations",
        "there is nothing to train on, or nothing to measure with",
        "provide annotated images for the split",
    ),
    FaultType(
        "JSON-SYNTAX",
        "an annotation file is not JSON",
        "nothing in it can be used",
        "export it again; a broken download is often cut short",
    ),
    FaultType(
        "JSON-SCHEMA",
        "a record lacks a key or holds a value of the wrong type",
        "the record cannot be used",
        "correct the record at its source",
    ),
    FaultType(
        "IMG-DUPLICATE-ID",
        "two images have the same id",
        "annotations cannot be told which image they belong to",
        "renumber the images",
    ),
    FaultType(
        "ANN-DUPLICATE-ID",
        "two annotations have the same id",
        "evaluation counts one of them only",
        "renumber the annotations",
    ),
    FaultType(
        "CAT-DUPLICATE-ID",
        "two categories have the same id",
        "annotations cannot be told what they show",
        "renumber the categories",
    ),
    FaultType(
        "CAT-DUPLICATE-NAME",
        "two categories have the same name",
        "one kind of object is trained as two",
        "merge or rename the categories",
    ),
    FaultType(
        "ANN-DANGLING-IMAGE",
        "an annotation names an image that is not listed",
        "it belongs to no picture",
        "add the image or delete the annotation",
        of_annotation=True,
    ),
    FaultType(
        "ANN-DANGLING-CATEGORY",
        "an annotation names a category that is not listed",
        "it has no meaning",
        "add the category or delete the annotation",
        of_annotation=True,
    ),
    _box("BOX-MALFORMED", "a bbox is not four finite numbers x, y, width, height", "training stops"),
    _box("BOX-NON-POSITIVE", "a bbox has a width or height of zero or less", "training stops or the loss is NaN"),
    _box("BOX-NEGATIVE-ORIGIN", "a bbox starts left of or above the image", "the model learns a shifted box"),
    _box("BOX-OUT-OF-BOUNDS", "a bbox ends right of or below the image", "the model learns a box that cannot be"),
    FaultType(
        "FILE-MISSING",
        "an image is not on disk",
        "training stops when it gets there",
        "copy the file to the image folder, or delete its record",
    ),
    FaultType(
        "FILE-OUTSIDE",
        "a file_name leads out of the image folder",
        "files that are not part of the data would be read",
        "use names relative to the image folder, without ..",
    ),
    FaultType(
        "CAT-DIFFERENT",
        "a category is not the same in both splits",
        "labels mean different things in training and in validation",
        "use one list of categories for both files",
    ),
    FaultType(
        "CAT-ABSENT",
        "a category has no annotation in a split",
        "it is never learned (train) or never measured (val)",
        "move some of its images to the split, or remove the category from both",
    ),
)

CATALOGUE: dict[str, FaultType] = {fault.code: fault for fault in _TYPES}
"""Code → fault type, in the order of reports."""

BOX_CODES: frozenset[str] = frozenset(code for code in CATALOGUE if code.startswith("BOX-"))
"""The codes counted as *invalid boxes* by ``max_invalid_bbox_allowed``."""

FATAL_CODES: frozenset[str] = frozenset({"MANIFEST-KEY-MISSING", "SPLIT-MISSING", "SPLIT-EMPTY", "JSON-SYNTAX"})
"""Codes that leave nothing to work with, so no policy can let them pass."""
