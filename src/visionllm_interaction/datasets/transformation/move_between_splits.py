"""Move images with their annotations from one split's file to the other's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from visionllm_interaction.datasets.transformation.editing.byte_editor import ByteEditor
from visionllm_interaction.datasets.transformation.editing.byte_index import Section
from visionllm_interaction.datasets.transformation.image_groups import GroupedImage

CODE = "splits"


def common_folder(folders: Mapping[str, Path]) -> Path:
    """The deepest folder that holds the image folders of all splits; links are followed."""
    return Path(os.path.commonpath([folder.resolve() for folder in folders.values()]))


def move_images(
    editors: Mapping[str, ByteEditor],
    images: Sequence[GroupedImage],
    to_val: Sequence[bool],
    *,
    folders: Mapping[str, Path],
) -> None:
    """Bring every image to its split. File names then start at :func:`common_folder`.

    Ids of images and annotations that both files use are made different first, in val; what stays where it is keeps
    its place in the file, and what moves is appended in its old order.
    """
    root = common_folder(folders)
    _add_categories(editors["train"], editors["val"])
    sections: tuple[Section, ...] = ("images", "annotations")
    for section in sections:
        _make_ids_differ(editors["train"], editors["val"], section)
    for image in images:
        name = _name_below(root, folders, image)
        editors[image.split].set("images", image.row, "file_name", name, code=CODE, action="move")
    for split, other in (("train", "val"), ("val", "train")):
        leaving = [p for p, val in zip(images, to_val, strict=True) if p.split == split and val == (other == "val")]
        _move(editors[split], editors[other], leaving)


def moved(
    images: Sequence[GroupedImage], to_val: Sequence[bool], *, folders: Mapping[str, Path]
) -> dict[str, list[GroupedImage]]:
    """The images by the split they are in now, with the file names they have there."""
    root = common_folder(folders)
    result: dict[str, list[GroupedImage]] = {"train": [], "val": []}
    for image, val in zip(images, to_val, strict=True):
        split = "val" if val else "train"
        result[split].append(replace(image, split=split, file_name=_name_below(root, folders, image)))
    return result


def _name_below(root: Path, folders: Mapping[str, Path], image: GroupedImage) -> str:
    return (folders[image.split].resolve().relative_to(root) / image.file_name).as_posix()


def _move(origin: ByteEditor, target: ByteEditor, images: Sequence[GroupedImage]) -> None:
    for image in images:
        _move_row(origin, target, "images", image.row)
    image_ids = origin.source.keys("annotations")[1]
    for row in np.flatnonzero(np.isin(image_ids, [image.image_id for image in images])).tolist():
        _move_row(origin, target, "annotations", row)


def _move_row(origin: ByteEditor, target: ByteEditor, section: Section, row: int) -> None:
    if not origin.is_gone(section, row):
        target.take(section, row, origin.text(section, row), origin=origin, code=CODE)
        origin.drop(section, row, code=CODE, action="move")


def _make_ids_differ(train: ByteEditor, val: ByteEditor, section: Section) -> None:
    """Renumber the records of val whose id train uses too, above all ids there are."""
    taken = set(_ids(train, section).values())
    own = _ids(val, section)
    clash = [row for row, number in own.items() if number in taken]
    following = max([0, *taken, *own.values()]) + 1
    renamed: dict[int, int] = {}
    for number, row in enumerate(clash, start=following):
        renamed[own[row]] = number
        val.set(section, row, "id", number, code=CODE, action="move")
    if section == "images" and renamed:
        image_ids = val.source.keys("annotations")[1]
        for row in np.flatnonzero(np.isin(image_ids, list(renamed))).tolist():
            if not val.is_gone("annotations", row):
                val.set("annotations", row, "image_id", renamed[int(image_ids[row])], code=CODE, action="move")


def _ids(editor: ByteEditor, section: Section) -> dict[int, int]:
    raw, changed = editor.ids(section).tolist(), editor.values_set(section, "id")
    return {row: changed.get(row, raw[row]) for row in editor.rows(section)}


def _add_categories(origin: ByteEditor, target: ByteEditor) -> None:
    """Let ``target`` list the categories that only ``origin`` lists: its annotations may come."""
    known = set(_ids(target, "categories").values())
    for row, number in _ids(origin, "categories").items():
        if number not in known:
            target.take("categories", row, origin.text("categories", row), origin=origin, code=CODE)
