"""The formats by name, with their file endings, writers and readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from visionllm_interaction.core.evidence import ValuesUsed
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.coco import (
    coco_bytes,
    corrected_coco_bytes,
    corrected_frames,
    sampled_frames,
)
from visionllm_interaction.interop.export_timeline import MediaAs, store_to_timeline
from visionllm_interaction.interop.formats.bids import events_json_bytes, events_tsv_bytes
from visionllm_interaction.interop.formats.boris import boris_bytes, read_boris
from visionllm_interaction.interop.formats.columns import ColumnMap
from visionllm_interaction.interop.formats.datavyu import opf_bytes, read_opf
from visionllm_interaction.interop.formats.elan import eaf_bytes, read_eaf
from visionllm_interaction.interop.formats.praat import read_textgrid, textgrid_bytes
from visionllm_interaction.interop.formats.safe_reading import read_text
from visionllm_interaction.interop.formats.tabular import csv_bytes, parquet_bytes, read_csv, read_parquet
from visionllm_interaction.interop.plugins import group, read_by_plugin, writer_of
from visionllm_interaction.interop.speech.alice import is_alice, read_alice
from visionllm_interaction.interop.speech.chat import read_chat
from visionllm_interaction.interop.speech.lena import read_its
from visionllm_interaction.interop.speech.rttm import read_rttm
from visionllm_interaction.interop.speech.subtitles import read_subtitles
from visionllm_interaction.interop.speech.whisper import read_whisper
from visionllm_interaction.interop.tiers import Timeline
from visionllm_interaction.store.data_protection.consent import check_consent
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.scene_graph import timeline_document
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice, opened_as
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.path_type import StrPath

Write = Callable[[Store, str, MediaAs], bytes]
WriteFile = Callable[[Store, str, Path, MediaAs], None]


def _boris(store: Store, video_id: str, media: MediaAs) -> bytes:
    timeline = store_to_timeline(store, video_id, media=media)
    return boris_bytes({video_id: timeline}, fps={video_id: store.video(video_id).get("fps")})


def _json(store: Store, video_id: str, _: MediaAs) -> bytes:
    return timeline_document(store, video_id).model_dump_json(indent=1).encode() + b"\n"


def _timeline_writer(to_bytes: Callable[[Timeline], bytes]) -> Write:
    return lambda store, video_id, media: to_bytes(store_to_timeline(store, video_id, media=media))


ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        "eaf": ".eaf",
        "boris": ".boris",
        "datavyu": ".opf",
        "textgrid": ".TextGrid",
        "bids": "_events.tsv",
        "csv": ".csv",
        "parquet": ".parquet",
        "coco": ".coco.json",
        "json": ".timeline.json",
        "mp4": ".mp4",
        "rrd": ".rrd",
    }
)
"""Format that is built in → the ending of its files."""
_WRITERS: Mapping[str, Write] = MappingProxyType(
    {
        "eaf": _timeline_writer(eaf_bytes),
        "boris": _boris,
        "datavyu": _timeline_writer(opf_bytes),
        "textgrid": _timeline_writer(textgrid_bytes),
        "bids": _timeline_writer(events_tsv_bytes),
        "csv": _timeline_writer(csv_bytes),
        "parquet": _timeline_writer(parquet_bytes),
        "json": _json,
    }
)
_OF_VIDEOS = frozenset({"coco", "mp4", "rrd", "json"})
_YIELDING = frozenset({".tsv", ".txt", ".tab", ".rttm", ".its", ".cha", ".json", ".srt", ".vtt"})
_TABLES = (".csv", ".tsv", ".txt", ".tab")
_READERS: Mapping[str, Callable[[Path], Timeline | dict[str, Timeline]]] = MappingProxyType(
    {
        ".eaf": read_eaf,
        ".opf": read_opf,
        ".textgrid": read_textgrid,
        ".parquet": read_parquet,
        ".boris": read_boris,
        ".boris.gz": read_boris,
        ".rttm": read_rttm,
        ".its": read_its,
        ".cha": read_chat,
        ".json": read_whisper,
        ".srt": read_subtitles,
        ".vtt": read_subtitles,
    }
)
_RESERVED = (*_TABLES, *_READERS, *(ending.lower() for ending in ENDINGS.values()))
# A plug-in may still read .cha, .json and the like: what is built in reads them only where no plug-in does.
CODING_FORMATS = group(ENDINGS, tuple(ending for ending in _RESERVED if ending not in _YIELDING))
"""Formats of plug-ins."""


def read_timelines(path: StrPath, *, columns: ColumnMap | None = None) -> dict[str, Timeline]:
    """Read a coded file, a transcript or a table; its format follows from the ending, which may be that of a plug-in.

    Args:
        path: the file.
        columns: of a table, which column means what; None: as its header says.

    Returns:
        Name of the observation (in most formats the file's name) → timeline.

    Raises:
        UsageError: for an ending that nobody knows, or columns for a file that is no table.
        PluginError: if several plug-ins know it, or one gives no timelines.
        InputDataError: if the file cannot be read.
    """
    path = Path(path)
    ending = next((one for one in (*_READERS, *_TABLES) if path.name.lower().endswith(one)), path.suffix.lower())
    if columns is not None and ending not in _TABLES:
        raise UsageError("Columns are for tables.", expected=f"one of: {', '.join(_TABLES)}", found=path.name)
    if (ending in _YIELDING and columns is None and _has_plugin(path)) or ending not in (*_READERS, *_TABLES):
        return read_by_plugin(CODING_FORMATS, path, built_in=(*_READERS, *_TABLES))
    if ending in _TABLES:
        if columns is None and ending == ".txt" and is_alice(read_text(path)):
            return read_alice(path)
        return {path.stem: read_csv(path, columns)}
    read = _READERS[ending](path)
    return read if isinstance(read, dict) else {path.stem: read}


def _has_plugin(path: Path) -> bool:
    endings = CODING_FORMATS.matching(lambda plugin: plugin.endings).found
    return any(path.name.lower().endswith(ending) for _, own in endings for ending in own)


@dataclass(frozen=True)
class ExportedFile:
    """One exported file: its video, its path and its size in bytes."""

    video_id: str
    path: Path
    bytes: int


@dataclass(frozen=True)
class ExportResult:
    """The result of an export.

    Attributes:
        store: the store's folder.
        format: a key of :data:`ENDINGS`, or a plug-in's name.
        files: one for each video.
        values: ``corrected`` if people have corrected one of the videos and that was written.
    """

    store: Path
    format: str
    files: tuple[ExportedFile, ...]
    values: ValuesUsed = "detected"

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm export``."""
        files = [{"video_id": file.video_id, "path": str(file.path), "bytes": file.bytes} for file in self.files]
        return {"store": str(self.store), "format": self.format, "values": self.values, "files": files}


def export(
    store: StrPath,
    out: StrPath,
    *,
    format: str,
    video_id: str | None = None,
    images: bool = False,
    every_s: float = 0.0,
    sessions: SessionChoice | None = None,
    values: ValuesUsed = "corrected",
    media: MediaAs = "paths",
    project: str | None = None,
) -> ExportResult:
    """Export each video (or session) for ELAN, BORIS, Datavyu, Praat, R, CVAT or Rerun, or as an annotated video.

    Args:
        store: the store's folder.
        out: a folder, created if it does not exist; one file per video (of BIDS with its sidecar).
        format: a key of :data:`ENDINGS`, for example ``"eaf"``, or the name of a plug-in that writes.
        video_id: only this video.
        images: with COCO, also write the frames as JPEG.
        every_s: with COCO, the least time between two frames in seconds.
        sessions: a file for each session, on its clock, in place of its videos; None: for each video.
        values: of videos that people have corrected, the corrected values, or those as detected.
        media: whether coding programs are told the paths of the videos, or only the names of their files: right for
            somebody who opens the export on another machine.
        project: the project whose records of consent count; None: those of all projects.

    Returns:
        The files written.

    Raises:
        UsageError: for an unknown format, images with another format than COCO, or sessions with one that needs the
            images of a video.
        PluginError: if the format is a plug-in's that cannot be used.
        ConsentMissing: if consent for a video was withdrawn, or is required and not recorded. Nothing is written then.
        StoreError: if the store or the video is not there.
        VideoError: if a format needs the source video and it is gone or has changed.
    """
    format_, out = format, Path(out)
    ending, write = _how_to_write(format_)
    if format_ != "coco" and (images or every_s):
        raise UsageError("Images, and the time between them, belong to COCO.", expected="--format coco", found=format_)
    files = []
    if sessions is not None and format_ in _OF_VIDEOS:
        raise UsageError("The format is one of single videos.", expected="a format of coding programs", found=format_)
    with open_store(store, values=values) as base:
        opened = opened_as(base, sessions)
        chosen = [video_id] if video_id else opened.video_ids()
        check_consent(store, _videos_of(opened, chosen), project=project)
        for id_ in chosen:
            opened.video(id_)
            path = out / f"{id_}{ending}"
            out.mkdir(parents=True, exist_ok=True)
            if format_ == "coco":
                _write_coco(opened, id_, path, images=images, every_s=every_s)
            else:
                write(opened, id_, path, media)
            files.append(ExportedFile(id_, path, path.stat().st_size))
        used = opened.values_of(chosen)
    return ExportResult(Path(store), format_, tuple(files), used)


def _videos_of(opened: Store, ids: Sequence[str]) -> list[str]:
    """The videos that ids stand for: themselves, or those of a session."""
    sessions = getattr(opened, "sessions", {})
    return [
        one for id_ in ids for one in ([part.video_id for part in sessions[id_].chapters] if id_ in sessions else [id_])
    ]


def export_corrected(
    store: StrPath, out: StrPath, *, format: str = "coco", video_id: str | None = None, images: bool = False
) -> ExportResult:
    """Export the videos that people have corrected.

    Args:
        store: the store's folder.
        out: a folder, created if it does not exist; one file per video.
        format: ``coco``: the frames in which boxes were corrected, to train a detector with; or as for :func:`export`.
        video_id: only this video.
        images: with COCO, also write the frames as JPEG.

    Returns:
        The files written; none where nothing is corrected.

    Raises:
        UsageError, ConsentMissing, StoreError, VideoError: as for :func:`export`.
    """
    if images and format != "coco":
        raise UsageError("Images belong to COCO.", expected="--format coco", found=format)
    out, files = Path(out), list[ExportedFile]()
    with open_store(store) as corrected, open_store(store, values="detected") as detected:
        asked = corrected.video_ids() if video_id is None else [video_id]
        chosen = [one for one in asked if corrected.values_of([one]) == "corrected"]
        check_consent(store, chosen)
        if format == "coco":
            for one in chosen:
                path = out / f"{one}{ENDINGS['coco']}"
                out.mkdir(parents=True, exist_ok=True)
                if images:
                    from visionllm_interaction.interop.rendering.coco_frame_images import write_frame_images

                    wanted = corrected_frames(detected, corrected, one)
                    write_frame_images(corrected, one, out / one, wanted=wanted)
                write_file(path, corrected_coco_bytes(detected, corrected, one))
                files.append(ExportedFile(one, path, path.stat().st_size))
            return ExportResult(Path(store), format, tuple(files), corrected.values_of(chosen))
    for one in chosen:
        files += export(store, out, format=format, video_id=one).files
    return ExportResult(Path(store), format, tuple(files), "corrected" if chosen else "detected")


def _write_coco(store: Store, video_id: str, path: Path, *, images: bool, every_s: float) -> None:
    if images:
        # Imported here: only images need the video libraries.
        from visionllm_interaction.interop.rendering.coco_frame_images import write_frame_images

        wanted = sampled_frames(store, video_id, every_s=every_s)
        write_frame_images(store, video_id, path.parent / video_id, wanted=wanted)
    write_file(path, coco_bytes(store, video_id, every_s=every_s))


def _how_to_write(format_: str) -> tuple[str, WriteFile]:
    """The ending of a format's files, and what writes one of them."""
    if format_ in ENDINGS:
        return ENDINGS[format_], partial(_write, format_)
    plugin = CODING_FORMATS.get(format_)
    if plugin is None:
        known = ", ".join([*ENDINGS, *CODING_FORMATS.names()])
        raise UsageError("The format is not known.", expected=f"one of: {known}", found=format_)
    to_bytes = _timeline_writer(writer_of(plugin))
    return plugin.offered.endings[0], lambda store, id_, path, media: write_file(path, to_bytes(store, id_, media))


def _write(format_: str, store: Store, video_id: str, path: Path, media: MediaAs) -> None:
    if format_ == "mp4":
        # Imported here: only these two need the video libraries.
        from visionllm_interaction.interop.rendering.annotated_video import write_annotated_video

        write_annotated_video(store, video_id, path)
    elif format_ == "rrd":
        from visionllm_interaction.interop.rerun import write_rerun

        write_rerun(store, video_id, path)
    else:
        write_file(path, _WRITERS[format_](store, video_id, media))
        if format_ == "bids":
            write_file(path.with_suffix(".json"), events_json_bytes())
