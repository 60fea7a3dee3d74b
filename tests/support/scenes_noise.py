"""A simulated detector: truth with sightings dropped, boxes shaken and false boxes added."""

from __future__ import annotations

import numpy as np

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable


def spoil(
    truth: DetectionTable,
    frames: FrameTable,
    *,
    rng: np.random.Generator,
    dropped: float = 0.15,
    false: float = 0.05,
    jitter: float = 0.02,
) -> DetectionTable:
    """Shares of sightings dropped and of false boxes added; ``jitter`` is the edges' deviation over box size."""
    kept = truth.select(rng.random(len(truth)) >= dropped)
    sizes = kept.boxes_xyxy[:, 2:] - kept.boxes_xyxy[:, :2]
    boxes = kept.boxes_xyxy + rng.normal(0, jitter, (len(kept), 4)) * np.tile(sizes, 2)
    source = np.sort(rng.integers(0, len(kept), round(false * len(kept))))
    shifted = kept.boxes_xyxy[source] + np.tile(rng.uniform(-200, 200, (len(source), 2)), 2)
    boxes = np.concatenate([boxes, shifted])
    rows = np.concatenate([np.arange(len(kept)), source])
    confidence = np.concatenate([rng.uniform(0.55, 1.0, len(kept)), rng.uniform(0.3, 0.9, len(source))])
    order = np.argsort(kept.frame_index[rows], kind="stable")
    rows = rows[order]
    ordered = boxes[order]
    ordered[:, 2:] = np.maximum(ordered[:, 2:], ordered[:, :2] + 1)
    return DetectionTable(
        kept.frame_index[rows],
        kept.timestamp_s[rows],
        kept.category[rows],
        confidence[order].astype(np.float32),
        ordered.astype(np.float32),
        np.full(len(rows), UNTRACKED),
    )


def true_ids(tracked: DetectionTable, truth: DetectionTable) -> dict[int, int]:
    """Found track id → the true id it overlaps in most frames."""
    votes: dict[int, dict[int, int]] = {}
    for frame in np.unique(tracked.frame_index).tolist():
        own = tracked.select(tracked.frame_index == frame)
        real = truth.select(truth.frame_index == frame)
        if not len(real):
            continue
        overlaps = box_iou(own.boxes_xyxy[:, None], real.boxes_xyxy[None])
        for n, track_id in enumerate(own.track_id.tolist()):
            best = int(np.argmax(overlaps[n]))
            if track_id != UNTRACKED and overlaps[n, best] >= 0.5:
                mine = votes.setdefault(track_id, {})
                real_id = int(real.track_id[best])
                mine[real_id] = mine.get(real_id, 0) + 1
    return {track_id: max(mine, key=lambda k: mine[k]) for track_id, mine in votes.items()}
