"""A COCO file as bytes with an index of where its records are, so that one value can change and no other byte."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visionllm_interaction.datasets.validation.reading.chunking import cut
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
_BLANKS = np.frombuffer(b" \t\r\n", np.uint8)
_PIECE_BYTES = 8 << 20
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
        index: where its lists and records are, if that is known already.

    Raises:
        AnnotationError: if it is not a JSON object that holds the three lists of a COCO file.
    """

    def __init__(self, data: bytes | mmap.mmap, *, where: str, index: Index | None = None) -> None:
        self.data = self._searched = data
        try:
            self._index = index or index_whole(data)
        except _UNREADABLE:
            try:
                raw = bytes(data)
                self.data = raw.decode(json.detect_encoding(raw)).encode()
                self._searched = _without_non_finite(self.data)
                self._index = index_whole(self._searched)
            except (*_UNREADABLE, ValueError, KeyError) as error:
                raise _not_coco(str(error), where) from error
        except KeyError as error:
            raise _not_coco(f"no list {error}", where) from error
        self._columns: dict[Section, tuple[Ints, Ints, Ints]] = {}

    @classmethod
    def open(cls, path: Path) -> CocoBytes:
        """A file, read from the disk where and when it is needed: of a large one little is in memory at a time.

        Args:
            path: the annotation file.

        Returns:
            Its content.

        Raises:
            OSError: if it cannot be read.
            AnnotationError: as for the class.
        """
        with path.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
        return cls(data, where=str(path), index=index_pieces(data, path) if isinstance(data, mmap.mmap) else None)

    def count(self, section: Section) -> int:
        """Number of records in the list."""
        return len(self._index.rows[section])

    def set_aside(self) -> None:
        """Let the system have the memory of the content back; it is read from the disk again when it is needed."""
        if isinstance(self.data, mmap.mmap):
            self.data.madvise(mmap.MADV_DONTNEED)

    def list_span(self, section: Section) -> Span:
        """Where the list is, brackets included."""
        return self._index.lists[section]

    def row_span(self, section: Section, row: int) -> Span:
        """Where the record is."""
        begin, end = self._index.rows[section][row].tolist()
        return begin, end

    def file_names(self) -> list[str]:
        """``file_name`` of each image, as text; empty where there is none."""
        begin, end = self.list_span("images")
        try:
            return [image.file_name for image in _NAMES.decode(self._searched[begin:end])]
        except _UNREADABLE:
            return [_text(self.field("images", row, "file_name")) for row in range(self.count("images"))]

    def row_bytes(self, section: Section, row: int) -> bytes:
        """The record as it stands in the file."""
        begin, end = self.row_span(section, row)
        return self.data[begin:end]

    def fields(self, section: Section, row: int) -> dict[str, Span]:
        """Key → where its value is; empty if the record is no object."""
        first, final = self.row_span(section, row)
        record = self._searched[first:final]
        try:
            values = _TOP.decode(record)
        except _UNREADABLE:
            return {}
        at = first - _address(record)
        return {key: (at + _address(value), at + _address(value) + len(value)) for key, value in values.items()}

    def field(self, section: Section, row: int, key: str) -> bytes | None:
        """The value of a key as it stands in the file; ``None`` if there is none."""
        span = self.fields(section, row).get(key)
        return None if span is None else self.data[span[0] : span[1]]

    def keys(self, section: Section) -> tuple[Ints, Ints, Ints]:
        """Columns (n,) of ``id``, ``image_id`` and ``category_id``; :data:`NO_ID` where there is no integer."""
        if section not in self._columns:
            spans = self._index.rows[section]
            columns = np.empty((3, len(spans)), np.int64)
            for at in range(0, len(spans), _KEYS_AT_ONCE):
                keys = self._keys_of(spans[at : at + _KEYS_AT_ONCE])
                for column, name in zip(columns, ("id", "image_id", "category_id"), strict=True):
                    column[at : at + len(keys)] = np.fromiter(map(attrgetter(name), keys), np.int64, len(keys))
                if len(spans) > _KEYS_AT_ONCE:
                    self.set_aside()
            self._columns[section] = (columns[0], columns[1], columns[2])
        return self._columns[section]

    def _keys_of(self, spans: Ints) -> list[_Keys]:
        begin, end = int(spans[0, 0]), int(spans[-1, 1])
        try:
            return _KEYS_OF_ALL.decode(b"".join((b"[", self._searched[begin:end], b"]")))
        except _UNREADABLE:
            return [_keys_or_none(self._searched[first:final]) for first, final in spans.tolist()]


