"""The formats by name, with their file endings, writers and readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.boris import boris_bytes, read_boris
from visionllm_interaction.interop.coco import coco_bytes
from visionllm_interaction.interop.datavyu import opf_bytes, read_opf
from visionllm_interaction.interop.elan import eaf_bytes, read_eaf
from visionllm_interaction.interop.export_timeline import store_to_timeline
from visionllm_interaction.interop.praat import read_textgrid, textgrid_bytes
from visionllm_interaction.interop.tabular import csv_bytes, parquet_bytes, read_csv, read_parquet
from visionllm_interaction.interop.tiers import Timeline
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.scene_graph import timeline_document
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.paths import StrPath

Write = Callable[[Store, str], bytes]


def _boris(store: Store, video_id: str) -> bytes:
    timeline = store_to_timeline(store, video_id)
    return boris_bytes({video_id: timeline}, fps={video_id: store.video(video_id).get("fps")})


def _json(store: Store, video_id: str) -> bytes:
    return timeline_document(store, video_id).model_dump_json(indent=1).encode() + b"\n"


def _timeline_writer(to_bytes: Callable[[Timeline], bytes]) -> Write:
    return lambda store, video_id: to_bytes(store_to_timeline(store, video_id))


ENDINGS: Mapping[str, str] = MappingProxyType(
    {
        "eaf": ".eaf",
        "boris": ".boris",
        "datavyu": ".opf",
        "textgrid": ".TextGrid",
        "csv": ".csv",
        "parquet": ".parquet",
        "coco": ".coco.json",
        "json": ".timeline.json",
        "mp4": ".mp4",
        "rrd": ".rrd",
    }
)
"""Format → the ending of its files."""
_WRITERS: Mapping[str, Write] = MappingProxyType(
    {
        "eaf": _timeline_writer(eaf_bytes),
        "boris": _boris,
        "datavyu": _timeline_writer(opf_bytes),
        "textgrid": _timeline_writer(textgrid_bytes),
        "csv": _timeline_writer(csv_bytes),
        "parquet": _timeline_writer(parquet_bytes),
        "json": _json,
    }
)
_READERS: Mapping[str, Callable[[Path], Timeline]] = MappingProxyType(
    {".eaf": read_eaf, ".opf": read_opf, ".textgrid": read_textgrid, ".csv": read_csv, ".parquet": read_parquet}
)


def read_timelines(path: StrPath) -> dict[str, Timeline]:
    """Read a coded file; its format follows from the ending.

    Args:
        path: the file.

    Returns:
        Name of the observation (in most formats the file's name) → timeline.

    Raises:
        UsageError: for another ending.
        InputDataError: if the file cannot be read.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".boris":
        return read_boris(path)
    if ending not in _READERS:
        known = ", ".join(sorted([*_READERS, ".boris"]))
        raise UsageError("The format of the file is not known.", expected=f"one of: {known}", found=path.name)
    return {path.stem: _READERS[ending](path)}


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
        format: a key of :data:`ENDINGS`.
        files: one for each video.
    """

    store: Path
    format: str
    files: tuple[ExportedFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm export``."""
        files = [{"video_id": file.video_id, "path": str(file.path), "bytes": file.bytes} for file in self.files]
        return {"store": str(self.store), "format": self.format, "files": files}


def export(
    store: StrPath,
    out: StrPath,
    *,
    format: str,
    video_id: str | None = None,
    images: bool = False,
    every_s: float = 0.0,
) -> ExportResult:
    """Export each video for ELAN, BORIS, Datavyu, Praat, R, CVAT or Rerun, or as an annotated video.

    Args:
        store: the store's folder.
        out: a folder, created if it does not exist; one file per video.
        format: a key of :data:`ENDINGS`, for example ``"eaf"``.
        video_id: only this video.
        images: with COCO, also write the frames as JPEG.
        every_s: with COCO, the least time between two frames in seconds.

    Returns:
        The files written.

    Raises:
        UsageError: for an unknown format, or images with another format than COCO.
        StoreError: if the store or the video is not there.
        VideoError: if a format needs the source video and it is gone or has changed.
    """
    format_, out = format, Path(out)
    if format_ not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise UsageError("The format is not known.", expected=f"one of: {known}", found=format_)
    if format_ != "coco" and (images or every_s):
        raise UsageError("Images, and the time between them, belong to COCO.", expected="--format coco", found=format_)
    files = []
    with open_store(store) as opened:
        for id_ in [video_id] if video_id else opened.video_ids():
            opened.video(id_)
            path = out / f"{id_}{ENDINGS[format_]}"
            out.mkdir(parents=True, exist_ok=True)
            if format_ == "coco":
                _write_coco(opened, id_, path, images=images, every_s=every_s)
            else:
                _write(opened, id_, path, format_)
            files.append(ExportedFile(id_, path, path.stat().st_size))
    return ExportResult(Path(store), format_, tuple(files))


def _write_coco(store: Store, video_id: str, path: Path, *, images: bool, every_s: float) -> None:
    if images:
        # Imported here: only images need the video libraries.
        from visionllm_interaction.interop.annotated_video import write_frame_images

        write_frame_images(store, video_id, path.parent / video_id, every_s=every_s)
    write_file(path, coco_bytes(store, video_id, every_s=every_s))


def _write(store: Store, video_id: str, path: Path, format_: str) -> None:
    if format_ == "mp4":
        # Imported here: only these two need the video libraries.
        from visionllm_interaction.interop.annotated_video import write_annotated_video

        write_annotated_video(store, video_id, path)
    elif format_ == "rrd":
        from visionllm_interaction.interop.rerun import write_rerun

        write_rerun(store, video_id, path)
    else:
        write_file(path, _WRITERS[format_](store, video_id))
