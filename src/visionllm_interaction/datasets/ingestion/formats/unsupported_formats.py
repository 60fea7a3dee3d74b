"""Formats that are known but not read: naming one, and the way out of it, is worth more than "no data set here"."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from visionllm_interaction.datasets.ingestion.formats.coco.variants import is_coco

_MOST_FILES = 5000
_MOST_OF_AN_ENDING = 300
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
    files = [path] if path.is_file() else _some(sorted(_files(path), key=lambda file: (len(file.parts), file)))
    for sign in _SIGNS:
        for file in files:
            if sign.fits(file):
                return Unread(sign.name, file.name if file == path else str(file.relative_to(path)), sign.fix)
    return None


def _files(folder: Path) -> Iterator[Path]:
    return islice((file for file in folder.rglob("*") if file.is_file()), _MOST_FILES)


def _some(files: list[Path]) -> list[Path]:
    """The first few files of each ending: a data set may have one for each image."""
    seen: Counter[str] = Counter()
    kept = []
    for file in files:
        seen[file.suffix] += 1
        if seen[file.suffix] <= _MOST_OF_AN_ENDING:
            kept.append(file)
    return kept


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
    """Whether the first line of a table names these columns."""

    def fits(path: Path) -> bool:
        return path.suffix.lower() in _TABLES and set(columns) <= _columns(path)

    return fits


def _columns(path: Path) -> set[str]:
    line = _head(path).partition("\n")[0]
    delimiter = max(",;\t", key=line.count)
    return {column.strip().lower() for column in next(csv.reader([line], delimiter=delimiter), [])}


def _is_table_of_boxes(path: Path) -> bool:
    return path.suffix.lower() in _TABLES and any(sides <= _columns(path) for sides in _SIDES)


def _first_line(pattern: str, *endings: str) -> Callable[[Path], bool]:
    """Whether the first line of a file with one of these endings is of this form."""
    expression = re.compile(pattern, re.IGNORECASE)

    def fits(path: Path) -> bool:
        return path.suffix.lower() in endings and bool(expression.fullmatch(_head(path).partition("\n")[0].strip()))

    return fits


def _head(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES).decode("utf-8", errors="replace")


def _is_json_of_boxes(path: Path) -> bool:
    """Whether a JSON file speaks of boxes, and is none of COCO's, which may lie too deep."""
    return any(_json_with(key)(path) for key in _BOX_KEYS) and not is_coco(path)


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


