"""Cut a large annotation file into pieces that can be decoded on their own, without reading it first.

Where the list of annotations ends, and where a comma parts two of its records, is found by looking at few places only:
at each, one whole record is read and must be an annotation. Whatever stands before and behind the list, in any order
and of any size, must be valid JSON with a mark in the list's place. A guess that is wrong all the same leaves a piece
that is no list: it is noticed when the piece is decoded, and the end of the list is sought again, before that place.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import msgspec

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MARK = b'"\\u0001annotations were here"'
_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_START = re.compile(rb'"annotations"\s*:\s*\[')
_RECORD = re.compile(rb"\s*\{\s*\"")
_COMMA = re.compile(rb"\}\s*(,)\s*\{\s*\"")
_END = re.compile(rb"\}\s*(\])(?=\s*[,}])")  # the brace that follows may end a record before the list's own bracket
_ANNOTATION_KEY = "image_id"
_WINDOW = 1 << 20
_OVERLAP = 1 << 10
_TAILS = (1 << 12, 1 << 16, 1 << 24)
"""How far before a bracket the beginning of the record before it is sought."""
_FEW_ENDS, _MOST_ENDS = 20, 2000
"""For how many brackets it is sought far, and at all: a broken file may have a million that end something else."""
_RECORD_BYTES = (1 << 14, 1 << 18, 1 << 24)
"""How much is read in search of a record's end: most are short, few have a million numbers."""
_MOST_STARTS = 100


@dataclass(frozen=True)
class Slices:
    """A file in pieces.

    Attributes:
        rest: its keys other than the annotations, raw: views of ``around``.
        places: path, begin and end of the pieces of the list of annotations.
        around: the file without the list of annotations and a byte order mark; a mark stands in the list's place.
        first_byte: where the JSON begins: behind the byte order mark, if there is one.
    """

    rest: dict[str, msgspec.Raw]
    places: tuple[tuple[str, int, int], ...]
    around: bytes
    first_byte: int


def cut(path: Path, *, piece_bytes: int, before: int | None = None) -> Slices | None:
    """Cut an annotation file into chunks for parallel decoding.

    Args:
        path: the annotation file.
        piece_bytes: approximate size of a chunk in bytes.
        before: byte offset before which the list of annotations must end, if an earlier guess was too late.

    Returns:
        The byte ranges of the chunks; ``None`` if the file cannot be cut.

    Raises:
        OSError: if the file cannot be read.
    """
    if not path.stat().st_size:
        return None
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for opening in islice(_START.finditer(data), _MOST_STARTS):
            begin = opening.end()
            found = _closing(data, begin, len(data) if before is None else before)
            if found is not None:
                rest, around, end = found
                edges = [begin, *_cuts(data, begin, end, piece_bytes=piece_bytes), end]
                places = tuple((str(path), a + (n > 0), b) for n, (a, b) in enumerate(pairwise(edges)))
                first_byte = len(BYTE_ORDER_MARK) if data[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK else 0
                return Slices(rest, places, around, first_byte)
    return None


def _cuts(data: mmap.mmap, begin: int, end: int, *, piece_bytes: int) -> Iterator[int]:
    """Places of the commas to cut at: each is followed by a whole annotation."""
    at = begin + piece_bytes
    while at < end:
        commas = (match.start(1) for match in _COMMA.finditer(data, at, end))
        place = next((comma for comma in commas if _annotation_at(data, comma + 1, end)), None)
        if place is None:
            return
        yield place
        at = place + piece_bytes


def _closing(data: mmap.mmap, begin: int, before: int) -> tuple[dict[str, msgspec.Raw], bytes, int] | None:
    """The file's other keys, the text they are in, and the place of the bracket that ends the annotations."""
    if not _RECORD.match(data, begin):
        return None
    head = data[: begin - 1].removeprefix(BYTE_ORDER_MARK)
    for number, end in enumerate(islice(_ends(data, begin, before), _MOST_ENDS)):
        if _follows_annotation(data, begin, end, tails=_TAILS if number < _FEW_ENDS else _TAILS[:-1]):
            around = b"".join((head, _MARK, data[end + 1 :]))
            rest = _decode_top(around)
            if rest is not None:
                return rest, around, end
    return None


def _ends(data: mmap.mmap, begin: int, before: int) -> Iterator[int]:
    """Brackets that may end a list of records, the last one first."""
    high = before
    while high > begin:
        low = max(begin, high - _WINDOW)
        reach = min(high + _OVERLAP, len(data))  # what follows the bracket may lie behind the window
        found = [match.start(1) for match in _END.finditer(data, max(begin, low - _OVERLAP), reach)]
        yield from (end for end in reversed(found) if low <= end < high)
        high = low


def _follows_annotation(data: mmap.mmap, begin: int, end: int, *, tails: tuple[int, ...]) -> bool:
    """Whether the record that ends just before the bracket ``end`` is an annotation; ``tails``: how far to look."""
    alone = data.rfind(b"[", max(begin, end - tails[0]), end) + 1
    if alone and _ends_at(data, alone, end):
        return _annotation_at(data, alone, end)  # the only record of a list within another record
    for tail in tails:
        low = max(begin, end - tail)
        starts = [match.end(1) for match in _COMMA.finditer(data, low, end)]
        for start in reversed(starts[-_MOST_STARTS:]):
            if _ends_at(data, start, end):
                return _annotation_at(data, start, end)
        if low == begin:  # perhaps it is the only record
            return _ends_at(data, begin, end) and _annotation_at(data, begin, end)
    return False


def _annotation_at(data: mmap.mmap, at: int, end: int) -> bool:
    record = _record(data, at, end)
    return record is not None and _ANNOTATION_KEY in record[0]


def _ends_at(data: mmap.mmap, at: int, end: int) -> bool:
    """Whether one record, and nothing but blanks, is between two places."""
    record = _record(data, at, end)
    return record is not None and not data[record[1] : end].strip()


def _record(data: mmap.mmap, at: int, end: int) -> tuple[dict[str, object], int] | None:
    """The object that begins at ``at``, and where it ends; ``None`` if there is none before ``end``."""
    for size in _RECORD_BYTES:
        text = data[at : min(at + size, end)].decode("utf-8", errors="surrogateescape")
        blank = len(text) - len(text.lstrip())
        try:
            content, stop = _DECODER.raw_decode(text, blank)
        except (ValueError, RecursionError):
            if at + size >= end:
                return None
            continue
        length = len(text[:stop].encode("utf-8", errors="surrogateescape"))
        return (content, at + length) if isinstance(content, dict) else None
    return None


_DECODER = json.JSONDecoder()


def _decode_top(skeleton: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        if not skeleton.isascii():
            skeleton.decode("utf-8")  # of values nobody looks at, a decoder of JSON does not say whether they are text
        rest = _TOP.decode(skeleton)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    mark = rest.pop("annotations", None)
    return rest if mark is not None and bytes(mark) == _MARK else None
