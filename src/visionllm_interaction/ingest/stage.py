"""Stage 1: source folder → ``data_manifest.yaml`` and ``files.parquet``."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path

from visionllm_interaction.artifacts.file_index import Change, IndexedFile, quick_changes, write_index
from visionllm_interaction.artifacts.manifest import FileRef, published_ref, utc_now
from visionllm_interaction.artifacts.publish import publish_folder
from visionllm_interaction.artifacts.stage_manifests import (
    DataManifest,
    ImagePaths,
    Ingestion,
    SplitPaths,
    stage_code_version,
)
from visionllm_interaction.errors import ConfigError, InputDataError
from visionllm_interaction.ingest.config import IngestConfig
from visionllm_interaction.ingest.groups import GroupCounts, add_groups
from visionllm_interaction.ingest.locate import Source, locate_source
from visionllm_interaction.ingest.scan import scan_files

MANIFEST_NAME = "data_manifest.yaml"
INDEX_NAME = "files.parquet"


def resolve(config: IngestConfig) -> IngestConfig:
    """``config`` with an absolute root, so that the same data is the same setting from every folder.

    Raises:
        ConfigError: if ``root`` is not set.
    """
    if config.root is None:
        raise ConfigError(
            "data.root is not set.",
            expected="the folder of a COCO-style data set",
            where="section data",
            fix="add -o data.root=FOLDER, or set it in config/data.yaml",
        )
    table = config.groups.table
    groups = config.groups.model_copy(update={"table": _absolute(table) if table else None})
    return config.model_copy(update={"root": _absolute(config.root), "groups": groups})


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  not resolve(): a link is meant as it is named


def run(config: IngestConfig, *, out: Path) -> DataManifest:
    """Register the data set of ``config`` and publish the manifest as the stage folder ``out``.

    Raises:
        ConfigError: if ``config.root`` is not set.
        InputDataError: if there is no data set in it, or a file cannot be read.
    """
    started = time.monotonic()
    config = resolve(config)
    assert config.root is not None
    source = locate_source(config.root)
    folders = {split: folder for split, folder in source.images.items() if folder}
    files = [path for path in source.annotations.values() if path]
    indexed, counts = add_groups(scan_files(folders, files), config.groups, root=source.root, folders=folders)
    with publish_folder(out) as partial:
        write_index(indexed, partial / INDEX_NAME)
        index = published_ref(partial / INDEX_NAME, partial=partial, final=out)
        manifest = _manifest(config, source, indexed, index=index, groups=counts, started=started)
        manifest.save(partial / MANIFEST_NAME)
    return manifest


def _manifest(
    config: IngestConfig,
    source: Source,
    indexed: list[IndexedFile],
    *,
    index: FileRef,
    groups: GroupCounts,
    started: float,
) -> DataManifest:
    annotations = {str(path) for path in source.annotations.values() if path}
    inputs = [FileRef(path=f.path, sha256=f.sha256, bytes=f.bytes) for f in indexed if f.path in annotations]
    if config.groups.table:
        inputs.append(FileRef.of(config.groups.table, run=Path(index.path)))
    return DataManifest(
        stage="ingest",
        created_at=utc_now(),
        duration_s=round(time.monotonic() - started, 3),
        code_version=stage_code_version("ingest"),
        config=config.model_dump(mode="json"),
        inputs=tuple(inputs),
        outputs=(index,),
        dataset_name=config.name or source.root.name,
        dataset_format="coco",
        ingestion=Ingestion(mode=config.mode),
        paths=ImagePaths(train_images=_text(source.images["train"]), val_images=_text(source.images["val"])),
        annotations=SplitPaths(train=_text(source.annotations["train"]), val=_text(source.annotations["val"])),
        root=str(source.root),
        index=index.path,
        files=len(indexed),
        total_bytes=sum(file.bytes for file in indexed),
        groups=asdict(groups),
    )


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


def sources_changed(config: IngestConfig, manifest: DataManifest, index: list[IndexedFile]) -> str | None:
    """Why the data set is not what it was when ``manifest`` was made, or ``None``.

    Quick: only files whose size or time changed are hashed again.
    """
    root = resolve(config).root
    assert root is not None
    try:
        source = locate_source(root)
    except InputDataError as error:
        return error.message
    folders = {split: _text(path) for split, path in source.images.items()}
    annotations = {split: _text(path) for split, path in source.annotations.items()}
    listed = {"train": manifest.paths.train_images, "val": manifest.paths.val_images}
    if folders != listed or annotations != manifest.annotations.model_dump():
        return "the data set has other splits now"
    changes = quick_changes(index, [folder for folder in source.images.values() if folder])
    return _describe(changes) if changes else None


def _describe(changes: list[Change]) -> str:
    first = f"{changes[0].path} ({changes[0].kind})"
    return f"raw data changed: {first}" + (f" and {len(changes) - 1} more" if len(changes) > 1 else "")
