"""Publish, extend and erase videos of a store; each change is atomic for readers."""

from __future__ import annotations

import io
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from visionllm_interaction.core.bodies import BodyTables
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable, QualityRow
from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.errors import StoreError
from visionllm_interaction.store.arrow_schemas import (
    SCHEMAS,
    arrow_to_codes,
    bodies_to_arrow,
    detections_to_arrow,
    frames_to_arrow,
    symbols_to_arrow,
)
from visionllm_interaction.store.audit_corrections import forget_corrections
from visionllm_interaction.store.columns import OPTIONAL_COLUMNS
from visionllm_interaction.store.covariates import COVARIATES_FILE
from visionllm_interaction.store.data_protection.register import forget_consent_under_lock
from visionllm_interaction.store.layout import (
    RECORD_FILE,
    STORE_FILE,
    check_store,
    check_video_id,
    newest_revision,
    unknown_video,
    write_version,
)
from visionllm_interaction.store.migrations import migrate_store
from visionllm_interaction.store.roles.reviewed import ROLES_FILE, reapply_roles
from visionllm_interaction.store.sightings import find_sightings
from visionllm_interaction.store.video_record import VideoRecord, read_record
from visionllm_interaction.store.video_status_ledger import forget_video
from visionllm_interaction.utils.atomic_files import (
    PARTIAL_PREFIX,
    partial_of,
    replace_folder,
    sync_file,
    sync_folder,
    sync_tree,
    write_file,
)
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.path_type import StrPath

CODES_FILE = "codes.parquet"


