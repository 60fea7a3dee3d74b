"""Gaze samples as all trackers have them in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class GazeRecording:
    """Gaze in a scene camera's images. Names, serial numbers and places of the recording are not kept.

    Attributes:
        device: the kind of tracker.
        t: times in seconds since the first image of the scene camera, ascending.
        x: share of the image's width from its left edge.
        y: share of its height from its upper edge.
        valid: False where the eyes were lost (blink, tracker off the head); x and y mean nothing there.
        notes: what should be known.
    """

    device: str
    t: Floats
    x: Floats
    y: Floats
    valid: Flags
    notes: tuple[str, ...] = ()


def gaze_recording(
    device: str,
    t: Floats,
    x: Floats,
    y: Floats,
    *,
    valid: Flags | None = None,
    notes: tuple[str, ...] = (),
) -> GazeRecording:
    """Sort samples by time and mark those without a position as lost.

    Args:
        device: the kind of tracker.
        t: times in seconds, shape (n,).
        x: shares of the width, shape (n,).
        y: shares of the height, shape (n,).
        valid: what the tracker says of each sample; None: it says nothing.
        notes: what should be known.

    Returns:
        The recording, without samples that have no time.
    """
    known = np.ones(len(t), np.bool_) if valid is None else valid
    seen = known & np.isfinite(x) & np.isfinite(y)
    order = np.argsort(t, kind="stable")
    order = order[np.isfinite(t[order])]
    return GazeRecording(device, t[order], x[order], y[order], seen[order], notes)
