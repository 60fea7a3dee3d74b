"""COCO's JSON in other layouts than COCO's own, and LVIS's, whose images have an address instead of a name.

Read are the layouts of CVAT and Datumaro (``annotations/instances_default.json``), Roboflow
(``train/_annotations.coco.json``), Label Studio (``result.json``), FiftyOne (``data/`` with ``labels.json``),
Ultralytics (``images/train2017/``), detectron2 and MMDetection (``annotations/train.json``), cocosplit
(``train.json``), LVIS (``lvis_v1_train.json``), key points only (``person_keypoints_train2017.json``), and ``train/``
and ``val/`` side by side. Bytes of the annotations stay as they are; images without ``file_name`` get one.
"""

from __future__ import annotations

import json
import mmap
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from visionllm_interaction.datasets.ingestion.formats.coco_writer import split_of
from visionllm_interaction.datasets.ingestion.formats.common import DetectedDataset, ImageFiles, broken
from visionllm_interaction.datasets.ingestion.layout.materialize import Placement
from visionllm_interaction.datasets.ingestion.train_val_division import Division, SplitCandidate, val_names
from visionllm_interaction.errors import InputDataError

_HEAD_BYTES = 4096
_RECORD_BYTES = 1 << 16
_COCO_KEY = re.compile(rb'"(images|annotations|categories|info|licenses)"\s*:')
_IMAGES = re.compile(rb'"images"\s*:\s*\[\s*(?=[{\]])')
_ROBOFLOW = "_annotations.coco.json"
_SINGLE = (_ROBOFLOW, "result.json", "annotations.json", "labels.json", "instances.json", "instances_default.json")
_NO_BOXES = ("captions", "panoptic", "image_info", "stuff")
"""COCO's files that hold no boxes; they lie beside those that do."""
_SPLIT_WORDS = frozenset({"train", "training", "trn", "val", "valid", "validation", "dev", "test", "testing"})


class _ImageName(msgspec.Struct):
    file_name: str | None = None
    coco_url: str | None = None


class _ImageNamesFile(msgspec.Struct):
    images: list[_ImageName]


@dataclass(frozen=True, slots=True)
class _Name:
    """What an image is called in the converted data (``file_name``), and what it may be called on disk."""

    name: str
    on_disk: tuple[str, ...]


def coco_files_in(folder: Path) -> tuple[Path, ...]:
    """The annotation files of a data set that starts in ``folder``, if it is COCO's JSON in another layout."""
    for files in _candidates(folder):
        fitting = [path for path in files if is_coco(path)]
        if fitting:
            return tuple(fitting)
    return ()


def _candidates(folder: Path) -> Iterator[list[Path]]:
    """Files that may be the annotations, the likeliest layout first."""
    annotations = _json_files(folder / "annotations")
    for family in ("instances_", "lvis_", "person_keypoints_"):
        yield [path for path in annotations if path.name.startswith(family)]
    yield [path for path in annotations if _split_word(path.stem)]
    beside = [child for child in sorted(folder.iterdir()) if child.is_dir() and _split_word(child.name)]
    yield [path for child in beside if (path := child / _ROBOFLOW).is_file()]
    for name in _SINGLE:
        if (folder / name).is_file():
            yield [folder / name]
    yield [path for path in _json_files(folder) if _split_word(path.stem)]
    yield [found for child in beside if (found := _only_coco(child))]


def _json_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.glob("*.json")) if not path.name.startswith((".", *_NO_BOXES))]


def _only_coco(folder: Path) -> Path | None:
    """The annotation file of a split that has a folder of its own."""
    files = [path for place in (folder, folder / "annotations") for path in _json_files(place) if is_coco(path)]
    return files[0] if len(files) == 1 else None


def is_coco(path: Path) -> bool:
    """Whether a file begins like COCO's JSON."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith(b"{") and bool(_COCO_KEY.search(head))


def first_image(path: Path) -> Mapping[str, Any] | None:
    """The first record of an annotation file's images; ``None`` if there is none that can be read."""
    if not path.stat().st_size:
        return None
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _IMAGES.search(data)
        if start is None:
            return None
        text = data[start.end() : start.end() + _RECORD_BYTES].decode("utf-8", errors="replace")
    try:
        record, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def needs_conversion(root: Path, annotations: Mapping[str, Path]) -> bool:
    """Whether a data set with COCO's file names lacks what stage 2 relies on, and it can be made.

    That is: images have an address and no name (LVIS), or a split's images lie elsewhere than in its own folder.
    """
    for split, path in annotations.items():
        record = first_image(path)
        if record is None:
            continue
        name = _name_of(record.get("file_name"), record.get("coco_url"))
        if not record.get("file_name") and name is not None:
            return True
        if name is None or (root / f"{split}2017").is_dir():
            continue
        if any(
            (place / on_disk).is_file() for place in _places(path, root, f"{split}2017") for on_disk in name.on_disk
        ):
            return True
    return False


