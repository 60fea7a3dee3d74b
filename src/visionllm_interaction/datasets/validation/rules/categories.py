"""The rules about categories: their names, their order, and whether there is something to learn of each."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

import numpy as np

from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import Bools, SplitTable, count_values

_SIGNIFICANCE = 0.01


def check_names(table: SplitTable) -> list[Issue]:
    """CAT-DUPLICATE-NAME and CAT-NAME-COLLISION."""
    exact: dict[str, int] = {}
    folded: dict[str, tuple[int, str]] = {}
    issues = []
    for position, (category_id, name) in enumerate(table.categories):
        owner = exact.setdefault(name, category_id)
        other, other_name = folded.setdefault(fold(name), (category_id, name))
        if owner != category_id:
            found = f"{name!r}, also the name of category {owner}"
            issues.append(_issue("CAT-DUPLICATE-NAME", table, category_id, found, "one name each", position))
        elif other != category_id and other_name != name:
            found = f"{name!r}, and category {other} is {other_name!r}"
            issues.append(_issue("CAT-NAME-COLLISION", table, category_id, found, "names that differ", position))
    return issues


def fold(name: str) -> str:
    """What is left of a name without case, accents' coding, spaces, hyphens and underscores."""
    return re.sub(r"[\s_\-]+", "", unicodedata.normalize("NFKC", name).casefold())


def _issue(code: str, table: SplitTable, category_id: int, found: str, expected: str, position: int | None) -> Issue:
    return Issue(
        code,
        table.split,
        "category",
        found,
        expected,
        category_id=category_id,
        field="name" if position is not None else None,
        position=position,
    )


def check_same_categories(train: SplitTable, val: SplitTable) -> list[Issue]:
    """CAT-DIFFERENT: one issue per category id whose name is not the same in both splits; else CAT-REORDERED."""
    a, b = dict(train.categories), dict(val.categories)
    different = [
        Issue(
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
    if different or list(a) == list(b):
        return different
    place = next(n for n, (x, y) in enumerate(zip(a, b, strict=True)) if x != y)
    found = f"place {place}: train {a[list(a)[place]]!r}, val {b[list(b)[place]]!r}"
    return [Issue("CAT-REORDERED", None, "dataset", found, "one order", field="categories")]


def check_presence(
    table: SplitTable, kept: Bools, *, min_images: int, other_share: Mapping[int, float]
) -> Iterator[Issue]:
    """CAT-ABSENT: a category the split lists has no annotation among those ``kept`` (m,) in it.

    In a split of fewer than ``min_images`` images a category is often absent by chance. There it is reported only
    if chance would do so in less than one data set of a hundred, given the share of images that show the category
    in the other split (``other_share``: category id → share; Bonferroni's correction over the categories).
    """
    present = set(count_values(table.annotations.category_ids[kept])[0].tolist())
    images = len(table.images.ids)
    for category_id, name in sorted(dict(table.categories).items()):
        if category_id in present:
            continue
        by_chance = (1 - other_share.get(category_id, 0.0)) ** images
        if images >= min_images or by_chance < _SIGNIFICANCE / len(table.categories):
            found = f"{name!r} has no annotation in {table.split}"
            yield _issue("CAT-ABSENT", table, category_id, found, "at least one annotation", None)


def image_shares(table: SplitTable) -> dict[int, float]:
    """Category id → share of the split's images that show it."""
    columns = table.annotations
    ids, category = np.unique(columns.category_ids, return_inverse=True)
    _, image = np.unique(columns.image_ids, return_inverse=True)
    pairs = np.unique(category * np.int64(len(columns.ids)) + image)
    counts = np.bincount(pairs // max(len(columns.ids), 1), minlength=len(ids))
    images = max(len(table.images.ids), 1)
    return {int(i): min(int(c) / images, 1.0) for i, c in zip(ids, counts, strict=True)}


def check_balance(table: SplitTable, kept: Bools, *, max_imbalance: float) -> Iterator[Issue]:
    """CAT-IMBALANCE: a category that is there, but ``max_imbalance`` times rarer than the most frequent one."""
    ids, counts = count_values(table.annotations.category_ids[kept])
    names = dict(table.categories)
    for category_id, count in zip(ids.tolist(), counts.tolist(), strict=True):
        if category_id in names and counts.max() > max_imbalance * count:
            found = f"{names[category_id]!r} has {count} annotations, the most frequent category {counts.max()}"
            expected = f"at least one for {max_imbalance:g} of the most frequent"
            yield _issue("CAT-IMBALANCE", table, category_id, found, expected, None)
