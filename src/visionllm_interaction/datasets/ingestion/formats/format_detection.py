"""Which format a folder or a file is in."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec

from visionllm_interaction.datasets.ingestion.formats.coco.variants import (
    coco_files_in,
    coco_files_of_any_name,
    is_coco,
)
from visionllm_interaction.datasets.ingestion.formats.common import ConvertedDataset, DetectedDataset
from visionllm_interaction.datasets.ingestion.formats.cvat import read_cvat
from visionllm_interaction.datasets.ingestion.formats.labelme import is_labelme, read_labelme
from visionllm_interaction.datasets.ingestion.formats.labelstudio import is_tasks, read_labelstudio
from visionllm_interaction.datasets.ingestion.formats.openimages import openimages_files_in, read_openimages
from visionllm_interaction.datasets.ingestion.formats.pascal_voc import read_voc
from visionllm_interaction.datasets.ingestion.formats.via import is_via, read_via, via_files_in
from visionllm_interaction.datasets.ingestion.formats.yolo.names_and_splits import names_file_in
from visionllm_interaction.datasets.ingestion.formats.yolo.reader import read_yolo
from visionllm_interaction.datasets.ingestion.formats.yolo.rows import looks_like_rows

# COCO's own JSON in another layout ("coco") needs no reader: its bytes stay as they are.
READERS: dict[str, Callable[[DetectedDataset], ConvertedDataset]] = {
    "cvat": read_cvat,
    "voc": read_voc,
    "labelstudio": read_labelstudio,
    "yolo": read_yolo,
    "labelme": read_labelme,
    "openimages": read_openimages,
    "via": read_via,
}
READER_VERSION = 7
"""Raised when a reader makes other annotations of the same files: data sets read by another version are read again."""
_HEAD_BYTES = 4096
_LOOK_AT = 200
_LOOK_AT_JSON = 5
_ANNOTATION_FOLDERS = frozenset(
    {"annotations", "annotation", "annots", "ann", "xml", "xmls", "labels", "label", "json", "jsons", "labelme"}
)
_DARKNET_FOLDER = re.compile(r"obj_\w+_data", re.IGNORECASE)
_LARGEST_TASKS_BYTES = 2_000_000_000


def detect_folder(folder: Path) -> DetectedDataset | None:
    """The data set whose annotation files lie in ``folder``, or ``None``."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if coco := coco_files_in(folder):
        return DetectedDataset("coco", folder, coco)
    if cvat := tuple(path for path in files if _is_cvat(path)):
        return DetectedDataset("cvat", folder, cvat)
    voc = tuple(path for place in _voc_places(folder) for path in sorted(place.glob("*.xml")) if _is_voc(path))
    if voc:
        return DetectedDataset("voc", folder, voc)
    if boxes := openimages_files_in(folder):
        return DetectedDataset("openimages", folder, boxes)
    names = names_file_in(folder)
    if names and has_yolo_labels(folder):
        return DetectedDataset("yolo", folder, (names,))
    tasks = tuple(path for path in files if path.suffix.lower() == ".json" and is_labelstudio(path))
    if tasks:
        return DetectedDataset("labelstudio", folder, tasks)
    if via := via_files_in(folder):
        return DetectedDataset("via", folder, via)
    places = [folder, *(child for child in _children(folder) if child.name.lower() in _ANNOTATION_FOLDERS)]
    labelme = tuple(path for place in places for path in _labelme_in(place))
    if labelme:
        return DetectedDataset("labelme", folder, labelme)
    coco = coco_files_of_any_name(folder)
    return DetectedDataset("coco", folder, coco) if coco else None


def _children(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))


def _voc_places(folder: Path) -> list[Path]:
    """Where VOC's files may lie: in the folder, in one for annotations, and in that one's subfolders."""
    named = [child for child in _children(folder) if child.name.lower() in _ANNOTATION_FOLDERS]
    return [folder, *named, *(below for child in named for below in _children(child))]


def _is_voc(path: Path) -> bool:
    return _root_tag(path) == "annotation"


def _labelme_in(folder: Path) -> list[Path]:
    """The JSON files of a folder where the first of them, among a few, is LabelMe's."""
    files = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    return files if any(is_labelme(path) for path in files[:_LOOK_AT_JSON]) else []


def detect_file(path: Path) -> DetectedDataset | None:
    """The data set a single annotation file describes; its images are looked for beside it."""
    if _is_cvat(path):
        return DetectedDataset("cvat", path.parent, (path,))
    if path.suffix.lower() == ".json" and is_labelstudio(path):
        return DetectedDataset("labelstudio", path.parent, (path,))
    if path.suffix.lower() == ".json" and is_coco(path):
        return DetectedDataset("coco", path.parent, (path,))
    if path.suffix.lower() == ".json" and is_labelme(path):
        return DetectedDataset("labelme", path.parent, (path,))
    if path.suffix.lower() in (".json", ".csv") and is_via(path):
        return DetectedDataset("via", path.parent, (path,))
    if path.suffix.lower() == ".xml" and _is_voc(path):
        return DetectedDataset("voc", path.parent, (path,))
    if path.suffix.lower() in (".yaml", ".yml", ".data") and path == names_file_in(path.parent):
        return DetectedDataset("yolo", path.parent, (path,))
    return None


def _is_cvat(path: Path) -> bool:
    return path.suffix.lower() == ".xml" and _root_tag(path) == "annotations"


def _root_tag(path: Path) -> str | None:
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    match = re.search(rb"<([A-Za-z_][\w.-]*)", head)
    return match[1].decode() if match else None


def has_yolo_labels(folder: Path) -> bool:
    """Whether there are YOLO's label files below a folder: in folders of their name, or by what is in them."""
    for path in islice(folder.rglob("*.txt"), _LOOK_AT):
        if _DARKNET_FOLDER.fullmatch(path.parent.name) or "labels" in path.relative_to(folder).parts[:-1]:
            return True
        with path.open(encoding="utf-8", errors="replace") as stream:
            if looks_like_rows(list(islice(stream, 20))):
                return True
    return any((folder / name / "labels").is_dir() for name in (".", "train", "valid", "val"))


def is_labelstudio(path: Path) -> bool:
    """Whether a file is a list of Label Studio's tasks."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES).lstrip()
    if not head.startswith(b"[") or path.stat().st_size > _LARGEST_TASKS_BYTES:
        return False
    try:
        return is_tasks(msgspec.json.decode(path.read_bytes()))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
