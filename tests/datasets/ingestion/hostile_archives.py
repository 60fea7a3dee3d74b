"""Archives made to do harm, each by the plainest code that makes it."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

Maker = Callable[[Path], None]


def _zip(path: Path, *entries: tuple[str, bytes], mode: int = 0) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, content)


def _tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def zip_slip(path: Path) -> None:
    _zip(path, ("good.txt", b"good"), ("../outside.txt", b"bad"))


def zip_slip_backslash(path: Path) -> None:
    _zip(path, ("good.txt", b"good"))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"good.txt", b"..\\o.txt"))


def zip_absolute(path: Path) -> None:
    _zip(path, (f"{path.parent}/outside.txt", b"bad"))


def zip_drive(path: Path) -> None:
    _zip(path, ("C:/outside.txt", b"bad"))


def zip_symlink(path: Path) -> None:
    _zip(path, ("link", str(path.parent).encode()), mode=0o120777)


def zip_device(path: Path) -> None:
    _zip(path, ("device", b""), mode=0o020666)


def zip_bomb_by_ratio(path: Path) -> None:
    _zip(path, ("zeros", bytes(200_000_000)))


def zip_bomb_nested_names(path: Path) -> None:
    _zip(path, *((f"zeros{n}", bytes(1_000_000)) for n in range(200)))


def zip_bomb_by_overlap(path: Path) -> None:
    """Many directory entries that share one kernel of compressed data, as in Fifield's bomb (WOOT 2019)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = bytes(1_000_000)
    packed = packer.compress(content) + packer.flush()
    name = b"a"
    crc = zlib.crc32(content)
    sizes = struct.pack("<LLL", crc, len(packed), len(content))
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", len(name), 0) + name
    directory = b""
    for n in range(5):
        own = str(n).encode()
        directory += b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes
        directory += struct.pack("<HHHHHLL", len(own), 0, 0, 0, 0, 0, 0) + own
    body = local + packed
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 5, 5, len(directory), len(body), 0)
    path.write_bytes(body + directory + end)


def zip_million_entries(path: Path) -> None:
    """Written by hand, because zipfile takes half a minute: a directory of 1,000,000 empty files."""
    count, body, directory = 1_000_000, bytearray(), bytearray()
    for n in range(count):
        name = b"%07d" % n
        offset = len(body)
        body += b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0" + name
        directory += b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0" + bytes(12) + b"\x07\0" + bytes(12)
        directory += struct.pack("<L", offset) + name
    end64 = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, count, count, len(directory), len(body))
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, len(body) + len(directory), 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(bytes(body + directory) + end64 + locator + end)


def zip_truncated(path: Path) -> None:
    _zip(path, ("a", b"a" * 5000), ("b", bytes(range(256)) * 50))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def zip_wrong_crc(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("first", b"first")
        archive.writestr("second", b"original content")
    path.write_bytes(path.read_bytes().replace(b"original content", b"replaced content"))


def zip_lying_size(path: Path) -> None:
    """Says 10 bytes and holds five million."""
    _zip(path, ("a", bytes(5_000_000)))
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<L", 5_000_000), struct.pack("<L", 10)))


def zip_same_name_twice(path: Path) -> None:
    _zip(path, ("a.txt", b"1"), ("b.txt", b"2"))
    path.write_bytes(path.read_bytes().replace(b"b.txt", b"a.txt"))


def zip_file_and_folder(path: Path) -> None:
    _zip(path, ("a", b"1"), ("a/b", b"2"))


def zip_encrypted(path: Path) -> None:
    _zip(path, ("a", b"1"))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))