def write_as_it_is(
    data: DetectedDataset, folder: Path, *, subsets: Mapping[str, str], division: Division | None
) -> list[Placement]:
    """Copy the annotation files below ``folder``/annotations.

    If there is no val and ``division`` is given, train is divided. It is then rewritten with all keys kept.

    Args:
        data: the detected data set: its format, folder and annotation files.
        folder: data folder to write into; ``annotations/`` is made in it.
        subsets: subset name in the source → split (``train`` or ``val``).
        division: how train is divided where the source has no val; ``None`` leaves it undivided.

    Returns:
        Where each image file goes.

    Raises:
        AnnotationError: if a file lists no images.
        InputDataError: if two files are of one split, or a subset's split is unknown.
    """
    (folder / "annotations").mkdir(parents=True)
    files = ImageFiles(data.root)
    placements: list[Placement] = []
    splits = _by_split(data, subsets)
    divided = division if "val" not in splits else None
    for split, (path, subset) in splits.items():
        written = _divided(path, folder, divided) if divided and split == "train" else _copied(path, folder, split)
        for name, target in written:
            file = _image_file(name, path, subset, files)
            if file:
                placements.append(Placement(file, f"{target}2017/{name.name}"))
    return placements


def _copied(path: Path, folder: Path, split: str) -> list[tuple[_Name, str]]:
    """(image, split) of each image."""
    names = _names(path)
    target = folder / f"annotations/instances_{split}2017.json"
    if all(names.named):
        shutil.copyfile(path, target)
    else:
        _write_with_names(path, target)
    (folder / f"{split}2017").mkdir()
    return [(name, split) for name in names.usable]


