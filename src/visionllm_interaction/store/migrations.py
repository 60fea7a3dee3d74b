"""Upgrade a store of an older version without analysing any video again."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from visionllm_interaction.errors import StoreError
from visionllm_interaction.store.arrow_schemas import SCHEMAS
from visionllm_interaction.store.columns import SCHEMA_VERSION
from visionllm_interaction.store.layout import list_videos, read_version, write_version
from visionllm_interaction.store.sightings import sightings_of
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.path_type import StrPath


def migrate_store(store: StrPath) -> tuple[int, int]:
    """Upgrade a store to the current version.

    Files are added atomically and the version is written last, so that an interrupted migration can be run again. Files
    of the older version stay as they are.

    Args:
        store: the store's folder.

    Returns:
        The versions before and after.

    Raises:
        StoreError: if there is no store, a file of it is damaged, or its version cannot be upgraded.
    """
    store = Path(store)
    before = read_version(store)
    if before == SCHEMA_VERSION:
        return SCHEMA_VERSION, SCHEMA_VERSION
    if not isinstance(before, int) or before not in _STEPS:
        raise StoreError(
            "The store is of another version.",
            expected=f"schema_version {min(_STEPS)} to {SCHEMA_VERSION}",
            found=repr(before),
            where=str(store),
            fix="use a newer visionllm",
        )
    with wait_for_lock(store):
        for version in range(before, SCHEMA_VERSION):
            for video_id in list_videos(store):
                _STEPS[version](store / "videos" / video_id)
        write_version(store)
    return before, SCHEMA_VERSION


def _add_sightings_and_codes(folder: Path) -> None:
    """From version 1: sightings are computed from the detections; there are no codes yet."""
    try:
        frames = pq.read_table(folder / "frames.parquet", schema=SCHEMAS["frames"], partitioning=None)
        columns = ["track_id", "frame_index"]
        detections = pq.read_table(folder / "detections.parquet", columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise StoreError("A file of the store cannot be read.", found=str(error), where=str(folder)) from error
    processed = frames.filter(frames["processed"])
    sightings = sightings_of(
        detections["track_id"].to_numpy(),
        detections["frame_index"].to_numpy(),
        frame_index=processed["frame_index"].to_numpy(),
        begins_s=processed["timestamp_s"].to_numpy(),
        durations_s=processed["duration_s"].to_numpy(),
    )
    _add(folder / "sightings.parquet", sightings)
    _add(folder / "codes.parquet", SCHEMAS["codes"].empty_table())


def _add(path: Path, table: pa.Table) -> None:
    if not path.is_file():
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        write_file(path, buffer.getvalue())


_STEPS: Mapping[int, Callable[[Path], None]] = MappingProxyType({1: _add_sightings_and_codes})
"""Version → function that upgrades one video's folder to the next."""
