"""The rules for everything that comes out of an archive, whichever kind it is."""

from __future__ import annotations

import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from visionllm_interaction.datasets.ingestion.config import SPACE_ADVICE, LimitsConfig
from visionllm_interaction.downloads.disk_space import Space, full_disk_reported
from visionllm_interaction.downloads.progress import Report
from visionllm_interaction.errors import ArchiveError

_CHUNK = 1 << 20
_SPACE_CHECK_STEP = 64 << 20
_RATIO_FREE_BYTES = 10_000_000
"""Up to here the ratio does not count: a small archive of plain images may well unpack a thousandfold."""
_LONGEST_NAME, _LONGEST_PART = 1024, 255

_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
    struct.error,
    NotImplementedError,
    RecursionError,
)
"""What the standard library raises on archives that are cut short or made up."""


class Outlet:
    """Where the files of one archive go: names are checked, bytes counted, and only plain files are made."""

    def __init__(self, archive: Path, folder: Path, *, limits: LimitsConfig, space: Space, report: Report) -> None:
        self.archive = archive
        self._folder = folder
        self._space = space
        self._report = report
        self._max_files = limits.max_files
        self._max_bytes = int(limits.max_unpacked_gb * 1e9)
        self._max_by_ratio = max(int(limits.max_ratio * archive.stat().st_size), _RATIO_FREE_BYTES)
        self._ratio = limits.max_ratio
        self._files = 0
        self._bytes = 0
        self._checked_space_at = 0
        self._total: int | None = None
        self._folders: set[PurePosixPath] = set()

    def refuse(self, message: str, *, expected: str | None = None, found: str | None = None) -> ArchiveError:
        """The error to raise: nothing of the archive is kept."""
        return ArchiveError(
            message,
            expected=expected,
            found=found,
            where=str(self.archive),
            fix="get the archive again from where it came; if it is what it should be, raise data.limits",
        )

    def announce(self, total_bytes: int) -> None:
        """Check the declared size before anything is unpacked.

        Args:
            total_bytes: unpacked size that the archive declares.

        Raises:
            ArchiveError: if that is over a limit.
            SpaceError: if it does not fit on the disk.
        """
        self._check_size(total_bytes)
        self._space.require(total_bytes)
        self._total = total_bytes

    def count_entry(self) -> None:
        """Count one file or folder.

        Raises:
            ArchiveError: if it is one too many.
        """
        self._files += 1
        if self._files > self._max_files:
            raise self.refuse(
                "An archive holds too many files.", expected=f"at most {self._max_files}", found="more than that"
            )

    def count_bytes(self, size: int) -> None:
        """Count unpacked bytes before they are written.

        Args:
            size: number of unpacked bytes.

        Raises:
            ArchiveError: if they are over a limit.
            SpaceError: if the disk is about to fill up.
        """
        self._bytes += size
        self._check_size(self._bytes)
        if self._bytes - self._checked_space_at >= _SPACE_CHECK_STEP:
            self._checked_space_at = self._bytes
            self._space.require(0)
        self._report(self.archive.name, self._bytes, self._total)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise self.refuse(
                "An archive unpacks to too much.",
                expected=f"at most {self._max_bytes / 1e9:g} GB",
                found=f"{size / 1e9:.3g} GB or more",
            )
        if size > self._max_by_ratio:
            raise self.refuse(
                "An archive unpacks to far more than its own size; it looks like a bomb.",
                expected=f"at most {self._ratio:g} times its size",
                found=f"{size / max(self.archive.stat().st_size, 1):.0f} times or more",
            )

    def make_folder(self, name: str) -> None:
        """Make the folder an entry names."""
        self._make(self.place_of(name))

    def write(self, name: str, read: Callable[[int], bytes], *, counted: bool = False) -> None:
        """Write the file of one archive entry.

        Args:
            name: name of the entry in the archive.
            read: returns up to the given number of bytes; empty at the end.
            counted: whether the bytes were counted when they were read.

        Raises:
            ArchiveError: if the name leads outside or is taken, or the content is damaged or too much.
        """
        place = self.place_of(name)
        if not place.parts:
            raise self.refuse("An archive holds a file without a name.", found=repr(name))
        self._make(place.parent)
        try:
            with full_disk_reported(self._folder, advice=SPACE_ADVICE), (self._folder / place).open("xb") as out:
                while chunk := self.reading(read, _CHUNK):
                    if not counted:
                        self.count_bytes(len(chunk))
                    out.write(chunk)
        except (FileExistsError, IsADirectoryError) as error:
            raise self.refuse("An archive holds two things of one name.", found=name) from error

    def _make(self, place: PurePosixPath) -> None:
        if place in self._folders:
            return
        try:
            (self._folder / place).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise self.refuse("An archive holds a file and a folder of one name.", found=str(place)) from error
        self._folders.add(place)

    def reading(self, read: Callable[[int], bytes], size: int) -> bytes:
        """Call ``read``; damage becomes an :class:`ArchiveError`."""
        with self.damage_reported():
            return read(size)

    @contextmanager
    def damage_reported(self) -> Iterator[None]:
        """Turn what the standard library says about broken archives into an :class:`ArchiveError`."""
        try:
            yield
        except _DAMAGED as error:
            raise self.refuse(
                "An archive is damaged.",
                expected="a complete zip or tar file",
                found=str(error) or type(error).__name__,
            ) from error

    def place_of(self, name: str) -> PurePosixPath:
        """Map the name of an archive entry to a path below the folder.

        Args:
            name: name of the entry; backslashes separate folders too, as Windows tools write them.

        Returns:
            Path relative to the folder; "." is the folder itself.

        Raises:
            ArchiveError: if the name is absolute, leads outside, or is no name a file can have.
        """
        parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
        absolute = name[:1] in ("/", "\\") or re.match(r"[A-Za-z]:", name)
        if absolute or ".." in parts:
            raise self.refuse(
                "An archive holds a file that would land outside the folder.",
                expected="names below the folder",
                found=name[:200],
            )
        odd = any(ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in name)
        if not name or odd or len(name) > _LONGEST_NAME or any(len(p.encode()) > _LONGEST_PART for p in parts):
            raise self.refuse("An archive holds a file whose name cannot be used.", found=repr(name[:200]))
        return PurePosixPath(*parts)
