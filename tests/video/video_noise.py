"""A simulated detector: truth with sightings dropped, boxes shaken and false boxes added."""

from __future__ import annotations

import numpy as np

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable


def spoil(
    truth: DetectionTable,
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
    confidence = np.concatenate([rng.uniform(0.55, 1.0, len(kept)), rng.uniform(0.3, 0.9, len(source))])
    rows = np.concatenate([np.arange(len(kept)), source])
    order = np.argsort(kept.frame_index[rows], kind="stable")
    ordered = np.concatenate([boxes, shifted])[order]
    ordered[:, 2:] = np.maximum(ordered[:, 2:], ordered[:, :2] + 1)
    rows = rows[order]
    return DetectionTable(
        kept.frame_index[rows],
        kept.timestamp_s[rows],
        kept.category[rows],
        confidence[order].astype(np.float32),
        ordered.astype(np.float32),
        np.full(len(rows), UNTRACKED),
    )
