"""A data set read from another format → COCO's layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
)
from visionllm_interaction.datasets.ingestion.layout.materialize import Placement
from visionllm_interaction.datasets.ingestion.train_val_division import Division, SplitCandidate, val_names
from visionllm_interaction.errors import AnnotationError, InputDataError

LEFT_OUT = "annotations/left_out.json"
_BRIEF = 120
_TITLES = {
    "cvat": "CVAT",
    "voc": "Pascal VOC",
    "labelstudio": "Label Studio",
    "yolo": "YOLO",
    "labelme": "LabelMe",
    "openimages": "Open Images",
    "via": "VGG Image Annotator",
}
_SPLIT_NAMES = {
    "train": ("", "train", "training", "trn", "trainval", "default", "train2017", "train2014"),
    "val": ("val", "valid", "validation", "dev", "val2017", "val2014"),
    "test": ("test", "testing", "test2017", "test2014"),
}


def split_of(subset: str, given: Mapping[str, str]) -> str | None:
    """The split a subset is: as ``given``, else by its name; ``None`` if neither says so."""
    if subset in given:
        return given[subset]
    return next((split for split, names in _SPLIT_NAMES.items() if subset.casefold() in names), None)


def by_split(
    images: Sequence[ConvertedImage], given: Mapping[str, str], division: Division | None = None
) -> dict[str, list[ConvertedImage]]:
    """Group images by split; where the source has no val, ``division`` takes it from train.

    Args:
        images: the images of all subsets, in the order of the source.
        given: subset name in the source → split (``train`` or ``val``).
        division: how train is divided where the source has no val; ``None`` leaves it undivided.

    Returns:
        Split → its images, in the order of the source.

    Raises:
        InputDataError: naming the subsets nobody said the split of.
    """
    unknown = sorted({p.subset for p in images if split_of(p.subset, given) is None})
    if unknown:
        raise InputDataError(
            "The source has subsets whose split their name does not say.",
            expected="train, val or test, or a word for it",
            found=", ".join(unknown),
            where="data.subsets",
            fix=f"say which split they are, for example -o 'data.subsets={{{unknown[0]}: train}}'",
        )
    splits: dict[str, list[ConvertedImage]] = {}
    for image in images:
        splits.setdefault(str(split_of(image.subset, given)), []).append(image)
    if division is not None and "train" in splits and "val" not in splits:
        undivided = splits["train"]
        members = [
            SplitCandidate(name, frozenset(shape.label for shape in image.shapes))
            for name, image in zip(_names(undivided), undivided, strict=True)
        ]
        val = val_names(members, division)
        sides = list(zip(members, undivided, strict=True))
        splits["train"] = [image for member, image in sides if member.name not in val]
        splits["val"] = [image for member, image in sides if member.name in val]
    return splits


def write_coco(
    data: ConvertedDataset, folder: Path, *, subsets: Mapping[str, str], division: Division | None
) -> list[Placement]:
    """Write a converted data set as COCO annotation files.

    Ids count from 1 across all splits, in the order of the source.

    Args:
        data: the converted data set; boxes are xywh pixels.
        folder: data folder to write into; ``annotations/`` is made in it.
        subsets: subset name in the source → split (``train`` or ``val``).
        division: how train is divided where the source has no val; ``None`` leaves it undivided.

    Returns:
        Where each image file goes.

    Raises:
        InputDataError: if the source holds no image, or two of one name, or a subset of unknown split.
    """
    if not data.images:
        raise InputDataError(
            "The source holds no images that can be used.",
            expected="images below the data folder, with the names the annotations give them",
            found=summary_text(data),
            fix="put the images beside the annotations, or point data.root at the folder that holds both",
        )
    splits = by_split(data.images, subsets, division)
    (folder / "annotations").mkdir(parents=True)
    categories = [{"id": number, "name": label} for number, label in enumerate(data.labels, start=1)]
    placements: list[Placement] = []
    counter = _Ids()
    for split, images in splits.items():
        names = _names(images)
        records = [_image_record(counter.image(), name, p) for name, p in zip(names, images, strict=True)]
        numbers = {label: number for number, label in enumerate(data.labels, start=1)}
        annotations = [
            _annotation(counter.annotation(), record["id"], numbers[shape.label], shape)
            for record, image in zip(records, images, strict=True)
            for shape in image.shapes
        ]
        content = {"images": records, "annotations": annotations, "categories": categories}
        _write(folder / f"annotations/instances_{split}2017.json", content)
        (folder / f"{split}2017").mkdir()
        placements += [
            Placement(p.file, f"{split}2017/{name}") for name, p in zip(names, images, strict=True) if p.file
        ]
    _write(folder / LEFT_OUT, [asdict(entry) for entry in data.left_out])
    return placements


def refuse_losses(data: ConvertedDataset, source: DetectedDataset) -> None:
    """Refuse a data set of whose annotations none, or less than half, could be read.

    Args:
        data: the converted data set, with what was left out.
        source: the data set it was read from, for the message.

    Raises:
        AnnotationError: saying what was found instead.
    """
    kept = sum(len(image.shapes) for image in data.images)
    faulty = [entry for entry in data.left_out if entry.faulty]
    if kept >= len(faulty) and (kept or not data.left_out):
        return
    first = (faulty or data.left_out)[0]
    raise AnnotationError(
        "Nothing of the annotations can be used."
        if not kept
        else "More of the annotations are unreadable than can be used.",
        expected=f"objects with a box or an outline, as {_TITLES.get(source.format, source.format)} writes them",
        found=f"{kept} usable; {summary_text(data)}; first {first.where}: {_brief(first.content)}",
        where=str(source.root),
        fix="correct or remove what is listed, or export the annotations again as COCO's JSON; "
        "images without any object need an empty list, not unreadable entries",
    )


def _brief(content: Any) -> str:
    text = content if isinstance(content, str) else msgspec.json.encode(content, enc_hook=str).decode()
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]} …"


class _Ids:
    """Rising ids."""

    def __init__(self) -> None:
        self._images = self._annotations = 0

    def image(self) -> int:
        self._images += 1
        return self._images

    def annotation(self) -> int:
        self._annotations += 1
        return self._annotations


def summary(data: ConvertedDataset) -> dict[str, int]:
    """What was left out, kind and reason → how often."""
    return dict(Counter(f"{entry.kind}: {entry.reason}" for entry in data.left_out))


def summary_text(data: ConvertedDataset) -> str:
    """:func:`summary` in a line."""
    return "; ".join(f"{count} × {text}" for text, count in summary(data).items()) or "nothing"


def _names(images: Sequence[ConvertedImage]) -> list[str]:
    """The images' names; those that several of one split share get as many of their folders as tell them apart."""
    names = [image.name for image in images]
    for further in (_with_subset, _with_folders):
        counts = Counter(names)
        names = [further(p, n) if counts[n] > 1 else n for p, n in zip(images, names, strict=True)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    outside = [name for name in names if name.startswith("/") or ".." in name.split("/")]
    if twice or outside:
        raise InputDataError(
            "Two images of the source have one name." if twice else "An image's name leads out of the folder.",
            expected="names that are unique in a split and below its folder",
            found=", ".join((twice or outside)[:5]),
            fix="give one of the two another name, in the annotations too; if both are the same image, remove one"
            if twice
            else "write the name below the data folder",
        )
    return names


def _with_subset(image: ConvertedImage, name: str) -> str:
    return f"{image.subset}/{name}" if image.subset else name


def _with_folders(image: ConvertedImage, name: str) -> str:
    """The file's last two folders before its name: enough for recordings that each count from one."""
    return "/".join(image.file.parts[-3:]).lstrip("/") if image.file else name


def _image_record(number: int, name: str, image: ConvertedImage) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": image.width, "height": image.height, **image.extra}


def _annotation(number: int, image_id: int, category_id: int, shape: AnnotatedShape) -> dict[str, Any]:
    area = shape.bbox_xywh[2] * shape.bbox_xywh[3] if shape.area_px is None else shape.area_px
    content: dict[str, Any] = {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": list(shape.bbox_xywh),
        "area": area,
        "iscrowd": 0,
    }
    if shape.segmentation is not None:
        content["segmentation"] = shape.segmentation
    if shape.track_id is not None:
        content["track_id"] = shape.track_id
    if shape.attributes:
        content["attributes"] = dict(shape.attributes)
    return {**content, **shape.extra}


def _write(path: Path, content: Any) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1))