_BOX_KEYS = ("bbox", "bounding_box", "boundingBox", "xmin", "x1")
_TABLES = (".csv", ".tsv")
_SIDES = (
    {"xmin", "ymin", "xmax", "ymax"},
    {"x1", "y1", "x2", "y2"},
    {"left", "top", "width", "height"},
    {"x", "y", "width", "height"},
    {"x", "y", "w", "h"},
    {"roi.x1", "roi.y1", "roi.x2", "roi.y2"},
    {"bbox_x", "bbox_y", "bbox_w", "bbox_h"},
    {"bbox_x", "bbox_y", "bbox_width", "bbox_height"},
    {"upper left corner x", "upper left corner y", "lower right corner x", "lower right corner y"},
)
"""Columns by which a table has boxes."""
_IMAGE = r"[^,]+\.(?:jpe?g|png|bmp|tiff?|webp)"
_NUMBER = r"-?[\d.]*"
_AS_COCO = "export it from there as COCO's JSON, " + _POINT

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
    _Sign(
        "Ultralytics' NDJSON",
        _json_with("type", "class_names", endings=(".ndjson",)),
        "let Ultralytics write it as YOLO (ultralytics.data.converter.convert_ndjson_to_yolo), " + _POINT,
    ),
    _Sign("V7's Darwin", _json_with("item", "slots"), _AS_COCO),
    _Sign("V7's Darwin", _json_with("workview_url", "annotations"), _AS_COCO),
    _Sign("Scale AI", _json_with("task_id", "params", "response")),
    *(
        _Sign(
            "FiftyOne",
            fits,
            "export it with dataset.export(dataset_type=fiftyone.types.COCODetectionDataset, …), " + _POINT,
        )
        for fits in (
            _json_with("classes", "labels", "bounding_box"),
            _json_with("sample_fields"),
            _json_with("samples", "filepath"),
        )
    ),
    _Sign("CrowdHuman", _named(r"\.odgt$")),
    _Sign("Hasty", _json_with("label_classes", "export_format_version"), _AS_COCO),
    _Sign("Encord", _json_with("label_hash", "data_units"), _AS_COCO),
    _Sign("SuperAnnotate", _json_with("instances", "className"), _AS_COCO),
    _Sign("Dataloop", _json_with("datasetId", "annotations"), _AS_COCO),
    _Sign("Kili", _json_with("jsonResponse"), _AS_COCO),
    _Sign("Segments.ai", _json_with("samples", "task_type"), _AS_COCO),
    _Sign(
        "EPIC-KITCHENS",
        _csv_with("noun_class", "bounding_boxes"),
        "write the boxes as COCO's JSON: here each is top, left, height, width",
    ),
    _Sign("VISOR", _json_with("video_annotations"), "write the segments as polygons of COCO's JSON, " + _POINT),
    _Sign(
        "100DOH",
        _json_with("hand_side", "contact_state"),
        "take the data set's own version in Pascal VOC's format, " + _POINT,
    ),
    _Sign("Ego4D", _json_with("video_uid"), "write the boxes of the frames you extracted as COCO's JSON, " + _POINT),
    _Sign("YouTube-VIS", _json_with("videos", "file_names"), "write each frame as an image of COCO's JSON, " + _POINT),
    _Sign("detectron2's list of records", _json_with("file_name", "bbox_mode"), "write it with convert_to_coco_json"),
    _Sign(
        "COCO's results: detections of a model, without images and categories",
        _json_with("image_id", "category_id", "score"),
        "point data.root at the annotations; `visionllm evaluate --truth ANNOTATIONS --detections` takes this file",
    ),
    _Sign("RectLabel", _json_with("image_w", "image_h"), _AS_COCO),
    _Sign("nuImages", _json_with("sample_data_token", "bbox")),
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
    _Sign(
        "Make Sense's CSV", _first_line(rf"[^,]+(?:,{_NUMBER}){{4}},{_IMAGE},\d+,\d+", ".csv"), "export it as VOC XML"
    ),
    _Sign("Vertex AI's CSV", _first_line(r"(train|training|valid\w*|test|unassigned),gs://.*", ".csv")),
    _Sign("a table of boxes (RetinaNet's CSV)", _first_line(rf"{_IMAGE}(?:,{_NUMBER}){{4}},[^,]*", ".csv")),
    _Sign("a table of boxes (CSV)", _is_table_of_boxes),
    _Sign("Hugging Face's image folder", _csv_with("file_name", "objects")),
    _Sign("VisDrone", _first_line(r"(-?\d+,){7}-?\d+,?", ".txt")),
    _Sign("MOTS", _first_line(r"(\d+ ){5}\S+", ".txt"), "decode the masks with pycocotools and write COCO's JSON"),
    _Sign("KITTI", _rows_of(15)),
    _Sign("KITTI's results, with a confidence", _rows_of(16)),
    _Sign("DOTA", _rows_of(10, last_text=True), "convert the corners to YOLO's oriented boxes: class x1 y1 … x4 y4"),
    _Sign("Open Images as the OIDv4 toolkit writes it", _rows_of(5), "take the CSV files of Open Images themselves"),
    _Sign("Parquet (Hugging Face)", _named(r"\.parquet$")),
    _Sign("JSON Lines (Hugging Face, Vertex AI)", _named(r"\.jsonl$")),
    _Sign(
        "masks of pixels (DAVIS, VOC's segmentation)",
        _named(r"(^|/)(Annotations|SegmentationObject|SegmentationClass)/.*\.png$"),
        "write each object's mask as run lengths of COCO's JSON (pycocotools.mask.encode), " + _POINT,
    ),
    _Sign("ADE20K", _named(r"_atr\.txt$")),
    _Sign("JSON with boxes, in a form that is not known", _is_json_of_boxes),
    _Sign(
        "YOLO's labels without the names of the classes",
        _is_unnamed_yolo,
        "write classes.txt into the data folder: a name a line, the first one for class 0",
    ),
)
