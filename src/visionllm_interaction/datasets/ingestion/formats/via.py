"""VGG Image Annotator (VIA) 1 and 2: projects, exported annotations (JSON and CSV); points in pixels, image upright.

VIA's own export for COCO leaves out every region whose attribute is free text, and gives the last attribute's category
to regions that have several. What it saves itself has them all.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from visionllm_interaction.datasets.ingestion.formats.coco.writer import split_of
from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
    LeftOut,
    box_around,
    broken,
    clipped,
    decode_json,
    flat,
    labels_in_order,
    polygon_area_px,
    read_text,
)
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles, leads_elsewhere
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size
from visionllm_interaction.errors import AnnotationError, InputDataError

_EXPECTED = "what VIA 2 saves or exports: its project, or annotations as JSON or CSV"
_HEAD_BYTES = 65536
_PROJECT = "_via_img_metadata"
_COLUMNS = ("filename", "file_size", "file_attributes", "region_shape_attributes", "region_attributes")
_CATEGORY_WORDS = ("label", "class", "category", "name", "type", "object")
_CHOICES = ("dropdown", "radio", "checkbox")
_OBJECT = "object"
_OPEN = {"point": "COCO has keypoints with names only", "polyline": "COCO has no open lines"}
_UNREADABLE = (KeyError, TypeError, ValueError, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class _Region:
    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _File:
    """An image as VIA has it; ``size_bytes`` is -1 for one from an address."""

    name: str
    size_bytes: int
    attributes: Mapping[str, Any]
    regions: tuple[_Region, ...]
    path: Path


def via_files_in(folder: Path) -> tuple[Path, ...]:
    """VIA's files in a folder, without exports whose images are all named by the others."""
    found = _all_in(folder)
    projects = [path for path in found if f'"{_PROJECT}"' in _head(path)]
    if len(found) < 2:
        return tuple(found)
    named = {path: _named_in(path) for path in found}
    read, known = set(projects), {name for path in projects for name in named[path] or ()}
    exports = [path for path in found if path not in read]
    for path in sorted(exports, key=lambda path: -len(named[path] or ())):
        names = named[path]
        if names is None or not names <= known:
            read.add(path)
            known |= names or set()
    return tuple(path for path in found if path in read)


def _all_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".json", ".csv") and is_via(path)]


def _named_in(path: Path) -> set[tuple[str, int]] | None:
    """The names and sizes of the images of a file; ``None`` if it cannot be read, which the reader tells."""
    try:
        return {(entry.name, entry.size_bytes) for entry in _read(path, {})}
    except AnnotationError:
        return None


def is_via(path: Path) -> bool:
    """Whether a file is one that VIA 1 or 2 saves or exports, its export for COCO left out."""
    if not path.is_file():
        return False
    head = _head(path)
    if path.suffix.lower() == ".csv":
        return set(_COLUMNS) <= set(head.partition("\n")[0].strip().lstrip("\ufeff#").split(","))
    return path.suffix.lower() == ".json" and all(f'"{key}"' in head for key in ("filename", "regions", "size"))


def _head(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES).decode("utf-8", errors="replace")


def read_via(data: DetectedDataset) -> ConvertedDataset:
    """Read files of VIA.

    Args:
        data: the detected data set: its format, folder and annotation files.

    Returns:
        The images with their objects (boxes in xywh pixels), the category names, and what was left out.

    Raises:
        AnnotationError: if a file is not VIA's, or it is not clear which attribute is the category.
        InputDataError: if several images fit a name, or entries with different regions one image.
    """
    files = ImageFiles(data.root)
    kinds: dict[str, str] = {}
    every = [entry for path in data.files for entry in _read(path, kinds)]
    listed, found = _without_repeats(every, _find(every, files), files)
    category = _category_of([region.attributes for entry in listed for region in entry.regions], kinds, data)
    left_out: list[LeftOut] = []
    images = [
        image
        for entry, file in zip(listed, found, strict=True)
        if (image := _image(entry, file, category, left_out, data))
    ]
    used = {image.file for image in images}
    left_out += [
        LeftOut("image", "VIA's file does not name it", name, None)
        for name in files.names
        if files.root / name not in used
    ]
    notes = (*_notes(listed, found, category), *_not_read(data, len(every) - len(listed)))
    return ConvertedDataset(labels_in_order((), images), tuple(images), tuple(left_out), notes)


