"""The formats by name: which file each is, who writes and who reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from visionllm_interaction.core.paths import StrPath
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

Write = Callable[[Store, str], bytes]


def _boris(store: Store, video_id: str) -> bytes:
    timeline = store_to_timeline(store, video_id)
    return boris_bytes({video_id: timeline}, fps={video_id: store.video(video_id).get("fps")})


def _json(store: Store, video_id: str) -> bytes:
    return timeline_document(store, video_id).model_dump_json(indent=1).encode() + b"\n"


def _of_timeline(to_bytes: Callable[[Timeline], bytes]) -> Write:
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
        "eaf": _of_timeline(eaf_bytes),
        "boris": _boris,
        "datavyu": _of_timeline(opf_bytes),
        "textgrid": _of_timeline(textgrid_bytes),
        "csv": _of_timeline(csv_bytes),
        "parquet": _of_timeline(parquet_bytes),
        "json": _json,
    }
)
_READERS: Mapping[str, Callable[[Path], Timeline]] = MappingProxyType(
    {".eaf": read_eaf, ".opf": read_opf, ".textgrid": read_textgrid, ".csv": read_csv, ".parquet": read_parquet}
)


def read_timelines(path: StrPath) -> dict[str, Timeline]:
    """Name of the observation (of most formats: the file's name) → timeline; the format is known by the ending.

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


def export_store(
    store: StrPath,
    out: StrPath,
    *,
    format_: str,
    video_id: str | None = None,
    pictures: bool = False,
    every_s: float = 0.0,
) -> dict[str, Any]:
    """Write one file per video (or only of ``video_id``) into the folder ``out``.

    Of COCO, ``every_s`` is the least time between two frames, and ``pictures`` writes them as JPEG beside the file.

    Returns:
        ``{"store", "format", "files": [{"video_id", "path", "bytes"}]}``.

    Raises:
        UsageError: for an unknown format, or images with another format than COCO.
        StoreError: if the store or the video is not there.
        VideoError: if a format needs the video's images and they cannot be had.
    """
    store = Path(store)
    out = Path(out)
    if format_ not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise UsageError("The format is not known.", expected=f"one of: {known}", found=format_)
    if format_ != "coco" and (pictures or every_s):
        raise UsageError("Images and their distance are for COCO.", expected="--format coco", found=format_)
    files = []
    with open_store(store) as opened:
        for id_ in [video_id] if video_id else opened.video_ids():
            opened.video(id_)
            path = out / f"{id_}{ENDINGS[format_]}"
            out.mkdir(parents=True, exist_ok=True)
            if format_ == "coco":
                _write_coco(opened, id_, path, pictures=pictures, every_s=every_s)
            else:
                _write(opened, id_, path, format_)
            files.append({"video_id": id_, "path": str(path), "bytes": path.stat().st_size})
    return {"store": str(store), "format": format_, "files": files}


def _write_coco(store: Store, video_id: str, path: Path, *, pictures: bool, every_s: float) -> None:
    if pictures:
        # Imported here: only images need the libraries of films.
        from visionllm_interaction.interop.annotated_video import write_pictures

        write_pictures(store, video_id, path.parent / video_id, every_s=every_s)
    write_file(path, coco_bytes(store, video_id, every_s=every_s))


def _write(store: Store, video_id: str, path: Path, format_: str) -> None:
    if format_ == "mp4":
        # Imported here: only these two need the libraries of films.
        from visionllm_interaction.interop.annotated_video import write_film

        write_film(store, video_id, path)
    elif format_ == "rrd":
        from visionllm_interaction.interop.rerun import write_rerun

        write_rerun(store, video_id, path)
    else:
        write_file(path, _WRITERS[format_](store, video_id))
