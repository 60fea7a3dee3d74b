"""Unpack tar files, plain or compressed, in one pass."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from visionllm_interaction.datasets.ingestion.sources.extraction_limits import Outlet

_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_LARGEST_HEADER = 1 << 20
_CHUNK = 1 << 20
_BLOCK = 512


class _Counted:
    """The unpacked bytes, read forward only, each counted; what `tarfile` needs of a file and no more."""

    def __init__(self, stream: IO[bytes], outlet: Outlet) -> None:
        self._stream = stream
        self._outlet = outlet
        self._position = 0
        self.last = b""
        """The last piece `tarfile` read: in a complete archive a block of zeros."""

    def read(self, size: int) -> bytes:
        if size > _LARGEST_HEADER:
            # File content is read in smaller pieces; this is a header that wants to be held in memory.
            raise self._outlet.refuse("An archive holds a header that is too large.", found=f"{size} bytes")
        self.last = self._take(size)
        return self.last

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._position += len(data)
        self._outlet.count_bytes(len(data))
        return data

    def seek(self, position: int) -> int:
        if position < self._position:
            raise tarfile.ReadError("the headers point backwards")
        while self._position < position:
            if not self._take(min(position - self._position, _CHUNK)):
                raise tarfile.ReadError("unexpected end of data")
        return self._position

    def tell(self) -> int:
        return self._position

    def drain(self) -> None:
        """Read to the end, where the checksums of compressed files are."""
        while self._take(_CHUNK):
            pass


def unpack_tar(archive: Path, outlet: Outlet) -> None:
    """Write every file of ``archive`` through ``outlet``.

    Args:
        archive: the archive file.
        outlet: writes the entries and enforces the limits.

    Raises:
        ArchiveError: if it is damaged, unsafe or over a limit.
    """
    with outlet.damage_reported(), _open(archive) as stream:
        counted = _Counted(stream, outlet)
        with tarfile.open(fileobj=cast("IO[bytes]", counted), mode="r:") as opened:
            while member := opened.next():
                opened.members = []  # type: ignore[attr-defined]  # or it would remember a million of them
                outlet.count_entry()
                _write(opened, member, outlet)
        if len(counted.last) != _BLOCK or any(counted.last):
            raise tarfile.ReadError("the end is missing or a header is damaged")
        counted.drain()


def _open(archive: Path) -> IO[bytes]:
    with archive.open("rb") as stream:
        head = stream.read(6)
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    return cast("IO[bytes]", opener(archive) if opener else archive.open("rb"))


def _write(opened: tarfile.TarFile, member: tarfile.TarInfo, outlet: Outlet) -> None:
    outlet.place_of(member.name)
    if member.isdir():
        outlet.make_folder(member.name)
        return
    if not member.isreg() or member.issparse():
        raise outlet.refuse(
            "An archive holds a link, a device or a file with holes.",
            expected="files and folders only",
            found=member.name,
        )
    source = opened.extractfile(member)
    assert source is not None, "it is a regular file"
    outlet.write(member.name, source.read, counted=True)
