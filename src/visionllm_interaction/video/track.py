"""Detections of a video → tracks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.symbols import Track
from visionllm_interaction.core.tables import UNTRACKED, DetectionTable
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.post import drop_noise, fill_gaps, rejoin, take_first_sightings
from visionllm_interaction.video.vote import settle_categories


def track(detections: DetectionTable, frames: FrameTable, *, config: TrackConfig = TrackConfig()) -> DetectionTable:
    """The same detections with ``track_id`` set, one category per track, short gaps filled (marked ``interpolated``).

    Detections that belong to no track keep :data:`UNTRACKED`. Ids are 1, 2, … by first sighting. Every detection's
    frame must be a processed one of ``frames``.
    """
    # Imported here because the tracking package takes seconds to load and true tracks need none of it.
    from visionllm_interaction.video.tracklets import link

    ids = link(detections, frames, config=config)
    detections, ids = settle_categories(detections, ids, config=config)
    ids = take_first_sightings(detections, ids, frames, config=config)
    ids = rejoin(detections, ids, config=config)
    ids = drop_noise(detections, ids, frames, config=config)
    return fill_gaps(with_ids(detections, ids), frames, config=config)


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
