"""Where the data set is used from: its own place, or copies, links and converted annotations below ``work_dir``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial as partial_call
from pathlib import Path

from visionllm_interaction.artifacts.raw_file_index import IndexedFile
from visionllm_interaction.artifacts.stage_manifests import DataSource, RawSourceFile
from visionllm_interaction.datasets.ingestion import ALGORITHM_VERSION
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.formats.coco.odd_values import notes as odd_notes
from visionllm_interaction.datasets.ingestion.formats.coco.variants import find_splits, write_as_it_is
from visionllm_interaction.datasets.ingestion.formats.coco.writer import LEFT_OUT, refuse_losses, summary, write_coco
from visionllm_interaction.datasets.ingestion.formats.common import DetectedDataset
from visionllm_interaction.datasets.ingestion.formats.format_detection import READER_VERSION, READERS
from visionllm_interaction.datasets.ingestion.formats.image_files import unread_images_note
from visionllm_interaction.datasets.ingestion.formats.plugins import plugin_of, read_by_plugin
from visionllm_interaction.datasets.ingestion.layout.discovery import CocoDataset, locate, source_in
from visionllm_interaction.datasets.ingestion.layout.file_scan import scan_files
from visionllm_interaction.datasets.ingestion.layout.image_group_labels import grouping
from visionllm_interaction.datasets.ingestion.layout.materialize import Placement, place_files, placements_of
from visionllm_interaction.datasets.ingestion.sources.acquire import (
    Prepared,
    listing_digest,
    source_file,
    working_folder,
)
from visionllm_interaction.datasets.ingestion.train_val_division import Division
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.atomic_files import publish_folder
from visionllm_interaction.utils.hashing import sha256_file, sha256_value
from visionllm_interaction.utils.logs import log

_ALL_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class ResolvedDataset:
    """The data set in the COCO layout, and where it came from."""

    source: CocoDataset
    origin: DataSource
    name: str
    libraries: tuple[str, ...] = ()
    """Distributions whose version decides what was read: that of the plug-in that read it."""


def resolve_dataset(config: IngestConfig, prepared: Prepared) -> ResolvedDataset:
    """Find the data set in the prepared source; convert, copy or link it as configured.

    Args:
        config: the settings of stage 1.
        prepared: the downloaded and unpacked source.

    Returns:
        The data set in the COCO layout, and how it got there.

    Raises:
        InputDataError: if there is no data set, or it cannot be read, converted, copied or linked.
    """
    found = _to_divide(config, locate(prepared.path))
    name = config.name or (found.root.name if prepared.kind == "folder" else prepared.name)
    if isinstance(found, CocoDataset) and config.mode == "register":
        return ResolvedDataset(found, _origin(prepared, "coco"), name)
    # The given folder stays where it is; only where it is not used itself must a change in it be looked for.
    listing = listing_digest(found.root) if prepared.kind in ("folder", "file") else None
    if isinstance(found, CocoDataset):
        source = _placed(config, found, name=name, key=listing or prepared.path.name)
        return ResolvedDataset(source, _origin(prepared, "coco", folder=found.root, listing=listing), name)
    source, read = _converted(config, found, name=name, key=listing or prepared.path.name)
    files = tuple(source_file(path) for path in found.files) if prepared.kind in ("folder", "file") else prepared.files
    origin = _origin(prepared, found.format, folder=found.root, listing=listing, files=files, read=read)
    plugin = plugin_of(found.format)
    return ResolvedDataset(source, origin, name, libraries=(plugin.entry.distribution,) if plugin else ())


def _to_divide(config: IngestConfig, found: CocoDataset | DetectedDataset) -> CocoDataset | DetectedDataset:
    """COCO's own layout with a train split only is used in place, unless a val is to be made of it."""
    if isinstance(found, DetectedDataset) or config.val_share is None or found.annotations["val"]:
        return found
    return DetectedDataset("coco", found.root, tuple(path for path in found.annotations.values() if path))


def division_of(config: IngestConfig) -> Division | None:
    """Read from the settings how a source without val is divided.

    Args:
        config: the settings of stage 1.

    Returns:
        The division of train, or ``None`` if it is not to be divided.

    Raises:
        InputDataError: if the table of groups cannot be read.
    """
    return None if config.val_share is None else Division(config.val_share, grouping(config.groups))


def _origin(
    prepared: Prepared,
    kind: str,
    *,
    folder: Path | None = None,
    listing: str | None = None,
    files: tuple[RawSourceFile, ...] | None = None,
    read: Read | None = None,
) -> DataSource:
    location = str(folder) if folder and listing else prepared.location
    return DataSource(
        kind=prepared.kind,
        location=location,
        format=kind,
        files=prepared.files if files is None else files,
        listing_sha256=listing,
        left_out=read.left_out if read else {},
        reader_version=READER_VERSION if read else 1,
        notes=read.notes if read else (),
    )


