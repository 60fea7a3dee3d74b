"""The rules within one split. Each takes columns and returns faults; none changes anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.validate.catalogue import Entity
from visionllm_interaction.validate.faults import Fault
from visionllm_interaction.validate.table import Floats, Ints, SplitTable, first_rows

Mask = NDArray[np.bool_]


def duplicate_ids(ids: Ints, positions: Ints, *, code: str, split: str, kind: Entity) -> list[Fault]:
    """One fault for each record whose id an earlier record has already."""
    first = first_rows(ids, ids)
    again = np.flatnonzero(first != np.arange(len(ids)))
    return [
        Fault(
            code,
            split,
            kind,
            found=f"{kind}[{positions[row]}] and {kind}[{positions[first[row]]}]",
            expected="an id of its own",
            field="id",
            image_id=int(ids[row]) if kind == "image" else None,
            annotation_id=int(ids[row]) if kind == "annotation" else None,
            category_id=int(ids[row]) if kind == "category" else None,
            position=int(positions[row]),
        )
        for row in again
    ]


def check_ids(table: SplitTable) -> list[Fault]:
    """IMG-DUPLICATE-ID, ANN-DUPLICATE-ID, CAT-DUPLICATE-ID and CAT-DUPLICATE-NAME."""
    images, annotations, split = table.images, table.annotations, table.split
    category_ids = np.array([cid for cid, _ in table.categories], np.int64)
    places = np.arange(len(category_ids))
    return [
        *duplicate_ids(images.ids, images.positions, code="IMG-DUPLICATE-ID", split=split, kind="image"),
        *duplicate_ids(annotations.ids, annotations.positions, code="ANN-DUPLICATE-ID", split=split, kind="annotation"),
        *duplicate_ids(category_ids, places, code="CAT-DUPLICATE-ID", split=split, kind="category"),
        *_duplicate_names(table),
    ]


def _duplicate_names(table: SplitTable) -> Iterator[Fault]:
    owner: dict[str, int] = {}
    for position, (category_id, name) in enumerate(table.categories):
        first = owner.setdefault(name, category_id)
        if first != category_id:
            found = f"{name!r}, also the name of category {first}"
            yield Fault(
                "CAT-DUPLICATE-NAME",
                table.split,
                "category",
                found,
                "one name each",
                category_id=category_id,
                position=position,
            )


def check_references(table: SplitTable) -> list[Fault]:
    """ANN-DANGLING-IMAGE and ANN-DANGLING-CATEGORY."""
    annotations = table.annotations
    no_image = first_rows(annotations.image_ids, table.images.ids) < 0
    known = np.array([cid for cid, _ in table.categories], np.int64)
    no_category = first_rows(annotations.category_ids, known) < 0
    return [
        *_annotation_faults(table, no_image, "ANN-DANGLING-IMAGE", expected="an id in images"),
        *_annotation_faults(table, no_category, "ANN-DANGLING-CATEGORY", expected="an id in categories"),
    ]


def _annotation_faults(table: SplitTable, bad: Mask, code: str, *, expected: str) -> Iterator[Fault]:
    columns = table.annotations
    for row in np.flatnonzero(bad):
        yield Fault(
            code,
            table.split,
            "annotation",
            annotation_id=int(columns.ids[row]),
            found=f"image_id {columns.image_ids[row]}, category_id {columns.category_ids[row]}",
            expected=expected,
            position=int(columns.positions[row]),
            image_id=int(columns.image_ids[row]),
        )


def check_boxes(table: SplitTable, *, tolerance_px: float) -> list[Fault]:
    """BOX-MALFORMED, BOX-NON-POSITIVE, BOX-NEGATIVE-ORIGIN and BOX-OUT-OF-BOUNDS.

    A box can have several of the last three. Bounds are not checked where the image or its size is unknown.
    """
    sizes = _sizes_of(table)
    masks = box_faults(table.annotations.boxes_xywh, sizes, tolerance_px=tolerance_px)
    return [_box_fault(table, code, int(row), sizes) for code, bad in masks.items() for row in np.flatnonzero(bad)]


def box_faults(boxes_xywh: Floats, sizes_px: Floats, *, tolerance_px: float) -> dict[str, Mask]:
    """Fault code → (m,) mask, for boxes (m, 4) in images of ``sizes_px`` (m, 2), NaN where unknown."""
    formed = np.isfinite(boxes_xywh).all(axis=1)
    origin, extent = boxes_xywh[:, :2], boxes_xywh[:, 2:]
    with np.errstate(invalid="ignore"):  # NaN compares as False, which is what is meant
        masks = {
            "BOX-MALFORMED": ~formed,
            "BOX-NON-POSITIVE": formed & (extent <= 0).any(axis=1),
            "BOX-NEGATIVE-ORIGIN": formed & (origin < -tolerance_px).any(axis=1),
            "BOX-OUT-OF-BOUNDS": formed & (origin + extent > sizes_px + tolerance_px).any(axis=1),
        }
    return {code: np.asarray(mask, np.bool_) for code, mask in masks.items()}


def _sizes_of(table: SplitTable) -> Floats:
    """Image size (m, 2) for each annotation; NaN where the image is unknown."""
    rows = first_rows(table.annotations.image_ids, table.images.ids)
    sizes = np.vstack([table.images.sizes_px, np.full((1, 2), np.nan)])
    return np.asarray(sizes[rows])  # row -1 is the NaN row


def _box_fault(table: SplitTable, code: str, row: int, sizes: Floats) -> Fault:
    columns = table.annotations
    expected = {
        "BOX-MALFORMED": "four finite numbers",
        "BOX-NON-POSITIVE": "width > 0 and height > 0",
        "BOX-NEGATIVE-ORIGIN": "x ≥ 0 and y ≥ 0",
        "BOX-OUT-OF-BOUNDS": f"x + width ≤ {sizes[row, 0]:g} and y + height ≤ {sizes[row, 1]:g}",
    }[code]
    return Fault(
        code,
        table.split,
        "annotation",
        annotation_id=int(columns.ids[row]),
        category_id=int(columns.category_ids[row]),
        field="bbox",
        found=f"bbox {columns.malformed.get(row) or columns.boxes_xywh[row].tolist()}",
        expected=expected,
        position=int(columns.positions[row]),
        image_id=int(columns.image_ids[row]),
    )


def check_files(table: SplitTable, folder: Path) -> list[Fault]:
    """FILE-MISSING and FILE-OUTSIDE, by listing each folder once."""
    listed: dict[Path, frozenset[str]] = {}
    faults = []
    for row, name in enumerate(table.images.file_names):
        code = _file_fault(folder, name, listed) if name is not None else None
        if code:
            expected = f"a file below {folder}"
            position, image_id = int(table.images.positions[row]), int(table.images.ids[row])
            faults.append(
                Fault(
                    code,
                    table.split,
                    "image",
                    str(name),
                    expected,
                    image_id=image_id,
                    file_name=name,
                    position=position,
                )
            )
    return faults


def _file_fault(folder: Path, name: str, listed: dict[Path, frozenset[str]]) -> str | None:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        return "FILE-OUTSIDE"
    parent = folder.joinpath(*relative.parts[:-1])
    if parent not in listed:
        listed[parent] = _file_names(parent)
    return None if relative.name in listed[parent] else "FILE-MISSING"


def _file_names(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except (OSError, ValueError):  # no such folder, or a name no folder can have
        return frozenset()


def check_not_empty(table: SplitTable, kept: Mask) -> list[Fault]:
    """SPLIT-EMPTY, counting only the annotations that stay (``kept``: (m,))."""
    counts = {"images": len(table.images.ids), "annotations": int(kept.sum())}
    return [
        Fault("SPLIT-EMPTY", table.split, "dataset", "0 usable records", "at least one", field=name)
        for name, count in counts.items()
        if not count
    ]
