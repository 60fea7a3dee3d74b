"""Text of files from anywhere: UTF-8, UTF-16 as Excel and Praat write it, else Windows-1252 or Latin-1."""

from __future__ import annotations


def decode_text(data: bytes) -> str:
    """The text of a file's bytes.

    Args:
        data: all bytes of the file.

    Returns:
        Its text, without a byte order mark.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    # UTF-16 without a byte order mark: every second byte of plain letters is 0.
    if data[:64:2].count(0) > 16 or (2 < len(data) < 64 and data[::2].count(0) > len(data) // 3):
        return data.decode("utf-16-be", errors="replace")
    if data[1:64:2].count(0) > 16 or (2 < len(data) < 64 and data[1::2].count(0) > len(data) // 3):
        return data.decode("utf-16-le", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
