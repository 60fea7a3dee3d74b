"""Cut a large annotation file into pieces that can be decoded on their own, without reading it first.

The cuts are guesses (where a record like the first one begins), and each guess is proven later: the file with the
annotations replaced by a mark must be valid JSON, and each piece must be a valid list. A cut inside a text or inside
a nested list leaves a piece that is neither, so a wrong guess is noticed and the file is read as a whole.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

_MARK = b'"\\u0001annotations were here"'
_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PIECE = msgspec.json.Decoder(list[msgspec.Raw])
_START = re.compile(rb'"annotations"\s*:\s*\[')
_FIRST_KEY = re.compile(rb'\s*\{\s*("(?:[^"\\]|\\.){1,64}"\s*:)')
_WINDOW = 1 << 20
_TAIL = 1 << 16
_MOST_ENDS = 200


@dataclass(frozen=True)
class Slices:
    """A file in pieces: its keys other than the annotations, raw; and where pieces of the annotations lie."""

    rest: dict[str, msgspec.Raw]
    places: tuple[tuple[str, int, int], ...]


def cut(path: Path, *, piece_bytes: int) -> Slices | None:
    """Pieces of about ``piece_bytes``; ``None`` if the file does not look like one that can be cut.

    Raises:
        OSError: if the file cannot be read.
    """
    if not path.stat().st_size:
        return None
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        opening = _START.search(data)
        first = opening and _FIRST_KEY.match(data, opening.end())
        if not opening or not first:
            return None
        boundary = re.compile(rb"\}\s*(,)\s*\{\s*" + re.escape(first[1]))
        found = _closing(data, opening.end(), boundary)
        if found is None:
            return None
        rest, end = found
        cuts = _cuts(data, opening.end(), end, boundary=boundary, piece_bytes=piece_bytes)
    edges = [opening.end(), *cuts, end]
    places = tuple((str(path), a + (n > 0), b) for n, (a, b) in enumerate(pairwise(edges)))
    return Slices(rest, places)


def _cuts(data: mmap.mmap, begin: int, end: int, *, boundary: re.Pattern[bytes], piece_bytes: int) -> list[int]:
    """Places of the commas to cut at."""
    cuts: list[int] = []
    at = begin + piece_bytes
    while at < end:
        match = boundary.search(data, at, min(at + _WINDOW, end))
        if match is None:
            break
        cuts.append(match.start(1))
        at = match.start(1) + piece_bytes
    return cuts


def _closing(data: mmap.mmap, begin: int, boundary: re.Pattern[bytes]) -> tuple[dict[str, msgspec.Raw], int] | None:
    """The file's other keys and the place of the bracket that ends the annotations."""
    head = data[: begin - 1]
    end = len(data)
    for _ in range(_MOST_ENDS):
        end = data.rfind(b"]", begin, end)
        if end < 0:
            return None
        if _may_close(data, end) and _ends_a_record(data, begin, end, boundary):
            rest = _decode_top(head + _MARK + data[end + 1 :])
            if rest is not None:
                return rest, end
    return None


def _may_close(data: mmap.mmap, end: int) -> bool:
    return data[max(0, end - 64) : end].rstrip()[-1:] == b"}" and data[end + 1 : end + 64].lstrip()[:1] in (b",", b"}")


def _ends_a_record(data: mmap.mmap, begin: int, end: int, boundary: re.Pattern[bytes]) -> bool:
    """Whether the last records before the bracket ``end`` are whole."""
    starts = [match.end(1) for match in boundary.finditer(data, max(begin, end - _TAIL), end)]
    if not starts:
        return end - begin < _TAIL
    last = data[starts[-1] : end]
    try:
        _PIECE.decode(b"[" + last + b"]")
    except msgspec.DecodeError:
        return b"NaN" in last
    return True


def _decode_top(skeleton: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        rest = _TOP.decode(skeleton)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    mark = rest.pop("annotations", None)
    return rest if mark is not None and bytes(mark) == _MARK else None
