"""The boxes of an MP4 or MOV file, read without a decoder: only lengths and kinds are looked at.

Source: ISO/IEC 14496-12, section 4.2 (*Object Structure*).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

Content = bytes | mmap.mmap
_MAX_BOXES = 10_000


@dataclass(frozen=True, slots=True)
class Mp4Box:
    """One box: its kind (four bytes), and the places in the file between which its content lies."""

    kind: bytes
    begin: int
    end: int


def child_boxes(content: Content, parent: Mp4Box | None = None) -> Iterator[Mp4Box]:
    """The boxes directly inside another one.

    Args:
        content: the file.
        parent: the box that holds them; None: the file itself.

    Yields:
        The boxes in order. A box whose length is impossible ends the list, so that damaged files end early.
    """
    at, end = (parent.begin, parent.end) if parent is not None else (0, len(content))
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        head = 8
        if size == 1:
            if at + 16 > end:
                return
            size, head = struct.unpack(">Q", content[at + 8 : at + 16])[0], 16
        elif size == 0:  # up to the end
            size = end - at
        if size < head or at + size > end:
            return
        yield Mp4Box(kind, at + head, at + size)
        at += size


def find_box(content: Content, *path: bytes, inside: Mp4Box | None = None) -> Mp4Box | None:
    """The first box along a path of kinds.

    Args:
        content: the file.
        *path: kinds from the outermost inwards, such as ``b"moov", b"udta"``.
        inside: the box in which the path begins; None: the file itself.

    Returns:
        The box, or None if there is none.
    """
    box = inside
    for kind in path:
        box = next((child for child in child_boxes(content, box) if child.kind == kind), None)
        if box is None:
            return None
    return box
