"""The quality of each second of a video, and what makes it hard to see there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable, QualityRow
from visionllm_interaction.video.config import QualityConfig
from visionllm_interaction.video.quality.image_quality import ImageQuality

_EDGE = 0.01
"""A box this near to an edge (share of the image) is cut by it."""
_WORN_SHARE, _LEAST_STRETCHES = 0.3, 5
"""A camera that moves in this share of the stretches, of so many at least, is taken for one that is worn."""


def quality_rows(
    frames: FrameTable,
    images: ImageQuality | None,
    detections: DetectionTable,
    *,
    image_px: tuple[int, int],
    config: QualityConfig,
) -> list[QualityRow]:
    """The quality of each second in which frames were processed.

    Args:
        frames: all frames.
        images: what was measured in images; None: they were not decoded.
        detections: tracked detections; boxes of people count.
        image_px: width and height of the images.
        config: length of a stretch, and limits.

    Returns:
        One row for each stretch, by time. What is not known is NaN.
    """
    kept = frames.processed
    begin_s, end_s = frames.timestamp_s[kept], (frames.timestamp_s + frames.duration_s)[kept]
    if not len(begin_s):
        return []
    stretch = np.floor((begin_s - begin_s[0]) / config.stretch_s + 1e-9).astype(np.int64)
    _, first = np.unique(stretch, return_index=True)
    last = np.append(first[1:], len(stretch)) - 1
    people = _People(detections, image_px)
    rows = []
    for low, high in zip(first.tolist(), last.tolist(), strict=True):
        start_s, stop_s = float(begin_s[low]), float(end_s[high])
        light, blur, motion = _of_images(images, start_s, stop_s)
        height, edge = people.between(start_s, stop_s)
        rows.append(
            QualityRow(
                start_s,
                stop_s,
                light,
                blur,
                motion,
                height,
                edge,
                dark=light < config.dark,
                blurred=blur > config.blurred,
                moving_camera=motion > config.moving_camera,
                small=height < config.small_px,
                edge=edge > config.edge,
            )
        )
    return rows


def moving_camera_notes(rows: Sequence[QualityRow], *, compensated: bool) -> Iterator[str]:
    """A note where the camera moves as one that is worn does, and its motion is not compensated.

    Args:
        rows: the quality of each stretch.
        compensated: whether the motion is compensated before linking (``--view ego``).

    Yields:
        At most one note, with the option to type.
    """
    moved = [row.moving_camera for row in rows if not math.isnan(row.camera_motion)]
    if compensated or len(moved) < _LEAST_STRETCHES or sum(moved) < _WORN_SHARE * len(moved):
        return
    share = sum(moved) / len(moved)
    yield (
        f"the camera moves in {share:.0%} of the seconds, as one that is worn or carried does: "
        "add --view ego, or who stays where they are may seem to walk, and tracks break"
    )


def _of_images(images: ImageQuality | None, begin_s: float, end_s: float) -> tuple[float, float, float]:
    if images is None:
        return (float("nan"),) * 3
    low, high = np.searchsorted(images.timestamp_s, [begin_s, end_s])
    return (_mean(images.light[low:high]), _mean(images.blur[low:high]), _mean(images.camera_motion[low:high]))


def _mean(values: NDArray[np.floating]) -> float:
    known = values[~np.isnan(values)]
    return round(float(known.mean()), 4) if len(known) else float("nan")


class _People:
    """Boxes of tracked people by time."""

    def __init__(self, detections: DetectionTable, image_px: tuple[int, int]) -> None:
        person = np.array([name in PERSON_CATEGORIES for name in detections.category], dtype=np.bool_)
        rows = np.flatnonzero(person & (detections.track_id != UNTRACKED) & ~detections.interpolated)
        rows = rows[np.argsort(detections.timestamp_s[rows], kind="stable")]
        boxes = detections.boxes_xyxy[rows]
        width, height = image_px
        self._times = detections.timestamp_s[rows]
        self._heights = boxes[:, 3] - boxes[:, 1]
        near = np.array([_EDGE * width, _EDGE * height, (1 - _EDGE) * width, (1 - _EDGE) * height], np.float32)
        low, high = (boxes[:, :2] < near[:2]).any(axis=1), (boxes[:, 2:] > near[2:]).any(axis=1)
        self._cut: NDArray[np.bool_] = np.asarray(low | high, dtype=np.bool_)

    def between(self, begin_s: float, end_s: float) -> tuple[float, float]:
        """Median height in pixels, and the share that an edge cuts; NaN where nobody is."""
        low, high = np.searchsorted(self._times, [begin_s, end_s])
        if low == high:
            return float("nan"), float("nan")
        return round(float(np.median(self._heights[low:high])), 1), round(float(self._cut[low:high].mean()), 3)
