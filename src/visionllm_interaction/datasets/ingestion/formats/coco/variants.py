"""COCO's JSON in other layouts than COCO's own, and LVIS's, whose images have an address instead of a name.

Read are the layouts of CVAT and Datumaro (``annotations/instances_default.json``), Roboflow
(``train/_annotations.coco.json``), Label Studio (``result.json``), FiftyOne (``data/`` with ``labels.json``),
Ultralytics (``images/train2017/``), detectron2 and MMDetection (``annotations/train.json``), cocosplit
(``train.json``), LVIS (``lvis_v1_train.json``), key points only (``person_keypoints_train2017.json``), and ``train/``
and ``val/`` side by side. Bytes of the annotations stay as they are; images without ``file_name`` get one.
"""

from __future__ import annotations

import mmap
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from visionllm_interaction.datasets.ingestion.formats.coco.image_names import (
    CocoImages,
    find_images,
    image_places,
    quick_names,
    says_another_place,
    split_word,
    written_name,
)
from visionllm_interaction.datasets.ingestion.formats.coco.odd_values import (
    as_coco_writes,
    category_ids,
    first_record,
    is_odd,
)
from visionllm_interaction.datasets.ingestion.formats.coco.writer import split_of
from visionllm_interaction.datasets.ingestion.formats.common import DetectedDataset, decode_json, is_file
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.datasets.ingestion.layout.materialize import Placement
from visionllm_interaction.datasets.ingestion.train_val_division import Division, SplitCandidate, val_names
from visionllm_interaction.errors import InputDataError

_HEAD_BYTES = 4096
_COCO_KEY = re.compile(rb'"(images|annotations|categories|info|licenses)"\s*:')
_VIDEOS = re.compile(rb'"file_names"\s*:\s*\[')
"""Of YouTube-VIS, whose annotations are of videos."""
_ROBOFLOW = "_annotations.coco.json"
_SINGLE = (_ROBOFLOW, "result.json", "annotations.json", "labels.json", "instances.json", "instances_default.json")
_NO_BOXES = ("captions", "panoptic", "image_info", "stuff")
"""COCO's files that hold no boxes; they lie beside those that do."""
_BOM = b"\xef\xbb\xbf"


def coco_files_in(folder: Path) -> tuple[Path, ...]:
    """The annotation files of a data set that starts in ``folder``, if it is COCO's JSON in another layout."""
    for files in _candidates(folder):
        fitting = [path for path in files if is_coco(path)]
        if fitting:
            return tuple(_without_union(fitting))
    return ()


def _without_union(files: list[Path]) -> list[Path]:
    """The files without the one of train and val together, if each of the two has its own."""
    words = {split_word(path.stem) for path in files}
    if not ("train" in words and "val" in words):
        return files
    return [path for path in files if not re.search(r"train[_-]?val", path.stem.casefold())]


def coco_files_of_any_name(folder: Path) -> tuple[Path, ...]:
    """Annotation files whose names say nothing (``via_project_coco.json``), in ``folder`` or its ``annotations/``.

    For folders in which nothing else is found: a name that tools use says more than what a file begins with.
    """
    found = [path for place in (folder, folder / "annotations") for path in _json_files(place) if is_coco(path)]
    records = ((path, first_record(path, "images") or {}) for path in found)
    return tuple(path for path, record in records if "id" in record and written_name(record))


def _candidates(folder: Path) -> Iterator[list[Path]]:
    """Files that may be the annotations, the likeliest layout first."""
    annotations = _json_files(folder / "annotations")
    for family in ("instances_", "lvis_", "person_keypoints_"):
        yield [path for path in annotations if path.name.startswith(family)]
    yield [path for path in annotations if split_word(path.stem)]
    beside = [child for child in sorted(folder.iterdir()) if child.is_dir() and split_word(child.name)]
    yield [path for child in beside if (path := child / _ROBOFLOW).is_file()]
    for name in (*_SINGLE, *(f"annotations/{name}" for name in _SINGLE)):
        if (folder / name).is_file():
            yield [folder / name]
    yield [path for path in _json_files(folder) if split_word(path.stem)]
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
        head = stream.read(_HEAD_BYTES).removeprefix(_BOM).lstrip()
    return head.startswith(b"{") and bool(_COCO_KEY.search(head)) and not _VIDEOS.search(head)


