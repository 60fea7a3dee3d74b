"""The rules about files on disk that need no decoding: each folder is listed once."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from visionllm_interaction.core.image_decoding import ENDINGS
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import SplitTable
from visionllm_interaction.datasets.validation.rules._issue_builders import image_issue

_REASONS = {
    "FILE-OUTSIDE": "a name below the image folder",
    "FILE-CASE": "the name on disk",
    "FILE-UNICODE": "the name on disk",
    "FILE-MISSING": "a file in the image folder",
    "FILE-EMPTY": "an image",
}


@dataclass(frozen=True)
class Folder:
    """The files of one folder: name → size in bytes; and how to find a name that is written another way."""

    sizes: dict[str, int]
    by_case: dict[str, str] = field(default_factory=dict)
    by_form: dict[str, str] = field(default_factory=dict)

    @classmethod
    def list(cls, path: Path) -> Folder:
        """The folder at ``path``; empty if there is none."""
        try:
            with os.scandir(path) as entries:
                sizes = {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
        except (OSError, ValueError):  # no such folder, or a name no folder can have
            return cls({})
        return cls(
            sizes, {name.casefold(): name for name in sizes}, {unicodedata.normalize("NFC", n): n for n in sizes}
        )


@dataclass(frozen=True)
class Listing:
    """What was found on disk: issues, and the path of each image row that can be opened."""

    issues: list[Issue]
    paths: dict[int, Path]


def check_files(table: SplitTable, folder: Path) -> Listing:
    """FILE-MISSING, FILE-OUTSIDE, FILE-CASE, FILE-UNICODE, FILE-EMPTY and FILE-UNLISTED."""
    folders: dict[Path, Folder] = {}
    issues: list[Issue] = []
    paths: dict[int, Path] = {}
    for row, name in enumerate(table.images.file_names):
        if name is None:
            continue
        code, found = _file_issue(folder, name, folders)
        if code is None:
            paths[row] = folder / name
        else:
            issues.append(image_issue(table, row, code, found=found, expected=_REASONS[code], field="file_name"))
    return Listing(issues + list(_unlisted(table, folder, folders)), paths)


def _file_issue(folder: Path, name: str, folders: dict[Path, Folder]) -> tuple[str | None, str]:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts or "\0" in name:
        return "FILE-OUTSIDE", name
    parent = folder.joinpath(*relative.parts[:-1])
    listed = _listed(parent, folders)
    if relative.name in listed.sizes:
        return ("FILE-EMPTY", f"{name}: 0 bytes") if listed.sizes[relative.name] == 0 else (None, "")
    for code, other in (
        ("FILE-UNICODE", listed.by_form.get(unicodedata.normalize("NFC", relative.name))),
        ("FILE-CASE", listed.by_case.get(relative.name.casefold())),
    ):
        if other:
            return code, f"{name!r}; on disk it is {other!r}"
    return "FILE-MISSING", name


def _listed(folder: Path, folders: dict[Path, Folder]) -> Folder:
    if folder not in folders:
        folders[folder] = Folder.list(folder)
    return folders[folder]


def _unlisted(table: SplitTable, folder: Path, folders: dict[Path, Folder]) -> Iterator[Issue]:
    """Images in the image folder, not below it, that no record names in any way of writing."""
    known = {unicodedata.normalize("NFC", name).casefold() for name in table.images.file_names if name}
    for name in sorted(_listed(folder, folders).sizes):
        written = unicodedata.normalize("NFC", name).casefold()
        if Path(name).suffix.lower() in ENDINGS and written not in known and not name.startswith("."):
            yield Issue("FILE-UNLISTED", table.split, "file", name, "a record in images", file_name=name)
