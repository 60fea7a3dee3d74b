"""Put the files of a data set somewhere else: copies, hard links, or symbolic links beside new annotations."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from visionllm_interaction.artifacts.raw_file_index import list_files
from visionllm_interaction.datasets.ingestion.config import SPACE_ADVICE
from visionllm_interaction.downloads.disk_space import Space, full_disk_reported
from visionllm_interaction.downloads.progress import byte_bars
from visionllm_interaction.errors import InputDataError

Mode = Literal["register", "copy", "hardlink"]
_WORKERS = 4
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Placement:
    """One file and where it goes, relative to the new folder."""

    source: Path
    target: str


def place_files(placements: Sequence[Placement], folder: Path, *, mode: Mode, reserve_bytes: int) -> None:
    """Make ``folder``/target for each placement.

    Args:
        placements: source and target of each file.
        folder: folder that targets are relative to.
        mode: copy, hard link or register (symbolic links).
        reserve_bytes: bytes that must stay free on the disk.

    Raises:
        InputDataError: if hard links cannot be made between the two places.
        SpaceError: if copies do not fit on the disk.
    """
    sizes = {place.source: place.source.stat().st_size for place in placements}
    total = sum(sizes.values())
    if mode == "copy":
        Space(folder, reserve_bytes=reserve_bytes, advice=SPACE_ADVICE).require(total)
    for parent in {str(Path(place.target).parent) for place in placements}:
        (folder / parent).mkdir(parents=True, exist_ok=True)
    put = _PUT[mode]
    done = 0
    with (
        byte_bars() as report,
        full_disk_reported(folder, advice=SPACE_ADVICE),
        ThreadPoolExecutor(max_workers=_WORKERS) as pool,
    ):
        for begin in range(0, len(placements), _BATCH):
            batch = placements[begin : begin + _BATCH]
            list(pool.map(lambda place: put(place.source, folder / place.target), batch))
            done += sum(sizes[place.source] for place in batch)
            report(mode, done, total)


def placements_of(folders: Mapping[str, Path], files: Sequence[Path], *, root: Path) -> list[Placement]:
    """Where the files of a data set go when it keeps its layout."""
    names = [name for name, _ in list_files(folders.values(), files)]
    return [Placement(Path(name), str(Path(name).relative_to(root))) for name in names]


def _copy(source: Path, target: Path) -> None:
    shutil.copy2(source, target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        raise InputDataError(
            "A hard link cannot be made.",
            expected="a work_dir on the same file system as the data, with hard links",
            found=error.strerror,
            where=f"{source} → {target}",
            fix="set data.mode to copy, or data.work_dir to a folder on the disk of the data",
        ) from error


def _point(source: Path, target: Path) -> None:
    target.symlink_to(source)


_PUT: dict[Mode, Callable[[Path, Path], None]] = {"register": _point, "copy": _copy, "hardlink": _link}
