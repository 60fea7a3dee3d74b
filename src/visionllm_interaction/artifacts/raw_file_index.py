"""The index of raw files (``files.parquet``): size, modification time and digest of each when it was ingested.

A quick check compares sizes and times, and hashes only the files where these differ. A full check hashes every file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from visionllm_interaction.artifacts.image_group_columns import GROUP_COLUMNS
from visionllm_interaction.errors import InputDataError, ManifestError
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

SCHEMA = pa.schema(
    [
        ("split", pa.string()),
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        *((name, pa.string()) for name in GROUP_COLUMNS),
    ]
)


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """One raw file.

    Attributes:
        path: absolute path.
        bytes: size.
        mtime_ns: modification time in nanoseconds since 1970.
        sha256: hex digest.
        width: width in pixels, for images.
        height: height in pixels, for images.
        split: the split of the image folder that holds it; ``None`` for annotation files.
        child: the child, as the owner of the data names it; ``None`` if not given. So are the groups that follow.
        household: the household.
        session: the recording session.
        camera: the camera.
        time: the time within the recording.
    """

    path: str
    bytes: int
    mtime_ns: int
    sha256: str
    width: int | None = None
    height: int | None = None
    split: str | None = None
    child: str | None = None
    household: str | None = None
    session: str | None = None
    camera: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class FileChange:
    """A raw file that differs from the index; ``expected`` and ``found`` are digests or what stands for them."""

    path: str
    kind: Literal["changed", "missing", "new"]
    expected: str | None
    found: str | None


class FileStamp(NamedTuple):
    """By what a changed file is suspected. A whole ``os.stat_result`` takes ten times the memory."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """The stamp in a file's status."""
        return cls(status.st_size, status.st_mtime_ns)


def list_files(folders: Iterable[Path], files: Iterable[Path] = ()) -> list[tuple[str, FileStamp]]:
    """All regular files below ``folders`` plus ``files``, with size and modification time, ordered by path."""
    found = {str(path): FileStamp.of(path.stat()) for path in files}
    for folder in folders:
        found.update((path, status) for path, status in _walk(str(folder)))
    return sorted(found.items())


def _walk(folder: str) -> Iterator[tuple[str, FileStamp]]:
    # scandir rather than rglob: on a folder of 100,000 images it is several times faster.
    with os.scandir(folder) as entries:
        for entry in entries:
            # Links to folders are not followed (they can form a ring); links to files are, broken ones are skipped.
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            elif entry.is_file():
                yield entry.path, FileStamp.of(entry.stat())


def write_index(files: Sequence[IndexedFile], path: Path) -> None:
    """Write the index to ``path`` as Parquet."""
    columns = {name: [getattr(file, name) for file in files] for name in SCHEMA.names}
    pq.write_table(pa.table(columns, schema=SCHEMA), path)


def read_index(path: StrPath) -> list[IndexedFile]:
    """Read an index.

    Args:
        path: ``files.parquet`` of a run.

    Returns:
        The files in the order of the index.

    Raises:
        ManifestError: if it is missing or is not an index.
    """
    path = Path(path)
    try:
        # Not pq.read_table: that imports the dataset machinery and with it pandas, which takes a second.
        with pq.ParquetFile(path) as stream:
            rows: list[dict[str, Any]] = stream.read(columns=SCHEMA.names).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ManifestError(
            "The file index cannot be read.", expected="files.parquet", found=str(error), where=str(path)
        ) from error
    return [IndexedFile(**row) for row in rows]


def quick_changes(index: Sequence[IndexedFile], folders: Iterable[Path], *, workers: int = 4) -> list[FileChange]:
    """Find changes by size and modification time; only files where these differ are hashed.

    Args:
        index: the indexed files.
        folders: image folders, in which new files count as changes.
        workers: threads that hash.

    Returns:
        New files first, then changed and missing ones.
    """
    known = {file.path: file for file in index}
    present = dict(list_files(f for f in folders if f.is_dir()))
    outside = (path for path in known if path not in present)
    present.update((path, FileStamp.of(Path(path).stat())) for path in outside if Path(path).is_file())
    changes = [FileChange(path, "new", None, "a new file") for path in sorted(present.keys() - known.keys())]
    suspects = [file for path, file in known.items() if path not in present or _differs(file, present[path])]
    return changes + full_changes(suspects, workers=workers)


def _differs(file: IndexedFile, stamp: FileStamp) -> bool:
    return (file.bytes, file.mtime_ns) != stamp


def full_changes(index: Sequence[IndexedFile], *, workers: int = 4) -> list[FileChange]:
    """The indexed files that are missing or have another digest; reads every byte."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return [change for change in pool.map(_check, index) if change]


def _check(file: IndexedFile) -> FileChange | None:
    path = Path(file.path)
    if not path.is_file():
        return FileChange(file.path, "missing", file.sha256, None)
    try:
        found = sha256_file(path)
    except InputDataError as error:
        return FileChange(file.path, "changed", file.sha256, error.found)
    return None if found == file.sha256 else FileChange(file.path, "changed", file.sha256, found)