def publish_video(
    store: StrPath,
    record: VideoRecord,
    *,
    frames: FrameTable,
    detections: DetectionTable,
    tracks: Sequence[Track],
    relations: Sequence[Relation],
    events: Sequence[Event],
    bodies: BodyTables | None = None,
    quality: Sequence[QualityRow] | None = None,
) -> Path:
    """Write one analysed video into a store.

    A video with the same id is replaced; a reader sees either the old or the new one. Codes imported for it
    (``codes.parquet``), its covariates, reviewed roles and people's corrections stay. A store of an older version is
    upgraded first.

    Args:
        store: the store's folder; it is created if it does not exist.
        record: the video's record.
        frames: every frame.
        detections: every detection, boxes xyxy in pixels.
        tracks: the tracks.
        relations: bouts of relations.
        events: the events.
        bodies: faces, hands and poses; None: they were not looked for.
        quality: how well each stretch shows what is to be measured; None: that was not measured.

    Returns:
        The video's folder.

    Raises:
        StoreError: if the folder is a store of another version, or not a store and not empty.
    """
    store = Path(store)
    prepare_store(store)
    tables = {
        "frames": frames_to_arrow(frames),
        "detections": detections_to_arrow(detections),
        "tracks": symbols_to_arrow("tracks", tracks),
        "relations": symbols_to_arrow("relations", relations),
        "events": symbols_to_arrow("events", events),
        "sightings": find_sightings(detections, frames),
        "codes": SCHEMAS["codes"].empty_table(),
        **({} if bodies is None else bodies_to_arrow(bodies)),
        **({} if quality is None else {"quality": symbols_to_arrow("quality", quality)}),
    }
    final = store / "videos" / record.video_id
    partial = partial_of(final)
    try:
        _write_folder(partial, record, tables)
        with wait_for_lock(store):
            _keep_what_people_added(final, partial)
            _correct_anew(final, partial)
            replace_folder(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def write_codes(store: StrPath, video_id: str, codes: Sequence[Code], *, source: str | None = None) -> None:
    """Add coded intervals to a video; earlier ones from the same files (``source``) are replaced.

    Args:
        store: the store's folder.
        video_id: the video.
        codes: the coded intervals, times in seconds of the video.
        source: name of the file they come from; needed where a file holds no codes any more.

    Raises:
        StoreError: if the store or the video is not there.
    """
    store = Path(store)
    check_store(store)
    folder = store / "videos" / check_video_id(video_id)
    with wait_for_lock(store):
        if not folder.is_dir():
            raise unknown_video(store, video_id)
        sources = {code.source for code in codes} | ({source} if source is not None else set())
        replace_codes(folder, codes, sources)


def replace_codes(folder: Path, codes: Sequence[Code], sources: Collection[str]) -> None:
    """Put ``codes`` in the place of those from ``sources``; the caller holds the store's lock.

    Args:
        folder: the video's folder.
        codes: the coded intervals, times in seconds of the video.
        sources: names of the files whose earlier codes go.
    """
    former = arrow_to_codes(pq.read_table(folder / CODES_FILE, schema=SCHEMAS["codes"], partitioning=None))
    kept = [code for code in former if code.source not in sources]
    write_table(folder / CODES_FILE, symbols_to_arrow("codes", [*kept, *codes]))


def write_table(path: Path, table: pa.Table) -> None:
    """Write one Parquet file of a store atomically."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_file(path, buffer.getvalue())


def erase_video(store: StrPath, video_id: str) -> None:
    """Delete everything the store holds about a video.

    Args:
        store: the store's folder.
        video_id: the video.

    Raises:
        StoreError: if the store or the video is not there.
        UsageError: if the id is not a safe name.
    """
    store = Path(store)
    check_store(store)
    folder = store / "videos" / check_video_id(video_id)
    if not folder.is_dir() and not _partial_folders(folder):
        raise unknown_video(store, video_id)
    record = read_record(folder)
    with wait_for_lock(store):
        # Renamed first: a reader never sees half a video, and a kill in between leaves nothing that is read.
        if folder.is_dir():
            folder.rename(partial_of(folder))
            sync_folder(folder.parent)
        for partial in _partial_folders(folder):
            shutil.rmtree(partial)
        forget_corrections(store, video_id)
        forget_consent_under_lock(store, video_id)
        forget_video(store, video_id, path=record.source.path if record else None)
        sync_folder(folder.parent)


def _partial_folders(folder: Path) -> list[Path]:
    """Folders of this video that are under construction or half deleted, also those of a killed process."""
    return [p for p in folder.parent.glob(f"{PARTIAL_PREFIX}*") if p.name[len(PARTIAL_PREFIX) : -9] == folder.name]


def prepare_store(store: StrPath) -> None:
    """Create an empty store unless there is one; upgrade one of an older version.

    Args:
        store: the store's folder.

    Raises:
        StoreError: if the folder is a store of another version, or not a store and not empty.
    """
    store = Path(store)
    if (store / STORE_FILE).is_file():
        migrate_store(store)
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
    (store / "videos").mkdir(parents=True, exist_ok=True)
    write_version(store)


def _write_folder(folder: Path, record: VideoRecord, tables: dict[str, pa.Table]) -> None:
    folder.mkdir(parents=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    (folder / RECORD_FILE).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sync_tree(folder)


def _correct_anew(former: Path, folder: Path) -> None:
    """Apply the corrections of a video to its new analysis; nothing is lost, and what is not found again is told."""
    if newest_revision(former) is None:
        return
    # Imported here: most videos have no corrections.
    from visionllm_interaction.store.corrections.recording import carry_corrections

    found = carry_corrections(former, folder)
    for one in found.orphaned if found is not None else ():
        log.warning(
            "a correction is not found again",
            video_id=former.name,
            correction=one.correction.correction_id,
            who=one.correction.who,
            reason=one.state.reason,
        )


def _keep_what_people_added(former: Path, folder: Path) -> None:
    for name in (CODES_FILE, COVARIATES_FILE, ROLES_FILE, *(f"{table}.parquet" for table in OPTIONAL_COLUMNS)):
        if (former / name).is_file():
            shutil.copyfile(former / name, folder / name)
            sync_file(folder / name)
    reapply_roles(folder)
