"""Formats that are known but not read: naming one, and the way out of it, is worth more than "no data set here"."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_MOST_FILES = 5000
_HEAD_BYTES = 65536
_TO_COCO = "convert it to COCO's JSON, for example with `datum convert` (pip install datumaro) or fiftyone, "
_POINT = "and point data.root at the result"


@dataclass(frozen=True, slots=True)
class Unread:
    """A format that was recognised and is not read."""

    name: str
    found: str
    """The file that gave it away, relative to the folder."""
    fix: str


@dataclass(frozen=True, slots=True)
class _Sign:
    name: str
    fits: Callable[[Path], bool]
    fix: str = _TO_COCO + _POINT


def name_unread(path: Path) -> Unread | None:
    """The format of what is at ``path`` (a folder or a file), if it is one of those that are known and not read."""
    files = [path] if path.is_file() else sorted(_files(path), key=lambda file: (len(file.parts), file))
    for sign in _SIGNS:
        for file in files:
            if sign.fits(file):
                return Unread(sign.name, file.name if file == path else str(file.relative_to(path)), sign.fix)
    return None


def _files(folder: Path) -> Iterator[Path]:
    return islice((file for file in folder.rglob("*") if file.is_file()), _MOST_FILES)


def _named(pattern: str) -> Callable[[Path], bool]:
    expression = re.compile(pattern, re.IGNORECASE)
    return lambda path: bool(expression.search(path.as_posix()))


def _json_with(*keys: str, endings: tuple[str, ...] = (".json",)) -> Callable[[Path], bool]:
    """Whether a JSON file begins with these keys."""

    def fits(path: Path) -> bool:
        if path.suffix.lower() not in endings:
            return False
        head = _head(path)
        return all(f'"{key}"' in head for key in keys)

    return fits


def _csv_with(*columns: str) -> Callable[[Path], bool]:
    def fits(path: Path) -> bool:
        if path.suffix.lower() not in (".csv", ".tsv"):
            return False
        first = next(csv.reader(_head(path).splitlines()[:1]), [])
        return set(columns) <= {column.strip().lower() for column in first}

    return fits


def _head(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES).decode("utf-8", errors="replace")


def _rows_of(count: int, *, last_text: bool = False) -> Callable[[Path], bool]:
    """Whether a text file's first row has ``count`` words, of which the first (or the last but one) is a name."""

    def fits(path: Path) -> bool:
        if path.suffix.lower() != ".txt":
            return False
        words = next((line.split() for line in _head(path).splitlines() if ":" not in line and line.strip()), [])
        at = -2 if last_text else 0
        return len(words) == count and not re.fullmatch(r"[-+.\deE]+", words[at])

    return fits


def _is_unnamed_yolo(path: Path) -> bool:
    if path.suffix.lower() != ".txt":
        return False
    words = next((line.split() for line in _head(path).splitlines() if line.strip()), [])
    return len(words) >= 5 and all(re.fullmatch(r"[-+.\deE]+", word) for word in words)


_SIGNS = (
    _Sign("TFRecord", _named(r"\.tfrecords?(-\d+-of-\d+)?$|\.record(-\d+-of-\d+)?$")),
    _Sign(
        "Label Studio's JSON-MIN",
        _json_with("annotation_id", "annotator"),
        "export it again from Label Studio as JSON (not JSON-MIN, CSV or COCO): only that has every region",
    ),
    _Sign("Label Studio's CSV", _csv_with("annotation_id", "annotator"), "export it again from Label Studio as JSON"),
    _Sign("Datumaro", _json_with("dm_format_version")),
    _Sign("Datumaro", _json_with("items", "categories", "infos")),
    _Sign("VGG Image Annotator (VIA)", _json_with("_via_img_metadata"), "export it from VIA as COCO's JSON, " + _POINT),
    _Sign("VGG Image Annotator (VIA)", _json_with("regions", "shape_attributes"), "export it from VIA as COCO's JSON"),
    _Sign("VGG Image Annotator (VIA)", _csv_with("region_shape_attributes"), "export it from VIA as COCO's JSON"),
    _Sign("VGG Image Annotator (VIA)", _json_with("data_format_version", "fname"), "export it from VIA as COCO's JSON"),
    _Sign("Supervisely", _json_with("classTitle")),
    _Sign("VoTT", _json_with("asset", "boundingBox"), "export it from VoTT as Pascal VOC"),
    _Sign("Labelbox", _json_with("data_row", endings=(".json", ".ndjson", ".jsonl"))),
    _Sign("SageMaker Ground Truth", _json_with("source-ref", endings=(".manifest", ".jsonl", ".json"))),
    _Sign("WIDER FACE", _named(r"(^|/)wider_face_\w+_bbx_gt\.txt$")),
    _Sign("CreateML", _json_with("annotations", "coordinates")),
    _Sign("BDD100K", _json_with("labels", "box2d")),
    _Sign("Cityscapes", _named(r"_gtFine_polygons\.json$")),
    _Sign(
        "MOT challenge", _named(r"(^|/)gt/gt\.txt$|(^|/)seqinfo\.ini$"), "import it into CVAT and export it as CVAT XML"
    ),
    _Sign("a table of boxes (TensorFlow's or Keras's CSV)", _csv_with("filename", "xmin", "ymin", "xmax", "ymax")),
    _Sign("KITTI", _rows_of(15)),
    _Sign("DOTA", _rows_of(10, last_text=True), "convert the corners to YOLO's oriented boxes: class x1 y1 … x4 y4"),
    _Sign("Open Images as the OIDv4 toolkit writes it", _rows_of(5), "take the CSV files of Open Images themselves"),
    _Sign("Parquet (Hugging Face)", _named(r"\.parquet$")),
    _Sign("JSON Lines (Hugging Face, Vertex AI)", _named(r"\.jsonl$")),
    _Sign(
        "YOLO's labels without the names of the classes",
        _is_unnamed_yolo,
        "write classes.txt into the data folder: a name a line, the first one for class 0",
    ),
)
