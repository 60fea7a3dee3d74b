"""Detections of a video → tracks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.interactions import Track
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.tracking.appearance import Looks
from visionllm_interaction.video.tracking.camera_motion import CameraPath, with_boxes
from visionllm_interaction.video.tracking.category_voting import settle_categories
from visionllm_interaction.video.tracking.identity_switches import Known, tell_apart
from visionllm_interaction.video.tracking.interpolation import fill_gaps
from visionllm_interaction.video.tracking.stitching import drop_noise, rejoin, take_first_sightings


def track(
    detections: DetectionTable,
    frames: FrameTable,
    *,
    config: TrackConfig = TrackConfig(),
    camera: CameraPath | None = None,
    size_px: tuple[int, int] | None = None,
    looks: Looks | None = None,
) -> DetectionTable:
    """The same detections with ``track_id`` set, one category per track, short gaps filled (marked ``interpolated``).

    Detections that belong to no track keep :data:`UNTRACKED`. Ids are 1, 2, … by first sighting. Every detection's
    frame must be a processed one of ``frames``. With the path of a moving ``camera`` all this happens in the first
    frame's coordinates. ``size_px`` (width, height) tells who has left the image,
    ``looks`` tell alike things apart.
    """
    # Imported here because the tracking package takes seconds to load and true tracks need none of it.
    from visionllm_interaction.video.tracking.bytetrack import link

    ids = link(steadied(detections, camera), frames, config=config)
    return settle(detections, ids, frames, config=config, camera=camera, size_px=size_px, looks=looks)


def steadied(detections: DetectionTable, camera: CameraPath | None) -> DetectionTable:
    """``detections`` as a camera at rest would have seen them."""
    if camera is None:
        return detections
    return with_boxes(detections, camera.steady(detections.boxes_xyxy, detections.frame_index))


def settle(
    detections: DetectionTable,
    ids: NDArray[np.int64],
    frames: FrameTable,
    *,
    config: TrackConfig,
    camera: CameraPath | None = None,
    size_px: tuple[int, int] | None = None,
    looks: Looks | None = None,
) -> DetectionTable:
    """Tracks from tracklet ids: what can only be told once the whole video is known."""
    rows, ids = settle_categories(steadied(detections, camera), ids, config=config)
    ids = take_first_sightings(rows, ids, frames, config=config)
    known = None if looks is None else Known.of(rows, ids, looks, window_s=config.appearance_window_s)

    def joined(ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return rejoin(rows, ids, config=config, moving=camera is not None, size_px=size_px, known=known)

    ids = joined(ids)
    if known is not None:
        # Who has his own track back may turn out to be continued by one that did not look like him before.
        ids = joined(tell_apart(rows, ids, known, margin=config.appearance_margin))
    ids = drop_noise(rows, ids, frames, config=config)
    filled = fill_gaps(with_ids(rows, ids), frames, config=config)
    return filled if camera is None else _as_seen(filled, detections, camera)


def _as_seen(filled: DetectionTable, detections: DetectionTable, camera: CameraPath) -> DetectionTable:
    """Boxes back in their own frames: those that were seen exactly as they were."""
    boxes = camera.as_seen(filled.boxes_xyxy, filled.frame_index)
    boxes[~filled.interpolated] = detections.boxes_xyxy
    return with_boxes(filled, boxes)


def with_ids(detections: DetectionTable, ids: NDArray[np.int64]) -> DetectionTable:
    """``detections`` with other track ids."""
    return DetectionTable(
        detections.frame_index,
        detections.timestamp_s,
        detections.category,
        detections.confidence,
        detections.boxes_xyxy,
        ids,
        detections.interpolated,
    )


def summarise_tracks(detections: DetectionTable, frames: FrameTable, *, roles: Mapping[str, str]) -> list[Track]:
    """One :class:`Track` per id in ``detections``, by id; ``roles`` maps categories, or ids as text, to roles."""
    end_of = dict(zip(frames.frame_index.tolist(), (frames.timestamp_s + frames.duration_s).tolist(), strict=True))
    tracks = []
    for track_id in np.unique(detections.track_id[detections.track_id != UNTRACKED]).tolist():
        own = detections.select(detections.track_id == track_id)
        seen = ~own.interpolated
        category = str(own.category[0])
        tracks.append(
            Track(
                track_id=track_id,
                category=category,
                role=roles.get(str(track_id), roles.get(category)),
                begin_s=float(own.timestamp_s[0]),
                end_s=end_of[int(own.frame_index[-1])],
                n_detections=int(seen.sum()),
                mean_confidence=float(own.confidence[seen].mean()),
            )
        )
    return tracks
