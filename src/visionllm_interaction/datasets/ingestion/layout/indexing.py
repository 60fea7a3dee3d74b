"""Hash the raw files and read the size of the images among them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path

from PIL import Image

from visionllm_interaction.artifacts.file_index import IndexedFile, list_files
from visionllm_interaction.core.images import DAMAGED
from visionllm_interaction.utils.hashing import sha256_file


def scan_files(folders: Mapping[str, Path], files: Iterable[Path], *, workers: int = 4) -> list[IndexedFile]:
    """Index every file below ``folders`` (split → folder) and each of ``files``, ordered by path; never writes."""
    listed: list[tuple[str, os.stat_result, str | None]] = [(*entry, None) for entry in list_files((), files)]
    listed += [(*entry, split) for split, folder in folders.items() for entry in list_files([folder])]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(_indexed, sorted(listed, key=itemgetter(0))))


def _indexed(listed: tuple[str, os.stat_result, str | None]) -> IndexedFile:
    name, status, split = listed
    path = Path(name)
    width, height = picture_size(path)
    return IndexedFile(name, status.st_size, status.st_mtime_ns, sha256_file(path), width, height, split)


def picture_size(path: Path) -> tuple[int | None, int | None]:
    """Width and height in pixels from the file's header, or ``(None, None)`` if it is no image."""
    if path.suffix.lower() == ".json":
        return None, None
    try:
        with Image.open(path) as image:
            return image.width, image.height
    except DAMAGED:  # stage 2 judges them, stage 1 only notes what is there
        return None, None
