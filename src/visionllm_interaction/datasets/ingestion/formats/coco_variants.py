"""COCO's JSON in other layouts than COCO's own: of CVAT and Datumaro (``annotations/instances_default.json``), of
Roboflow (``train/_annotations.coco.json``), of Label Studio (``result.json``). Its bytes stay as they are.
"""

from __future__ import annotations

import mmap
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
_FIFTYONE = "labels.json"
_PREFIXES = ("instances_", "person_keypoints_", "lvis_v1_", "lvis_v0.5_", "lvis_")


class _Image(msgspec.Struct):
    file_name: str | None = None
    coco_url: str | None = None

    @property
    def name(self) -> str:
        """The file's name; LVIS has the image's address in its place."""
        return self.file_name or PurePosixPath(self.coco_url or "").name

    @property
    def place(self) -> str:
        """Where to look for the file: LVIS's val has images of COCO's train2017."""
        return self.file_name or "/".join(PurePosixPath(self.coco_url or "").parts[-2:])


class _File(msgspec.Struct):
    images: list[_Image]


def coco_files_in(folder: Path) -> tuple[Path, ...]:
    """The annotation files of a data set that starts in ``folder``, if it is COCO's JSON in another layout."""
    annotations = folder / "annotations"
    named = [sorted(annotations.glob(f"{prefix}*.json")) for prefix in _PREFIXES] if annotations.is_dir() else []
    splits = [
        [path for path in sorted(place.glob("*.json")) if split_word(path.stem)] for place in (annotations, folder)
    ]
    beside = [sorted(folder.glob(f"*/{name}")) for name in (_ROBOFLOW, _FIFTYONE)]
    singles = (_ROBOFLOW, "result.json", "annotations.json", _FIFTYONE, "annotations/annotations.json")
    single = [folder / name for name in singles if (folder / name).is_file()]
    found = (tuple(path for path in files if is_coco(path)) for files in (*named, *beside, *splits, single))
    return next((files if files[0] not in single else files[:1] for files in found if files), ())


def split_word(name: str) -> bool:
    """Whether a file's name is a word for a split."""
    return bool(name) and split_of(name, {}) is not None


def has_addresses_only(path: Path) -> bool:
    """Whether a file's images have ``coco_url`` and no ``file_name``, as LVIS's have."""
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b'"file_name"') < 0 and content.find(b'"coco_url"') >= 0


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
        for image, target in written:
            picture = _picture(image, path, subset, files)
            if picture:
                placements.append(Placement(picture, f"{target}2017/{image.name}"))
    return placements


def _copied(path: Path, folder: Path, split: str) -> list[tuple[_Image, str]]:
    """(image, split) of each image."""
    target = folder / f"annotations/instances_{split}2017.json"
    (folder / f"{split}2017").mkdir()
    if has_addresses_only(path):
        _write_with_names(path, target)
    else:
        shutil.copyfile(path, target)
    return [(image, split) for image in _images(path)]


def _write_with_names(path: Path, target: Path) -> None:
    """The same file with a ``file_name`` for each image; every other byte stays, and is not decoded."""
    parts = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    images = msgspec.json.decode(parts["images"])
    for image in images:
        image["file_name"] = PurePosixPath(image["coco_url"]).name
    with target.open("wb") as stream:
        for number, (key, value) in enumerate(parts.items()):
            stream.write(b", " if number else b"{")
            stream.write(msgspec.json.encode(key) + b": ")
            stream.write(msgspec.json.encode(images) if key == "images" else memoryview(value))
        stream.write(b"}")


def _divided(path: Path, folder: Path, division: Division) -> list[tuple[_Image, str]]:
    listed = _images(path)
    names = [image.name for image in listed]
    content = msgspec.json.decode(path.read_bytes())
    for image in content["images"]:
        image.setdefault("file_name", PurePosixPath(str(image.get("coco_url") or "")).name)
    val = val_names(_members(names, content), division)
    split_of_id = {_key(i.get("id")): "val" if i["file_name"] in val else "train" for i in content["images"]}
    for split in ("train", "val"):
        images = [image for image in content["images"] if split_of_id[_key(image.get("id"))] == split]
        # An annotation of no known image stays with train: stage 2 reports it.
        owned = [a for a in content.get("annotations", ()) if split_of_id.get(_image_of(a), "train") == split]
        part = {**content, "images": images, "annotations": owned}
        (folder / f"annotations/instances_{split}2017.json").write_bytes(msgspec.json.encode(part))
        (folder / f"{split}2017").mkdir()
    return [(image, "val" if image.name in val else "train") for image in listed]


def _key(number: Any) -> str:
    """An id as text: ids may be numbers, texts, or nothing that can be a key; stage 2 judges what they are."""
    return f"{type(number).__name__}:{number}"


def _image_of(annotation: Any) -> str:
    return _key(annotation.get("image_id")) if isinstance(annotation, dict) else ""


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
    for prefix in _PREFIXES:
        if path.name.startswith(prefix):
            return path.stem.removeprefix(prefix)
    if split_word(path.stem):
        return path.stem
    return "" if path.parent == root or path.parent.name == "annotations" else path.parent.name


def _images(path: Path) -> list[_Image]:
    """The images of a file, each name once."""
    try:
        listed = msgspec.json.decode(path.read_bytes(), type=_File).images
    except (msgspec.MsgspecError, OSError) as error:
        raise broken(path, error, expected="COCO's JSON with images[].file_name") from error
    # Names that lead outside are not followed; stage 2 reports them.
    inside = (i for i in listed if i.name and not i.name.startswith("/") and ".." not in PurePosixPath(i.name).parts)
    return list({image.name: image for image in inside}.values())


def _picture(image: _Image, annotations: Path, subset: str, files: PictureFiles) -> Path | None:
    root, name = files.root, image.place
    likely = (
        annotations.parent,
        annotations.parent / "data",
        root / "images" / subset,
        root / subset,
        root / f"{subset}2017",
        root / "images",
        root / "data",
        root,
    )
    direct = next((folder / name for folder in likely if (folder / name).is_file()), None)
    return direct or files.find(name, hint=subset)
