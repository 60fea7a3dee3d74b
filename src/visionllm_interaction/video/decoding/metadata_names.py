"""Names of what a container holds beside images and sound: tags, chapters, data tracks, subtitles, attached images.

Only names are collected, never values: a list of what a copy no longer holds must not itself say where and when the
video was recorded.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visionllm_interaction.video.decoding.mp4_boxes import Content, Mp4Box, child_boxes, find_box
from visionllm_interaction.video.decoding.stream_selection import is_still

_MAX_NAMES = 200
_MAX_LETTERS = 60
STRUCTURAL_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "language"})
"""Tags that say how a file is built, and nothing about who made it where."""


def metadata_names(container: Any, *, kept: tuple[int, ...]) -> list[str]:
    """Name what an open container holds beside the streams that are kept.

    Args:
        container: the open PyAV container.
        kept: indices of the streams that are kept.

    Returns:
        Names in the order of the file, such as ``location``, ``chapters (3)``, ``data stream 2``; each once.
    """
    return list(dict.fromkeys(_names(container, kept)))[:_MAX_NAMES]


def _names(container: Any, kept: tuple[int, ...]) -> Iterator[str]:
    yield from _tags(container.metadata)
    chapters = container.chapters()
    if chapters:
        yield f"chapters ({len(chapters)})"
    for stream in container.streams:
        yield from _tags(stream.metadata)
        if stream.index not in kept:
            yield _stream_name(stream)


def _tags(metadata: dict[str, str]) -> Iterator[str]:
    yield from (_printable(name) for name in metadata if name.lower() not in STRUCTURAL_TAGS)


def _stream_name(stream: Any) -> str:
    if stream.type == "video":
        return "attached image" if is_still(stream) else f"video stream {stream.index}"
    if stream.type == "audio":
        return f"audio stream {stream.index}"
    return f"{stream.type} stream {stream.index}"


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_LETTERS].strip()


def user_data_names(path: Path) -> list[str]:
    """Name the boxes of user data and the data tracks of an MP4 or MOV file.

    Cameras keep serial numbers, places and settings there, of which a decoder tells nothing.

    Args:
        path: the video file.

    Returns:
        Names such as ``user data HMMT`` and ``data track gpmd``; none for a file of another kind.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        movie = find_box(content, b"moov")
        parts = list(child_boxes(content, movie)) if movie is not None else []
        tracks = [part for part in parts if part.kind == b"trak"]
        found = ["user data uuid" for box in (*child_boxes(content), *parts) if box.kind == b"uuid"]
        for holder in (*parts, *(part for track in tracks for part in child_boxes(content, track))):
            if holder.kind == b"udta":
                found += [f"user data {_letters(box.kind)}" for box in child_boxes(content, holder)]
            elif holder.kind == b"meta":
                found.append("user data meta")
        found += [f"data track {kind}" for track in tracks if (kind := _kind_of_data(content, track))]
    return list(dict.fromkeys(found))[:_MAX_NAMES]


def _kind_of_data(content: Content, track: Mp4Box) -> str:
    """What a track holds, in four letters; empty for images and sound."""
    handler = find_box(content, b"mdia", b"hdlr", inside=track)
    entries = find_box(content, b"mdia", b"minf", b"stbl", b"stsd", inside=track)
    if handler is None or entries is None or content[handler.begin + 8 : handler.begin + 12] in (b"vide", b"soun"):
        return ""
    return _letters(content[entries.begin + 12 : entries.begin + 16])


def _letters(kind: bytes) -> str:
    return _printable(kind.decode("latin-1"))
