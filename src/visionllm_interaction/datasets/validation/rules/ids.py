"""The rules about ids and what they point at, within one split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visionllm_interaction.datasets.validation.catalogue import Entity
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import Bools, Ints, SplitTable, first_rows
from visionllm_interaction.datasets.validation.rules._issue_builders import annotation_issues, image_issue

_MOSTLY = 0.5
_FEWEST_IMAGES = 20


def check_ids(table: SplitTable) -> list[Issue]:
    """IMG-DUPLICATE-ID, IMG-DUPLICATE-FILE, ANN-DUPLICATE-ID and CAT-DUPLICATE-ID."""
    images, annotations = table.images, table.annotations
    categories = np.array([category_id for category_id, _ in table.categories], np.int64)
    issues = [
        *_duplicates(images.ids, images.positions, code="IMG-DUPLICATE-ID", split=table.split, entity="image"),
        *_duplicates(
            annotations.ids, annotations.positions, code="ANN-DUPLICATE-ID", split=table.split, entity="annotation"
        ),
        *_duplicates(
            categories, np.arange(len(categories)), code="CAT-DUPLICATE-ID", split=table.split, entity="category"
        ),
    ]
    return issues + list(_same_file(table))


def _duplicates(ids: Ints, positions: Ints, *, code: str, split: str, entity: Entity) -> Iterator[Issue]:
    """One issue for each record whose id an earlier record has already."""
    order = np.argsort(ids, kind="stable")
    again = np.sort(order[1:][ids[order[1:]] == ids[order[:-1]]])
    if not len(again):
        return
    first = first_rows(ids[again], ids)
    for row, owner in zip(again.tolist(), first.tolist(), strict=True):
        number = int(ids[row])
        yield Issue(
            code,
            split,
            entity,
            f"{entity}[{positions[row]}] and {entity}[{positions[owner]}] have it",
            "an id of its own",
            image_id=number if entity == "image" else None,
            annotation_id=number if entity == "annotation" else None,
            category_id=number if entity == "category" else None,
            field="id",
            position=int(positions[row]),
        )


def _same_file(table: SplitTable) -> Iterator[Issue]:
    names, ids = table.images.file_names, table.images.ids.tolist()
    if len(set(names)) == len(names):
        return
    owner: dict[str, int] = {}
    for row, name in enumerate(names):
        if name is None:
            continue
        first = owner.setdefault(name, ids[row])
        if first != ids[row]:  # the same id twice is IMG-DUPLICATE-ID
            found = f"{name}, also the file of image {first}"
            yield image_issue(
                table, row, "IMG-DUPLICATE-FILE", found=found, expected="a file of its own", field="file_name"
            )


def check_references(table: SplitTable) -> list[Issue]:
    """ANN-DANGLING-IMAGE and ANN-DANGLING-CATEGORY."""
    columns = table.annotations
    known = np.array([category_id for category_id, _ in table.categories], np.int64)
    return [
        *annotation_issues(
            table,
            first_rows(columns.image_ids, table.images.ids) < 0,
            "ANN-DANGLING-IMAGE",
            field="image_id",
            found=lambda row: f"image_id {columns.image_ids[row]}",
            expected="an id in images",
        ),
        *annotation_issues(
            table,
            first_rows(columns.category_ids, known) < 0,
            "ANN-DANGLING-CATEGORY",
            field="category_id",
            found=lambda row: f"category_id {columns.category_ids[row]}",
            expected="an id in categories",
        ),
    ]


def check_not_empty(table: SplitTable, kept: Bools) -> list[Issue]:
    """SPLIT-EMPTY and SPLIT-MOSTLY-UNLABELLED, counting only the annotations that stay (``kept``: (m,))."""
    counts = {"images": len(table.images.ids), "annotations": int(kept.sum())}
    empty = [
        Issue("SPLIT-EMPTY", table.split, "dataset", "0 usable records", "at least one", field=name)
        for name, count in counts.items()
        if not count
    ]
    return empty or _mostly_unlabelled(table, kept)


def _mostly_unlabelled(table: SplitTable, kept: Bools) -> list[Issue]:
    count = len(table.images.ids)
    bare = count - int(np.isin(table.images.ids, table.annotations.image_ids[kept]).sum())
    if count < _FEWEST_IMAGES or bare <= _MOSTLY * count:
        return []
    found = f"{bare} of {count} images have no annotation"
    return [
        Issue("SPLIT-MOSTLY-UNLABELLED", table.split, "dataset", found, "most images annotated", field="annotations")
    ]
