"""Looks for names and digests in every byte below a folder: files, names of files, targets of links."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def find_bytes(folder: Path, needles: Sequence[bytes]) -> list[str]:
    """Where one of some texts occurs below a folder, in any letter case.

    Args:
        folder: the folder.
        needles: the texts.

    Returns:
        ``PATH: TEXT`` for each hit.
    """
    wanted = [needle.lower() for needle in needles]
    hits: list[str] = []
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root) / name
            told = bytes(path).removeprefix(bytes(folder))
            if path.is_symlink():
                told += b" " + bytes(path.readlink())
            elif path.is_file():
                told += b"\0" + path.read_bytes()
            hits += [f"{path}: {needle!r}" for needle in wanted if needle in told.lower()]
    return hits
