"""What the files beside YOLO's labels say: the names of the classes, and the splits.

``data.yaml`` is Ultralytics' and Roboflow's, ``obj.data`` with ``obj.names`` is darknet's and CVAT's, ``classes.txt``
is LabelImg's and Label Studio's. Their paths are often another machine's: the longest end of a path that is there
counts. An image that a list puts into val or test is never train, and one that no list names is in no split.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from visionllm_interaction.core.image_decoding import ENDINGS
from visionllm_interaction.datasets.ingestion.formats.common import LeftOut, broken, is_file, read_text
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.errors import AnnotationError, InputDataError
from visionllm_interaction.utils.strict_yaml import load_yaml

_YAML = (".yaml", ".yml")
_LISTS_OF_NAMES = ("obj.names", "classes.txt", "predefined_classes.txt")
_BELOW = ("labels", "train", "valid", "val", "train/labels", "valid/labels", "val/labels", "labels/train")
_SPLIT_KEYS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_SPLIT_WORDS = {
    **_SPLIT_KEYS,
    "training": "train",
    "testing": "test",
    "dev": "val",
    **{
        f"{word}{year}": split
        for word, split in (("train", "train"), ("val", "val"), ("test", "test"))
        for year in (2007, 2012, 2014, 2017)
    },
}
_DARKNET = re.compile(r"obj_(\w+)_data", re.IGNORECASE)
_NOTHING = ("", "null", "~", "none")


def split_word(folder: str) -> str:
    """The split a folder's name says, or ""."""
    match = _DARKNET.fullmatch(folder)
    return _SPLIT_WORDS.get((match[1] if match else folder).lower(), "")


