"""Build the tracks of a video from its detections."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable, processed_step_s
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.tracking.adapt_to_rate import (
    adapt_to_rate,
    add_single_detections,
    adopt_between,
    stands_alone,
    widening_at,
)
from visionllm_interaction.video.tracking.appearance import AppearanceFeatures
from visionllm_interaction.video.tracking.camera_motion import CameraPath
from visionllm_interaction.video.tracking.category_voting import vote_categories
from visionllm_interaction.video.tracking.identity_switch_correction import (
    TrackAppearance,
    correct_identity_switches,
    split_where_replaced,
)
from visionllm_interaction.video.tracking.interpolation import interpolate_gaps
from visionllm_interaction.video.tracking.roles import role_of
from visionllm_interaction.video.tracking.stitching import extend_to_first_detection, remove_noise, stitch_tracklets


def track(
    detections: DetectionTable,
    frames: FrameTable,
    *,
    config: TrackConfig = TrackConfig(),
    camera: CameraPath | None = None,
    size_px: tuple[int, int] | None = None,
    features: AppearanceFeatures | None = None,
) -> DetectionTable:
    """Track detections: link, stitch, and interpolate short gaps.

    Args:
        detections: untracked detections in processed frames, boxes xyxy in pixels.
        frames: all frames of the video.
        config: settings of the tracker.
        camera: path of a moving camera; tracking is then done in the coordinates of the first frame.
        size_px: width and height of the images, to recognise objects that leave the image.
        features: appearance features, to distinguish similar objects.

    Returns:
        The detections with track ids 1, 2, … in order of appearance and one category per track. Interpolated rows are
        added; detections without a track keep :data:`UNTRACKED`.
    """
    # Imported here because the tracking package takes seconds to load and true tracks need none of it.
    from visionllm_interaction.video.tracking.linking import link

    adapted = adapt_to_rate(config, processed_step_s(frames))
    ids = link(stabilised(detections, camera), frames, config=adapted)
    return postprocess_tracklets(
        detections, ids, frames, config=config, camera=camera, size_px=size_px, features=features
    )


def stabilised(detections: DetectionTable, camera: CameraPath | None) -> DetectionTable:
    """``detections`` with boxes compensated for the camera's motion."""
    if camera is None:
        return detections
    return detections.replace(boxes_xyxy=camera.stabilise(detections.boxes_xyxy, detections.frame_index))


def postprocess_tracklets(
    detections: DetectionTable,
    ids: NDArray[np.int64],
    frames: FrameTable,
    *,
    config: TrackConfig,
    camera: CameraPath | None = None,
    size_px: tuple[int, int] | None = None,
    features: AppearanceFeatures | None = None,
) -> DetectionTable:
    """Build tracks from tracklets, with the steps that need the whole video; arguments as for :func:`track`.

    Args:
        detections: detections in processed frames, boxes xyxy in pixels.
        ids: (n,) tracklet ids.
        frames: all frames of the video.
        config: settings of the tracker.
        camera: path of a moving camera.
        size_px: width and height of the images.
        features: appearance features.

    Returns:
        The tracked and interpolated detections.
    """
    step_s = processed_step_s(frames)
    config, widening = adapt_to_rate(config, step_s), widening_at(step_s)
    rows = stabilised(detections, camera)
    if stands_alone(config, step_s):
        ids = extend_to_first_detection(rows, ids, frames, config=config, widening=widening)
        ids = add_single_detections(rows, ids, config=config, step_s=step_s)
    rows, ids = vote_categories(rows, ids, config=config)
    ids = extend_to_first_detection(rows, ids, frames, config=config, widening=widening)
    appearance = (
        None
        if features is None
        else TrackAppearance.of(rows, ids, features, frames=frames, window_s=config.appearance_window_s)
    )

    def stitched(ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return stitch_tracklets(
            rows, ids, config=config, moving=camera is not None, size_px=size_px, appearance=appearance
        )

    if appearance is not None:
        ids = split_where_replaced(rows, ids, appearance, limit=config.appearance_nearest)
    ids = stitched(ids)
    if appearance is not None:
        # After a correction, a track may continue one that did not match its appearance before.
        ids = stitched(correct_identity_switches(rows, ids, appearance, margin=config.appearance_margin))
    ids = adopt_between(rows, ids, frames, config=config, step_s=step_s)
    ids = remove_noise(rows, ids, frames, config=config)
    tracked = interpolate_gaps(rows.replace(track_id=ids), frames, config=config)
    return tracked if camera is None else _restore_boxes(tracked, detections, camera)


def _restore_boxes(tracked: DetectionTable, detections: DetectionTable, camera: CameraPath) -> DetectionTable:
    """Map boxes back to their own frames; detected boxes are restored exactly."""
    boxes = camera.restore(tracked.boxes_xyxy, tracked.frame_index)
    boxes[~tracked.interpolated] = detections.boxes_xyxy
    return tracked.replace(boxes_xyxy=boxes)


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
                role=roles.get(str(track_id)) or role_of(roles, category),
                begin_s=float(own.timestamp_s[0]),
                end_s=end_of[int(own.frame_index[-1])],
                n_detections=int(seen.sum()),
                mean_confidence=float(own.confidence[seen].mean()),
            )
        )
    return tracks
