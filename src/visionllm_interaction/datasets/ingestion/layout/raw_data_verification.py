"""Prove that the raw data is, byte for byte, what stage 1 took in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
from visionllm_interaction.artifacts.raw_file_index import FileChange, IndexedFile, full_changes, list_files, read_index
from visionllm_interaction.artifacts.runs import latest_run, run_of
from visionllm_interaction.artifacts.stage_manifests import DataManifest
from visionllm_interaction.datasets.ingestion.sources.acquire import source_file_same
from visionllm_interaction.errors import InputDataError, ManifestError
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath


@dataclass(frozen=True)
class Verification:
    """What was hashed, and what is not as it was."""

    manifest: Path
    root: str
    files: int
    bytes: int
    tree_sha256: str | None
    changes: tuple[FileChange, ...]
    seconds: float

    @property
    def same(self) -> bool:
        """Whether every file is there with the bytes it had, and no other."""
        return not self.changes

    def to_dict(self) -> dict[str, Any]:
        """The JSON result of ``visionllm verify``."""
        kinds = ("changed", "missing", "new")
        return {
            "status": "verified" if self.same else "changed",
            "manifest": str(self.manifest),
            "root": self.root,
            "files": self.files,
            "bytes": self.bytes,
            "tree_sha256": self.tree_sha256,
            **{kind: [change.path for change in self.changes if change.kind == kind] for kind in kinds},
            "seconds": round(self.seconds, 3),
        }


def find_manifest(path: StrPath | None, artifacts_dir: StrPath) -> Path:
    """Find the data manifest of a run.

    Args:
        path: a manifest, a run folder or any file of a run; ``None`` for the newest run.
        artifacts_dir: folder of the runs.

    Returns:
        The data manifest.

    Raises:
        InputDataError: if there is none.
    """
    path = None if path is None else Path(path)
    artifacts_dir = Path(artifacts_dir)
    run = latest_run(artifacts_dir) if path is None else path if path.is_dir() else run_of(path)
    manifest = run / STAGE_MANIFESTS["ingest"] if run else None
    if manifest is None or not manifest.is_file():
        raise InputDataError(
            "There is no data manifest here.",
            expected=f"a run folder with {STAGE_MANIFESTS['ingest']}",
            found="no run" if run is None else "a folder without it",
            where=str(path or artifacts_dir),
            fix="run `visionllm ingest` first, or name the run folder",
        )
    return manifest


def verify(manifest_path: StrPath) -> Verification:
    """Hash every raw file again, and the files that the data set was made from.

    Args:
        manifest_path: the data manifest that stage 1 wrote.

    Returns:
        What was hashed, and the files that changed, are missing or are new.

    Raises:
        ManifestError: if the manifest or the index beside it is not what stage 1 wrote.
    """
    manifest_path = Path(manifest_path)
    started = time.monotonic()
    manifest = DataManifest.load(manifest_path)
    index = _trusted_index(manifest, manifest_path)
    changes = [*full_changes(index), *_new_files(manifest, index), *_changed_sources(manifest)]
    return Verification(
        manifest_path,
        manifest.root,
        len(index),
        sum(file.bytes for file in index),
        manifest.tree_sha256,
        tuple(changes),
        time.monotonic() - started,
    )


def _trusted_index(manifest: DataManifest, path: Path) -> list[IndexedFile]:
    run = path.parent.parent
    index = run / manifest.index
    found = sha256_file(index) if index.is_file() else None
    expected = next((ref.sha256 for ref in manifest.outputs if ref.path == manifest.index), None)
    if manifest.content_sha256 != manifest.content_digest() or found != expected:
        raise ManifestError(
            "The record of the raw data was changed.",
            expected=f"sha256 {expected}",
            found=f"sha256 {found}" if found != expected else "an edited manifest",
            where=str(index if found != expected else path),
            fix="run `visionllm ingest` again; what the data was before cannot be proven from this run",
        )
    return read_index(index)


def _new_files(manifest: DataManifest, index: Sequence[IndexedFile]) -> list[FileChange]:
    folders = [manifest.paths.train_images, manifest.paths.val_images]
    there = list_files(Path(folder) for folder in folders if folder and Path(folder).is_dir())
    known = {file.path for file in index}
    return [FileChange(path, "new", None, "a new file") for path, _ in there if path not in known]


def _changed_sources(manifest: DataManifest) -> list[FileChange]:
    files = manifest.source.files if manifest.source else ()
    return [
        FileChange(file.path, "changed" if Path(file.path).exists() else "missing", file.sha256, None)
        for file in files
        if not source_file_same(file)
    ]
