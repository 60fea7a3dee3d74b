"""Pascal VOC: one XML file per image below ``Annotations/``, lists of splits below ``ImageSets/Main/``.

Coordinates are taken as they stand (x = xmin, width = xmax - xmin). The original challenge counted pixels from 1;
most tools that write the format today do not.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import parse

from visionllm_interaction.datasets.ingestion.formats.common import (
    PICTURE_SUFFIXES,
    Converted,
    Foreign,
    LeftOut,
    Picture,
    PictureFiles,
    Shape,
    broken,
    labels_in_order,
)
from visionllm_interaction.datasets.ingestion.layout.indexing import picture_size
from visionllm_interaction.errors import InputDataError

_SUBSETS = ("train", "val", "test")
_FLAGS = ("pose", "truncated", "difficult", "occluded")


def read_voc(data: Foreign) -> Converted:
    """Read a folder of VOC files.

    Raises:
        AnnotationError: if a file is not VOC's XML.
        InputDataError: if an image is in two splits.
    """
    files, subsets = PictureFiles(data.root), _subsets(data.root)
    left_out: list[LeftOut] = []
    pictures = [_picture(path, files, subsets, left_out) for path in data.files]
    known = {path.stem for path in data.files}
    for stem in sorted(subsets.keys() - known):
        left_out.append(LeftOut("name in a list of a split", "it has no annotation file", subsets[stem], stem))
    return Converted(labels_in_order((), pictures), tuple(pictures), tuple(left_out))


def _subsets(root: Path) -> dict[str, str]:
    """File stem → split, from the lists."""
    found: dict[str, str] = {}
    for subset in _SUBSETS:
        path = root / "ImageSets/Main" / f"{subset}.txt"
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            stem = line.split()[0] if line.split() else ""
            if found.setdefault(stem, subset) != subset:
                raise InputDataError(
                    "An image is in two splits.", expected="one", found=f"{stem} in {found[stem]} and {subset}"
                )
    found.pop("", None)
    return found


def _picture(path: Path, files: PictureFiles, subsets: dict[str, str], left_out: list[LeftOut]) -> Picture:
    try:
        root: Any = parse(path, forbid_dtd=True).getroot()
        name = root.findtext("filename") or path.stem
        if Path(name).suffix.lower() not in PICTURE_SUFFIXES:
            name = next((n for n in files.names if Path(n).stem == path.stem), f"{path.stem}.jpg")
        file = files.find(Path(name).name)
        width, height = _size(root, file)
        shapes = [_shape(child, path, left_out) for child in root.iter("object")]
    except (ParseError, DefusedXmlException, AttributeError, ValueError, ArithmeticError, OSError) as error:
        raise broken(path, error, expected="Pascal VOC's XML") from error
    subset = subsets.get(path.stem, "")
    return Picture(Path(name).name, file, width, height, subset, tuple(shapes), _about(root))


def _size(root: Element, file: Path | None) -> tuple[int, int]:
    width, height = (int(float(root.findtext(f"size/{key}") or 0)) for key in ("width", "height"))
    if width and height:
        return width, height
    read = picture_size(file) if file else (None, None)
    if None in read:
        raise ValueError("it does not say how large the image is, and there is no image")
    return int(read[0] or 0), int(read[1] or 0)


def _about(root: Element) -> dict[str, Any]:
    source = {child.tag: child.text for child in root.findall("source/*") if child.text}
    about = {"folder": root.findtext("folder"), "source": source, "segmented": root.findtext("segmented")}
    return {"voc": {key: value for key, value in about.items() if value}}


def _shape(element: Element, path: Path, left_out: list[LeftOut]) -> Shape:
    for part in element.findall("part"):
        content = {"object": element.findtext("name"), "part": part.findtext("name"), "box": _corners_text(part)}
        left_out.append(LeftOut("part", "COCO has no parts of objects", path.name, content))
    left, top, right, bottom = (Decimal(text) for text in _corners_text(element))
    flags = {key: text for key in _FLAGS if (text := element.findtext(key))}
    attributes = {
        entry.findtext("name") or "": entry.findtext("value") or "" for entry in element.findall("attributes/attribute")
    }
    name = element.findtext("name")
    if not name:
        raise ValueError("an object has no name")
    box = float(left), float(top), float(right - left), float(bottom - top)
    return Shape(name, box, attributes=attributes, extra={"voc": flags})


def _corners_text(element: Element) -> list[str]:
    texts = [element.findtext(f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
    if None in texts:
        raise ValueError("an object has no complete bndbox")
    return [str(text).strip() for text in texts]
