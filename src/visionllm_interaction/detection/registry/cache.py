"""The models on this machine: one folder for each, found and checked without a network.

``$VISIONLLM_MODELS`` names the folder of all; by default it is ``$XDG_CACHE_HOME/visionllm_interaction/models``, and
``~/.cache/visionllm_interaction/models`` without that variable. Nothing is put there unless a user asks for it.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from visionllm_interaction.detection.registry.entries import ModelEntry, ModelFile
from visionllm_interaction.downloads.disk_space import Space, full_disk_reported
from visionllm_interaction.errors import CheckpointError, InputDataError
from visionllm_interaction.utils.atomic_files import publish_file, write_file
from visionllm_interaction.utils.hashing import sha256_file

FOLDER_VARIABLE = "VISIONLLM_MODELS"
"""Environment variable that names the folder."""
RECORD = "model.json"
"""Beside each model's file: where it came from and when."""
SPACE_ADVICE = f"free some space, or set {FOLDER_VARIABLE} to a folder on another disk"
_RESERVE_BYTES = 100 << 20


@dataclass(frozen=True)
class CachedModel:
    """A model on this machine.

    Attributes:
        entry: which model it is.
        path: its file.
        file: digest and size, as the registry lists them.
        source: the address or the path that it came from; None if the record of that is gone.
    """

    entry: ModelEntry
    path: Path
    file: ModelFile
    source: str | None


def models_folder() -> Path:
    """The folder of all models; it need not exist."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen).expanduser()
    # The specification of these folders says to ignore a path that is not absolute.
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".cache") / "visionllm_interaction" / "models"


def is_ready_made(path: Path) -> bool:
    """Whether a file is a model of this machine's cache.

    Args:
        path: the file of a detector.

    Returns:
        Whether it lies in the folder of ready-made models.
    """
    return path.absolute().is_relative_to(models_folder().absolute())


def find_cached(entry: ModelEntry) -> CachedModel | None:
    """Look a model up on this machine, by the size of its file.

    Args:
        entry: the model.

    Returns:
        The model; None if it is not there.
    """
    path = models_folder() / entry.name / entry.file
    try:
        size = path.stat().st_size
    except OSError:
        return None
    record = _read_record(path.with_name(RECORD))
    matching = [file for file in entry.files if file.bytes == size]
    noted = [file for file in matching if file.sha256 == record.get("sha256")]
    if not matching:
        return None
    return CachedModel(entry, path, (noted or matching)[0], record.get("source"))


def checked_path(cached: CachedModel) -> Path:
    """The file of a model, after its digest was compared with the registry's.

    Args:
        cached: the model on this machine.

    Returns:
        The file.

    Raises:
        CheckpointError: if it is another file now.
    """
    found = sha256_file(cached.path)
    if found not in {file.sha256 for file in cached.entry.files}:
        raise CheckpointError(
            "A model on this machine is damaged.",
            expected=f"sha256 {cached.file.sha256}",
            found=f"sha256 {found}",
            where=str(cached.path),
            fix=f"delete it, then: visionllm models get {cached.entry.name}",
        )
    return cached.path


def put_file(entry: ModelEntry, source: Path, *, origin: str) -> CachedModel:
    """Copy a file into the folder of its model; it appears there complete or not at all.

    Args:
        entry: the model.
        source: a file with the content of one of the model's files.
        origin: where it comes from, for the record.

    Returns:
        The model on this machine.

    Raises:
        InputDataError: if the file is not one of the model's; nothing is kept.
        SpaceError: if the disk has no room for it.
    """
    target = models_folder() / entry.name / entry.file
    target.parent.mkdir(parents=True, exist_ok=True)
    space = Space(target.parent, reserve_bytes=_RESERVE_BYTES, advice=SPACE_ADVICE)
    space.require(source.stat().st_size)
    with full_disk_reported(target.parent, advice=SPACE_ADVICE), publish_file(target) as partial:
        shutil.copyfile(source, partial)
        # The copy is hashed, not the source: on a failing disk two readings may differ.
        file = known_file(entry, sha256_file(partial), where=str(source))
    record = {"sha256": file.sha256, "bytes": file.bytes, "source": origin, "added_at": datetime.now(UTC).isoformat()}
    write_file(target.with_name(RECORD), json.dumps(record, indent=2).encode())
    return CachedModel(entry, target, file, origin)


def known_file(entry: ModelEntry, sha256: str, *, where: str) -> ModelFile:
    """The file of a model that has this digest.

    Args:
        entry: the model.
        sha256: digest of a file.
        where: the file, for the message.

    Returns:
        Its size and digest.

    Raises:
        InputDataError: if it is none of the model's files.
    """
    for file in entry.files:
        if file.sha256 == sha256:
            return file
    raise InputDataError(
        f"This file is not {entry.name}.",
        expected=" or ".join(f"sha256 {file.sha256} ({file.bytes} bytes)" for file in entry.files),
        found=f"sha256 {sha256}",
        where=where,
        fix=f"download it again from {entry.url}; a detector of your own is given by --detector FILE instead",
    )


def _read_record(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