def zip_unbounded_method(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("zeros", bytes(50_000_000))


def zip_endless_name(path: Path) -> None:
    _zip(path, ("n" * 300, b"1"))


def zip_control_characters(path: Path) -> None:
    _zip(path, ("a\x1b[2Jb", b"1"))


def tar_slip(path: Path) -> None:
    _tar(path, (_member("good.txt"), b"good"), (_member("a/../../outside.txt"), b"bad"))


def tar_absolute(path: Path) -> None:
    _tar(path, (_member(f"{path.parent}/outside.txt"), b"bad"))


def tar_symlink(path: Path) -> None:
    """A link to a folder outside, then a file through it."""
    _tar(path, (_member("d", tarfile.SYMTYPE, str(path.parent)), b""), (_member("d/outside.txt"), b"bad"))


def tar_hardlink(path: Path) -> None:
    _tar(path, (_member("passwd", tarfile.LNKTYPE, "/etc/passwd"), b""))


def tar_device(path: Path) -> None:
    _tar(path, (_member("null", tarfile.CHRTYPE), b""))


def tar_fifo(path: Path) -> None:
    _tar(path, (_member("pipe", tarfile.FIFOTYPE), b""))


def tar_bomb(path: Path) -> None:
    _tar(path, (_member("zeros"), bytes(200_000_000)), mode="w:gz")


def tar_hole(path: Path) -> None:
    """A sparse file of a terabyte with nothing in it."""
    header = tarfile.TarInfo("hole")
    header.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,0"}
    header.pax_headers |= {"GNU.sparse.size": str(10**12), "GNU.sparse.numblocks": "1"}
    _tar(path, (header, b""))


def tar_huge_header(path: Path) -> None:
    """A comment of 100 MB, which a reader holds in memory."""
    header = tarfile.TarInfo("a")
    header.pax_headers = {"comment": "x" * 100_000_000}
    _tar(path, (header, b"1"), mode="w:gz")


def tar_chained_headers(path: Path) -> None:
    """Long-name headers, each followed by another: a reader that recurses runs out of stack."""
    link = tarfile.TarInfo("././@LongLink")
    link.type, link.size = tarfile.GNUTYPE_LONGNAME, 2
    block = link.tobuf(tarfile.USTAR_FORMAT) + b"a\0" + bytes(510)
    path.write_bytes(gzip.compress(block * 20_000 + bytes(1024)))


def tar_truncated(path: Path) -> None:
    _tar(path, (_member("a"), b"a" * 5000), (_member("b"), b"b" * 5000))
    path.write_bytes(path.read_bytes()[: 512 + 5120 + 512 + 2000])


def tar_truncated_between_files(path: Path) -> None:
    """Cut where one file ends: the rest is simply not there."""
    _tar(path, (_member("a"), b"a" * 5000), (_member("b"), b"b" * 5000))
    path.write_bytes(path.read_bytes()[: 512 + 5120])


def tar_damaged_header(path: Path) -> None:
    _tar(path, (_member("a"), b"a" * 5000), (_member("b"), b"b" * 5000))
    data = bytearray(path.read_bytes())
    data[512 + 5120 + 3] ^= 0xFF
    path.write_bytes(bytes(data))


def tar_gz_truncated(path: Path) -> None:
    _tar(path, (_member("a"), bytes(range(256)) * 500), mode="w:gz")
    path.write_bytes(path.read_bytes()[:-9])


def tar_gz_wrong_crc(path: Path) -> None:
    _tar(path, (_member("a"), bytes(range(256)) * 500), mode="w:gz")
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xFF
    path.write_bytes(bytes(data))


def not_an_archive(path: Path) -> None:
    path.write_bytes(b"<html>404 not found</html>" * 100)


MAKERS: tuple[Maker, ...] = (
    zip_slip,
    zip_slip_backslash,
    zip_absolute,
    zip_drive,
    zip_symlink,
    zip_device,
    zip_bomb_by_ratio,
    zip_bomb_nested_names,
    zip_bomb_by_overlap,
    zip_million_entries,
    zip_truncated,
    zip_wrong_crc,
    zip_lying_size,
    zip_same_name_twice,
    zip_file_and_folder,
    zip_encrypted,
    zip_unbounded_method,
    zip_endless_name,
    zip_control_characters,
    tar_slip,
    tar_absolute,
    tar_symlink,
    tar_hardlink,
    tar_device,
    tar_fifo,
    tar_bomb,
    tar_hole,
    tar_huge_header,
    tar_chained_headers,
    tar_truncated,
    tar_truncated_between_files,
    tar_damaged_header,
    tar_gz_truncated,
    tar_gz_wrong_crc,
    not_an_archive,
)
