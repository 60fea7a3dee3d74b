"""Unpack archives into a new folder: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from visionllm_interaction.datasets.ingestion.config import SPACE_ADVICE, LimitsConfig
from visionllm_interaction.datasets.ingestion.sources.extraction_limits import Outlet
from visionllm_interaction.datasets.ingestion.sources.unpack_tar import unpack_tar
from visionllm_interaction.datasets.ingestion.sources.unpack_zip import unpack_zip
from visionllm_interaction.downloads.disk_space import Space
from visionllm_interaction.downloads.progress import byte_bars
from visionllm_interaction.errors import ArchiveError
from visionllm_interaction.utils.atomic_files import publish_folder

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PACKED_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
_TAR_MAGIC_AT = 257


def unpack_all(archives: Sequence[Path], folder: Path, *, limits: LimitsConfig) -> None:
    """Unpack ``archives`` into a new folder.

    Args:
        archives: the archives; their contents share one folder.
        folder: the new folder; it appears once all archives are complete.
        limits: limits on bytes and files, for each archive.

    Raises:
        ArchiveError: if one is damaged, unsafe or over the limits (which hold for each), or two hold a file of one
            name; nothing is kept.
        SpaceError: if it does not fit on the disk.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    space = Space(folder.parent, reserve_bytes=int(limits.min_free_gb * 1e9), advice=SPACE_ADVICE)
    with byte_bars() as report, publish_folder(folder, many_files=True) as partial:
        for archive in archives:
            unpack = _unpacker(archive)
            unpack(archive, Outlet(archive, partial, limits=limits, space=space, report=report))


def is_archive(path: Path) -> bool:
    """Whether ``path`` is a zip or tar file, by its first bytes."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_TAR_MAGIC_AT + 5)
    except OSError:
        return False
    return head.startswith((*_ZIP_MAGIC, *_PACKED_MAGIC)) or head[_TAR_MAGIC_AT:] == b"ustar"


def _unpacker(archive: Path) -> Callable[[Path, Outlet], None]:
    if not is_archive(archive):
        raise ArchiveError(
            "This is no archive that can be unpacked.",
            expected="zip, tar, tar.gz, tar.bz2 or tar.xz",
            found="something else",
            where=str(archive),
            fix="unpack it yourself and set -o data.root=FOLDER, or pack it again as zip",
        )
    with archive.open("rb") as stream:
        return unpack_zip if stream.read(4) in _ZIP_MAGIC else unpack_tar