def _placed(config: IngestConfig, source: CocoDataset, *, name: str, key: str) -> CocoDataset:
    folders = {split: folder for split, folder in source.images.items() if folder}
    files = [path for path in source.annotations.values() if path]
    with working_folder(config, "placed") as parent:
        folder = parent / f"{name}-{_key(config, str(source.root), key)}"
        if not folder.exists():
            with publish_folder(folder, many_files=True) as partial:
                for present in folders.values():
                    (partial / present.relative_to(source.root)).mkdir(parents=True, exist_ok=True)
                placements = placements_of(folders, files, root=source.root)
                place_files(placements, partial, mode=config.mode, reserve_bytes=_reserve(config))
        placed = source_in(folder)
    if config.mode == "copy":
        _compare(source, placed)
    return placed


def _compare(source: CocoDataset, placed: CocoDataset) -> None:
    """Every byte of a copy is read back: a scratch disk is the last place to trust."""
    given, found = _digests(source), _digests(placed)
    different = sorted(name for name in given.keys() | found.keys() if given.get(name) != found.get(name))
    if different:
        raise InputDataError(
            "A copy is not what it was copied from.",
            expected="the same files with the same digests",
            found=f"{len(different)} different, first {different[0]}",
            where=str(placed.root),
            fix="delete this folder and run the same command again",
        )


def _digests(source: CocoDataset) -> dict[str, str]:
    folders = {split: folder for split, folder in source.images.items() if folder}
    index: list[IndexedFile] = scan_files(folders, [path for path in source.annotations.values() if path])
    return {str(Path(file.path).relative_to(source.root)): file.sha256 for file in index}


def _converted(config: IngestConfig, data: DetectedDataset, *, name: str, key: str) -> tuple[CocoDataset, Read]:
    read = _read(config, data)
    with working_folder(config, "converted") as parent:
        files = [path.name for path in data.files]
        wish = (READER_VERSION, config.subsets, config.val_share, _groups_key(config))
        parts = (data.format, str(data.root), files, key, *wish)
        plugin = plugin_of(data.format)
        folder = parent / f"{name}-{_key(config, *parts, *((str(plugin.entry),) if plugin else ()))}"
        if not folder.exists():
            with publish_folder(folder, many_files=True) as partial:
                place_files(read.write(partial), partial, mode=config.mode, reserve_bytes=_reserve(config))
    for note in read.notes:
        log.warning("how the source was read", format=data.format, note=note)
    if read.left_out:
        what = "; ".join(f"{count} × {text}" for text, count in read.left_out.items())
        log.warning("not carried over", what=what, list=str(folder / LEFT_OUT))
    source = source_in(folder, splits=_ALL_SPLITS)
    if source.annotations["val"] is None:
        log.warning("the source has no val split: add -o data.val_share=0.2, or say data.subsets")
    return source, read


@dataclass(frozen=True, slots=True)
class Read:
    """A data set in another format, read but not yet written."""

    write: Callable[[Path], list[Placement]]
    """Writes the annotations below a folder and says where the images go."""
    left_out: dict[str, int]
    notes: tuple[str, ...]


def _read(config: IngestConfig, data: DetectedDataset) -> Read:
    if data.format == "coco":
        splits = find_splits(data, subsets=config.subsets)
        notes = [note for split in splits for note in split.images.notes(data.root)]
        notes += odd_notes(split.path for split in splits)
        if any(name not in split.images.files for split in splits for name in split.images.names.values()):
            notes += unread_images_note(data.root)
        return Read(partial_call(write_as_it_is, splits, division=division_of(config)), {}, tuple(notes))
    plugin = plugin_of(data.format)
    converted = read_by_plugin(plugin, data) if plugin else READERS[data.format](data)
    refuse_losses(converted, data)
    shapes = sum(len(converted_image.shapes) for converted_image in converted.images)
    log.info("converting", format=data.format, images=len(converted.images), annotations=shapes)
    write = partial_call(write_coco, converted, subsets=config.subsets, division=division_of(config))
    unread = unread_images_note(data.root) if any(image.file is None for image in converted.images) else ()
    return Read(write, summary(converted), (*converted.notes, *unread))


def _groups_key(config: IngestConfig) -> object:
    """What of the groups decides a division; nothing where none is made."""
    if config.val_share is None:
        return None
    table = config.groups.table
    return config.groups.pattern, sha256_file(table) if table and table.is_file() else None


def _key(config: IngestConfig, *parts: object) -> str:
    return sha256_value([ALGORITHM_VERSION, config.mode, *parts])[:12]


def _reserve(config: IngestConfig) -> int:
    return int(config.limits.min_free_gb * 1e9)
