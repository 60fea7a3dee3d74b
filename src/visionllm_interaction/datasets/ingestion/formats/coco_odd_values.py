"""COCO files whose ids, numbers or outlines are written otherwise than COCO's own, and mean the same.

VIA writes ``"image_id": "0"`` for the image 0 and outlines without the second bracket; pandas writes ids as ``3.0``;
document stores have texts as ids. Such a file is rewritten: ids become whole numbers, and everything else stays.
"""

from __future__ import annotations

import itertools
import json
import mmap
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_ANNOTATIONS = re.compile(rb'"annotations"\s*:\s*\[\s*(?=[{\]])')
_IMAGES = re.compile(rb'"images"\s*:\s*\[\s*(?=[{\]])')
_RECORD_BYTES = 1 << 16
_WHOLE = re.compile(r"[-+]?\d{1,18}(?:\.0*)?")
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*")
_FEWEST_OUTLINE = 6
_EXACT = 2.0**53
_IDS = {"images": "id", "annotations": "image_id"}
_NOTE = (
    "ids are written as texts or with a decimal point, or numbers as texts, or outlines without their second bracket: "
    "they were read as whole numbers, numbers and outlines"
)


def first_record(path: Path, section: str) -> Mapping[str, Any] | None:
    """The first record of ``images`` or ``annotations``; ``None`` if there is none that can be read.

    Args:
        path: the annotation file.
        section: ``images`` or ``annotations``.

    Returns:
        The record.
    """
    if not path.stat().st_size:
        return None
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = (_IMAGES if section == "images" else _ANNOTATIONS).search(data)
        if start is None:
            return None
        text = data[start.end() : start.end() + _RECORD_BYTES].decode("utf-8", errors="replace")
    try:
        record, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def is_odd(path: Path) -> bool:
    """Whether the first image or the first annotation of a file is written in such a way."""
    image, annotation = (first_record(path, section) or {} for section in ("images", "annotations"))
    ids = (image.get("id"), annotation.get("id"), annotation.get("image_id"), annotation.get("category_id"))
    sizes = (image.get("width"), image.get("height"), annotation.get("area"))
    box = annotation.get("bbox")
    texts = [*sizes, *(box if isinstance(box, list) else ())]
    return (
        any(isinstance(value, str | float) for value in ids)
        or any(isinstance(value, str) and _NUMBER.fullmatch(value) for value in texts)
        or _is_flat(annotation.get("segmentation"))
    )


def notes(paths: Iterable[Path]) -> tuple[str, ...]:
    """How such files were read, in a sentence; nothing if there are none."""
    return (_NOTE,) if any(is_odd(path) for path in paths) else ()


def as_coco_writes(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file with ids as whole numbers, numbers as numbers and outlines in two brackets.

    Ids that are texts of numbers become these numbers. Other texts become the numbers that are free, from 1, and the
    record keeps its text as ``source_id``. What cannot be read stays as it is, for stage 2 to name.

    Args:
        content: the decoded file.

    Returns:
        The same, as COCO writes it.
    """
    images, annotations, categories = (_records(content, key) for key in ("images", "annotations", "categories"))
    of_image = _whole_ids([record.get("id") for record in images])
    # Sorted: the files of train and val may list them in another order.
    of_category = _whole_ids(
        sorted((c["id"] for c in categories if _is_id(c.get("id"))), key=lambda value: str(_key(value)))
    )
    own = _whole_ids([record.get("id") for record in annotations])
    for record in images:
        _set_id(record, "id", of_image)
        _set_numbers(record, "width", "height")
    for record in categories:
        _set_id(record, "id", of_category)
    for record in annotations:
        _set_id(record, "id", own)
        _set_reference(record, "image_id", of_image)
        _set_reference(record, "category_id", of_category)
        _set_numbers(record, "area", "iscrowd")
        if isinstance(record.get("bbox"), list):
            record["bbox"] = [_number(value) for value in record["bbox"]]
        if _is_flat(record.get("segmentation")):
            record["segmentation"] = [record["segmentation"]]
    return dict(content)


def _records(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    listed = content.get(key)
    return [record for record in listed if isinstance(record, dict)] if isinstance(listed, list) else []


def _whole_ids(ids: Iterable[Any]) -> dict[Any, int]:
    """Each id as :func:`_key` has it → whole number: its own, or for a text the next one that is free."""
    keys = dict.fromkeys(_key(value) for value in ids if _is_id(value))
    used = {key for key in keys if isinstance(key, int)}
    free = (number for number in itertools.count(1) if number not in used)
    return {key: key if isinstance(key, int) else next(free) for key in keys}


def _is_id(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer() and abs(value) <= _EXACT
    return isinstance(value, str | int) and not isinstance(value, bool)


def _key(value: Any) -> int | str:
    """An id as its number where it is one: 3, 3.0, "3" and "3.0" are the same."""
    if isinstance(value, str):
        text = value.strip()
        return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else text
    return int(value)


def _set_id(record: dict[str, Any], key: str, numbers: Mapping[Any, int]) -> None:
    value = record.get(key)
    if not _is_id(value):
        return
    record[key] = numbers[_key(value)]
    if isinstance(_key(value), str):
        record.setdefault("source_id", value)


def _set_reference(record: dict[str, Any], key: str, numbers: Mapping[Any, int]) -> None:
    value = record.get(key)
    if _is_id(value):
        record[key] = numbers.get(_key(value), value)


def _set_numbers(record: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if key in record:
            record[key] = _number(record[key])


def _number(value: Any) -> Any:
    """The number that a text is; anything else as it is."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    number = float(value)
    return int(value.strip().partition(".")[0]) if _WHOLE.fullmatch(value.strip()) else number


def _is_flat(outline: Any) -> bool:
    if not isinstance(outline, list) or len(outline) < _FEWEST_OUTLINE:
        return False
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in outline)
