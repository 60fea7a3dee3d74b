"""Atomic publishing: a folder or file appears complete, or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visionllm_interaction.errors import InputDataError

PARTIAL_PREFIX = ".partial-"
"""Folders and files under construction start with this and are never read as artifacts."""


@contextmanager
def publish_folder(final: Path, *, workspace: str | None = None, many_files: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside ``final``; on a clean exit sync it to disk and rename it to ``final``.

    With ``workspace`` the folder under construction has that fixed name and is kept when the block fails, so
    that the next call finds what was done (training resumes so); without, it is removed. With ``many_files`` the
    whole machine is synced once, which for a hundred thousand images is far quicker than one by one.

    Raises:
        InputDataError: if ``final`` exists already; artifacts are never overwritten.
    """
    if final.exists():
        raise InputDataError(
            "The artifact exists already.", expected="a new folder", found=str(final), where=str(final)
        )
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.parent / f"{PARTIAL_PREFIX}{workspace or f'{final.name}-{uuid.uuid4().hex[:8]}'}"
    partial.mkdir(exist_ok=workspace is not None)
    try:
        yield partial
        if many_files:
            os.sync()
        else:
            sync_tree(partial)
        partial.rename(final)
        sync_folder(final.parent)
    except BaseException:
        if workspace is None:
            shutil.rmtree(partial, ignore_errors=True)
        raise


def write_file(final: Path, data: bytes) -> None:
    """Write ``data`` to ``final`` atomically: write beside it, sync, rename over it, sync the folder."""
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f"{PARTIAL_PREFIX}{final.name}-{uuid.uuid4().hex[:8]}")
    try:
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(final)
        sync_folder(final.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync_tree(folder: Path) -> None:
    """Fsync every file and folder below ``folder``, and ``folder`` itself."""
    for path in folder.rglob("*"):
        sync_folder(path)
    sync_folder(folder)


def sync_folder(path: Path) -> None:
    """Fsync one folder (or file)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partials(folder: Path, *, keep: Path | None = None) -> None:
    """Delete what a killed process left under construction directly in ``folder``, except ``keep``.

    Call it only where no living process builds (with the lock of the run held).
    """
    for path in folder.glob(f"{PARTIAL_PREFIX}*"):
        if path == keep:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