@dataclass(frozen=True, eq=False)
class Index:
    """Where the lists of a COCO file are, brackets included, and where each of their records is, (n, 2)."""

    lists: Mapping[Section, Span]
    rows: Mapping[Section, Ints]


def index_whole(data: bytes | mmap.mmap) -> Index:
    """Find all lists and records of a file's content.

    Args:
        data: the content of a COCO annotation file.

    Returns:
        Their places.

    Raises:
        KeyError: if one of the lists is missing.
        msgspec.DecodeError: if it is no JSON object with lists.
    """
    top, at = _TOP.decode(data), _address(data)
    lists = {
        section: (_address(top[section]) - at, _address(top[section]) - at + len(top[section])) for section in SECTIONS
    }
    rows = {section: _row_spans(top[section], _ROWS.decode(top[section])) + lists[section][0] for section in SECTIONS}
    return Index(lists, rows)


def index_pieces(data: mmap.mmap, path: Path) -> Index | None:
    """Find all lists and records of a large file piece by piece, so that only one piece is in memory at a time.

    Args:
        data: its content, mapped.
        path: the file.

    Returns:
        Their places; ``None`` if it cannot be cut, whatever the reason: then it has to be read as a whole.
    """
    slices = cut(path, piece_bytes=_PIECE_BYTES)
    if slices is None or slices.first_byte:
        return None
    begin, end = slices.places[0][1] - 1, slices.places[-1][2] + 1
    around = _address(slices.around)
    lists: dict[Section, Span] = {"annotations": (begin, end)}
    rows: dict[Section, Ints] = {}
    try:
        for section in ("images", "categories"):
            raw = slices.rest[section]
            first = _address(raw) - around
            if first > begin:  # it stands behind the annotations, whose place a mark has taken
                first += len(data) - len(slices.around)
            lists[section] = (first, first + len(raw))
            rows[section] = _row_spans(raw, _ROWS.decode(raw)) + first
        rows["annotations"] = np.concatenate([_piece_spans(data, *place[1:]) for place in slices.places])
    except (*_UNREADABLE, KeyError):
        return None
    return Index(lists, rows)


def _piece_spans(data: mmap.mmap, begin: int, end: int) -> Ints:
    """Where the records between two places are, (n, 2), in the whole content."""
    piece = b"".join((b"[", data[begin:end], b"]"))
    data.madvise(mmap.MADV_DONTNEED)
    return _row_spans(piece, _ROWS.decode(piece)) + (begin - 1)


def _row_spans(text: bytes | msgspec.Raw, rows: list[msgspec.Raw]) -> Ints:
    """Where the records (n, 2) are in the JSON list that they were decoded from."""
    if not rows:
        return np.zeros((0, 2), np.int64)
    # msgspec's Raw values are views into the buffer that was decoded.
    at = _address(text)
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    apart = _address(rows[1]) - _address(rows[0]) - len(rows[0]) if len(rows) > 1 else 0
    begins = np.cumsum(lengths + apart) - (lengths + apart) + (_address(rows[0]) - at)
    if not _are_separators(np.frombuffer(text, np.uint8), (begins + lengths)[:-1], apart):
        begins = np.fromiter((_address(row) - at for row in rows), np.int64, len(rows))
    return np.stack([begins, begins + lengths], axis=1)


def _are_separators(text: NDArray[np.uint8], places: Ints, length: int) -> bool:
    """Whether just ``length`` bytes, a comma and blanks, stand at each of the places."""
    if not len(places):
        return True
    if places[-1] + length >= len(text):
        return False
    marks = text[places[:, None] + np.arange(length + 1)]
    commas, blanks = marks == ord(","), np.isin(marks, _BLANKS)
    return bool(
        (commas.sum(axis=1) == 1).all() and (commas | blanks)[:, :-1].all() and not (commas | blanks)[:, -1].any()
    )


def _address(buffer: bytes | mmap.mmap | msgspec.Raw) -> int:
    return int(pa.py_buffer(memoryview(buffer)).address)


def _without_non_finite(data: bytes) -> bytes:
    return _STRING_OR_NON_FINITE.sub(_stand_in, data)


def _stand_in(match: re.Match[bytes]) -> bytes:
    text = match.group()
    return text if text.startswith(b'"') else text[:1].replace(b"N", b"1").replace(b"I", b"1") + b"1" * (len(text) - 1)


def _keys_or_none(row: bytes) -> _Keys:
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
