"""All rules about annotation files, in order: first what one split can tell, then what both can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import SplitTable
from visionllm_interaction.datasets.validation.rules._issue_builders import sizes_of_annotations
from visionllm_interaction.datasets.validation.rules.areas_and_masks import check_areas, check_masks
from visionllm_interaction.datasets.validation.rules.boxes import check_boxes, check_outside
from visionllm_interaction.datasets.validation.rules.categories import (
    check_balance,
    check_names,
    check_presence,
    check_same_categories,
    image_shares,
)
from visionllm_interaction.datasets.validation.rules.duplicate_boxes import check_duplicates
from visionllm_interaction.datasets.validation.rules.ids import check_ids, check_not_empty, check_references


def check_split(table: SplitTable, config: ValidateConfig, *, workers: int = 1) -> list[Issue]:
    """Ids, references, names, boxes, duplicates, areas and masks of one split, in threads that share the cores."""
    sizes = sizes_of_annotations(table)
    rules: tuple[Callable[[], list[Issue]], ...] = (
        lambda: check_ids(table),
        lambda: check_references(table),
        lambda: check_names(table),
        lambda: check_boxes(table, sizes, tolerance_px=config.bounds_tolerance_px, max_aspect=config.max_aspect),
        lambda: check_outside(table),
        lambda: check_duplicates(table, min_iou=config.duplicate_iou),
        lambda: check_areas(table),
        lambda: check_masks(table, sizes),
    )
    with ThreadPoolExecutor(workers) as pool:
        return [issue for found in pool.map(lambda rule: rule(), rules) for issue in found]


def check_together(
    tables: Mapping[str, SplitTable], dropped: Mapping[str, set[int]], config: ValidateConfig
) -> list[Issue]:
    """The rules about what is left once ``dropped`` (split → places in its list) are gone, and about both splits."""
    issues: list[Issue] = []
    least = config.category_presence_min_images
    for split, table in tables.items():
        kept = ~np.isin(table.annotations.positions, list(dropped[split]))
        empty = check_not_empty(table, kept)
        issues += empty
        if any(issue.code == "SPLIT-EMPTY" for issue in empty):
            continue  # every category is absent then; saying so once is enough
        others = [t for name, t in tables.items() if name != split and len(table.images.ids) < least]
        share = image_shares(others[0]) if others else {}
        issues += check_presence(table, kept, min_images=least, other_share=share)
        if split == "train":
            issues += check_balance(table, kept, max_imbalance=config.max_imbalance)
    if len(tables) == 2:
        issues += check_same_categories(tables["train"], tables["val"])
    return issues
