"""Pascal VOC: one XML file per image, and lists of splits below ``ImageSets/Main/``.

The challenge keeps the files in ``Annotations/``; LabelImg and Roboflow put them beside the images. An image belongs to
the file of its own name, whatever ``<filename>`` says. Images in no list of a split are in no split.

Coordinates are taken as they stand (x = xmin, width = xmax - xmin). The original challenge counted pixels from 1;
most tools that write the format today do not.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import parse

from visionllm_interaction.core.image_decoding import ENDINGS
from visionllm_interaction.datasets.ingestion.formats.coco.writer import split_of
from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
    LeftOut,
    Points,
    broken,
    corners_of,
    flat,
    labels_in_order,
    polygon_area_px,
    read_text,
    turned,
    turned_box,
)
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles, equal_at_end
from visionllm_interaction.datasets.ingestion.formats.images_of_annotation_files import (
    Stated,
    images_of_annotation_files,
)
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size
from visionllm_interaction.errors import InputDataError

_FLAGS = ("pose", "truncated", "difficult", "occluded")
_LISTS = ("ImageSets/Main", "ImageSets", ".")
_BOTH = "trainval"
_POLYGON_KEY = re.compile(r"[xy](\d+)")


def read_voc(data: DetectedDataset) -> ConvertedDataset:
    """Read a folder of VOC files.

    Args:
        data: the detected data set: its format, folder and annotation files.

    Returns:
        The images with their objects (boxes in xywh pixels), the category names, and what was left out.

    Raises:
        AnnotationError: if nothing of them is VOC's XML.
        InputDataError: if an image is in two splits, or several files fit an annotation file.
    """
    files = ImageFiles(data.root)
    left_out: list[LeftOut] = []
    read = {path: root for path in data.files if (root := _root(path, data.root, left_out)) is not None}
    subsets = _subsets(data.root, data.files, left_out)
    repeated = _repeated(root.findtext("filename") or "" for root in read.values())
    subset_of = {path: subsets.get(path, "") if subsets else _folder_subset(path, data.root) for path in read}
    found = images_of_annotation_files(
        {path: _stated(read.get(path), repeated, subset_of.get(path, "")) for path in data.files}, files
    )
    images, used = [], set(found.images.values())
    for path, root in read.items():
        where = path.relative_to(data.root).as_posix()
        subset, file = subset_of[path], found.images.get(path)
        if subsets and path not in subsets:
            left_out.append(LeftOut("image", "no list of a split names it", where, path.stem))
            continue
        if image := _converted_image(root, path, file, repeated, subset, where, left_out):
            images.append(image)
    for name in files.names:
        if files.root / name not in used:
            left_out.append(LeftOut("image", "it has no annotation file", name, None))
    return ConvertedDataset(labels_in_order((), images), tuple(images), tuple(left_out), found.notes(data.root))


def _stated(root: Any, repeated: frozenset[str], subset: str) -> Stated:
    """What an XML file says of its image: ``<path>``, or ``<folder>`` and ``<filename>``.

    Files are renamed after labelling, together; what ``<filename>`` says is then the name of another time.
    """
    if root is None:
        return Stated()
    stated = root.findtext("filename") or ""
    address = root.findtext("path") or "/".join(filter(None, (root.findtext("folder"), stated)))
    return Stated(address, "" if stated in repeated else stated, _stated_size(root), subset)


def _root(path: Path, folder: Path, left_out: list[LeftOut]) -> Any:
    try:
        root = parse(path, forbid_dtd=True).getroot()
    except (ParseError, DefusedXmlException, ValueError, OSError) as error:
        reason = f"it is no readable XML ({type(error).__name__}: {error})"
        left_out.append(LeftOut("annotation file", reason, path.relative_to(folder).as_posix(), None, faulty=True))
        return None
    return root


def _subsets(root: Path, files: Sequence[Path], left_out: list[LeftOut]) -> dict[Path, str]:
    """XML file → split, from the lists; empty where there are none."""
    lists = next((given for place in _LISTS if (given := _lists_in(root / place, files))), {})
    if {"train", "val"} & lists.keys():
        lists.pop(_BOTH, None)
    found: dict[Path, str] = {}
    for subset, named in lists.items():
        name = "train" if subset == _BOTH else subset
        for line, fitting in named:
            if not fitting:
                left_out.append(LeftOut("name in a list of a split", "it has no annotation file", name, line))
            for file in fitting:
                if found.setdefault(file, name) != name:
                    raise InputDataError(
                        "An image is in two splits.",
                        expected="each image in one list of train, val and test",
                        found=f"{file.relative_to(root).with_suffix('').as_posix()} in {found[file]} and {name}",
                        where=str(root / "ImageSets/Main"),
                        fix="remove it from one of the two lists, or name it with its folder there",
                    )
    return found


def _lists_in(folder: Path, files: Sequence[Path]) -> dict[str, list[tuple[str, list[Path]]]]:
    """Subset → each line with the XML files it names; lists per category, with a second column, are none of splits."""
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        by_stem[file.stem].append(file)
    found = {}
    for path in sorted(folder.glob("*.txt")) if folder.is_dir() else ():
        try:
            lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise broken(path, error, expected="a name of an image a line, in UTF-8") from error
        named = [(line, _named_by(line, by_stem)) for line in lines]
        says_split = split_of(path.stem, {}) is not None or path.stem == _BOTH
        if named and (says_split or all(fitting for _, fitting in named)):
            found[path.stem] = named
    return found


def _named_by(line: str, by_stem: Mapping[str, Sequence[Path]]) -> list[Path]:
    """The XML files a line of a list names: those that share the longest end of their path with it."""
    # Datumaro puts names with spaces in quotation marks.
    text = line[1:-1] if len(line) > 1 and line[0] == line[-1] == '"' else line
    path = PurePosixPath(text.replace("\\", "/"))
    name = path.stem if path.name not in by_stem and path.suffix.lower() in (*ENDINGS, ".xml") else path.name
    folders = path.parts[:-1]
    agreement = {file: equal_at_end(file.parts[:-1], folders) for file in by_stem.get(name, ())}
    return [file for file, equal in agreement.items() if equal == max(agreement.values())]


def _folder_subset(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts[:-1]
    return next((part for part in parts if part and split_of(part, {}) is not None), "")


def _repeated(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name, count in Counter(names).items() if count > 1)


def _converted_image(
    root: Any,
    path: Path,
    file: Path | None,
    repeated: frozenset[str],
    subset: str,
    where: str,
    left_out: list[LeftOut],
) -> ConvertedImage | None:
    stated = root.findtext("filename") or ""
    size = _size(root, file)
    if size is None:
        reason = "it does not say how large its image is, and there is no image"
        left_out.append(LeftOut("annotation file", reason, where, stated, faulty=True))
        return None
    shapes = [shape for child in root.iter("object") if (shape := _shape(child, where, size, left_out))]
    name = file.name if file else _name_without_file(stated, path, repeated)
    return ConvertedImage(name, file, *size, subset, tuple(shapes), _about(root))


def _name_without_file(stated: str, path: Path, repeated: frozenset[str]) -> str:
    name = PurePosixPath(stated.replace("\\", "/")).name
    suffix = PurePosixPath(name).suffix if PurePosixPath(name).suffix.lower() in ENDINGS else ".jpg"
    return name if name.endswith(suffix) and stated not in repeated else f"{path.stem}{suffix}"


def _size(root: Element, file: Path | None) -> tuple[int, int] | None:
    return _stated_size(root) or (upright_size(file) if file else None)


def _stated_size(root: Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(root.findtext(f"size/{key}") or 0)) for key in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _about(root: Element) -> dict[str, Any]:
    source = {child.tag: child.text for child in root.findall("source/*") if child.text}
    about = {"folder": root.findtext("folder"), "source": source, "segmented": root.findtext("segmented")}
    return {"voc": {key: value for key, value in about.items() if value}}


def _shape(element: Element, where: str, size: tuple[int, int], left_out: list[LeftOut]) -> AnnotatedShape | None:
    for part in element.findall("part"):
        content = {"object": element.findtext("name"), "part": part.findtext("name"), "box": _texts(part)}
        left_out.append(LeftOut("part", "COCO has no parts of objects", where, content))
    name = (element.findtext("name") or "").strip()
    try:
        if not name:
            raise ValueError("it has no name")
        return _outline(element, name, size)
    except (ValueError, ArithmeticError) as error:
        content = {child.tag: child.text or _texts(element) for child in element}
        reason = str(error) if isinstance(error, ValueError) else "its box is not numbers"
        left_out.append(LeftOut("object", reason, where, content, faulty=True))
        return None


def _outline(element: Element, name: str, size: tuple[int, int]) -> AnnotatedShape:
    flags = {key: text for key in _FLAGS if (text := element.findtext(key))}
    attributes = {
        entry.findtext("name") or "": entry.findtext("value") or "" for entry in element.findall("attributes/attribute")
    }
    extra = {"voc": flags}
    if element.find("bndbox") is None and element.find("robndbox") is not None:
        corners = _tilted([float(element.findtext(f"robndbox/{key}") or "nan") for key in _TILTED])
        return turned_box(name, corners, size=size, track_id=None, attributes=attributes, extra=extra)
    left, top, right, bottom = _corners(element)
    box = float(left), float(top), float(right - left), float(bottom - top)
    points = _polygon(element)
    if points:
        return AnnotatedShape(name, box, [flat(points)], polygon_area_px(points), attributes=attributes, extra=extra)
    return AnnotatedShape(name, box, attributes=attributes, extra=extra)


_TILTED = ("cx", "cy", "w", "h", "angle")


def _tilted(values: Sequence[float]) -> Points:
    """The corners of roLabelImg's box: centre, size, and angle in radians, clockwise."""
    if not all(map(math.isfinite, values)):
        raise ValueError("its robndbox is incomplete")
    cx, cy, width, height, angle = values
    upright = corners_of(cx - width / 2, cy - height / 2, width, height)
    return turned(upright, about=(cx, cy), degrees=math.degrees(angle))


def _polygon(element: Element) -> Points:
    """The outline (x1, y1, x2, y2 …) that Roboflow writes beside the box."""
    values = {child.tag: float(child.text or "nan") for child in element.findall("polygon/*")}
    numbers = sorted({int(match[1]) for tag in values if (match := _POLYGON_KEY.fullmatch(tag))})
    points = [(values.get(f"x{n}", math.nan), values.get(f"y{n}", math.nan)) for n in numbers]
    return points if len(points) > 2 and all(math.isfinite(v) for point in points for v in point) else []


def _corners(element: Element) -> list[Decimal]:
    texts = _texts(element)
    if element.find("bndbox") is None:
        raise ValueError("it has no box")
    if None in texts:
        raise ValueError("its box lacks a side")
    corners = [Decimal(str(text).strip()) for text in texts]
    if not all(corner.is_finite() for corner in corners):
        raise ValueError("its box is not finite")
    # Drawn from the lower right one: some tools write them so.
    (left, right), (top, bottom) = sorted(corners[::2]), sorted(corners[1::2])
    return [left, top, right, bottom]


def _texts(element: Element) -> list[str | None]:
    return [element.findtext(f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
