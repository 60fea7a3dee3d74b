"""Where the data set is used from: its own place, or copies, links and converted annotations below ``work_dir``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial as partial_call
from pathlib import Path

from visionllm_interaction.artifacts.file_index import IndexedFile
from visionllm_interaction.artifacts.stage_manifests import DataSource, RawSourceFile
from visionllm_interaction.datasets.ingestion import ALGORITHM_VERSION
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.formats.coco_variants import write_as_it_is
from visionllm_interaction.datasets.ingestion.formats.coco_writer import LEFT_OUT, summary, write_coco
from visionllm_interaction.datasets.ingestion.formats.common import Foreign
from visionllm_interaction.datasets.ingestion.formats.format_detection import READERS
from visionllm_interaction.datasets.ingestion.layout.discovery import Source, locate, source_in
from visionllm_interaction.datasets.ingestion.layout.indexing import scan_files
from visionllm_interaction.datasets.ingestion.layout.materialize import Placement, place_files, placements_of
from visionllm_interaction.datasets.ingestion.sources.acquire import (
    Prepared,
    listing_digest,
    source_file,
    working_folder,
)
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.atomic_files import publish_folder
from visionllm_interaction.utils.hashing import sha256_value
from visionllm_interaction.utils.logs import log

_ALL_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Settled:
    """The data set as it will be used, and where it came from."""

    source: Source
    origin: DataSource
    name: str


def settle(config: IngestConfig, prepared: Prepared) -> Settled:
    """Find the data set in what was prepared, and convert, copy or link it as ``config`` says.

    Raises:
        InputDataError: if there is no data set, or it cannot be read, converted, copied or linked.
    """
    found = locate(prepared.path)
    name = config.name or (found.root.name if prepared.kind == "folder" else prepared.name)
    if isinstance(found, Source) and config.mode == "register":
        return Settled(found, _origin(prepared, "coco"), name)
    # The given folder stays where it is; only where it is not used itself must a change in it be looked for.
    listing = listing_digest(found.root) if prepared.kind in ("folder", "file") else None
    if isinstance(found, Source):
        source = _placed(config, found, name=name, key=listing or prepared.path.name)
        return Settled(source, _origin(prepared, "coco", folder=found.root, listing=listing), name)
    source, left_out = _converted(config, found, name=name, key=listing or prepared.path.name)
    files = tuple(source_file(path) for path in found.files) if prepared.kind in ("folder", "file") else prepared.files
    origin = _origin(prepared, found.format, folder=found.root, listing=listing, files=files, left_out=left_out)
    return Settled(source, origin, name)


def _origin(
    prepared: Prepared,
    kind: str,
    *,
    folder: Path | None = None,
    listing: str | None = None,
    files: tuple[RawSourceFile, ...] | None = None,
    left_out: dict[str, int] | None = None,
) -> DataSource:
    location = str(folder) if folder and listing else prepared.location
    return DataSource(
        kind=prepared.kind,
        location=location,
        format=kind,
        files=prepared.files if files is None else files,
        listing_sha256=listing,
        left_out=left_out or {},
    )


def _placed(config: IngestConfig, source: Source, *, name: str, key: str) -> Source:
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


def _compare(source: Source, placed: Source) -> None:
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


def _digests(source: Source) -> dict[str, str]:
    folders = {split: folder for split, folder in source.images.items() if folder}
    index: list[IndexedFile] = scan_files(folders, [path for path in source.annotations.values() if path])
    return {str(Path(file.path).relative_to(source.root)): file.sha256 for file in index}


def _converted(config: IngestConfig, data: Foreign, *, name: str, key: str) -> tuple[Source, dict[str, int]]:
    write, left_out = _reader(config, data)
    with working_folder(config, "converted") as parent:
        files = [path.name for path in data.files]
        folder = (
            parent / f"{name}-{_key(config, data.format, str(data.root), files, key, config.subsets, config.val_share)}"
        )
        if not folder.exists():
            with publish_folder(folder, many_files=True) as partial:
                place_files(write(partial), partial, mode=config.mode, reserve_bytes=_reserve(config))
    if left_out:
        what = "; ".join(f"{count} × {text}" for text, count in left_out.items())
        log.warning("not carried over", what=what, list=str(folder / LEFT_OUT))
    source = source_in(folder, splits=_ALL_SPLITS)
    if source.annotations["val"] is None:
        log.warning("the source has no val split: set data.val_share or data.subsets")
    return source, left_out


def _reader(config: IngestConfig, data: Foreign) -> tuple[Callable[[Path], list[Placement]], dict[str, int]]:
    """What writes the annotations below a folder and says where the images go; and what will be left out."""
    if data.format == "coco":
        return partial_call(write_as_it_is, data, subsets=config.subsets, val_share=config.val_share), {}
    converted = READERS[data.format](data)
    shapes = sum(len(picture.shapes) for picture in converted.pictures)
    log.info("converting", format=data.format, pictures=len(converted.pictures), annotations=shapes)
    return partial_call(write_coco, converted, subsets=config.subsets, val_share=config.val_share), summary(converted)


def _key(config: IngestConfig, *parts: object) -> str:
    return sha256_value([ALGORITHM_VERSION, config.mode, *parts])[:12]


def _reserve(config: IngestConfig) -> int:
    return int(config.limits.min_free_gb * 1e9)
