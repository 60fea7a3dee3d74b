"""Unpack zip files."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from visionllm_interaction.datasets.ingestion.sources.extraction_limits import Outlet

_END, _END64_LOCATOR, _END64, _CENTRAL = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06", b"PK\x01\x02"
_END_SIZE, _LOCATOR_SIZE, _CENTRAL_SIZE, _LOCAL_SIZE = 22, 20, 46, 30
_LONGEST_COMMENT = 65_535
# Only these: the standard library decompresses bzip2 and LZMA members without a bound on memory.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def unpack_zip(archive: Path, outlet: Outlet) -> None:
    """Write every file of ``archive`` through ``outlet``.

    Args:
        archive: the archive file.
        outlet: writes the entries and enforces the limits.

    Raises:
        ArchiveError: if it is damaged, unsafe or over a limit.
    """
    with archive.open("rb") as stream:
        with outlet.damage_reported():
            # Counted here first: the standard library would build a million entries before anyone can object.
            begin, size = _central_directory(stream)
        _count_entries(stream, begin, size, outlet)
        with outlet.damage_reported():
            opened = zipfile.ZipFile(stream)
        with opened:
            entries = opened.infolist()
            _check(entries, opened.start_dir, outlet)
            outlet.announce(sum(entry.file_size for entry in entries))
            for entry in entries:
                _write(opened, entry, outlet)


def _central_directory(stream: BinaryIO) -> tuple[int, int]:
    """Offset and size in bytes of the list of entries (APPNOTE 6.3.10, sections 4.3.14-4.3.16)."""
    length = stream.seek(0, 2)
    tail_begin = max(length - _END_SIZE - _LONGEST_COMMENT, 0)
    stream.seek(tail_begin)
    tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise zipfile.BadZipFile("the end is missing: the file was cut short")
    size, offset = struct.unpack_from("<LL", tail, at + 12)
    end = tail_begin + at
    if 0xFFFFFFFF in (size, offset) and end >= _LOCATOR_SIZE:
        stream.seek(end - _LOCATOR_SIZE)
        signature, _, end64, _ = struct.unpack("<4sLQL", stream.read(_LOCATOR_SIZE))
        if signature == _END64_LOCATOR:
            stream.seek(end64)
            record = stream.read(56)
            if record[:4] != _END64:
                raise zipfile.BadZipFile("the end record is damaged")
            size = struct.unpack_from("<Q", record, 40)[0]
            end = end64
    if size > end:
        raise zipfile.BadZipFile("the list of files is said to be longer than the archive")
    return end - size, size  # not the offset told: something may stand before the archive


def _count_entries(stream: BinaryIO, begin: int, size: int, outlet: Outlet) -> None:
    stream.seek(begin)
    left = size
    while left >= _CENTRAL_SIZE:
        header = stream.read(_CENTRAL_SIZE)
        if header[:4] != _CENTRAL or len(header) < _CENTRAL_SIZE:
            break  # the standard library says what is wrong here
        variable = sum(struct.unpack_from("<HHH", header, 28))
        stream.seek(variable, 1)
        left -= _CENTRAL_SIZE + variable
        outlet.count_entry()


def _check(entries: Sequence[zipfile.ZipInfo], directory_begin: int, outlet: Outlet) -> None:
    for entry in entries:
        outlet.place_of(entry.filename)
        if entry.flag_bits & 0x1:
            raise outlet.refuse("An archive is encrypted.", expected="no password", found=entry.filename)
        if entry.compress_type not in _METHODS:
            raise outlet.refuse(
                "An archive is packed in a way that is not supported.",
                expected="stored or deflated files",
                found=f"method {entry.compress_type} for {entry.filename}",
            )
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise outlet.refuse(
                "An archive holds a link or a device.", expected="files and folders only", found=entry.filename
            )
    _check_overlap(entries, directory_begin, outlet)


def _check_overlap(entries: Sequence[zipfile.ZipInfo], directory_begin: int, outlet: Outlet) -> None:
    """Bytes that serve several entries are how small archives unpack to petabytes."""
    spans = sorted((e.header_offset, e.header_offset + _LOCAL_SIZE + e.compress_size) for e in entries)
    for (_, end), (begin, _) in pairwise([*spans, (directory_begin, directory_begin)]):
        if end > begin:
            raise outlet.refuse("Files in an archive overlap; it looks like a bomb.", expected="bytes of one file each")


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, outlet: Outlet) -> None:
    if entry.is_dir():
        outlet.make_folder(entry.filename)
        return
    with outlet.damage_reported():
        source = opened.open(entry)
    with source:
        outlet.write(entry.filename, partial(source.read))
