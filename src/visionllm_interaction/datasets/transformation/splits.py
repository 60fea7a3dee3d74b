"""Divide all images anew into train and val: alike in categories, and with no child, household … in both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from visionllm_interaction.datasets.transformation.config import SplitsConfig
from visionllm_interaction.datasets.transformation.editing.byte_editor import ByteEditor
from visionllm_interaction.datasets.transformation.image_groups import GroupedImage
from visionllm_interaction.datasets.transformation.split_solver import SplitProblem, divide
from visionllm_interaction.errors import InputDataError

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class ImagePool:
    """All images of both splits and how they hang together.

    Attributes:
        images: n images, train's first.
        group: (n,) number of each image's group, 0…g-1.
        keys: g texts that name the groups by content, so that order and place of the files do not matter.
        images_per_group: (g,) number of images.
        showing: (g, k) sparse, images that show each category.
        names: k category names.
    """

    images: Sequence[GroupedImage]
    group: NDArray[np.int64]
    keys: Sequence[str]
    images_per_group: NDArray[np.float64]
    showing: csr_array
    names: Sequence[str]


def choose_val(config: SplitsConfig, images: Sequence[GroupedImage], editors: Mapping[str, ByteEditor]) -> list[bool]:
    """Choose the images of val; the same images give the same answer in any order.

    Args:
        config: the settings of the division.
        images: the images of both splits.
        editors: split → annotation file to edit.

    Returns:
        For each image, whether it goes to val.

    Raises:
        InputDataError: if no division keeps the groups apart, every category in both splits, and val near its share.
    """
    _require_groups(config, images)
    pool = _pool(config, images, editors)
    if config.all_categories:
        _require_divisible(pool)
    chosen = divide(_division(config, pool, both=config.all_categories))
    if chosen is None:
        raise _impossible(config, pool)
    return np.asarray(chosen[pool.group]).tolist()  # type: ignore[no-any-return]


def _pool(config: SplitsConfig, images: Sequence[GroupedImage], editors: Mapping[str, ByteEditor]) -> ImagePool:
    raw = components(images, config.group_by)
    keys: dict[int, str] = {}
    for label, image in zip(raw.tolist(), images, strict=True):
        key = image.sha256 or image.file_name
        keys[label] = min(key, keys.get(label, key))
    edit = {label: number for number, label in enumerate(sorted(keys, key=lambda label: keys[label]))}
    group = np.array([edit[label] for label in raw.tolist()], np.int64)
    showing, names = _showing(images, group, editors)
    sizes = np.bincount(group, minlength=len(edit)).astype(np.float64)
    return ImagePool(images, group, sorted(keys.values()), sizes, showing, names)


def components(images: Sequence[GroupedImage], columns: Sequence[str]) -> NDArray[np.int64]:
    """(n,) number of the component of each image; images that share a value of a column, or all bytes, share it.

    Two columns chain: a child filmed in two households ties these together.
    """
    keys: dict[tuple[str, str], int] = {}
    pairs = [(n, keys.setdefault(key, len(keys))) for n, p in enumerate(images) for key in _keys(p, columns)]
    size = len(images) + len(keys)
    first = np.array([n for n, _ in pairs], np.int64)
    second = np.array([len(images) + key for _, key in pairs], np.int64)
    links = coo_array((np.ones(len(pairs), np.int8), (first, second)), shape=(size, size))
    _, labels = connected_components(links, directed=False)
    return np.asarray(labels[: len(images)], np.int64)


def _keys(image: GroupedImage, columns: Sequence[str]) -> list[tuple[str, str]]:
    keys = [(column, image.groups[column]) for column in columns if column in image.groups]
    return [*keys, ("sha256", image.sha256)] if image.sha256 else keys


def _showing(
    images: Sequence[GroupedImage], group: NDArray[np.int64], editors: Mapping[str, ByteEditor]
) -> tuple[csr_array, list[str]]:
    group_of = {(p.split, p.image_id): int(g) for p, g in zip(images, group.tolist(), strict=True)}
    shown: set[tuple[str, int, str]] = set()
    for split, editor in editors.items():
        shown |= {(split, image_id, name) for image_id, name in _shown_in(editor)}
    names = sorted({name for _, _, name in shown})
    place = {name: number for number, name in enumerate(names)}
    cells = [
        (group_of[split, image_id], place[name]) for split, image_id, name in shown if (split, image_id) in group_of
    ]
    rows, columns = (np.array([cell[axis] for cell in cells], np.int64) for axis in (0, 1))
    shape = (int(group.max(initial=-1)) + 1, len(names))
    return csr_array((np.ones(len(cells)), (rows, columns)), shape=shape), names


def _shown_in(editor: ByteEditor) -> set[tuple[int, str]]:
    """Image id and category name of each annotation that is still there; ids as in the raw file."""
    _, image_ids, _ = editor.source.keys("annotations")
    raw = editor.source.keys("annotations")[2].tolist()
    name_of = {
        int(editor.get("categories", row, "id")): str(editor.get("categories", row, "name"))
        for row in editor.rows("categories")
    }
    changed = editor.values_set("annotations", "category_id")
    return {
        (image_id, name_of[number])
        for row, image_id in enumerate(image_ids.tolist())
        if not editor.is_gone("annotations", row) and (number := changed.get(row, raw[row])) in name_of
    }


def _division(config: SplitsConfig, pool: ImagePool, *, both: bool) -> SplitProblem:
    costs = [int(hashlib.sha256(f"{config.seed} {key}".encode()).hexdigest()[:12], 16) / 16**12 for key in pool.keys]
    return SplitProblem(pool.images_per_group, pool.showing, np.array(costs), config.val_share, config.tolerance, both)


def _require_groups(config: SplitsConfig, images: Sequence[GroupedImage]) -> None:
    """Every image must have every group asked for: one without could be of anybody."""
    for column in config.group_by:
        without = [p.file_name for p in images if column not in p.groups]
        if without:
            raise _refused(
                expected=f"a {column} for each of {len(images)} images",
                found=f"{len(without)} without: {', '.join(without[:_SHOWN])}{' …' if len(without) > _SHOWN else ''}",
                fix=f"give each image its {column} (data.groups), or leave {column} out of transform.splits.group_by",
            )


def _require_divisible(pool: ImagePool) -> None:
    groups_with = np.asarray((pool.showing > 0).sum(axis=0)).ravel()
    alone = [name for name, count in zip(pool.names, groups_with.tolist(), strict=True) if count == 1]
    if len(pool.keys) > 1 and alone:
        raise _refused(
            expected="every category in at least two groups, one for each split",
            found=f"in a single group only: {', '.join(alone)}",
            fix="leave these categories out (transform.taxonomy.keep), or set transform.splits.all_categories: false",
        )


def _impossible(config: SplitsConfig, pool: ImagePool) -> InputDataError:
    """The first reason that holds, from the plainest to the most involved."""
    by = " or ".join(config.group_by) or "bytes"
    total, largest = pool.images_per_group.sum(), pool.images_per_group.max(initial=0)
    wanted = f"val with {config.val_share:.0%} ± {config.tolerance:.0%} of the images"
    if len(pool.keys) < 2:
        return _refused(
            expected="at least two groups of images",
            found=f"{len(pool.images)} images that all hang together by {by}",
            fix="group by something narrower, for example session instead of household",
        )
    if divide(_division(config, pool, both=False)) is None:
        return _refused(
            expected=wanted,
            found=f"{len(pool.keys)} groups by {by}, the largest with {largest / total:.0%}: no choice of them adds up",
            fix="allow more with transform.splits.tolerance, change val_share, or group by something narrower",
        )
    return _refused(
        expected=f"{wanted}, and every category in both splits",
        found=f"no such choice among {len(pool.keys)} groups by {by}",
        fix="allow more with transform.splits.tolerance, or set transform.splits.all_categories: false",
    )


def _refused(*, expected: str, found: str, fix: str) -> InputDataError:
    return InputDataError(
        "The images cannot be divided as transform.splits asks.",
        expected=expected,
        found=found,
        where="section transform.splits",
        fix=fix,
    )
