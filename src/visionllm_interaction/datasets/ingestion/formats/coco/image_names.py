"""The images that COCO's JSON names: where each lies here, and what it is called in the data set.

``file_name`` may be that of another machine (absolute, Windows's, an address) or of another folder; LVIS has
``coco_url`` in its place. See :mod:`.image_files` for the rule that finds such images. Names that say nothing of
another place stay as they are; the others become the path below the image folder here.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from visionllm_interaction.datasets.ingestion.formats.common import broken, decode_json, is_file
from visionllm_interaction.datasets.ingestion.formats.image_files import (
    ImageFiles,
    leads_elsewhere,
    moved_notes,
    namesakes_note,
    of_another_place,
)

_EXPECTED = "COCO's JSON with images[].file_name"
_LIST_OF_IMAGES = re.compile(rb'"images"\s*:\s*\[')
_LIST_OF_ANNOTATIONS = re.compile(rb'"annotations"\s*:\s*\[')
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


class _ImageRecord(msgspec.Struct):
    file_name: str | None = None
    coco_url: str | None = None
    width: Any = None
    height: Any = None


class _ImageRecords(msgspec.Struct):
    images: list[_ImageRecord]


class _AnyRecords(msgspec.Struct):
    images: list[Any]


@dataclass(frozen=True, slots=True)
class _WrittenName:
    """What an annotation file calls an image, and what it may be called on disk."""

    name: str
    on_disk: tuple[str, ...]
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class CocoImages:
    """The images of an annotation file."""

    names: Mapping[str, str]
    """``file_name`` as written, or what ``coco_url`` gives → name in the data set, in the order of the file."""
    files: Mapping[str, Path]
    """Name in the data set → image file, of those that are here."""
    unnamed: bool
    """Whether images have an address only."""
    moved: Mapping[str, Path]
    """Names as written that say another place → the files taken for them."""
    namesakes: tuple[str, ...] = ()
    """Which images are missing although others are called so, in a sentence."""

    @property
    def must_be_named(self) -> bool:
        """Whether ``file_name`` must be written anew for some images."""
        return self.unnamed or any(written != name for written, name in self.names.items())

    def notes(self, root: Path) -> tuple[str, ...]:
        """How names of another place were read, in a sentence.

        Args:
            root: the data folder.

        Returns:
            The sentence; nothing if there are no such names.
        """
        return (*moved_notes(self.moved, images=len(self.names), root=root), *self.namesakes)


def split_word(name: str) -> str | None:
    """The word for a split in a file's or folder's name, if there is just one: ``train`` of ``lvis_v1_train``."""
    words = [word for word in re.split(r"[^a-z]+", name.casefold()) if word in _SPLIT_WORDS]
    return words[0] if len(words) == 1 else None


def written_name(record: Mapping[str, Any]) -> str | None:
    """What an image's record calls it: ``file_name``, else the last two parts of ``coco_url``."""
    found = _name_of(record.get("file_name"), record.get("coco_url"))
    return found.name if found else None


def image_places(annotations: Path, root: Path, subset: str) -> tuple[Path, ...]:
    """Folders in which the images of an annotation file may lie, the likeliest first.

    Args:
        annotations: the annotation file.
        root: the data folder.
        subset: name of the subset, "" if nothing says it.

    Returns:
        The folders, there or not.
    """
    word = split_word(subset)
    words = dict.fromkeys(w for w in (subset, word, f"{word}2017" if word else None) if w)
    beside = (annotations.parent, annotations.parent / "data", annotations.parent / "images")
    named = [root / folder / w for w in words for folder in ("images", ".", "data")]
    return (*beside, *named, root / "images", root / "data", root)


def find_images(annotations: Path, subset: str, files: ImageFiles) -> CocoImages:
    """Find the image files of an annotation file.

    Args:
        annotations: the annotation file.
        subset: name of the subset, "" if nothing says it.
        files: the image files of the data set.

    Returns:
        The images with their names in the data set, and where they are.

    Raises:
        AnnotationError: if the file lists no images.
        InputDataError: if several files fit a name equally well.
    """
    names, unnamed = _written_names(annotations)
    places = image_places(annotations, files.root, subset)
    found = {name.name: file for name in names if (file := _as_written(name, places))}
    own = _without_other_splits(files, subset)
    hint = split_word(subset) or subset
    for name in names:
        if name.name not in found and not leads_elsewhere(name.name):
            file = next((file for text in name.on_disk if (file := own.find(text, hint=hint))), None)
            found |= {name.name: file} if file else {}
    absent = [name.name for name in names if name.name not in found]
    moved = own.nearest_of_all(
        absent, taken=found.values(), hint=hint, sizes={name.name: name.size for name in names if name.size}
    )
    elsewhere = of_another_place(absent, some_are_right=bool(found))
    renamed = _renamed(moved, {name.name for name in names}, places)
    return CocoImages(
        {name.name: renamed.get(name.name, name.name) for name in names},
        {renamed.get(name, name): file for name, file in {**found, **moved}.items()},
        unnamed,
        moved,
        namesakes_note((name for name in elsewhere if name not in moved), own),
    )


