"""The data folder of a service: one process of a name at a time, closed to other accounts."""

from __future__ import annotations

import shutil
import stat
import uuid
from contextlib import suppress
from pathlib import Path

from visionllm_interaction.errors import UsageError
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.utils.file_locks import HeldLock, try_lock_file

LOOK_S = 0.5
"""How long a lock may be held by somebody who only looks whether it is held."""


def lock_data_dir(config: ServeConfig) -> HeldLock:
    """Lock the data folder for this process; the kernel releases the lock if the process dies.

    Args:
        config: the section ``serve``.

    Returns:
        The held lock.

    Raises:
        UsageError: if another service with the same ``executor_id`` holds the lock.
    """
    config.data_dir.mkdir(parents=True, exist_ok=True)
    lock = try_lock_file(_lock_of(config, config.executor_id), wait_s=LOOK_S)
    if lock is None:
        raise UsageError(
            "Another service is using this data folder.",
            where=str(config.data_dir),
            fix="stop it, or start this one with -o serve.data_dir=OTHER",
        )
    _clear_what_others_left(config)
    return lock


def _lock_of(config: ServeConfig, name: str) -> Path:
    return config.data_dir / f".service-{name}.lock"  # other locks of the folder have no such name


def _clear_what_others_left(config: ServeConfig) -> None:
    """Delete the unfinished uploads, and the parts of the store, of services that do not run.

    Whoever sent an upload sends it again, to another one. Deleting gigabytes takes a while, in which no lock is held:
    the service of this name may be starting again.
    """
    aside: list[Path] = []
    for folder in (config.incoming_dir.parent, config.views_dir):
        for left in folder.iterdir() if folder.is_dir() else ():
            if not left.is_dir():  # of a version that kept those of all in one folder
                left.unlink(missing_ok=True)
            elif not _lock_of(config, left.name).exists():  # none of this name has ever run
                shutil.rmtree(left, ignore_errors=True)
            elif (lock := try_lock_file(_lock_of(config, left.name))) is not None:
                with lock, suppress(FileNotFoundError):
                    aside.append(left.rename(left.with_name(f".left-{uuid.uuid4().hex}")))
    for left in aside:
        shutil.rmtree(left, ignore_errors=True)


def close_to_others(config: ServeConfig) -> None:
    """Take the rights of other accounts of this machine from the data folder and the store.

    Args:
        config: the section ``serve``; its ``group_readable`` leaves the group its rights.
    """
    keep = 0o770 if config.group_readable else 0o700
    for folder in (config.data_dir, config.store_dir):
        with suppress(FileNotFoundError, PermissionError):  # another account's store is that account's to close
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) & keep)


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, which is created if needed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError:
        return False
    return True
