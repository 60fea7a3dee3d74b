"""Atomic publishing: a folder or file appears complete, or not at all."""

from __future__ import annotations

import ctypes
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visionllm_interaction.errors import InputDataError

PARTIAL_PREFIX = ".partial-"
"""Folders and files under construction start with this and are never read as artifacts."""
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def publish_folder(final: Path, *, workspace: str | None = None, many_files: bool = False) -> Iterator[Path]:
    """Build a folder beside its final place; on a clean exit it is synced to disk and renamed.

    Args:
        final: the folder to appear.
        workspace: a fixed name for the folder under construction. It is then kept when the block fails, so that the
            next call continues the work (training resumes this way); without a name it is removed.
        many_files: sync the whole machine once, which is far faster for a hundred thousand images than one by one.

    Yields:
        Path: the folder under construction, empty unless a workspace is continued.

    Raises:
        InputDataError: if ``final`` exists already; artifacts are never overwritten.
    """
    if final.exists():
        raise InputDataError(
            "The artifact already exists.", expected="a new folder", found=str(final), where=str(final)
        )
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.parent / f"{PARTIAL_PREFIX}{workspace}" if workspace else partial_of(final)
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


@contextmanager
def publish_file(final: Path, *, replace: bool = True, parents: bool = True) -> Iterator[Path]:
    """Write a file beside its final place; on a clean exit it is synced to disk and renamed.

    When the block fails, the file under construction is removed.

    Args:
        final: the file to appear; its folder is created if needed.
        replace: whether an existing file is replaced; otherwise it stays and the new one is discarded.
        parents: whether a missing folder is created; otherwise writing fails, for what was erased must stay so.

    Yields:
        Path: the file to write. It has the extension of ``final``, for writers that choose a format by it.
    """
    if parents:
        final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f"{PARTIAL_PREFIX}{uuid.uuid4().hex[:8]}-{final.name}")
    try:
        yield partial
        if replace:
            replace_file(partial, final)
        else:
            _link_file(partial, final)
    finally:
        partial.unlink(missing_ok=True)


def write_file(final: Path, data: bytes, *, mode: int = 0o666, replace: bool = True, parents: bool = True) -> None:
    """Write ``data`` to ``final`` atomically: write beside it, sync, rename over it, sync the folder.

    Args:
        final: the file to appear; its folder is created if needed.
        data: its whole content.
        mode: permissions, less the umask; the file never exists with other permissions.
        replace: whether an existing file is replaced; otherwise it stays as it is.
        parents: whether a missing folder is created; otherwise this raises ``FileNotFoundError``.
    """
    with publish_file(final, replace=replace, parents=parents) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)


def replace_file(partial: Path, final: Path) -> None:
    """Sync the complete file ``partial`` to disk, rename it over ``final`` beside it, and sync the folder."""
    sync_file(partial)
    partial.replace(final)
    sync_folder(final.parent)


def _link_file(partial: Path, final: Path) -> None:
    sync_file(partial)
    try:
        os.link(partial, final)  # unlike a rename, this never replaces a file that another process has made meanwhile
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if final.exists():
            return
        partial.replace(final)
    sync_folder(final.parent)


def replace_folder(partial: Path, final: Path) -> None:
    """Replace the folder ``final`` by the complete, synced folder ``partial``; the old folder is removed.

    A reader sees either the old folder or the new one: the kernel swaps the two in one step where it can.
    """
    try:
        partial.rename(final)
    except OSError:
        # A rename cannot replace a folder with files in it: swap the two, then remove the old one.
        exchange(partial, final)
        sync_folder(final.parent)
        shutil.rmtree(partial, ignore_errors=True)
    sync_folder(final.parent)


def exchange(one: Path, other: Path) -> None:
    """Swap two folders of one file system, in one step where the kernel can (Linux), else in three renames."""
    libc = ctypes.CDLL(None, use_errno=True)
    rename = getattr(libc, "renameat2", None)
    if rename and not rename(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE):
        return
    aside = partial_of(other)
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def partial_of(final: Path) -> Path:
    """A new name beside ``final``, for a folder under construction or being removed."""
    return final.with_name(f"{PARTIAL_PREFIX}{final.name}-{uuid.uuid4().hex[:8]}")


def sync_tree(folder: Path) -> None:
    """Fsync every file and folder below ``folder``, and ``folder`` itself."""
    for path in folder.rglob("*"):
        sync_file(path)
    sync_folder(folder)


def sync_folder(path: Path) -> None:
    """Fsync one folder: renames and deletions in it."""
    sync_file(path)


def sync_file(path: Path) -> None:
    """Fsync one file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partials(folder: Path, *, keep: Path | None = None) -> None:
    """Delete unfinished files and folders of killed processes directly in ``folder``, except ``keep``.

    Call it only when no running process builds there (with the lock of the run held).
    """
    for path in folder.glob(f"{PARTIAL_PREFIX}*"):
        if path == keep:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
