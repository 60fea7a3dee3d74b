"""The rules about categories, which look at both splits together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visionllm_interaction.validate.checks import Mask
from visionllm_interaction.validate.faults import Fault
from visionllm_interaction.validate.table import SplitTable


def check_same_categories(train: SplitTable, val: SplitTable) -> list[Fault]:
    """CAT-DIFFERENT: one fault per category id whose name is not the same in both splits."""
    a, b = dict(train.categories), dict(val.categories)
    return [
        Fault(
            "CAT-DIFFERENT",
            None,
            "category",
            f"train {a.get(cid)!r}, val {b.get(cid)!r}",
            "the same name",
            category_id=cid,
            field="name",
        )
        for cid in sorted(a.keys() | b.keys())
        if a.get(cid) != b.get(cid)
    ]


def check_presence(table: SplitTable, kept: Mask) -> Iterator[Fault]:
    """CAT-ABSENT: a category the split lists has no annotation among those ``kept`` (m,) in it."""
    present = set(np.unique(table.annotations.category_ids[kept]).tolist())
    for category_id, name in sorted(dict(table.categories).items()):
        if category_id not in present:
            found = f"{name!r} has no annotation in {table.split}"
            yield Fault(
                "CAT-ABSENT", table.split, "category", found, "at least one annotation", category_id=category_id
            )
