"""COCO files whose ids, numbers or outlines are written otherwise than COCO's own, and mean the same.

VIA writes ``"image_id": "0"`` for the image 0 and outlines without the second bracket; pandas writes ids as ``3.0``;
document stores have texts as ids. Such a file is rewritten: ids become whole numbers, and everything else stays.
"""

from __future__ import annotations

import itertools
import json
import mmap
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from visionllm_interaction.datasets.ingestion.formats.common import decode_json
from visionllm_interaction.errors import AnnotationError

_EXPECTED = "COCO's JSON"
_ANNOTATIONS = re.compile(rb'"annotations"\s*:\s*\[\s*(?=[{\]])')
_IMAGES = re.compile(rb'"images"\s*:\s*\[\s*(?=[{\]])')
_RECORD_BYTES = 1 << 16
_WHOLE = re.compile(r"[-+]?\d{1,18}(?:\.0*)?")
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*")
_FEWEST_OUTLINE = 6
_EXACT = 2.0**53
_IDS = ("id", "image_id", "category_id")
_NUMBERS = ("width", "height", "area", "iscrowd")
_SECTIONS = ("images", "annotations", "categories")
_MAY_BE_ODD = re.compile(
    rb'"(?:(?:id|image_id|category_id)"\s*+:\s*+(?:"|-?\d++[.eE])|(?:width|height|area|iscrowd)"\s*+:\s*+"'
    rb'|bbox"\s*+:\s*+\[[^\]"]*+"|segmentation"\s*+:\s*+\[(?:\s*+[-\d]|(?:[^"{}\]]++|\]\s*+,\s*+(?=\[))*+"))'
)
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
    """Whether some record of a file is written in such a way; ``False`` if the file cannot be read."""
    about = path.stat()
    return _is_odd(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=64)
def _is_odd(path: Path, _mtime_ns: int, size_bytes: int) -> bool:
    if not size_bytes:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not _MAY_BE_ODD.search(data):
            return False
    # What was found may be something else of that name, such as the id of a licence.
    try:
        content = decode_json(path.read_bytes(), dict[str, Any], path=path, expected=_EXPECTED)
    except AnnotationError:
        return False
    return any(_is_odd_record(record) for section in _SECTIONS for record in _records(content, section))


def _is_odd_record(record: Mapping[str, Any]) -> bool:
    outline = record.get("segmentation")
    values = (*(record.get(key) for key in _NUMBERS), *_inner(record.get("bbox")), *_inner(outline))
    return (
        any(isinstance(record.get(key), str | float) for key in _IDS)
        or any(isinstance(value, str) and _NUMBER.fullmatch(value) for value in values)
        or _is_flat(outline)
    )


def _inner(value: Any) -> Iterator[Any]:
    """What a list and the lists in it hold."""
    for one in value if isinstance(value, list) else ():
        yield from one if isinstance(one, list) else (one,)


def notes(paths: Iterable[Path]) -> tuple[str, ...]:
    """How such files were read, in a sentence; nothing if there are none."""
    return (_NOTE,) if any(is_odd(path) for path in paths) else ()


class _Categories(msgspec.Struct):
    categories: Any = None


def category_ids(paths: Sequence[Path]) -> dict[Path, dict[int | str, int]]:
    """The number of each category of a data set's files: categories of one name have one number in all of them.

    Numbers stay, and texts of numbers become these. Other texts become the number that the category of this name has in
    another file, or one that is free in all of them.

    Args:
        paths: the annotation files of the splits.

    Returns:
        File → id, as it is written and as it is read, → number; nothing if no file is written in such a way.
    """
    if not any(is_odd(path) for path in paths):
        return {}
    numbers: dict[Path, dict[str, int]] = {path: {} for path in paths}
    readings: dict[Path, dict[str, int | str]] = {}
    of_name: dict[object, int] = {}
    left: list[tuple[str, Path, str]] = []
    for path in paths:
        names = _category_names(path)
        readings[path] = {str(value): _key(value) for value in names}
        own = _own_numbers(readings[path])
        for value, name in names.items():
            if str(value) in own:
                numbers[path][str(value)] = of_name[name, str(value)] = own[str(value)]
                of_name.setdefault(name, own[str(value)])
            else:
                left.append((str(value), path, name))
    used = {number for of_file in numbers.values() for number in of_file.values()}
    free = (number for number in itertools.count(1) if number not in used)
    # Sorted: the files of train and val may list them in another order.
    for text, path, name in sorted(left):
        # Two categories of one name in a file are told apart by their ids.
        known = [n for key in ((name, text), name) if (n := of_name.get(key)) is not None]
        number = next((n for n in known if n not in numbers[path].values()), None)
        numbers[path][text] = of_name[name, text] = next(free) if number is None else number
        of_name.setdefault(name, numbers[path][text])
    return {path: _also_as_read(of_file, readings[path]) for path, of_file in numbers.items()}


