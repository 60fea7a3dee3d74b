"""Which format a folder or a file is in."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from visionllm_interaction.datasets.ingestion.formats.coco_variants import coco_files_in, is_coco
from visionllm_interaction.datasets.ingestion.formats.common import Converted, Foreign
from visionllm_interaction.datasets.ingestion.formats.cvat import read_cvat
from visionllm_interaction.datasets.ingestion.formats.labelstudio import is_tasks, read_labelstudio
from visionllm_interaction.datasets.ingestion.formats.pascal_voc import read_voc
from visionllm_interaction.datasets.ingestion.formats.yolo import NAME_FILES, read_yolo

# COCO's own JSON in another layout ("coco") needs no reader: its bytes stay as they are.
READERS: dict[str, Callable[[Foreign], Converted]] = {
    "cvat": read_cvat,
    "voc": read_voc,
    "labelstudio": read_labelstudio,
    "yolo": read_yolo,
}
_HEAD_BYTES = 4096
_LARGEST_TASKS_BYTES = 2_000_000_000


def detect_folder(folder: Path) -> Foreign | None:
    """The data set whose annotation files lie in ``folder``, or ``None``."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if coco := coco_files_in(folder):
        return Foreign("coco", folder, coco)
    if cvat := tuple(path for path in files if _is_cvat(path)):
        return Foreign("cvat", folder, cvat)
    voc = tuple(sorted(path for path in (folder / "Annotations").glob("*.xml") if _root_tag(path) == "annotation"))
    if voc:
        return Foreign("voc", folder, voc)
    names = next((folder / name for name in NAME_FILES if (folder / name).is_file()), None)
    if names and _has_yolo_labels(folder):
        return Foreign("yolo", folder, (names,))
    tasks = [path for path in files if path.suffix.lower() == ".json" and _is_labelstudio(path)]
    return Foreign("labelstudio", folder, (tasks[0],)) if len(tasks) == 1 else None


def detect_file(path: Path) -> Foreign | None:
    """The data set a single annotation file describes; its images are looked for beside it."""
    if _is_cvat(path):
        return Foreign("cvat", path.parent, (path,))
    if path.suffix.lower() == ".json" and _is_labelstudio(path):
        return Foreign("labelstudio", path.parent, (path,))
    if path.suffix.lower() == ".json" and is_coco(path):
        return Foreign("coco", path.parent, (path,))
    return None


def _is_cvat(path: Path) -> bool:
    return path.suffix.lower() == ".xml" and _root_tag(path) == "annotations"


def _root_tag(path: Path) -> str | None:
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    match = re.search(rb"<([A-Za-z_][\w.-]*)", head)
    return match[1].decode() if match else None


def _has_yolo_labels(folder: Path) -> bool:
    below = ("labels", "train/labels", "valid/labels", "val/labels", "obj_train_data", "obj_Train_data")
    return any((folder / name).is_dir() for name in below)


def _is_labelstudio(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES).lstrip()
    if not head.startswith(b"[") or path.stat().st_size > _LARGEST_TASKS_BYTES:
        return False
    try:
        return is_tasks(msgspec.json.decode(path.read_bytes()))
    except msgspec.DecodeError:
        return False