@dataclass
class YoloDataset:
    """What is said about a data set beside its labels."""

    names: dict[int, str]
    key_points: tuple[int, int] | None = None
    """Number of key points of an object, and numbers of each: 2 (x, y) or 3 (with visibility)."""
    subset_of: dict[str, str] = field(default_factory=dict)
    """Image name → split, of the images that a split names; empty if the data set names no splits."""
    declares_splits: bool = False
    """Whether it names folders or lists for its splits, there or not."""
    own_files: frozenset[Path] = frozenset()
    """Text files that are no labels: lists of names and of splits."""
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def names_file_in(folder: Path) -> Path | None:
    """The file that names the classes of a data set starting in ``folder``, or ``None``."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    configs = [path for path in files if path.suffix.lower() in _YAML and _is_config(path)]
    configs.sort(key=lambda path: path.stem.lower() not in ("data", "dataset"))
    darknet = [path for path in files if path.suffix.lower() == ".data" and "names" in _pairs(path)]
    lists = [folder / name for name in _LISTS_OF_NAMES if (folder / name).is_file()]
    lists += [path for path in files if path.suffix.lower() == ".names"]
    below = [folder / part / "classes.txt" for part in _BELOW if (folder / part / "classes.txt").is_file()]
    return next(iter([*configs, *darknet, *lists, *below]), None)


def _is_config(path: Path) -> bool:
    try:
        content = _load_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return path.stem.lower() in ("data", "dataset")
    return isinstance(content, dict) and ("names" in content or ("nc" in content and "train" in content))


def _load_yaml(path: Path) -> Any:
    # Every value stays text: a class called "no" or "007" is not false or 7.
    return load_yaml(read_text(path), scalars_as_text=True)


def read_dataset(path: Path, files: ImageFiles) -> YoloDataset:
    """Read the description of a YOLO data set and the lists it refers to.

    Args:
        path: the file of class names, as :func:`names_file_in` found it.
        files: the image files of the data set.

    Returns:
        The class names and the images of each split.

    Raises:
        AnnotationError: if it does not say what the classes are called.
        InputDataError: if an image is in two splits, or lists of names differ.
    """
    if path.suffix.lower() in _YAML:
        found = _from_yaml(path, files)
    elif path.suffix.lower() == ".data":
        found = _from_darknet(path, files)
    else:
        found = YoloDataset(read_names(path))
    root = files.root
    lists = _split_lists(root)
    if not found.subset_of and lists:
        _assign(
            found, {split: [str(p.relative_to(root)) for p in paths] for split, paths in lists.items()}, root, files
        )
    named = {file for name in _LISTS_OF_NAMES for file in root.rglob(name)}
    listed = {p for paths in lists.values() for p in paths}
    found.own_files = frozenset({*found.own_files, path, *named, *listed})
    _compare_names(found, path, named)
    return found


def _compare_names(dataset: YoloDataset, path: Path, others: Iterable[Path]) -> None:
    own = [dataset.names[number] for number in sorted(dataset.names)]
    for other in sorted(others):
        names = list(read_names(other).values())
        if other == path or names == own:
            continue
        if path.suffix.lower() in (*_YAML, ".data"):
            reason = f"the names in {path.name} count"
            dataset.left_out.append(LeftOut("list of names", reason, str(other), names))
            continue
        raise AnnotationError(
            "Two lists give the classes different names.",
            expected="one list of names",
            found=f"{', '.join(own[:5])} in {path.name}; {', '.join(names[:5])} in {other.name}",
            where=f"{path} and {other}",
            fix="remove the list that does not belong to the labels, or write data.yaml with `names:`",
        )


def read_names(path: Path) -> dict[int, str]:
    """Read class names from a text file.

    Args:
        path: text file with one class name per line.

    Returns:
        Class number, from 0 → name.

    Raises:
        AnnotationError: if it cannot be read.
    """
    try:
        names = [line.strip() for line in read_text(path).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise broken(path, error, expected="a list of names in UTF-8, one a line") from error
    while names and not names[-1]:
        names.pop()
    return _unique(dict(enumerate(names)), path)


def _unique(names: Mapping[int, str], path: Path) -> dict[int, str]:
    twice = {name for name, times in Counter(names.values()).items() if name and times > 1}
    if twice:
        raise AnnotationError(
            "Two classes have one name.",
            expected="a name of its own for each class",
            found=", ".join(sorted(twice)),
            where=str(path),
            fix="rename one of them there; transform.taxonomy.merge can join them afterwards",
        )
    return dict(names)


def _from_yaml(path: Path, files: ImageFiles) -> YoloDataset:
    try:
        content = _load_yaml(path)
        if not isinstance(content, dict):
            raise TypeError("it is not a mapping of keys")
        dataset = YoloDataset(_unique(_yaml_names(content, path), path), _key_points(content))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise AnnotationError(
            f"{path.name} of the YOLO data set cannot be used.",
            expected="`names:` with a list, or with a name for each number; `nc`, if it is there, as many",
            found=str(error) if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: {error}",
            where=str(path),
            fix="write all names, such as `names: [child, ball]` with class 0 first, and remove or correct `nc`",
        ) from error
    entries: dict[str, list[str]] = {}
    for key, split in _SPLIT_KEYS.items():
        value = content.get(key)
        given = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        entries.setdefault(split, []).extend(text for text in given if text.strip().lower() not in _NOTHING)
    base = str(content.get("path") or ".")
    _assign(dataset, {k: v for k, v in entries.items() if v}, path.parent / base, files, at=path.parent)
    return dataset


def _yaml_names(content: Mapping[str, Any], path: Path) -> dict[int, str]:
    names, count = content.get("names"), content.get("nc")
    if names is None:
        if count is None:
            raise ValueError("it has no key `names`")
        return {number: f"class{number}" for number in range(int(count))}
    if isinstance(names, str):
        file = next((p for p in (path.parent / names, path.parent / PurePosixPath(names).name) if is_file(p)), None)
        result = read_names(file) if file else {0: names}
    elif isinstance(names, dict):
        result = {int(float(number)): str(name).strip() for number, name in names.items()}
    else:
        result = {number: str(name).strip() for number, name in enumerate(names)}
    if count is not None and str(count).strip().isdigit() and int(count) != len(result):
        raise ValueError(f"nc says {count} classes, but names has {len(result)}: {', '.join(result.values())}")
    return result


def _key_points(content: Mapping[str, Any]) -> tuple[int, int] | None:
    shape = content.get("kpt_shape")
    if shape is None or (isinstance(shape, str) and shape.lower() in _NOTHING):
        return None
    count, numbers_each = (int(float(value)) for value in shape)
    if count < 1 or numbers_each not in (2, 3):
        raise ValueError(f"kpt_shape is {shape}, expected [number of key points, 2 or 3]")
    return count, numbers_each


def _pairs(path: Path) -> dict[str, str]:
    """Darknet's ``key = value`` lines."""
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {key.strip(): value.strip() for key, sign, value in (line.partition("=") for line in lines) if sign}


