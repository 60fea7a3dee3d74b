"""What train and val share, for the training manifest: the audit behind every metric measured on val."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from visionllm_interaction.artifacts.image_group_columns import GROUP_COLUMNS
from visionllm_interaction.datasets.transformation.image_groups import GroupedImage

_EXAMPLES = 10
_NOT_SHARED_ON_PURPOSE = tuple(column for column in GROUP_COLUMNS if column != "time")

Audit = dict[str, Any]


def audit_leakage(
    images: Mapping[str, Sequence[GroupedImage]], *, faults: Mapping[str, int], divided_by: Sequence[str] | None
) -> Audit:
    """Files and groups that both splits have.

    ``images``: split → what is in it now. ``faults``: ``LEAK-…`` code → count as stage 2 found them in the splits as
    they came. ``divided_by``: the columns the splits were divided by here, ``None`` if they are as they came.
    """
    shared = [column for column in _NOT_SHARED_ON_PURPOSE if any(column in p.groups for p in _all(images))]
    return {
        "splits": "as they came" if divided_by is None else "divided by transform.splits",
        "disjoint_by": list(divided_by or ()),
        "same_file": _shared({split: _by_digest(listed) for split, listed in images.items()}),
        "without_digest": sum(image.sha256 is None for image in _all(images)),
        "groups": {column: _group_audit(images, column) for column in shared},
        "found_by_stage_2": dict(faults),
        "found_by_stage_2_is_about": "the splits as they came",
    }


def _all(images: Mapping[str, Sequence[GroupedImage]]) -> Iterable[GroupedImage]:
    return (image for listed in images.values() for image in listed)


def _by_digest(images: Sequence[GroupedImage]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    for image in images:
        if image.sha256:
            names[image.sha256].append(image.file_name)
    return names


def _shared(names: Mapping[str, Mapping[str, list[str]]]) -> Audit:
    both = sorted(names["train"].keys() & names["val"].keys(), key=lambda digest: names["train"][digest][0])
    examples = [{split: names[split][digest][0] for split in ("train", "val")} for digest in both[:_EXAMPLES]]
    return {"shared": len(both), "examples": examples}


def _group_audit(images: Mapping[str, Sequence[GroupedImage]], column: str) -> Audit:
    values = {split: {p.groups[column] for p in listed if column in p.groups} for split, listed in images.items()}
    both = sorted(values["train"] & values["val"])
    return {
        "train": len(values["train"]),
        "val": len(values["val"]),
        "shared": len(both),
        "examples": both[:_EXAMPLES],
        "pictures_without": sum(column not in image.groups for image in _all(images)),
    }