def _not_read(data: DetectedDataset, repeated: int) -> tuple[str, ...]:
    """Which files and entries did not count, in sentences."""
    told = []
    if repeated:
        told.append(f"{repeated} entries do not count: another is of the same image, and they have its regions or none")
    for folder in dict.fromkeys(path.parent for path in data.files):
        read = [path for path in data.files if path.parent == folder]
        others = [path.name for path in _all_in(folder) if path not in read]
        # Only one of several may have been asked for.
        if others and set(read) == set(via_files_in(folder)):
            told.append(f"not read, as other files name all of its images: {', '.join(others[:5])}")
    return tuple(told)


def _notes(listed: Sequence[_File], found: Sequence[Path | None], category: str | None) -> tuple[str, ...]:
    told = [f"the region attribute {category!r} is the category"]
    if not category:
        told = [f"no region has an attribute: all are called {_OBJECT!r}"]
    if empty := sum(not entry.regions for entry in listed):
        told.append(f"{empty} of {len(listed)} images have no region: they count as images without objects")
    changed = [
        f for entry, f in zip(listed, found, strict=True) if f and entry.size_bytes not in (-1, f.stat().st_size)
    ]
    if changed:
        told.append(
            f"{len(changed)} images have another size in bytes than when they were labelled, such as "
            f"{changed[0].name}: if they were scaled, their regions are elsewhere, for VIA keeps no width and height"
        )
    return tuple(told)


def _read(path: Path, kinds: dict[str, str]) -> Iterator[_File]:
    if path.suffix.lower() == ".csv":
        yield from _read_table(path)
        return
    content = decode_json(path.read_bytes(), dict[str, Any], path=path, expected=_EXPECTED)
    described = content.get("_via_attributes")
    regions = described.get("region") if isinstance(described, dict) else None
    if isinstance(regions, dict):
        kinds |= {name: str(about.get("type")) for name, about in regions.items() if isinstance(about, dict)}
    entries = content.get(_PROJECT, content)
    if not isinstance(entries, dict):
        raise broken(path, f"{_PROJECT} is no object", expected=_EXPECTED)
    for entry in entries.values():
        if not (isinstance(entry, dict) and isinstance(entry.get("filename"), str)):
            raise broken(path, f"no image: {str(entry)[:80]}", expected=_EXPECTED)
        regions = entry.get("regions") or []
        listed = list(regions.values()) if isinstance(regions, dict) else regions
        if not isinstance(listed, list):
            what = f"the regions of {entry['filename']} are neither a list nor an object: {str(listed)[:80]}"
            raise broken(path, what, expected=_EXPECTED)
        regions_of_it = map(_object, listed)
        shapes = tuple(
            _Region(_object(r.get("shape_attributes")), _object(r.get("region_attributes"))) for r in regions_of_it
        )
        yield _File(entry["filename"], _bytes(entry.get("size")), _object(entry.get("file_attributes")), shapes, path)


def _read_table(path: Path) -> Iterator[_File]:
    rows_of: dict[tuple[str, int], list[dict[str, str]]] = defaultdict(list)
    try:
        # Not splitlines(): what was typed into a cell may hold characters that it takes for ends of lines.
        for row in csv.DictReader(io.StringIO(read_text(path).lstrip("#"), newline="")):
            if not isinstance(row["filename"], str):
                raise TypeError("a row without filename")
            rows_of[row["filename"], _bytes(row["file_size"])].append(row)
        for (name, size), rows in rows_of.items():
            pairs = ((json.loads(row["region_shape_attributes"]), json.loads(row["region_attributes"])) for row in rows)
            regions = tuple(_Region(_object(shape), _object(about)) for shape, about in pairs if shape)
            yield _File(name, size, _object(json.loads(rows[0]["file_attributes"])), regions, path)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError, RecursionError) as error:
        raise broken(path, error, expected=_EXPECTED) from error


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _bytes(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return -1


def _category_of(regions: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], data: DetectedDataset) -> str | None:
    """The attribute that is the category: the only one, or the only one of its name, or the only one of choices."""
    used = Counter(key for attributes in regions for key, value in attributes.items() if _value(value))
    named = [key for key in used if key.strip().casefold() in _CATEGORY_WORDS]
    chosen = [key for key in used if kinds.get(key) in _CHOICES]
    for keys in (list(used), named, chosen):
        if len(keys) == 1:
            return keys[0]
    if not used:
        return None
    raise AnnotationError(
        "It is not clear which attribute of VIA's regions is the category.",
        expected="one attribute, or one that is called label, class, category, name, type or object",
        found=", ".join(f"{key} ({count} regions)" for key, count in used.most_common(8)),
        where=", ".join(path.name for path in data.files[:3]),
        fix="rename the one that is the category to label, in VIA or in the file",
    )