def needs_conversion(root: Path, annotations: Mapping[str, Path]) -> bool:
    """Whether a data set with COCO's file names lacks what stage 2 relies on, and it can be made.

    That is: images have an address and no name (LVIS), a split's images lie elsewhere than in its own folder, names are
    paths of another machine, or ids and numbers are written as texts.
    """
    for split, path in annotations.items():
        record, folder = first_record(path, "images"), root / f"{split}2017"
        name = written_name(record) if record else None
        if record is None or name is None:
            continue
        if not record.get("file_name") or is_odd(path):
            return True
        if folder.is_dir():
            if says_another_place(path, folder):
                return True
            continue
        places = image_places(path, root, f"{split}2017")
        if any(is_file(place / name) for place in places):
            return True
        files = ImageFiles(root)
        if any(files.has_near(written) for written in quick_names(path) or [name]):
            return True
    return False


@dataclass(frozen=True, slots=True)
class CocoSplit:
    """A split: its annotation file and its images."""

    name: str
    path: Path
    images: CocoImages


def find_splits(data: DetectedDataset, *, subsets: Mapping[str, str]) -> list[CocoSplit]:
    """Find the splits of a data set and the images of each.

    Args:
        data: the detected data set: its format, folder and annotation files.
        subsets: subset name in the source → split (``train`` or ``val``).

    Returns:
        The splits, in the order of the files.

    Raises:
        AnnotationError: if a file lists no images.
        InputDataError: if two files are of one split, a subset's split is unknown, or several images fit a name.
    """
    files = ImageFiles(data.root)
    found = _by_split(data, subsets)
    return [CocoSplit(split, path, find_images(path, subset, files)) for split, (path, subset) in found.items()]


def write_as_it_is(splits: Sequence[CocoSplit], folder: Path, *, division: Division | None) -> list[Placement]:
    """Copy the annotation files below ``folder``/annotations.

    If there is no val and ``division`` is given, train is divided. It is then rewritten with all keys kept.

    Args:
        splits: the splits of the data set.
        folder: data folder to write into; ``annotations/`` is made in it.
        division: how train is divided where the source has no val; ``None`` leaves it undivided.

    Returns:
        Where each image file goes.
    """
    (folder / "annotations").mkdir(parents=True)
    placements: list[Placement] = []
    divided = division if all(split.name != "val" for split in splits) else None
    numbers = category_ids([split.path for split in splits])
    for split in splits:
        categories = numbers.get(split.path, {})
        if divided and split.name == "train":
            written = _divided(split, folder, divided, categories)
        else:
            written = _copied(split, folder, categories)
        for name, target in written:
            file = split.images.files.get(name)
            if file:
                placements.append(Placement(file, f"{target}2017/{name}"))
    return placements


def _copied(split: CocoSplit, folder: Path, categories: Mapping[int | str, int]) -> list[tuple[str, str]]:
    """(image, split) of each image."""
    target = folder / f"annotations/instances_{split.name}2017.json"
    if is_odd(split.path):
        target.write_bytes(msgspec.json.encode(_named_content(split.path, split.images, categories)))
    elif split.images.must_be_named:
        _write_with_names(split.path, target, split.images)
    else:
        shutil.copyfile(split.path, target)
    (folder / f"{split.name}2017").mkdir()
    return [(name, split.name) for name in split.images.names.values()]


