"""The configuration files that a command reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from visionllm_interaction.utils.path_type import StrPath

BASE_FILES: tuple[str, ...] = ("data", "schema", "model", "label", "analysis", "measures", "interop", "reason", "serve")
"""Files read from ./config/ by every command except the demo; other files there are read only when named with -c."""


def layers(named: Sequence[StrPath] = ()) -> tuple[Path, ...]:
    """The files that a command reads, lowest layer first.

    A file is read once, where it is named last, so that its values override all files named before it.

    Args:
        named: the files named with ``-c``, in order.

    Returns:
        The base files of ./config/ that are not named, then the named ones.
    """
    chosen = [Path(path) for path in named]
    last = {_identity(path): number for number, path in enumerate(chosen)}
    ordered = [path for number, path in enumerate(chosen) if last[_identity(path)] == number]
    return (*(path for path in _base_files() if _identity(path) not in last), *ordered)


def files_not_read(read: Sequence[Path]) -> tuple[Path, ...]:
    """YAML files in ./config/ that are not among ``read``, such as those for a single purpose (coco-mini.yaml)."""
    identities = {_identity(path) for path in read}
    found = sorted(path for path in Path("config").glob("*.y*ml") if path.is_file())
    return tuple(path for path in found if _identity(path) not in identities)


def _base_files() -> list[Path]:
    candidates = [Path("config") / f"{name}.yaml" for name in BASE_FILES]
    return [path for path in candidates if path.is_file()]


def _identity(path: Path) -> str:
    return os.path.realpath(path)
