"""sha256 digests of files, folders and values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import Any

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.path_type import StrPath


def sha256_bytes(data: bytes | mmap) -> str:
    """Hex sha256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: StrPath) -> str:
    """Hex sha256 of the bytes of a file.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputDataError: if the file is missing or cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputDataError(
            "A file cannot be read.",
            expected="a readable file",
            found=error.strerror or str(error),
            where=str(path),
        ) from error


def sha256_files(paths: Iterable[Path], *, workers: int = 4) -> list[str]:
    """Digests of many files, in order. Hashing releases the interpreter lock, so it runs in threads."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(sha256_file, paths))


def sha256_value(value: Any) -> str:
    """Digest of a value that JSON can represent, independent of the order of keys."""
    return sha256_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode())


def sha256_tree(folder: StrPath) -> str:
    """One digest over the relative names and bytes of every file below ``folder``."""
    folder = Path(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]
    return sha256_value(list(zip(names, sha256_files(files), strict=True)))


@cache
def code_version() -> str:
    """Digest of the package's source files. Results record it for information; nothing is decided by it."""
    root = Path(__file__).resolve().parents[1]
    files = sorted(root.rglob("*.py"))
    return sha256_value([(f.relative_to(root).as_posix(), sha256_bytes(f.read_bytes())) for f in files])[:16]
