"""YOLO: a text file per image, a line per object: class, then centre and size (or an outline) as shares of 1.

Names stand in ``data.yaml``, ``classes.txt`` or ``obj.names``. Label files lie in ``labels/`` beside ``images/``,
or beside their image.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import yaml

from visionllm_interaction.datasets.ingestion.formats.common import (
    Converted,
    Foreign,
    LeftOut,
    Picture,
    PictureFiles,
    Points,
    Shape,
    box_around,
    broken,
    flat,
    polygon_area_px,
)
from visionllm_interaction.datasets.ingestion.layout.indexing import picture_size
from visionllm_interaction.utils.strict_yaml import load_yaml

NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
_SUBSETS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_DARKNET = re.compile(r"obj_(\w+)_data", re.IGNORECASE)


def read_yolo(data: Foreign) -> Converted:
    """Read a folder of YOLO labels; images without a label file are images without objects.

    Raises:
        AnnotationError: if the names or a label file cannot be read.
    """
    names = read_names(data.files[0])
    files = PictureFiles(data.root)
    left_out: list[LeftOut] = []
    used: set[Path] = set()
    pictures = []
    for name in files.names:
        label_file = _label_file(data.root, PurePosixPath(name))
        size = picture_size(files.root / name)
        if size[0] is None or size[1] is None:
            left_out.append(LeftOut("picture", "its size cannot be read", name, None))
            continue
        shapes = _shapes(label_file, names, (size[0], size[1])) if label_file else []
        used |= {label_file} if label_file else set()
        short = _below_images(PurePosixPath(name))
        pictures.append(Picture(short, files.root / name, size[0], size[1], _subset(name), tuple(shapes)))
    for path in sorted(_label_files(data.root) - used):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        left_out.append(LeftOut("label file", "it has no image", str(path.relative_to(data.root)), lines))
    return Converted(tuple(names), tuple(pictures), tuple(left_out))


def read_names(path: Path) -> list[str]:
    """The categories, in order of their numbers.

    Raises:
        AnnotationError: if the file does not list them.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = load_yaml(text)["names"] if path.suffix in (".yaml", ".yml") else text.split("\n")
        if isinstance(found, dict):
            found = [found[number] for number in range(len(found))]
        names = [str(name).strip() for name in found]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise broken(path, error, expected="a list of names") from error
    while names and not names[-1]:
        names.pop()
    return names


def _label_file(root: Path, name: PurePosixPath) -> Path | None:
    parts = list(name.with_suffix(".txt").parts)
    candidates = [root / name.with_suffix(".txt")]
    for at in (n for n in reversed(range(len(parts) - 1)) if parts[n].lower() == "images"):
        candidates.insert(0, root.joinpath(*parts[:at], "labels", *parts[at + 1 :]))
    return next((path for path in candidates if path.is_file()), None)


def _label_files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*.txt") if "labels" in path.relative_to(root).parts[:-1]}


def _below_images(name: PurePosixPath) -> str:
    """The name below ``images/``, without the folder of the split."""
    parts = [part for part in name.parts[:-1] if part.lower() not in ("images", *_SUBSETS)]
    return str(PurePosixPath(*parts, name.name))


def _subset(name: str) -> str:
    for part in PurePosixPath(name).parts[:-1]:
        match = _DARKNET.fullmatch(part)
        if subset := _SUBSETS.get((match[1] if match else part).lower()):
            return subset
    return ""


def _shapes(path: Path, names: list[str], size: tuple[int, int]) -> list[Shape]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [_shape(line.split(), names, size) for line in lines if line.strip()]
    except (OSError, ValueError, IndexError) as error:
        raise broken(path, error, expected="lines of a class number and shares of 1") from error


def _shape(words: list[str], names: list[str], size: tuple[int, int]) -> Shape:
    number, values = int(words[0]), [float(word) for word in words[1:]]
    if not 0 <= number < len(names):
        raise ValueError(f"class {number}, but there are {len(names)} names")
    width, height = size
    if len(values) >= 6 and len(values) % 2 == 0:
        points: Points = [(x * width, y * height) for x, y in zip(values[::2], values[1::2], strict=True)]
        return Shape(names[number], box_around(points), [flat(points)], polygon_area_px(points))
    if len(values) not in (4, 5):
        raise ValueError(f"{len(values)} numbers after the class, expected 4, or 6 and more for an outline")
    x, y, w, h = values[0] * width, values[1] * height, values[2] * width, values[3] * height
    # A fifth number is a confidence or a track, depending on who wrote it; it is kept without a guess.
    extra = {"yolo": {"fifth_value": values[4]}} if len(values) == 5 else {}
    return Shape(names[number], (x - w / 2, y - h / 2, w, h), extra=extra)