def _write_with_names(path: Path, target: Path) -> None:
    """Copy an annotation file with ``file_name`` put into each image that has an address only."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin, end = _span_of_images(data, path)
        images = msgspec.json.decode(data[begin:end], type=list[msgspec.Raw])
        with target.open("wb") as written:
            written.write(data[:begin])
            written.write(b"[" + b",".join(map(_with_name, images)) + b"]")
            for at in range(end, len(data), _COPY_BYTES):
                written.write(data[at : at + _COPY_BYTES])


_COPY_BYTES = 1 << 24
_LIST = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _span_of_images(data: mmap.mmap, path: Path) -> tuple[int, int]:
    """Where the list of images is, brackets included."""
    try:
        images = bytes(_LIST.decode(data)["images"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError) as error:
        raise broken(path, error, expected="COCO's JSON with images[]") from error
    begin = data.find(images)
    return begin, begin + len(images)


def _with_name(raw: msgspec.Raw) -> bytes:
    record = bytes(raw)
    image = msgspec.json.decode(record, type=_ImageName)
    name = _name_of(image.file_name, image.coco_url)
    if image.file_name or name is None:
        return record
    without = _NULL_NAME.sub(b"", record)
    return b'{"file_name":' + msgspec.json.encode(name.name) + b"," + without.lstrip()[1:]


_NULL_NAME = re.compile(rb'"file_name"\s*:\s*(?:null|"")\s*,|,\s*"file_name"\s*:\s*(?:null|"")(?=\s*\})')


def _divided(path: Path, folder: Path, division: Division) -> list[tuple[_Name, str]]:
    names = _names(path).usable
    content = msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    for image in content["images"]:
        name = _name_of(image.get("file_name"), image.get("coco_url"))
        if name is not None:
            image["file_name"] = name.name
    val = val_names(_members([name.name for name in names], content), division)
    split_of_id = {
        _key(image.get("id")): "val" if image.get("file_name") in val else "train" for image in content["images"]
    }
    for split in ("train", "val"):
        images = [image for image in content["images"] if split_of_id[_key(image.get("id"))] == split]
        # An annotation of no known image stays with train: stage 2 reports it.
        rows = content.get("annotations") or ()
        owned = [a for a in rows if split_of_id.get(_owner(a), "train") == split]
        part = {**content, "images": images, "annotations": owned}
        (folder / f"annotations/instances_{split}2017.json").write_bytes(msgspec.json.encode(part))
        (folder / f"{split}2017").mkdir()
    return [(name, "val" if name.name in val else "train") for name in names]


def _owner(annotation: Any) -> Any:
    return _key(annotation.get("image_id")) if isinstance(annotation, dict) else None


def _key(value: Any) -> Any:
    """An id as a key of a dictionary, whatever stands there: stage 2 judges it."""
    return value if isinstance(value, int | str) else repr(value)


def _members(names: Sequence[str], content: Mapping[str, Any]) -> list[SplitCandidate]:
    """Each image with its categories. Ids are compared as text: what they are is for stage 2 to judge."""
    file_of = {str(image.get("id")): image.get("file_name") for image in content["images"]}
    categories: dict[str, set[str]] = {}
    for annotation in content.get("annotations") or ():
        file = file_of.get(str(annotation.get("image_id"))) if isinstance(annotation, dict) else None
        if file is not None:
            categories.setdefault(file, set()).add(str(annotation.get("category_id")))
    return [SplitCandidate(name, frozenset(categories.get(name, ()))) for name in names]


def _by_split(data: DetectedDataset, given: Mapping[str, str]) -> dict[str, tuple[Path, str]]:
    found: dict[str, tuple[Path, str]] = {}
    for path in data.files:
        subset = subset_of(path, data.root)
        split = split_of(subset, given) or split_of(_split_word(subset) or subset, given)
        if split is None or split in found:
            raise InputDataError(
                "It is not clear which split an annotation file is.",
                expected="one file per split, named train, val or test or a word for it",
                found=f"{subset}" + (f" and {found[split][1]}, both {split}" if split else ""),
                where=str(path),
                fix=f"say it, for example -o 'data.subsets={{{subset}: train}}', or point data.root at one file",
            )
        found[split] = path, subset
    return found


def _split_word(name: str) -> str | None:
    """The word for a split in a file's or folder's name, if there is just one: ``train`` of ``lvis_v1_train``."""
    words = [word for word in re.split(r"[^a-z]+", name.casefold()) if word in _SPLIT_WORDS]
    return words[0] if len(words) == 1 else None


def subset_of(path: Path, root: Path) -> str:
    """The name of the subset an annotation file is of, by its name or its folder; "" if neither says."""
    if path.name.startswith("instances_"):
        return path.stem.removeprefix("instances_")
    if _split_word(path.stem):
        return path.stem
    folder = path.parent.parent if path.parent.name == "annotations" else path.parent
    return "" if folder == root or root not in folder.parents else folder.name


@dataclass(frozen=True, slots=True)
class _Names:
    """The images of a file: whether each has a name of its own, and those that can be looked for, each once."""

    named: tuple[bool, ...]
    usable: tuple[_Name, ...]


def _names(path: Path) -> _Names:
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        images = msgspec.json.decode(data, type=_ImageNamesFile).images
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise broken(path, error, expected="COCO's JSON with images[].file_name") from error
    names = {name.name: name for i in images if (name := _name_of(i.file_name, i.coco_url)) is not None}
    named = tuple(bool(i.file_name) or _name_of(i.file_name, i.coco_url) is None for i in images)
    # Names that lead outside are not followed; stage 2 reports them.
    inside = (name for name in names.values() if _is_inside(name.name))
    return _Names(named, tuple(inside))


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in PurePosixPath(name).parts and "\0" not in name


def _name_of(file_name: Any, coco_url: Any) -> _Name | None:
    """The name of an image: ``file_name``, else the last two parts of LVIS's ``coco_url``.

    LVIS's validation images lie in ``train2017`` and ``val2017`` of COCO, so that the folder belongs to the name.
    """
    if isinstance(file_name, str) and file_name:
        return _Name(file_name, (file_name,))
    parts = PurePosixPath(unquote(urlsplit(coco_url).path)).parts if isinstance(coco_url, str) else ()
    plain = [part for part in parts if part not in ("/", ".", "..")]
    return _Name("/".join(plain[-2:]), ("/".join(plain[-2:]), plain[-1])) if plain else None


def _places(annotations: Path, root: Path, subset: str) -> tuple[Path, ...]:
    """Folders in which the images of an annotation file may lie, the likeliest first."""
    word = _split_word(subset)
    words = dict.fromkeys(w for w in (subset, word, f"{word}2017" if word else None) if w)
    beside = (annotations.parent, annotations.parent / "data", annotations.parent / "images")
    named = [root / folder / w for w in words for folder in ("images", ".", "data")]
    return (*beside, *named, root / "images", root / "data", root)


def _image_file(name: _Name, annotations: Path, subset: str, files: ImageFiles) -> Path | None:
    places = _places(annotations, files.root, subset)
    direct = (place / n for n in name.on_disk for place in places)
    found = next((path for path in direct if path.is_file()), None)
    return found or next((p for n in name.on_disk if (p := files.find(n, hint=_split_word(subset) or subset))), None)
