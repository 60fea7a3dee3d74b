"""Open Images: CSV files of boxes as shares of the image, ``class-descriptions`` with the categories' names.

The published files list millions of images, of which most people keep a few: rows of images that are not there are
counted in a line for each file. An image without a row was not annotated with boxes, so it does not count as one
without objects.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from visionllm_interaction.datasets.ingestion.formats.coco.writer import split_of
from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
    LeftOut,
    broken,
    labels_in_order,
)
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size
from visionllm_interaction.errors import AnnotationError

_SIDES = ("XMin", "XMax", "YMin", "YMax")
_FLAGS = ("IsOccluded", "IsTruncated", "IsDepiction", "IsInside")
_PLACES = (".", "annotations", "labels", "csv_folder", "boxes", "*/labels")
_NAMES = ("**/*class-descriptions*.csv", "**/class_descriptions.csv", "**/metadata/classes.csv")


def openimages_files_in(folder: Path) -> tuple[Path, ...]:
    """The CSV files of boxes of a data set that starts in ``folder``."""
    found = (path for place in _PLACES for path in sorted(folder.glob(f"{place}/*.csv")))
    return tuple(dict.fromkeys(path for path in found if _has_boxes(path)))


def _has_boxes(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline().strip().split(",")
    return {"ImageID", "LabelName", *_SIDES} <= set(header)


def read_openimages(data: DetectedDataset) -> ConvertedDataset:
    """Read the CSV files of boxes whose images are below the data folder.

    Args:
        data: the detected data set: its format, folder and annotation files.

    Returns:
        The images with their objects (boxes in xywh pixels), the category names, and what was left out.

    Raises:
        AnnotationError: if a file cannot be read, or the categories' names are not there.
        InputDataError: if two files of an image fit.
    """
    files, names = ImageFiles(data.root), _names(data.root)
    present = {PurePosixPath(name).stem for name in files.names}
    left_out: list[LeftOut] = []
    images: list[ConvertedImage] = []
    for path in data.files:
        images += _converted_images(path, files, present, names, left_out)
    used = {image.file for image in images}
    left_out += [
        LeftOut("image", "no row names it", name, None) for name in files.names if files.root / name not in used
    ]
    return ConvertedDataset(labels_in_order((), images), tuple(images), tuple(left_out))


def _names(root: Path) -> dict[str, str]:
    """Label (``/m/…``) → name; a heading is one more row that nothing refers to."""
    found = sorted({path for pattern in _NAMES for path in root.glob(pattern)})
    names: dict[str, str] = {}
    for path in found:
        try:
            with path.open(newline="", encoding="utf-8-sig") as stream:
                names |= {row[0].strip(): row[1].strip() for row in csv.reader(stream) if len(row) >= 2}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise broken(path, error, expected="a CSV file of labels and names") from error
    return names


def _converted_images(
    path: Path, files: ImageFiles, present: set[str], names: Mapping[str, str], left_out: list[LeftOut]
) -> Iterator[ConvertedImage]:
    rows_of: dict[str, list[dict[str, str]]] = defaultdict(list)
    absent: set[str] = set()
    absent_rows = 0
    for row in _rows(path):
        if row["ImageID"] in present:
            rows_of[row["ImageID"]].append(row)
        else:
            absent.add(row["ImageID"])
            absent_rows += 1
    if absent:
        what = f"{absent_rows} rows of {len(absent)} images"
        left_out.append(LeftOut("rows of images that are not there", "no image file", path.name, what))
    subset = _subset(path, files.root)
    for image, rows in rows_of.items():
        file = files.find(image, hint=subset)
        size = upright_size(file) if file else None
        if file is None or size is None:
            left_out.append(LeftOut("image", "its size cannot be read", image, len(rows), faulty=True))
            continue
        shapes = [shape for row in rows if (shape := _shape(row, size, names, path, left_out))]
        yield ConvertedImage(file.name, file, *size, subset, tuple(shapes))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            yield from csv.DictReader(stream)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise broken(path, error, expected="Open Images' CSV of boxes") from error


def _subset(path: Path, root: Path) -> str:
    words = (*path.relative_to(root).parts[:-1], *path.stem.replace("_", "-").split("-"))
    return next((word for word in words if word and split_of(word, {}) is not None), "")


def _shape(
    row: Mapping[str, str], size: tuple[int, int], names: Mapping[str, str], path: Path, left_out: list[LeftOut]
) -> AnnotatedShape | None:
    name = names.get(row["LabelName"])
    if name is None and row["LabelName"].startswith("/"):
        raise AnnotationError(
            "The labels have no names.",
            expected="a file such as class-descriptions-boxable.csv, with a label and its name a line",
            found=f"no name for {row['LabelName']}",
            where=str(path),
            fix="put class-descriptions-boxable.csv of the same release beside it",
        )
    try:
        left, right, top, bottom = (float(row[side]) for side in _SIDES)
        if not all(map(math.isfinite, (left, right, top, bottom))):
            raise ValueError("not finite")
    except (TypeError, ValueError):
        where = f"{path.name}: {row['ImageID']}"
        left_out.append(LeftOut("row", "its box is not four numbers", where, dict(row), faulty=True))
        return None
    width, height = size
    box = left * width, top * height, (right - left) * width, (bottom - top) * height
    flags = {flag: int(row[flag]) for flag in _FLAGS if (row.get(flag) or "").lstrip("-").isdigit()}
    extra = {"open_images": {"label": row["LabelName"], **flags}}
    # A box around a group of more than five objects that touch: what COCO calls a crowd.
    crowd = {"iscrowd": 1} if row.get("IsGroupOf") == "1" else {}
    return AnnotatedShape(name or row["LabelName"], box, extra={**extra, **crowd})
