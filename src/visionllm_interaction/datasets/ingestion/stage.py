"""Stage 1: source → ``data_manifest.yaml`` and ``files.parquet``."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from visionllm_interaction.artifacts.algorithm_versions import library_changes, library_versions
from visionllm_interaction.artifacts.manifest import FileRef, published_ref, utc_now
from visionllm_interaction.artifacts.raw_file_index import IndexedFile, quick_changes, write_index
from visionllm_interaction.artifacts.stage_manifests import (
    DataManifest,
    ImagePaths,
    Ingestion,
    SplitPaths,
)
from visionllm_interaction.datasets.ingestion import ALGORITHM_VERSION, LIBRARIES
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.formats.format_detection import READER_VERSION, READERS
from visionllm_interaction.datasets.ingestion.layout.dataset_resolution import ResolvedDataset, resolve_dataset
from visionllm_interaction.datasets.ingestion.layout.discovery import locate_source
from visionllm_interaction.datasets.ingestion.layout.file_scan import scan_files
from visionllm_interaction.datasets.ingestion.layout.image_group_labels import GroupCounts, add_groups
from visionllm_interaction.datasets.ingestion.sources.acquire import listing_digest, prepare, source_file_same
from visionllm_interaction.errors import ConfigError, InputDataError
from visionllm_interaction.utils.atomic_files import publish_folder
from visionllm_interaction.utils.hashing import code_version, sha256_value
from visionllm_interaction.utils.path_type import StrPath

MANIFEST_NAME = "data_manifest.yaml"
INDEX_NAME = "files.parquet"


def resolve(config: IngestConfig) -> IngestConfig:
    """Make paths absolute, so that the same data gives the same settings from every folder.

    Args:
        config: the settings of stage 1.

    Returns:
        The settings with absolute paths.

    Raises:
        ConfigError: if neither ``root`` nor ``source`` is set, or both are.
    """
    if (config.root is None) == (not config.source):
        raise ConfigError(
            "data.root is not set." if config.root is None else "data.root and data.source are both set.",
            expected="data.root (a folder or archive here) or data.source (something to download)",
            where="section data",
            fix="add -o data.root=FOLDER, or set it in config/data.yaml",
        )
    table = config.groups.table
    changes = {
        "root": _absolute(config.root) if config.root else None,
        "work_dir": _absolute(config.work_dir),
        "groups": config.groups.model_copy(update={"table": _absolute(table) if table else None}),
    }
    return config.model_copy(update=changes)


def _absolute(path: Path) -> Path:
    # Not resolve(): a link is meant as it is named.
    return Path(os.path.abspath(os.path.expandvars(path.expanduser())))  # noqa: PTH100


@dataclass(frozen=True)
class IngestedDataset:
    """The data set with the index of its files."""

    dataset: ResolvedDataset
    indexed: Sequence[IndexedFile]
    groups: GroupCounts


def run(config: IngestConfig, *, out: StrPath) -> DataManifest:
    """Ingest the configured data set and publish its manifest.

    Args:
        config: the settings of stage 1.
        out: the stage folder to publish.

    Returns:
        The published manifest.

    Raises:
        ConfigError: if ``config`` names no data set.
        InputDataError: if there is no data set in it, or a file cannot be read.
        DownloadFailed: if it cannot be downloaded.
    """
    out = Path(out)
    started = time.monotonic()
    config = resolve(config)
    taken = _take_in(config)
    with publish_folder(out) as partial:
        write_index(taken.indexed, partial / INDEX_NAME)
        index = published_ref(partial / INDEX_NAME, partial=partial, final=out)
        manifest = _manifest(config, taken, index=index, started=started)
        manifest.save(partial / MANIFEST_NAME)
    return manifest


def _take_in(config: IngestConfig) -> IngestedDataset:
    dataset = resolve_dataset(config, prepare(config))
    source = dataset.source
    folders = {split: folder for split, folder in source.images.items() if folder}
    files = [path for path in source.annotations.values() if path]
    indexed, counts = add_groups(scan_files(folders, files), config.groups, root=source.root, folders=folders)
    return IngestedDataset(dataset, indexed, counts)


def _manifest(config: IngestConfig, taken: IngestedDataset, *, index: FileRef, started: float) -> DataManifest:
    source, indexed = taken.dataset.source, taken.indexed
    annotations = {str(path) for path in source.annotations.values() if path}
    inputs = [FileRef(path=f.path, sha256=f.sha256, bytes=f.bytes) for f in indexed if f.path in annotations]
    if config.groups.table:
        inputs.append(FileRef.of(config.groups.table, run=Path(index.path)))
    return DataManifest(
        stage="ingest",
        created_at=utc_now(),
        duration_s=round(time.monotonic() - started, 3),
        code_version=code_version(),
        algorithm_version=ALGORITHM_VERSION,
        libraries=library_versions((*LIBRARIES, *taken.dataset.libraries)),
        config=config.model_dump(mode="json"),
        inputs=tuple(inputs),
        outputs=(index,),
        dataset_name=taken.dataset.name,
        dataset_format="coco",
        ingestion=Ingestion(mode=config.mode),
        paths=ImagePaths(train_images=_text(source.images["train"]), val_images=_text(source.images["val"])),
        annotations=SplitPaths(train=_text(source.annotations["train"]), val=_text(source.annotations["val"])),
        root=str(source.root),
        index=index.path,
        files=len(indexed),
        total_bytes=sum(file.bytes for file in indexed),
        tree_sha256=tree_digest(indexed, source.root),
        source=taken.dataset.origin,
        groups=asdict(taken.groups),
    )


def tree_digest(index: Sequence[IndexedFile], root: Path) -> str:
    """One digest over the names below ``root`` and the content of all indexed files."""
    return sha256_value([(os.path.relpath(file.path, root), file.sha256) for file in index])


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


def sources_changed(manifest: DataManifest, index: list[IndexedFile]) -> str | None:
    """Why the data set is not what it was when ``manifest`` was made, or ``None``.

    Quick: only files whose size or time changed are hashed again, and nothing is downloaded.
    """
    origin = manifest.source
    assert origin is not None, "a manifest of this version"
    if origin.format in READERS and origin.reader_version != READER_VERSION:
        return (
            f"files of format {origin.format} are read anew: reader version {origin.reader_version} → {READER_VERSION}"
        )
    if changed := [file.path for file in origin.files if not source_file_same(file, quick=True)]:
        return f"the source changed: {changed[0]}"
    noted = manifest.libraries or {}
    if changes := library_changes(noted, library_versions(noted)):
        return f"what reads the source changed: {'; '.join(changes)}"
    if origin.listing_sha256 is None:
        reason = _layout_changed(manifest)
    else:
        folder = Path(origin.location)
        same = folder.is_dir() and listing_digest(folder) == origin.listing_sha256
        reason = None if same else f"the source changed: {folder}"
    return reason or _files_changed(manifest, index)


def _layout_changed(manifest: DataManifest) -> str | None:
    try:
        source = locate_source(Path(manifest.root))
    except InputDataError as error:
        return error.message
    folders = {split: _text(source.images[split]) for split in ("train", "val")}
    annotations = {split: _text(source.annotations[split]) for split in ("train", "val")}
    listed = {"train": manifest.paths.train_images, "val": manifest.paths.val_images}
    if folders != listed or annotations != manifest.annotations.model_dump():
        return "the data set has other splits now"
    return None


def _files_changed(manifest: DataManifest, index: list[IndexedFile]) -> str | None:
    folders = [Path(folder) for folder in (manifest.paths.train_images, manifest.paths.val_images) if folder]
    changes = quick_changes(index, folders)
    if not changes:
        return None
    first = f"{changes[0].path} ({changes[0].kind})"
    return f"raw data changed: {first}" + (f" and {len(changes) - 1} more" if len(changes) > 1 else "")


__all__ = ["INDEX_NAME", "MANIFEST_NAME", "resolve", "run", "sources_changed", "tree_digest"]
