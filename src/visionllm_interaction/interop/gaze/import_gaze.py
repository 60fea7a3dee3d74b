"""Import the gaze of an eye tracker for the video of its scene camera, and derive bouts of looking."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.gaze.looks import FrameBoxes, LookLimits, known_time, looks_of, targets_of
from visionllm_interaction.interop.gaze.pupil_labs import read_cloud, read_core, read_native
from visionllm_interaction.interop.gaze.samples import GazeRecording
from visionllm_interaction.interop.gaze.tobii import read_common_table, read_glasses3
from visionllm_interaction.store.arrow_schemas import SCHEMAS
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.recordings.clocks import Clock, Recording, chain_of, clock_of
from visionllm_interaction.store.recordings.imported_data import (
    read_recordings,
    recordings_with_gaze,
    write_gaze,
    write_imported,
)
from visionllm_interaction.utils.path_type import StrPath

GAZE_FILES = ("gaze.csv", "gaze_positions.csv", "gaze.pldata", "gazedata.gz", "gazeData.tsv")
TIER = "gaze"


@dataclass(frozen=True)
class GazeResult:
    """The result of importing gaze.

    Attributes:
        store: the store's folder.
        video_id: the scene camera's video.
        recording: the tracker with its clock.
        wearer: who wears it.
        samples: how many samples there are.
        lost: how many of them have no gaze.
        looks: label → number of bouts.
        notes: what should be known.
    """

    store: Path
    video_id: str
    recording: Recording
    wearer: str
    samples: int
    lost: int
    looks: Mapping[str, int]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm import`` for a recording of an eye tracker."""
        return {
            "store": str(self.store),
            "video_id": self.video_id,
            "recording": self.recording.to_dict(),
            "wearer": self.wearer,
            "samples": self.samples,
            "lost": self.lost,
            "looks": dict(self.looks),
            "notes": list(self.notes),
        }


def is_gaze(path: Path) -> bool:
    """Whether a path is the recording of an eye tracker: its folder, or the file with its gaze."""
    if path.name == "gaze.csv":  # also a likely name for a table of coded looks
        return path.is_file() and (path.parent / "world_timestamps.csv").is_file()
    return path.is_dir() or (path.is_file() and path.name in GAZE_FILES)


def read_gaze(path: StrPath, *, width: int, height: int) -> GazeRecording:
    """Read the recording of an eye tracker.

    Args:
        path: its folder, or the file with its gaze.
        width: width of the video's images in pixels, for tables that do not say it.
        height: their height.

    Returns:
        Its gaze; nothing that identifies somebody is read.

    Raises:
        UsageError: if no known tracker writes such a folder.
        InputDataError: if a file of it is missing or damaged.
    """
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    if (folder / "gaze.csv").is_file():
        return read_cloud(folder, width=width, height=height)
    if (folder / "gaze_positions.csv").is_file() or (folder / "gaze.pldata").is_file():
        return read_core(folder)
    if (folder / "gazedata.gz").is_file():
        return read_glasses3(folder)
    if (folder / "gazeData.tsv").is_file():
        return read_common_table(folder, width=width, height=height)
    if any(folder.glob("gaze*.raw")):
        return read_native(folder)
    raise UsageError(
        "The folder is of no known eye tracker.",
        expected=f"one with {', '.join(GAZE_FILES)} or gaze ps1.raw",
        found=folder.name,
    )


def import_gaze(
    path: StrPath,
    store: StrPath,
    *,
    video_id: str,
    wearer: str = "child",
    clock: Clock = Clock(),
    limits: LookLimits = LookLimits(),
) -> GazeResult:
    """Import gaze for the video of the tracker's scene camera.

    Samples are kept (``gaze.parquet``). Bouts of looking at tracks become codes of kind ``gaze``, and the time in which
    the eyes were not lost becomes coded time. Gaze of the same wearer that was imported before is replaced.

    Args:
        path: the recording's folder, or the file with its gaze.
        store: the store's folder.
        video_id: the scene camera's video.
        wearer: a role or category; the wearer's own tracks are not looked at.
        clock: where the scene camera's first image lies on the video's clock, if not at its begin.
        limits: how samples become bouts.

    Returns:
        Samples and bouts.

    Raises:
        UsageError: if no known tracker writes such a folder.
        InputDataError: if a file of it is missing or damaged.
        StoreError: if the store or the video is not there.
    """
    store = Path(store)
    with open_store(store) as opened:
        record = opened.record(video_id)
    gaze = read_gaze(path, width=record.width, height=record.height)
    name = f"{gaze.device} of {wearer}"
    by_hand = bool(clock.offset_s or clock.drift_ppm)
    recording = Recording(name, "tracker", clock.offset_s, clock.drift_ppm, "hand" if by_hand else "file")
    write_gaze(store, video_id, recording, gaze_table(gaze, name, wearer))
    looks = derive_looks(store, video_id, name, limits=limits)
    return GazeResult(store, video_id, recording, wearer, len(gaze.t), lost_samples(gaze), looks, gaze.notes)


