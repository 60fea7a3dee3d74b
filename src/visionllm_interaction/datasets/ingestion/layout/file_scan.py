"""Hash the raw files and read the size of the images among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from operator import itemgetter
from pathlib import Path

from PIL import Image

from visionllm_interaction.artifacts.raw_file_index import FileStamp, IndexedFile, list_files
from visionllm_interaction.core.image_decoding import DAMAGED, ORIENTATION
from visionllm_interaction.utils.hashing import sha256_file

_ListedFile = tuple[str, FileStamp, str | None]
_BLOCK_FILES = 64
_LYING = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""


def scan_files(folders: Mapping[str, Path], files: Iterable[Path], *, workers: int = 4) -> list[IndexedFile]:
    """Index every file below ``folders`` (split → folder) and each of ``files``, ordered by path; never writes."""
    listed: list[_ListedFile] = [(*entry, None) for entry in list_files((), files)]
    listed += [(*entry, split) for split, folder in folders.items() for entry in list_files([folder])]
    listed.sort(key=itemgetter(0))
    # Many files at a time: a future of its own for each takes more memory than its entry in the index.
    blocks = [listed[at : at + _BLOCK_FILES] for at in range(0, len(listed), _BLOCK_FILES)]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(chain.from_iterable(pool.map(_indexed, blocks)))


def _indexed(listed: Sequence[_ListedFile]) -> list[IndexedFile]:
    return [_index_entry(Path(name), stamp, split) for name, stamp, split in listed]


def _index_entry(path: Path, stamp: FileStamp, split: str | None) -> IndexedFile:
    width, height = image_size(path)
    return IndexedFile(str(path), stamp.size, stamp.mtime_ns, sha256_file(path), width, height, split)


def image_size(path: Path) -> tuple[int | None, int | None]:
    """Width and height in pixels from the file's header, or ``(None, None)`` if it is no image."""
    if path.suffix.lower() == ".json":
        return None, None
    try:
        with Image.open(path) as image:
            return image.width, image.height
    except DAMAGED:  # stage 2 judges them, stage 1 only notes what is there
        return None, None


def upright_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels as people see the image, turned as its EXIF tag says; ``None`` if it is none.

    Annotation tools show images upright, so this is what their coordinates refer to.
    """
    width, height = image_size(path)
    if width is None or height is None:
        return None
    return (height, width) if exif_orientation(path) in _LYING else (width, height)


def exif_orientation(path: Path) -> int:
    """The EXIF orientation a reader still has to apply; 1 is upright, as are images without the tag."""
    try:
        with Image.open(path) as image:
            # Pillow turns TIFF itself.
            found = 1 if image.format == "TIFF" else image.getexif().get(ORIENTATION)
    except DAMAGED:
        return 1
    return found if isinstance(found, int) and found in range(1, 9) else 1
