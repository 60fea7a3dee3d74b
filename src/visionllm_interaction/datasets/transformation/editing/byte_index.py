"""A COCO file as bytes with an index of where its records are, so that one value can change and no other byte."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Mapping
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visionllm_interaction.errors import AnnotationError

Section = Literal["images", "annotations", "categories"]
SECTIONS: tuple[Section, ...] = ("images", "annotations", "categories")
Span = tuple[int, int]
Ints = NDArray[np.int64]

NO_ID = int(np.iinfo(np.int64).min)
"""Stands in a column of ids for a value that is no integer."""

_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# Strings are matched first, so that a NaN inside one is left alone.
_STRING_OR_NON_FINITE = re.compile(rb'"(?:[^"\\]|\\.)*"|NaN|-?Infinity', re.DOTALL)


_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Keys(msgspec.Struct, gc=False):
    id: _Int64
    image_id: _Int64 = NO_ID
    category_id: _Int64 = NO_ID


class _Named(msgspec.Struct, gc=False):
    file_name: str = ""


_NAMES = msgspec.json.Decoder(list[_Named])
_KEYS_OF_ALL = msgspec.json.Decoder(list[_Keys])
_KEYS = msgspec.json.Decoder(_Keys)
_KEYS_AT_ONCE = 20_000
"""Records whose keys are decoded at a time: all at once would take as much memory as the index itself."""


class CocoBytes:
    """The content of an annotation file; nothing of it is turned into objects before somebody asks.

    ``data`` is the file's content in UTF-8. Python's JSON reader takes what standard JSON forbids (NaN, infinities,
    a byte order mark, UTF-16), and so do we: positions are then found in a copy in which a number of the same length
    stands for each NaN, while values are still read from ``data``.

    Args:
        data: the content of a COCO annotation file.
        where: path of the file, for messages.

    Raises:
        AnnotationError: if it is not a JSON object that holds the three lists of a COCO file.
    """

    def __init__(self, data: bytes | mmap.mmap, *, where: str) -> None:
        self.data = data
        try:
            self._top, self._rows, self._origin = _index(data)
        except _UNREADABLE:
            try:
                raw = bytes(data)
                self.data = raw.decode(json.detect_encoding(raw)).encode()
                self._top, self._rows, self._origin = _index(_without_non_finite(self.data))
            except (*_UNREADABLE, ValueError, KeyError) as error:
                raise _not_coco(str(error), where) from error
        except KeyError as error:
            raise _not_coco(f"no list {error}", where) from error
        self._columns: dict[Section, tuple[Ints, Ints, Ints]] = {}

    def count(self, section: Section) -> int:
        """Number of records in the list."""
        return len(self._rows[section])

    def set_aside(self) -> None:
        """Let the system have the memory of the content back; it is read from the disk again when it is needed."""
        if isinstance(self.data, mmap.mmap):
            self.data.madvise(mmap.MADV_DONTNEED)

    def list_span(self, section: Section) -> Span:
        """Where the list is, brackets included."""
        return self._span(self._top[section])

    def row_span(self, section: Section, row: int) -> Span:
        """Where the record is."""
        return self._span(self._rows[section][row])

    def file_names(self) -> list[str]:
        """``file_name`` of each image, as text; empty where there is none."""
        try:
            return [image.file_name for image in _NAMES.decode(self._top["images"])]
        except _UNREADABLE:
            return [_text(self.field("images", row, "file_name")) for row in range(self.count("images"))]

    def row_bytes(self, section: Section, row: int) -> bytes:
        """The record as it stands in the file."""
        begin, end = self.row_span(section, row)
        return self.data[begin:end]

    def fields(self, section: Section, row: int) -> dict[str, Span]:
        """Key → where its value is; empty if the record is no object."""
        return {key: self._span(value) for key, value in self._decoded(section, row).items()}

    def field(self, section: Section, row: int, key: str) -> bytes | None:
        """The value of a key as it stands in the file; ``None`` if there is none."""
        value = self._decoded(section, row).get(key)
        if value is None:
            return None
        begin, end = self._span(value)
        return self.data[begin:end]

    def _decoded(self, section: Section, row: int) -> dict[str, msgspec.Raw]:
        try:
            return _TOP.decode(self._rows[section][row])
        except _UNREADABLE:
            return {}

    def keys(self, section: Section) -> tuple[Ints, Ints, Ints]:
        """Columns (n,) of ``id``, ``image_id`` and ``category_id``; :data:`NO_ID` where there is no integer."""
        if section not in self._columns:
            rows = self._rows[section]
            columns = np.empty((3, len(rows)), np.int64)
            for at in range(0, len(rows), _KEYS_AT_ONCE):
                keys = _keys_of(rows[at : at + _KEYS_AT_ONCE])
                for column, name in zip(columns, ("id", "image_id", "category_id"), strict=True):
                    column[at : at + len(keys)] = np.fromiter(map(attrgetter(name), keys), np.int64, len(keys))
                if len(rows) > _KEYS_AT_ONCE:
                    self.set_aside()
            self._columns[section] = (columns[0], columns[1], columns[2])
        return self._columns[section]

    def _span(self, raw: msgspec.Raw) -> Span:
        # msgspec's Raw values are views into the buffer that was decoded.
        view = pa.py_buffer(memoryview(raw))
        begin = view.address - self._origin.address
        return begin, begin + view.size


Index = tuple[Mapping[str, msgspec.Raw], Mapping[Section, list[msgspec.Raw]], Any]


def _index(data: bytes | mmap.mmap) -> Index:
    top = _TOP.decode(data)
    return top, {section: _ROWS.decode(top[section]) for section in SECTIONS}, pa.py_buffer(data)


def _without_non_finite(data: bytes) -> bytes:
    return _STRING_OR_NON_FINITE.sub(_stand_in, data)


def _stand_in(match: re.Match[bytes]) -> bytes:
    text = match.group()
    return text if text.startswith(b'"') else text[:1].replace(b"N", b"1").replace(b"I", b"1") + b"1" * (len(text) - 1)


def _keys_of(rows: list[msgspec.Raw]) -> list[_Keys]:
    try:
        return _KEYS_OF_ALL.decode(b"[" + b",".join(rows) + b"]")
    except _UNREADABLE:
        return [_keys_or_none(row) for row in rows]


def _keys_or_none(row: msgspec.Raw) -> _Keys:
    try:
        return _KEYS.decode(row)
    except _UNREADABLE:
        return _Keys(NO_ID)


def _text(value: bytes | None) -> str:
    return "" if value is None else str(json.loads(value))


def _not_coco(found: str, where: str) -> AnnotationError:
    return AnnotationError(
        "The annotation file cannot be transformed.",
        expected="a JSON object with the lists images, annotations and categories",
        found=found,
        where=where,
        fix="export it again; stage 2 says more (JSON-SYNTAX, JSON-SCHEMA)",
    )
