"""From masks over columns to issues: what every rule about annotations or images needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import Bools, Floats, SplitTable, first_rows

Words = str | Callable[[int], str]


def annotation_issues(
    table: SplitTable, bad: Bools, code: str, *, field: str, found: Words, expected: Words
) -> Iterator[Issue]:
    """An issue for each annotation where ``bad`` (m,) holds; the words may depend on the row."""
    columns = table.annotations
    for row in np.flatnonzero(bad).tolist():
        yield Issue(
            code,
            table.split,
            "annotation",
            found(row) if callable(found) else found,
            expected(row) if callable(expected) else expected,
            image_id=int(columns.image_ids[row]),
            annotation_id=int(columns.ids[row]),
            category_id=int(columns.category_ids[row]),
            field=field,
            position=int(columns.positions[row]),
        )


def image_issue(table: SplitTable, row: int, code: str, *, found: str, expected: str, field: str) -> Issue:
    """An issue of the image in ``row``."""
    images = table.images
    return Issue(
        code,
        table.split,
        "image",
        found,
        expected,
        image_id=int(images.ids[row]),
        file_name=images.file_names[row],
        field=field,
        position=int(images.positions[row]),
    )


def sizes_of_annotations(table: SplitTable) -> Floats:
    """Image size (m, 2) for each annotation; NaN where the image is unknown."""
    rows = first_rows(table.annotations.image_ids, table.images.ids)
    sizes = np.vstack([table.images.sizes_px, np.full((1, 2), np.nan)])
    return np.asarray(sizes[rows])  # row -1 is the NaN row