def gaze_table(
    gaze: GazeRecording, name: str, wearer: str, *, begin_s: float = -math.inf, end_s: float = math.inf
) -> pa.Table:
    """Samples as the store keeps them.

    Args:
        gaze: the samples.
        name: the recording.
        wearer: who wears the tracker.
        begin_s: only samples from here on the tracker's clock.
        end_s: only samples before this.

    Returns:
        The columns of ``gaze.parquet``.
    """
    kept = (gaze.t >= begin_s) & (gaze.t < end_s)
    rows, schema = int(kept.sum()), SCHEMAS["gaze"]
    columns = [pa.repeat(name, rows), pa.repeat(wearer, rows)]
    columns += [pa.array(values[kept]) for values in (gaze.t, gaze.x, gaze.y, gaze.valid)]
    arrays = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def lost_samples(gaze: GazeRecording) -> int:
    """How many samples have no gaze."""
    return int(np.count_nonzero(~gaze.valid))


def rederive_looks(store: StrPath, video_id: str, moved: str) -> None:
    """Derive the looks of trackers again whose clock moved.

    Args:
        store: the store's folder.
        video_id: the scene camera's video.
        moved: the recording whose clock was set; trackers that follow it move along.
    """
    folder = Path(store) / "videos" / video_id
    recordings = read_recordings(folder)
    for name in sorted(recordings_with_gaze(folder) & set(recordings)):
        if moved in chain_of(name, recordings):
            derive_looks(store, video_id, name)


def derive_looks(store: StrPath, video_id: str, recording: str, *, limits: LookLimits = LookLimits()) -> dict[str, int]:
    """Derive bouts of looking from gaze that was imported, with its present clock.

    Args:
        store: the store's folder.
        video_id: the scene camera's video.
        recording: the tracker.
        limits: how samples become bouts.

    Returns:
        Label → number of bouts.

    Raises:
        StoreError: if the store or the video is not there.
    """
    store = Path(store)
    folder = store / "videos" / video_id
    table = pq.read_table(folder / "gaze.parquet", schema=SCHEMAS["gaze"], partitioning=None)
    table = table.filter(pc.equal(table["recording"], recording))
    recordings = read_recordings(folder)
    clock = clock_of(recording, recordings)
    t = table["t"].to_numpy()
    mapped = clock.offset_s + t * (1.0 + clock.drift_ppm * 1e-6)
    valid = table["valid"].to_numpy(zero_copy_only=False)
    wearer = table["wearer"][0].as_py() if len(table) else ""
    with open_store(store) as opened:
        record = opened.record(video_id)
        boxes, labels = _boxes(opened, video_id, wearer)
    inside = (mapped >= 0) & (mapped < record.duration_s)
    x = table["x"].to_numpy().astype(np.float64) * record.width
    y = table["y"].to_numpy().astype(np.float64) * record.height
    targets = targets_of(
        mapped[inside], x[inside], y[inside], valid[inside], boxes, tolerance_px=limits.tolerance * record.width
    )
    looks = looks_of(mapped[inside], targets, limits)
    spans = [(look.begin_s, look.end_s, "gaze", labels[look.track_id]) for look in looks]
    spans += [(begin, end, "coded", "") for begin, end in known_time(mapped[inside], valid[inside], limits)]
    codes = []
    for n, (begin_s, end_s, kind, label) in enumerate(spans, start=1):
        own = clock.inverse(begin_s), clock.inverse(end_s)
        tier = TIER if kind == "gaze" else "coded"
        codes.append(Code(f"{recording}#{n}", tier, kind, wearer, label, *own, recording))
    write_imported(store, video_id, recordings[recording], codes, skip_misplaced=True)
    return dict(Counter(label for _, _, kind, label in spans if kind == "gaze"))


def _boxes(store: Store, video_id: str, wearer: str) -> tuple[FrameBoxes, dict[int, str]]:
    """Boxes of the tracks that can be looked at, and their labels: the role of a person, else the category."""
    tracks = store.tracks(video_id)
    labels = {track.track_id: track.role or track.category for track in tracks}
    own = {track.track_id for track in tracks if wearer in (track.role, track.category)}
    frames = store.frames(video_id)
    frames = frames.filter(frames["processed"])
    rows = store.detections(video_id)
    ids = rows["track_id"].to_numpy()
    kept = (ids != UNTRACKED) & ~np.isin(ids, list(own))
    frame_index = rows["frame_index"].to_numpy()[kept]
    place = np.searchsorted(frames["frame_index"].to_numpy(), frame_index)
    order = np.argsort(place, kind="stable")
    sides = np.stack([rows[side].to_numpy()[kept] for side in ("x1", "y1", "x2", "y2")], axis=1).astype(np.float64)
    times = frames["timestamp_s"].to_numpy()
    return FrameBoxes(times, place[order], sides[order], ids[kept][order]), labels
