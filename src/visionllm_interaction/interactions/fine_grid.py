"""Instants between sampled frames, so that bouts begin and end between them, not only at them.

Of a video of 25 frames a second of which five are processed, what happens in the frames between shows in those on both
sides: where a box moves from one place to another, it was in between in the meantime. Without this, every begin and end
would be late by up to one step. Where no frame was left out, a frame stands for the time until the next one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.interactions.track_grid import Floats, SceneGrid, TrackGrid

COARSE_STEP_S = 0.11
"""Instants are added after frames that stand for longer than this, in seconds, if frames were left out after them …"""
FINE_STEP_S = 0.05
"""… so that they are no further apart than this."""
_TOUCH_S = 1e-6


def refine_grid(grid: SceneGrid) -> SceneGrid:
    """Add instants to ``grid`` where frames of the video were left out and the others are far apart.

    A box that is seen in two consecutive frames moves evenly from one to the other. A box that is seen in the first one
    only stays where it is until the next frame: as everywhere, a frame stands for the time until the next one.

    Args:
        grid: tracks over the frames of a video.

    Returns:
        The grid with the instants; the same grid if no frames were left out or all are close together.
    """
    lengths_s = grid.ends_s - grid.begins_s
    left_out = np.append(np.diff(grid.frame_index) > 1, False)
    parts = np.where(left_out & (lengths_s > COARSE_STEP_S), np.ceil(lengths_s / FINE_STEP_S - _TOUCH_S), 1).astype(
        np.int64
    )
    if not len(parts) or parts.max() == 1:
        return grid
    offsets = np.concatenate([[0], np.cumsum(parts)])
    source = np.repeat(np.arange(len(parts)), parts)
    place = np.arange(len(source)) - offsets[source]
    begins_s = grid.begins_s[source] + lengths_s[source] * place / parts[source]
    is_last = place == parts[source] - 1
    ends_s = np.where(is_last, grid.ends_s[source], np.append(begins_s[1:], 0.0))
    followed = np.append(np.abs(grid.begins_s[1:] - grid.ends_s[:-1]) <= _TOUCH_S, False)
    share = np.where(followed[source], place / parts[source], 0.0)
    tracks = tuple(_refined(track, source, share, offsets) for track in grid.tracks)
    return SceneGrid(begins_s, ends_s, grid.frame_index[source], tracks)


def _refined(track: TrackGrid, source: NDArray[np.int64], share: Floats, offsets: NDArray[np.int64]) -> TrackGrid:
    here = slice(int(offsets[track.first]), int(offsets[track.after]))
    own = source[here] - track.first
    boxes = track.boxes_xyxy[own]
    following = track.boxes_xyxy[np.minimum(own + 1, len(track.confidence) - 1)]
    following = np.where(np.isfinite(following), following, boxes)
    moved = boxes + share[here, None] * (following - boxes)
    return replace(track, first=here.start, boxes_xyxy=moved, confidence=track.confidence[own])