def _value(value: Any) -> str | None:
    """What was chosen; ``None`` for nothing, or for several ticks."""
    if isinstance(value, dict):
        ticked = [key for key, on in value.items() if on]
        return ticked[0] if len(ticked) == 1 else None
    return str(value).strip() or None if isinstance(value, str | int | float) else None


def _find(listed: Sequence[_File], files: ImageFiles) -> list[Path | None]:
    """The image of each entry: that of its name beside VIA's file, or of its size in bytes, or the nearest."""
    of_base: dict[str, list[Path]] = defaultdict(list)
    for name in files.names:
        of_base[PurePosixPath(name).name].append(files.root / name)
    every = {files.root / name for name in files.names}
    folders = {entry.path.parent for entry in listed}
    certain = {n: file for n, entry in enumerate(listed) if (file := _as_written(entry)) and file in every}
    as_written = set(certain.values())
    for number, entry in enumerate(listed):
        same = [path for path in of_base[PurePosixPath(entry.name).name] if path not in as_written]
        if number not in certain and (file := _certain(entry, same, folders, files)):
            certain[number] = file
    moved: dict[int, Path | None] = {}
    for number, entry in enumerate(listed):
        found = None if number in certain or _folder_is_here(entry) else files.nearest(entry.name)
        taken = found in certain.values() or (found is not None and _is_of_another(found, entry.path.parent, folders))
        moved[number] = None if taken else found
    of_moved: dict[Path, set[tuple[str, int]]] = defaultdict(set)
    for number, file in moved.items():
        if file:
            of_moved[file].add((listed[number].name, listed[number].size_bytes))
    guesses = {file for file, names in of_moved.items() if len(names) > 1}
    return [certain.get(n) or (None if moved[n] in guesses else moved[n]) for n in range(len(listed))]


def _certain(entry: _File, same: Sequence[Path], folders: Collection[Path], files: ImageFiles) -> Path | None:
    """The image of an entry if its folders, VIA's folder or its size says which of those of its name it is.

    Args:
        entry: the entry, which is not right as it stands.
        same: the images that are called as the last part of its name.
        folders: the folders with files of VIA.
        files: the image files of the data set.

    Returns:
        The image, or ``None`` if it is not certain.
    """
    own = entry.path.parent
    if _folder_is_here(entry):
        return None
    here = [path for path in same if not _is_of_another(path, own, folders)]
    agreement = {path: files.agreement(entry.name, path) for path in here}
    most = max(agreement.values(), default=0)
    best = [path for path in here if agreement[path] == most] if most > 1 else []
    beside = [path for path in best or here if path.parent == own]
    by_bytes = [path for path in best or here if path.stat().st_size == entry.size_bytes]
    return next((paths[0] for paths in (best, beside, by_bytes) if len(paths) == 1), None)


def _as_written(entry: _File) -> Path | None:
    return None if leads_elsewhere(entry.name) else entry.path.parent / entry.name


def _folder_is_here(entry: _File) -> bool:
    """Whether a name has folders that are here: its image is there or missing."""
    folder = PurePosixPath(entry.name).parent
    return not leads_elsewhere(entry.name) and folder.name != "" and (entry.path.parent / folder).is_dir()


def _is_of_another(file: Path, own: Path, folders: Collection[Path]) -> bool:
    """Whether a file is in a folder that has a file of VIA of its own, and so images of its own."""
    nearest = next((folder for folder in file.parents if folder in folders), own)
    return nearest != own and (nearest == file.parent or nearest not in own.parents)


def _without_repeats(
    listed: Sequence[_File], found: Sequence[Path | None], files: ImageFiles
) -> tuple[list[_File], list[Path | None]]:
    """Entries and their images with one entry an image.

    Of several, the one with the image's size in bytes counts, and one without regions does not. Those of another size
    that have another folder or file of VIA to be of are missing images; where none has its size, they must be alike.
    """
    of_file: dict[Path, list[int]] = defaultdict(list)
    for number, file in enumerate(found):
        if file:
            of_file[file].append(number)
    missing: set[int] = set()
    repeated: set[int] = set()
    for file, numbers in of_file.items():
        of_its_size = [n for n in numbers if listed[n].size_bytes == file.stat().st_size]
        if of_its_size:
            missing |= set(numbers) - set(of_its_size)
        one = _one_of(of_its_size or numbers, listed, file, files)
        repeated |= set(of_its_size or numbers) - {one}
    kept = [number for number in range(len(listed)) if number not in repeated]
    return [listed[n] for n in kept], [None if n in missing else found[n] for n in kept]


