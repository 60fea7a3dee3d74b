"""COCO's JSON in other layouts than COCO's own: of CVAT and Datumaro (``annotations/instances_default.json``), of
Roboflow (``train/_annotations.coco.json``), of Label Studio (``result.json``). Its bytes stay as they are.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from visionllm_interaction.datasets.ingestion.divide import Division, Member, val_names
from visionllm_interaction.datasets.ingestion.formats.coco_writer import split_of
from visionllm_interaction.datasets.ingestion.formats.common import Foreign, PictureFiles, broken
from visionllm_interaction.datasets.ingestion.layout.materialize import Placement
from visionllm_interaction.errors import InputDataError

_HEAD_BYTES = 4096
_COCO_KEY = re.compile(rb'"(images|annotations|categories|info|licenses)"\s*:')
_ROBOFLOW = "_annotations.coco.json"


class _Image(msgspec.Struct):
    file_name: str


class _File(msgspec.Struct):
    images: list[_Image]


def coco_files_in(folder: Path) -> tuple[Path, ...]:
    """The annotation files of a data set that starts in ``folder``, if it is COCO's JSON in another layout."""
    exported = sorted((folder / "annotations").glob("instances_*.json")) if (folder / "annotations").is_dir() else []
    beside = sorted(folder.glob(f"*/{_ROBOFLOW}"))
    single = [folder / name for name in (_ROBOFLOW, "result.json", "annotations.json") if (folder / name).is_file()]
    return next((tuple(files) for files in (exported, beside, single[:1]) if files and all(map(is_coco, files))), ())


def is_coco(path: Path) -> bool:
    """Whether a file begins like COCO's JSON."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES).lstrip()
    return head.startswith(b"{") and bool(_COCO_KEY.search(head))


def write_as_it_is(
    data: Foreign, folder: Path, *, subsets: Mapping[str, str], division: Division | None
) -> list[Placement]:
    """Copy the annotation files below ``folder``/annotations; returns where the images go.

    Where there is no val, train is divided if ``division`` says so; it is then written anew, all keys kept.

    Raises:
        AnnotationError: if a file lists no images.
        InputDataError: if two files are of one split, or a subset's split is unknown.
    """
    (folder / "annotations").mkdir(parents=True)
    files = PictureFiles(data.root)
    placements: list[Placement] = []
    splits = _by_split(data, subsets)
    divided = division if "val" not in splits else None
    for split, (path, subset) in splits.items():
        written = _divided(path, folder, divided) if divided and split == "train" else _copied(path, folder, split)
        for name, target in written:
            picture = _picture(name, path, subset, files)
            if picture:
                placements.append(Placement(picture, f"{target}2017/{name}"))
    return placements


def _copied(path: Path, folder: Path, split: str) -> list[tuple[str, str]]:
    """(image, split) of each image."""
    shutil.copyfile(path, folder / f"annotations/instances_{split}2017.json")
    (folder / f"{split}2017").mkdir()
    return [(name, split) for name in _names(path)]


def _divided(path: Path, folder: Path, division: Division) -> list[tuple[str, str]]:
    names = _names(path)
    content = msgspec.json.decode(path.read_bytes())
    val = val_names(_members(names, content), division)
    split_of_id = {i.get("id"): "val" if i["file_name"] in val else "train" for i in content["images"]}
    for split in ("train", "val"):
        images = [image for image in content["images"] if split_of_id[image.get("id")] == split]
        # An annotation of no known image stays with train: stage 2 reports it.
        owned = [a for a in content.get("annotations", ()) if split_of_id.get(a.get("image_id"), "train") == split]
        part = {**content, "images": images, "annotations": owned}
        (folder / f"annotations/instances_{split}2017.json").write_bytes(msgspec.json.encode(part))
        (folder / f"{split}2017").mkdir()
    return [(name, "val" if name in val else "train") for name in names]


def _members(names: Sequence[str], content: Mapping[str, Any]) -> list[Member]:
    """Each image with its categories. Ids are compared as text: what they are is for stage 2 to judge."""
    file_of = {str(image.get("id")): image["file_name"] for image in content["images"]}
    categories: dict[str, set[str]] = {}
    for annotation in content.get("annotations") or ():
        file = file_of.get(str(annotation.get("image_id"))) if isinstance(annotation, dict) else None
        if file is not None:
            categories.setdefault(file, set()).add(str(annotation.get("category_id")))
    return [Member(name, frozenset(categories.get(name, ()))) for name in names]


def _by_split(data: Foreign, given: Mapping[str, str]) -> dict[str, tuple[Path, str]]:
    found: dict[str, tuple[Path, str]] = {}
    for path in data.files:
        subset = subset_of(path, data.root)
        split = split_of(subset, given)
        if split is None or split in found:
            raise InputDataError(
                "It is not clear which split an annotation file is.",
                expected="one file per split, named train, val or test or a word for it",
                found=f"{subset}" + (f" and {found[split][1]}, both {split}" if split else ""),
                where=str(path),
                fix=f"say it, for example -o 'data.subsets={{{subset}: train}}'",
            )
        found[split] = path, subset
    return found


def subset_of(path: Path, root: Path) -> str:
    """The name of the subset an annotation file is of, by its name or its folder; "" if neither says."""
    if path.name.startswith("instances_"):
        return path.stem.removeprefix("instances_")
    return "" if path.parent == root else path.parent.name


def _names(path: Path) -> Sequence[str]:
    try:
        names = [image.file_name for image in msgspec.json.decode(path.read_bytes(), type=_File).images]
    except (msgspec.MsgspecError, OSError) as error:
        raise broken(path, error, expected="COCO's JSON with images[].file_name") from error
    # Names that lead outside are not followed; stage 2 reports them.
    return list(dict.fromkeys(n for n in names if n and not n.startswith("/") and ".." not in PurePosixPath(n).parts))


def _picture(name: str, annotations: Path, subset: str, files: PictureFiles) -> Path | None:
    root = files.root
    likely = (
        annotations.parent,
        root / "images" / subset,
        root / subset,
        root / f"{subset}2017",
        root / "images",
        root,
    )
    direct = next((folder / name for folder in likely if (folder / name).is_file()), None)
    return direct or files.find(name, hint=subset)