def says_another_place(annotations: Path, folder: Path) -> bool:
    """Whether names in an annotation file are not those of the files in its image folder, though images are there.

    Args:
        annotations: the annotation file; what cannot be read is for stage 2 to report.
        folder: the image folder of its split.

    Returns:
        Whether images are found under other names.
    """
    names = quick_names(annotations)
    here = {path.name for path in folder.iterdir()}
    absent = [name for name in names if name not in here and (leads_elsewhere(name) or not is_file(folder / name))]
    elsewhere = [name for name in absent if leads_elsewhere(name)]
    if not elsewhere and len(absent) < len(names):
        return False
    files = ImageFiles(folder) if absent else None
    return files is not None and any(files.has_near(name) for name in elsewhere or absent)


def quick_names(annotations: Path) -> list[str]:
    """``file_name`` of the images, without decoding the annotations; empty if nothing can be read."""
    if not annotations.stat().st_size:
        return []
    with annotations.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _LIST_OF_IMAGES.search(data)
        if start is None:
            return []
        end = _LIST_OF_ANNOTATIONS.search(data, start.end())
        texts = _FILE_NAME.findall(data, start.end(), end.start() if end else len(data))
    try:
        return [name for text in texts if (name := msgspec.json.decode(text, type=str))]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []


def _written_names(path: Path) -> tuple[tuple[_WrittenName, ...], bool]:
    """Each image's name once, and whether images have an address only."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise broken(path, error, expected=_EXPECTED) from error
    try:
        records = msgspec.json.decode(data, type=_ImageRecords).images
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        anything = decode_json(data, _AnyRecords, path=path, expected=_EXPECTED).images
        records = [_lenient(one) for one in anything if isinstance(one, dict)]  # stage 2 reports the others
    found = {
        name.name: replace(name, size=_size(i))
        for i in records
        if (name := _name_of(i.file_name, i.coco_url)) is not None
    }
    unnamed = any(not i.file_name and _name_of(i.file_name, i.coco_url) is not None for i in records)
    return tuple(found.values()), unnamed


def _lenient(record: Mapping[str, Any]) -> _ImageRecord:
    texts = {key: value for key in ("file_name", "coco_url") if isinstance(value := record.get(key), str)}
    return _ImageRecord(**texts, width=record.get("width"), height=record.get("height"))


def _size(record: _ImageRecord) -> tuple[int, int] | None:
    width, height = record.width, record.height
    return (width, height) if type(width) is type(height) is int and min(width, height) > 0 else None


def _name_of(file_name: Any, coco_url: Any) -> _WrittenName | None:
    """The name of an image: ``file_name``, else the last two parts of LVIS's ``coco_url``.

    LVIS's validation images lie in ``train2017`` and ``val2017`` of COCO, so that the folder belongs to the name.
    """
    if isinstance(file_name, str) and file_name:
        return _WrittenName(file_name, (file_name,))
    parts = PurePosixPath(unquote(urlsplit(coco_url).path)).parts if isinstance(coco_url, str) else ()
    plain = [part for part in parts if part not in ("/", ".", "..")]
    return _WrittenName("/".join(plain[-2:]), ("/".join(plain[-2:]), plain[-1])) if plain else None


def _as_written(name: _WrittenName, places: Sequence[Path]) -> Path | None:
    inside = [text for text in name.on_disk if not _leads_outside(text)]
    return next((path for text in inside for place in places if is_file(path := place / text)), None)


def _leads_outside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\0" in name


def _without_other_splits(files: ImageFiles, subset: str) -> ImageFiles:
    """The files that are not in a folder of another split: a missing image of train is none of val."""
    own = _SPLIT_WORDS.get(split_word(subset) or "")
    if own is None:
        return files

    def is_own(name: str) -> bool:
        words = (split_word(part) for part in PurePosixPath(name).parts[:-1])
        return all(word is None or _SPLIT_WORDS[word] == own for word in words)

    kept = [name for name in files.names if is_own(name)]
    return files if len(kept) == len(files.names) else ImageFiles(files.root, kept)


def _renamed(moved: Mapping[str, Path], taken: set[str], places: Sequence[Path]) -> dict[str, str]:
    """Names of another place → path below the image folder here, if no other image is called so."""
    renamed: dict[str, str] = {}
    for written, file in moved.items():
        if not leads_elsewhere(written):
            continue
        holding = [place for place in places if file.is_relative_to(place)]
        names = sorted((file.relative_to(place).as_posix() for place in holding), key=len)
        used = taken | set(renamed.values())
        renamed[written] = next((name for name in names if name not in used), file.as_posix())
    return renamed