def _category_names(path: Path) -> dict[Any, str]:
    """Id as it is written → name, or the id where there is none; nothing if the file cannot be read."""
    try:
        content = decode_json(path.read_bytes(), _Categories, path=path, expected=_EXPECTED)
    except AnnotationError:
        return {}
    listed = [c for c in _records({"categories": content.categories}, "categories") if _is_id(c.get("id"))]
    return {c["id"]: name if isinstance(name := c.get("name"), str) else str(c["id"]) for c in listed}


def as_coco_writes(content: Mapping[str, Any], of_category: Mapping[int | str, int]) -> dict[str, Any]:
    """The content of a file with ids as whole numbers, numbers as numbers and outlines in two brackets.

    Ids that are texts of numbers become these numbers. Other texts become the numbers that are free, from 1, and the
    record keeps its text as ``source_id``. So do all ids of a kind where two of them would become one number (``1`` and
    ``01``). What cannot be read stays as it is, for stage 2 to name.

    Args:
        content: the decoded file.
        of_category: what :func:`category_ids` has for the file.

    Returns:
        The same, as COCO writes it.
    """
    images, annotations, categories = (_records(content, key) for key in _SECTIONS)
    of_image = _whole_ids([record.get("id") for record in images])
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
        if isinstance(outline := record.get("segmentation"), list):
            outline = [[_number(v) for v in part] if isinstance(part, list) else _number(part) for part in outline]
            record["segmentation"] = [outline] if _is_flat(outline) else outline
    return dict(content)


def _records(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    listed = content.get(key)
    return [record for record in listed if isinstance(record, dict)] if isinstance(listed, list) else []


def _whole_ids(ids: Iterable[Any]) -> dict[int | str, int]:
    """Each id, as it is written and as it is read → its own number, or the next one that is free."""
    readings = {str(value): _key(value) for value in ids if _is_id(value)}
    own = _own_numbers(readings)
    used = set(own.values())
    free = (number for number in itertools.count(1) if number not in used)
    return _also_as_read({text: own[text] if text in own else next(free) for text in readings}, readings)


def _own_numbers(readings: Mapping[str, int | str]) -> dict[str, int]:
    """The ids that are numbers → these; none if two that are written otherwise are one number, as 1 and 01."""
    if len(set(readings.values())) < len(readings):
        return {}
    return {text: key for text, key in readings.items() if isinstance(key, int)}


def _also_as_read(numbers: Mapping[str, int], readings: Mapping[str, int | str]) -> dict[int | str, int]:
    """Numbers by what ids are read as too, where only one is: references may be written otherwise than ids."""
    times = Counter(readings.values())
    pairs: list[tuple[int | str, int]] = [(readings[t], n) for t, n in numbers.items() if times[readings[t]] == 1]
    return dict([*pairs, *numbers.items()])


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


def _set_id(record: dict[str, Any], key: str, numbers: Mapping[int | str, int]) -> None:
    value = record.get(key)
    if not _is_id(value):
        return
    _set_reference(record, key, numbers)
    if record[key] != _key(value):
        record.setdefault("source_id", value)


def _set_reference(record: dict[str, Any], key: str, numbers: Mapping[int | str, int]) -> None:
    value = record.get(key)
    if _is_id(value):
        record[key] = numbers.get(str(value), numbers.get(_key(value), value))


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
    return all(isinstance(_number(value), int | float) and not isinstance(value, bool) for value in outline)
