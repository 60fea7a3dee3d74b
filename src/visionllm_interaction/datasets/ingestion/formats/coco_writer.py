"""A data set read from another format → COCO's layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from visionllm_interaction.datasets.ingestion.formats.common import Converted, Picture, Shape
from visionllm_interaction.datasets.ingestion.layout.materialize import Placement
from visionllm_interaction.errors import InputDataError

LEFT_OUT = "annotations/left_out.json"
_SPLIT_NAMES = {
    "train": ("", "train", "training", "trn", "default", "train2017"),
    "val": ("val", "valid", "validation", "dev", "val2017"),
    "test": ("test", "testing", "test2017"),
}


def split_of(subset: str, given: Mapping[str, str]) -> str | None:
    """The split a subset is: as ``given``, else by its name; ``None`` if neither says so."""
    if subset in given:
        return given[subset]
    return next((split for split, names in _SPLIT_NAMES.items() if subset.casefold() in names), None)


def last_share(names: Sequence[str], share: float) -> list[str]:
    """The last ``share`` of ``names`` in their order: neighbours in a recording stay together, but for one seam."""
    ordered = sorted(names)
    return ordered[len(ordered) - max(round(share * len(ordered)), 1) :] if len(ordered) > 1 else []


def by_split(
    pictures: Sequence[Picture], given: Mapping[str, str], val_share: float | None = None
) -> dict[str, list[Picture]]:
    """The images of each split; where the source names none, the last ``val_share`` of them become val.

    Raises:
        InputDataError: naming the subsets nobody said the split of.
    """
    unknown = sorted({p.subset for p in pictures if split_of(p.subset, given) is None})
    if unknown:
        raise InputDataError(
            "The source has subsets whose split is not clear from their name.",
            expected="train, val or test, or a word for it",
            found=", ".join(unknown),
            where="data.subsets",
            fix=f"say which split they are, for example -o 'data.subsets={{{unknown[0]}: train}}'",
        )
    splits: dict[str, list[Picture]] = {}
    for picture in pictures:
        splits.setdefault(str(split_of(picture.subset, given)), []).append(picture)
    if val_share is not None and list(splits) == ["train"]:
        val = set(last_share([picture.name for picture in pictures], val_share))
        splits = {
            "train": [picture for picture in pictures if picture.name not in val],
            "val": [picture for picture in pictures if picture.name in val],
        }
    return splits


def write_coco(
    data: Converted, folder: Path, *, subsets: Mapping[str, str], val_share: float | None
) -> list[Placement]:
    """Write ``annotations/`` below ``folder``; returns where the images go.

    Ids count from 1 through all splits, in the source's order.

    Raises:
        InputDataError: if the source holds no image, or two of one name, or a subset of unknown split.
    """
    if not data.pictures:
        raise InputDataError("The source holds no images that can be used.", found=summary_text(data))
    splits = by_split(data.pictures, subsets, val_share)
    (folder / "annotations").mkdir(parents=True)
    categories = [{"id": number, "name": label} for number, label in enumerate(data.labels, start=1)]
    placements: list[Placement] = []
    counter = _Ids()
    for split, pictures in splits.items():
        names = _names(pictures)
        images = [_image(counter.image(), name, p) for name, p in zip(names, pictures, strict=True)]
        numbers = {label: number for number, label in enumerate(data.labels, start=1)}
        annotations = [
            _annotation(counter.annotation(), image["id"], numbers[shape.label], shape)
            for image, picture in zip(images, pictures, strict=True)
            for shape in picture.shapes
        ]
        content = {"images": images, "annotations": annotations, "categories": categories}
        _write(folder / f"annotations/instances_{split}2017.json", content)
        (folder / f"{split}2017").mkdir()
        placements += [
            Placement(p.file, f"{split}2017/{name}") for name, p in zip(names, pictures, strict=True) if p.file
        ]
    _write(folder / LEFT_OUT, [asdict(entry) for entry in data.left_out])
    return placements


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


def summary(data: Converted) -> dict[str, int]:
    """What was left out, kind and reason → how often."""
    return dict(Counter(f"{entry.kind}: {entry.reason}" for entry in data.left_out))


def summary_text(data: Converted) -> str:
    """:func:`summary` in a line."""
    return "; ".join(f"{count} × {text}" for text, count in summary(data).items()) or "nothing"


def _names(pictures: Sequence[Picture]) -> list[str]:
    """The images' names; those that two subsets of one split share get their subset as a folder."""
    counts = Counter(picture.name for picture in pictures)
    names = [f"{p.subset}/{p.name}" if counts[p.name] > 1 and p.subset else p.name for p in pictures]
    twice = [name for name, count in Counter(names).items() if count > 1]
    outside = [name for name in names if name.startswith("/") or ".." in name.split("/")]
    if twice or outside:
        raise InputDataError(
            "Two images of the source have one name." if twice else "An image's name leads out of the folder.",
            expected="names that are unique in a split and below its folder",
            found=", ".join((twice or outside)[:5]),
        )
    return names


def _image(number: int, name: str, picture: Picture) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": picture.width, "height": picture.height, **picture.extra}


def _annotation(number: int, image_id: int, category_id: int, shape: Shape) -> dict[str, Any]:
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
