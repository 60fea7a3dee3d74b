"""Putting a video into a store and taking it out, each in one step that is seen whole or not at all."""

from __future__ import annotations

import ctypes
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from visionllm_interaction.artifacts.publish import PARTIAL_PREFIX, sync_folder, sync_tree, write_file
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.symbols import Event, Relation, Track
from visionllm_interaction.core.tables import DetectionTable
from visionllm_interaction.errors import StoreError
from visionllm_interaction.scenes.record import RECORD_FILE, VideoRecord, check_video_id
from visionllm_interaction.scenes.schemas import (
    SCHEMA_VERSION,
    detections_to_arrow,
    frames_to_arrow,
    symbols_to_arrow,
)

STORE_FILE = "store.yaml"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def publish_video(
    store: Path,
    record: VideoRecord,
    *,
    frames: FrameTable,
    detections: DetectionTable,
    tracks: Sequence[Track],
    relations: Sequence[Relation],
    events: Sequence[Event],
) -> Path:
    """Write one analysed video into the store at ``store`` (made if need be) and return its folder.

    A video that is there under the same id is replaced: a reader sees the old one or the new one.

    Raises:
        StoreError: if the folder is a store of another version, or not a store and not empty.
    """
    prepare_store(store)
    tables = {
        "frames": frames_to_arrow(frames),
        "detections": detections_to_arrow(detections),
        "tracks": symbols_to_arrow("tracks", tracks),
        "relations": symbols_to_arrow("relations", relations),
        "events": symbols_to_arrow("events", events),
    }
    final = store / "videos" / record.video_id
    partial = _partial(final)
    try:
        _write_folder(partial, record, tables)
        _move_into_place(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def erase_video(store: Path, video_id: str) -> None:
    """Delete everything the store knows about a video.

    Raises:
        StoreError: if the store or the video is not there.
        UsageError: if the id is not a safe name.
    """
    check_store(store)
    folder = store / "videos" / check_video_id(video_id)
    if not folder.is_dir():
        raise unknown_video(store, video_id)
    # Renamed first: a reader never sees half a video, and a kill in between leaves nothing that is read.
    doomed = _partial(folder)
    folder.rename(doomed)
    sync_folder(folder.parent)
    shutil.rmtree(doomed)
    sync_folder(folder.parent)


def unknown_video(store: Path, video_id: str) -> StoreError:
    """The error for a video that is not in the store."""
    known = list_videos(store)
    return StoreError(
        "The video is not in the store.",
        expected=f"one of {', '.join(known[:10])}{' …' if len(known) > 10 else ''}" if known else "a video",
        found=video_id,
        where=str(store),
    )


def list_videos(store: Path) -> list[str]:
    """Ids of the complete videos in a store, sorted."""
    folder = store / "videos"
    if not folder.is_dir():
        return []
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))


def prepare_store(store: Path) -> None:
    """Make an empty store at ``store`` unless one is there.

    Raises:
        StoreError: if the folder is a store of another version, or not a store and not empty.
    """
    if (store / STORE_FILE).is_file():
        check_store(store)
        return
    if store.exists() and (not store.is_dir() or any(not p.name.startswith(".") for p in store.iterdir())):
        raise StoreError(
            "The place for the store is taken by something else.",
            expected="a new or empty folder, or an interaction store",
            found="a file" if not store.is_dir() else f"a folder with other things in it and no {STORE_FILE}",
            where=str(store),
            fix="name another folder with --store",
        )
    content = {"kind": "visionllm-interaction store", "schema_version": SCHEMA_VERSION}
    write_file(store / STORE_FILE, yaml.safe_dump(content, sort_keys=False).encode())
    (store / "videos").mkdir(exist_ok=True)


def check_store(store: Path) -> None:
    """Make sure that ``store`` is a store this program reads.

    Raises:
        StoreError: otherwise.
    """
    try:
        content = yaml.safe_load((store / STORE_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StoreError(
            "There is no interaction store here.",
            expected=f"a folder with a {STORE_FILE}",
            found=getattr(error, "strerror", None) or "an unreadable file",
            where=str(store),
            fix="make one with `visionllm analyze VIDEO… --store DIR`, or correct --store",
        ) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise StoreError(
            "The store is of another version.",
            expected=f"schema_version {SCHEMA_VERSION}",
            found=repr(version),
            where=str(store / STORE_FILE),
            fix="analyse the videos again into a new store",
        )


def _write_folder(folder: Path, record: VideoRecord, tables: dict[str, pa.Table]) -> None:
    folder.mkdir(parents=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    (folder / RECORD_FILE).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sync_tree(folder)


def _move_into_place(partial: Path, final: Path) -> None:
    try:
        partial.rename(final)
    except OSError:
        # A folder that is not empty cannot be renamed over: swap the two, the old one goes away with the partial.
        exchange(partial, final)
    sync_folder(final.parent)


def exchange(one: Path, other: Path) -> None:
    """Swap two folders of one file system, in one step where the kernel can (Linux), else in three renames."""
    libc = ctypes.CDLL(None, use_errno=True)
    rename = getattr(libc, "renameat2", None)
    if rename and not rename(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE):
        return
    aside = _partial(other)
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def _partial(final: Path) -> Path:
    return final.with_name(f"{PARTIAL_PREFIX}{final.name}-{uuid.uuid4().hex[:8]}")
