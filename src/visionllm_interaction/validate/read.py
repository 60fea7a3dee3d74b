"""An annotation file → columns and faults.

A file without structural faults is decoded in one typed pass. Any other is read record by record, so that one
bad record costs that record and not the file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from visionllm_interaction.validate import records
from visionllm_interaction.validate.catalogue import Entity
from visionllm_interaction.validate.faults import Fault
from visionllm_interaction.validate.records import AnnotationFile, brief
from visionllm_interaction.validate.table import AnnotationColumns, ImageColumns, SplitTable

_FILE = msgspec.json.Decoder(AnnotationFile)
_NAN = (float("nan"),) * 4
_LISTS: tuple[tuple[str, Entity, tuple[records.Field, ...]], ...] = (
    ("images", "image", records.IMAGE_FIELDS),
    ("annotations", "annotation", records.ANNOTATION_FIELDS),
    ("categories", "category", records.CATEGORY_FIELDS),
)


def read_split(path: Path, split: str) -> tuple[SplitTable | None, list[Fault]]:
    """Decode an annotation file; the table is ``None`` if the file is no JSON object.

    Raises:
        OSError: if the file cannot be read.
    """
    data = path.read_bytes()
    try:
        return _whole_table(split, _FILE.decode(data)), []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_leniently(data, split, path)


def _whole_table(split: str, file: AnnotationFile) -> SplitTable:
    boxes = np.fromiter(chain.from_iterable(a.bbox for a in file.annotations), np.float64)
    return SplitTable(
        split,
        ImageColumns(
            ids=_ints(i.id for i in file.images),
            sizes_px=np.array([(i.width, i.height) for i in file.images], np.float64).reshape(-1, 2),
            file_names=tuple(i.file_name for i in file.images),
            positions=np.arange(len(file.images)),
        ),
        AnnotationColumns(
            ids=_ints(a.id for a in file.annotations),
            image_ids=_ints(a.image_id for a in file.annotations),
            category_ids=_ints(a.category_id for a in file.annotations),
            boxes_xywh=boxes.reshape(-1, 4),
            positions=np.arange(len(file.annotations)),
        ),
        tuple((c.id, c.name) for c in file.categories),
    )


def _read_leniently(data: bytes, split: str, path: Path) -> tuple[SplitTable | None, list[Fault]]:
    content, complaint = _parse(data)
    if complaint:
        return None, [Fault("JSON-SYNTAX", split, "file", complaint, "a JSON file in UTF-8", file_name=path.name)]
    if not isinstance(content, dict):
        return None, [_shape_fault(split, path.name, content, "an object with images, annotations and categories")]
    faults: list[Fault] = []
    usable: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for key, kind, fields in _LISTS:
        rows = content.get(key)
        if not isinstance(rows, list):
            faults.append(_shape_fault(split, key, rows, "a list"))
            rows = []
        usable[key] = _usable_rows(rows, split=split, kind=kind, fields=fields, faults=faults)
    return _lenient_table(split, usable), faults


def _parse(data: bytes) -> tuple[Any, str | None]:
    try:
        return msgspec.json.decode(data), None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        # Python's own reader takes NaN, which exporters write and standard JSON forbids: the records that
        # hold it are then named, instead of refusing the file as a whole.
        return json.loads(data), None
    except (ValueError, RecursionError) as error:
        return None, str(error)


def _shape_fault(split: str, name: str, found: Any, expected: str) -> Fault:
    what = "nothing" if found is None else type(found).__name__
    return Fault("JSON-SCHEMA", split, "file", what, expected, field=name)


def _usable_rows(
    rows: Sequence[Any], *, split: str, kind: Entity, fields: tuple[records.Field, ...], faults: list[Fault]
) -> list[tuple[int, dict[str, Any]]]:
    """The records whose ids can be used, with their position; complaints about all others go to ``faults``."""
    keep = []
    for position, row in enumerate(rows):
        good, complaints = _judge(row, fields)
        where: dict[str, Any] = {f"{kind}_id": good.get("id"), "position": position}
        faults += [Fault("JSON-SCHEMA", split, kind, text, f"a COCO {kind}", **where) for text in complaints]
        if all(key in good for key, _, required in fields if required and key.endswith("id")):
            keep.append((position, good))
    return keep


def _judge(row: Any, fields: tuple[records.Field, ...]) -> tuple[dict[str, Any], list[str]]:
    if not isinstance(row, dict):
        return {}, [f"{brief(row)} is not an object"]
    good, bad = records.usable_fields(row, fields)
    complaints = list(bad.values())
    # A box that is not four numbers has a code of its own (BOX-MALFORMED), so it is no complaint here.
    if records.holds_non_finite({key: value for key, value in row.items() if key != "bbox"}):
        complaints.append("NaN or an infinity, which JSON does not have")
    return good | {"bbox": row.get("bbox", "no bbox")}, complaints


def _lenient_table(split: str, usable: dict[str, list[tuple[int, dict[str, Any]]]]) -> SplitTable:
    images = [row for _, row in usable["images"]]
    annotations = [row for _, row in usable["annotations"]]
    boxes = [records.box_or_none(row["bbox"]) for row in annotations]
    sizes = [(row.get("width", np.nan), row.get("height", np.nan)) for row in images]
    return SplitTable(
        split,
        ImageColumns(
            ids=_ints(row["id"] for row in images),
            sizes_px=np.array(sizes, np.float64).reshape(-1, 2),
            file_names=tuple(row.get("file_name") for row in images),
            positions=_ints(position for position, _ in usable["images"]),
        ),
        AnnotationColumns(
            ids=_ints(row["id"] for row in annotations),
            image_ids=_ints(row["image_id"] for row in annotations),
            category_ids=_ints(row["category_id"] for row in annotations),
            boxes_xywh=np.array([box or _NAN for box in boxes], np.float64).reshape(-1, 4),
            positions=_ints(position for position, _ in usable["annotations"]),
            malformed={n: brief(annotations[n]["bbox"]) for n, box in enumerate(boxes) if box is None},
        ),
        tuple((row["id"], row["name"]) for _, row in usable["categories"] if "name" in row),
    )


def _ints(values: Any) -> Any:
    return np.fromiter(values, np.int64)