def _one_of(numbers: Sequence[int], listed: Sequence[_File], file: Path, files: ImageFiles) -> int:
    labelled = [n for n in numbers if listed[n].regions] or numbers
    first = listed[labelled[0]]
    if all((listed[n].regions, listed[n].attributes) == (first.regions, first.attributes) for n in labelled):
        return labelled[0]
    raise InputDataError(
        "Several entries of VIA fit one image.",
        expected=f"one entry for {file.relative_to(files.root).as_posix()}",
        found=", ".join(
            f"{listed[n].name} of {listed[n].size_bytes} bytes ({listed[n].path.name})" for n in labelled[:5]
        ),
        where=str(files.root),
        fix="keep the entry, or the file, that is right; a second set of annotations is a data set of its own",
    )


def _image(
    entry: _File, file: Path | None, category: str | None, left_out: list[LeftOut], data: DetectedDataset
) -> ConvertedImage | None:
    size = upright_size(file) if file else None
    if file is None or size is None:
        reason = "there is no such image, and VIA does not say how large it is"
        left_out.append(LeftOut("image", reason, entry.path.name, entry.name, faulty=bool(entry.regions)))
        return None
    shapes = [shape for region in entry.regions if (shape := _shape(region, category, size, entry, left_out))]
    chosen = {key: value for key, value in entry.attributes.items() if value}
    parts = entry.path.relative_to(data.root).parts[:-1]
    subset = next((part for part in parts if split_of(part, {}) is not None), "")
    return ConvertedImage(file.name, file, *size, subset, tuple(shapes), {"via": chosen} if chosen else {})


def _shape(
    region: _Region, category: str | None, size: tuple[int, int], entry: _File, left_out: list[LeftOut]
) -> AnnotatedShape | None:
    kind = str(region.shape.get("name") or "")
    label = _value(region.attributes.get(category)) if category else _OBJECT
    where, content = f"{entry.path.name}: {entry.name}", {"shape": region.shape, "attributes": region.attributes}
    if kind in _OPEN or label is None:
        reason = _OPEN.get(kind, f"it has no {category}, or several")
        left_out.append(LeftOut(kind or "region", reason, where, content, faulty=kind not in _OPEN))
        return None
    others = {key: value for key, value in region.attributes.items() if key != category and value not in ("", {})}
    try:
        box, outline = _outline(kind, region.shape, size)
    except _UNREADABLE as error:
        reason = f"it cannot be read ({type(error).__name__}: {error})"
        left_out.append(LeftOut(kind or "region", reason, where, content, faulty=True))
        return None
    area = polygon_area_px(outline) if outline else None
    return AnnotatedShape(
        label, box, [flat(outline)] if outline else None, area, attributes=others, extra={"via": {"kind": kind}}
    )


def _outline(
    kind: str, shape: Mapping[str, Any], size: tuple[int, int]
) -> tuple[tuple[float, float, float, float], list[tuple[float, float]]]:
    """The box (xywh) of a shape, and its outline if it is a polygon."""
    if kind == "polygon":
        points = list(zip(map(_finite, shape["all_points_x"]), map(_finite, shape["all_points_y"]), strict=True))
        if len(points) < 3:
            raise ValueError(f"a polygon of {len(points)} points")
        return box_around(points), points
    if kind == "rect":
        x, y, width, height = (_finite(shape[key]) for key in ("x", "y", "width", "height"))
        return (x, y, width, height), []
    cx, cy = _finite(shape["cx"]), _finite(shape["cy"])
    if kind == "circle":
        half_width = half_height = _finite(shape["r"])
    elif kind == "ellipse":
        rx, ry, theta = _finite(shape["rx"]), _finite(shape["ry"]), _finite(shape.get("theta") or 0)
        half_width = math.hypot(rx * math.cos(theta), ry * math.sin(theta))
        half_height = math.hypot(rx * math.sin(theta), ry * math.cos(theta))
    else:
        raise ValueError(f"a shape called {kind!r}")
    return clipped((cx - half_width, cy - half_height, 2 * half_width, 2 * half_height), *size), []


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is not finite")
    return number
