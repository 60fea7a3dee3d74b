"""Run folders: ``artifacts/<UTC timestamp>/``, sortable and collision-free."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, sync_folder, sync_tree
from visionllm_interaction.utils.file_locks import LOCK_NAME, HeldLock, try_lock
from visionllm_interaction.utils.path_type import StrPath

_RUN_NAME = re.compile(r"\d{8}T\d{6}_\d{6}Z")
_ABANDONED_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class LockedRun:
    """A run folder and the lock that this process holds on it."""

    path: Path
    lock: HeldLock


def create_run(artifacts_dir: StrPath) -> Path:
    """Make a new run folder. ``mkdir`` fails on an existing folder, so two runs never share one."""
    artifacts_dir = Path(artifacts_dir)
    artifacts_dir.mkdir(parents=True, exist_ok=True)
    while True:
        run = artifacts_dir / _new_name()
        try:
            run.mkdir()
        except FileExistsError:
            continue
        return run


def create_locked_run(artifacts_dir: Path, *, stages_of: Path | None = None, stages: Sequence[str] = ()) -> LockedRun:
    """Make a run folder that appears in one step: locked by this process, and with stages of an earlier run in it.

    Stage folders are shared by hard links: artifacts never change.

    Args:
        artifacts_dir: the folder of all runs.
        stages_of: the earlier run.
        stages: names of its stages to share.

    Returns:
        The folder and its lock.
    """
    artifacts_dir.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(artifacts_dir)
    partial = artifacts_dir / f"{PARTIAL_PREFIX}run-{uuid.uuid4().hex[:8]}"
    partial.mkdir()
    lock = try_lock(partial)
    assert lock is not None, "no other process knows this folder"
    try:
        for stage in stages:
            assert stages_of is not None
            folder = Path(STAGE_MANIFESTS[stage]).parent
            _link_tree(stages_of / folder, partial / folder)
        sync_tree(partial)
        return LockedRun(_rename_to_new(partial, artifacts_dir), lock)
    except BaseException:
        lock.release()
        raise


def _rename_to_new(partial: Path, artifacts_dir: Path) -> Path:
    while True:
        run = artifacts_dir / _new_name()
        try:
            partial.rename(run)  # never replaces a run: a folder with a lock file in it is not empty
        except OSError:
            if not run.exists():
                raise
            continue
        sync_folder(artifacts_dir)
        return run


def _new_name() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S_%fZ")


def _link_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _remove_abandoned(artifacts_dir: Path) -> None:
    """Delete run folders that a killed process left unfinished; those of running processes are locked."""
    for partial in artifacts_dir.glob(f"{PARTIAL_PREFIX}run-*"):
        with suppress(FileNotFoundError):  # another process has removed it
            if not (partial / LOCK_NAME).exists() and time.time() - partial.stat().st_mtime < _ABANDONED_AFTER_S:
                continue  # perhaps just made by another process that is about to lock it
            lock = try_lock(partial)
            if lock is not None:
                with lock:
                    shutil.rmtree(partial, ignore_errors=True)


def discard_if_empty(run: Path) -> None:
    """Remove a run folder in which nothing was built (call it with the lock held)."""
    if all(path.name.startswith(".") and path.is_file() for path in run.iterdir()):
        shutil.rmtree(run, ignore_errors=True)


def list_runs(artifacts_dir: StrPath) -> list[Path]:
    """Run folders, oldest first."""
    artifacts_dir = Path(artifacts_dir)
    if not artifacts_dir.is_dir():
        return []
    # Other files may lie beside the runs, such as those of the experiment tracker.
    return sorted(path for path in artifacts_dir.iterdir() if path.is_dir() and _RUN_NAME.fullmatch(path.name))


def latest_run(artifacts_dir: StrPath) -> Path | None:
    """The newest run folder, or ``None``."""
    artifacts_dir = Path(artifacts_dir)
    runs = list_runs(artifacts_dir)
    return runs[-1] if runs else None


def run_of(path: StrPath) -> Path | None:
    """The run folder that holds a file: the nearest parent of a known stage folder, or ``None``."""
    path = Path(path)
    stage_folders = {str(Path(manifest).parent) for manifest in STAGE_MANIFESTS.values()}
    return next((parent.parent for parent in path.absolute().parents if parent.name in stage_folders), None)
