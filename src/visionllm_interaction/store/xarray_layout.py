"""Tracks as an xarray dataset, in the bounding-box layout of the ``movement`` package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from visionllm_interaction.core.interactions import Track
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.video_record import VideoRecord

if TYPE_CHECKING:
    import xarray as xr

SOURCE_SOFTWARE = "visionllm-interaction"


def tracks_to_xarray(record: VideoRecord, frames: pa.Table, detections: pa.Table, tracks: list[Track]) -> xr.Dataset:
    """The boxes of every track in every frame.

    The layout is that of bounding-box datasets in ``movement`` 0.15 (https://movement.neuroinformatics.dev): dimensions
    ``time``, ``space`` and ``individuals``; ``position`` (box centre, pixels), ``shape`` (width and height, pixels) and
    ``confidence``. Two variables are added: ``processed`` (time), because *not seen* is not *not processed*, and
    ``interpolated`` (time, individuals). Where a track has no box, values are NaN.

    Args:
        record: the video's record.
        frames: ``frames.parquet``.
        detections: ``detections.parquet``.
        tracks: the video's tracks; each becomes an individual named by role or category and track id.

    Returns:
        The dataset; ``time`` holds the frames' own time stamps in seconds.

    Raises:
        UsageError: if xarray is not installed.
    """
    xarray = _import_xarray()
    times = frames["timestamp_s"].to_numpy()
    names = [f"{track.role or track.category}_{track.track_id}" for track in tracks]
    column_of = {track.track_id: n for n, track in enumerate(tracks)}
    track_ids = detections["track_id"].to_numpy()
    rows = np.flatnonzero(np.isin(track_ids, list(column_of)))
    at = np.searchsorted(frames["frame_index"].to_numpy(), detections["frame_index"].to_numpy()[rows])
    who = np.array([column_of[number] for number in track_ids[rows].tolist()], np.int64)
    boxes = np.stack([detections[side].to_numpy()[rows] for side in ("x1", "y1", "x2", "y2")], axis=1)
    position = np.full((len(times), 2, len(tracks)), np.nan, np.float32)
    shape = position.copy()
    confidence = np.full((len(times), len(tracks)), np.nan, np.float32)
    interpolated = np.zeros((len(times), len(tracks)), np.bool_)
    position[at, :, who] = (boxes[:, :2] + boxes[:, 2:]) / 2
    shape[at, :, who] = boxes[:, 2:] - boxes[:, :2]
    confidence[at, who] = detections["confidence"].to_numpy()[rows]
    interpolated[at, who] = detections["interpolated"].to_numpy(zero_copy_only=False)[rows]
    attributes = {
        "source_software": SOURCE_SOFTWARE,
        "source_file": record.source.name,
        "ds_type": "bboxes",
        "time_unit": "seconds",
        "video_id": record.video_id,
        **({"fps": float(record.fps)} if record.fps else {}),
    }
    dataset: xr.Dataset = xarray.Dataset(
        {
            "position": (("time", "space", "individuals"), position),
            "shape": (("time", "space", "individuals"), shape),
            "confidence": (("time", "individuals"), confidence),
            "processed": (("time",), frames["processed"].to_numpy(zero_copy_only=False)),
            "interpolated": (("time", "individuals"), interpolated),
        },
        coords={"time": times, "space": ["x", "y"], "individuals": names},
        attrs=attributes,
    )
    return dataset


def _import_xarray() -> Any:
    try:
        import xarray
    except ImportError as error:
        raise UsageError(
            "xarray is not installed.",
            expected="the extra `notebook`",
            found=str(error),
            fix="pip install 'visionllm-interaction[notebook]'",
        ) from error
    return xarray