def _write_with_names(path: Path, target: Path, found: CocoImages) -> None:
    """Copy an annotation file with ``file_name`` written where an image has an address only, or another place's."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            begin, end = _span_of_images(data)
            images = [_with_name(i, found) for i in msgspec.json.decode(data[begin:end], type=list[msgspec.Raw])]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            target.write_bytes(msgspec.json.encode(_named_content(path, found, {})))
            return
        with target.open("wb") as written:
            written.write(data[:begin])
            written.write(b"[" + b",".join(images) + b"]")
            for at in range(end, len(data), _COPY_BYTES):
                written.write(data[at : at + _COPY_BYTES])


_COPY_BYTES = 1 << 24
_LIST = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _named_content(path: Path, found: CocoImages, categories: Mapping[int | str, int]) -> dict[str, Any]:
    """The content of an annotation file with the names found; what is not finite becomes null, which stage 2 names."""
    content = decode_json(path.read_bytes(), dict[str, Any], path=path, expected="COCO's JSON")
    for image in content["images"]:
        written = written_name(image)
        if written is not None:
            image["file_name"] = found.names[written]
    return as_coco_writes(content, categories) if is_odd(path) else content


def _span_of_images(data: mmap.mmap) -> tuple[int, int]:
    """Where the list of images is, brackets included."""
    with memoryview(data) as view, view[len(_BOM) if data[:3] == _BOM else 0 :] as text:
        images = bytes(_LIST.decode(text)["images"])
    begin = data.find(images)
    return begin, begin + len(images)


def _with_name(raw: msgspec.Raw, found: CocoImages) -> bytes:
    record = bytes(raw)
    image = msgspec.json.decode(record)
    written = written_name(image)
    name = found.names.get(written) if written else None
    if name is None or image.get("file_name") == name:
        return record
    written_anew = msgspec.json.encode(name)
    spans = _own_names(record)
    for begin, end in reversed(spans):
        record = record[:begin] + written_anew + record[end:]
    if spans:
        return record
    rest = record.lstrip()[1:].lstrip()
    return b'{"file_name":' + written_anew + (b"," if not rest.startswith(b"}") else b"") + rest


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_VALUE = re.compile(rb'\s*:\s*(null|"(?:[^"\\]|\\.)*")')


def _own_names(record: bytes) -> list[tuple[int, int]]:
    """Where the values of an image's own ``file_name`` are; what it holds may have such a key too."""
    found, depth = [], 0
    for token in _TOKEN.finditer(record):
        if token[0] in b"{[":
            depth += 1
        elif token[0] in b"]}":
            depth -= 1
        elif depth == 1 and token[0] == b'"file_name"' and (value := _VALUE.match(record, token.end())):
            found.append(value.span(1))
    return found


def _divided(
    split: CocoSplit, folder: Path, division: Division, categories: Mapping[int | str, int]
) -> list[tuple[str, str]]:
    content = _named_content(split.path, split.images, categories)
    names = list(dict.fromkeys(split.images.names.values()))
    val = val_names(_members(names, content), division)
    split_of_id = {
        _key(image.get("id")): "val" if image.get("file_name") in val else "train" for image in content["images"]
    }
    for part_name in ("train", "val"):
        images = [image for image in content["images"] if split_of_id[_key(image.get("id"))] == part_name]
        # An annotation of no known image stays with train: stage 2 reports it.
        rows = content.get("annotations") or ()
        owned = [a for a in rows if split_of_id.get(_owner(a), "train") == part_name]
        part = {**content, "images": images, "annotations": owned}
        (folder / f"annotations/instances_{part_name}2017.json").write_bytes(msgspec.json.encode(part))
        (folder / f"{part_name}2017").mkdir()
    return [(name, "val" if name in val else "train") for name in names]


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
        split = split_of(subset, given) or split_of(split_word(subset) or subset, given)
        if split is None or split in found:
            raise InputDataError(
                "It is not clear which split an annotation file is.",
                expected="one file per split, named train, val or test or a word for it",
                found=(subset or path.name)
                + (f" and {found[split][1] or found[split][0].name}, both {split}" if split else ""),
                where=str(path),
                fix=f"say it, for example -o 'data.subsets={{{subset}: train}}', or point data.root at one file",
            )
        found[split] = path, subset
    return found


def subset_of(path: Path, root: Path) -> str:
    """The name of the subset an annotation file is of, by its name or its folder; "" if neither says."""
    if path.name.startswith("instances_"):
        return path.stem.removeprefix("instances_")
    if split_word(path.stem):
        return path.stem
    folder = path.parent.parent if path.parent.name == "annotations" else path.parent
    return "" if folder == root or root not in folder.parents else folder.name