def _from_darknet(path: Path, files: ImageFiles) -> YoloDataset:
    pairs = _pairs(path)
    names = _find(pairs["names"], [path.parent], files.root)
    if names is None or not names.is_file():
        raise AnnotationError(
            "The list of class names is not there.",
            expected=pairs["names"],
            found="no such file",
            where=str(path),
            fix=f"put it beside {path.name}, a name a line, the first being class 0",
        )
    dataset = YoloDataset(read_names(names), own_files=frozenset({names}))
    entries = {split: [pairs[key]] for key, split in _SPLIT_KEYS.items() if pairs.get(key)}
    _assign(dataset, entries, path.parent, files, at=path.parent)
    return dataset


def _split_lists(root: Path) -> dict[str, list[Path]]:
    """``train.txt``, ``val.txt`` and the like directly in the data folder: lists of images."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(root.glob("*.txt")):
        if split := split_word(path.stem):
            lines = _lines(path)
            if lines and all(PurePosixPath(line).suffix.lower() in ENDINGS for line in lines):
                found[split].append(path)
    return dict(found)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in read_text(path).splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        return []


def _assign(
    dataset: YoloDataset,
    entries: Mapping[str, Sequence[str]],
    base: Path,
    files: ImageFiles,
    *,
    at: Path | None = None,
) -> None:
    """Fill in which split each image is of, from the folders and lists that ``entries`` name."""
    named: dict[str, list[str]] = {}
    dataset.declares_splits |= bool(entries)
    places = [base, at or base]
    for split, texts in entries.items():
        for text in texts:
            named.setdefault(split, []).extend(_images_of(text, places, files, dataset, split))
    named = {split: list(dict.fromkeys(names)) for split, names in named.items() if names}
    _drop_copies(named, dataset)
    _refuse_overlap(named, files.root)
    dataset.subset_of = {name: split for split, names in named.items() for name in names}


def _images_of(text: str, places: Sequence[Path], files: ImageFiles, dataset: YoloDataset, split: str) -> Iterator[str]:
    place = _find(text, places, files.root)
    if place is None:
        reason = "the data set names it for a split, and it is not there"
        dataset.left_out.append(LeftOut("folder or list of images", reason, split, text))
        return
    if place.is_dir():
        below = place.relative_to(files.root).as_posix()
        yield from (name for name in files.names if below == "." or name.startswith(f"{below}/"))
        return
    dataset.own_files = dataset.own_files | {place}
    lines = _lines(place)
    here = {
        line: path for line in lines if (path := _inside(place.parent / line, files.root) or files.as_written(line))
    }
    moved = files.nearest_of_all((line for line in lines if line not in here), taken=here.values())
    for line in lines:
        found = here.get(line) or moved.get(line)
        if found and is_file(found):
            yield found.relative_to(files.root).as_posix()
        else:
            dataset.left_out.append(LeftOut("image in a list of a split", "it is not there", place.name, line))


def _find(text: str, places: Sequence[Path], root: Path) -> Path | None:
    """What a path in a data set's file means here: below one of ``places``, else its longest end below ``root``."""
    text = text.replace("\\", "/")
    for place in places:
        if found := _inside(place / text, root):
            return found
    parts = [part for part in PurePosixPath(text).parts if part not in ("/", ".", "..") and not part.endswith(":")]
    return next((found for begin in range(len(parts)) if (found := _inside(root.joinpath(*parts[begin:]), root))), None)


def _inside(path: Path, root: Path) -> Path | None:
    """``path`` without ``..``, if it is there and below ``root``."""
    plain = Path(os.path.normpath(path))
    return plain if plain.is_relative_to(root) and os.path.exists(plain) else None  # noqa: PTH110 (of any length)


def _drop_copies(named: dict[str, list[str]], dataset: YoloDataset) -> None:
    """A split that only repeats another (as small published sets do) is no split."""
    for split, other in (("test", "val"), ("test", "train"), ("val", "train")):
        if split in named and other in named and set(named[split]) == set(named[other]):
            dataset.notes.append(f"{split} names the same images as {other}: there is no {split} of its own")
            del named[split]


def _refuse_overlap(named: Mapping[str, Sequence[str]], root: Path) -> None:
    splits_of: dict[str, list[str]] = defaultdict(list)
    for split, names in named.items():
        for name in names:
            splits_of[name].append(split)
    both = sorted(name for name, splits in splits_of.items() if len(splits) > 1)
    if both:
        raise InputDataError(
            "An image is in two splits.",
            expected="each image in one of train, val and test",
            found=f"{len(both)} in several, first {both[0]} in {' and '.join(splits_of[both[0]])}",
            where=str(root),
            fix="take them out of one of the lists or folders that data.yaml or the lists name",
        )
