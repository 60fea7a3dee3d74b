"""Detections of a person detector, simulated on true boxes by a noise model that was measured on photographs.

The confidence of a person is a logit, linear in the logarithm of the height and in the share of the box that somebody
in front covers, with normal scatter; a person below the least confidence is missed. Coefficients, scatter, errors of
edges, and further boxes were fitted to what YOLOX-nano finds of 1,088 people in 271 photographs of COCO (a Tobit model,
because what is missed has no confidence). Photographs tell nothing about how errors last, so that is assumed: two
thirds of the variance stay for half a second, the rest is new in every frame.

Sources: Tobin (1958), Econometrica 26(1); YOLOX, Ge et al. (2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_area_px, box_intersection_px, box_iou
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable

Floats = NDArray[np.float64]

INPUT_PX, REFERENCE_PX = 416, 128
LASTING_S, LASTING_SHARE = 0.5, 2 / 3
FALSE_S = 0.2
MIN_CONFIDENCE = 0.1
NMS_IOU = 0.65


@dataclass(frozen=True)
class DetectorNoise:
    """Errors of a detector.

    Attributes:
        intercept: logit of the confidence of an unoccluded person 128 px tall in an image 416 px wide.
        per_doubling: by how much it grows with twice the height.
        occluded: by how much it differs for a person who is covered entirely.
        scatter: its standard deviation.
        jitter_xy: standard deviation of left and right, upper and lower edges, in widths and heights of the box.
        false_per_person: boxes on parts of people or between them, for each person and frame.
        false_per_frame: boxes elsewhere.
        false_logit: mean and standard deviation of the logit of their confidence.
    """

    intercept: float = 0.69
    per_doubling: float = 1.23
    occluded: float = -1.21
    scatter: float = 1.84
    jitter_xy: tuple[float, float] = (0.07, 0.03)
    false_per_person: float = 0.43
    false_per_frame: float = 0.56
    false_logit: tuple[float, float] = (-1.27, 0.77)


MEASURED = DetectorNoise()
LEVELS = {
    "weak": MEASURED,
    "middling": replace(
        MEASURED, intercept=1.9, scatter=1.55, jitter_xy=(0.05, 0.022), false_per_person=0.26, false_per_frame=0.34
    ),
    "strong": replace(
        MEASURED, intercept=3.1, scatter=1.3, jitter_xy=(0.035, 0.015), false_per_person=0.13, false_per_frame=0.17
    ),
}
"""The detector as measured, and two better ones, half and all the way to a detector that misses 1 in 100."""


def simulate_detections(
    truth: DetectionTable,
    frames: FrameTable,
    *,
    size_px: tuple[int, int],
    noise: DetectorNoise,
    rng: np.random.Generator,
) -> DetectionTable:
    """What a detector with ``noise`` finds of people in ``truth``: boxes xyxy in pixels of images of ``size_px``."""
    times = frames.timestamp_s[frames.processed]
    step_s = float(np.median(np.diff(times)))
    ids = np.unique(truth.track_id)
    lasting = {int(i): _lasting(rng, len(times), 5, step_s) for i in ids}
    index = frames.frame_index[frames.processed]
    rows: list[tuple[int, float, Floats]] = []
    ghosts: list[_Ghost] = []
    to_input = INPUT_PX / max(size_px)
    for place, frame in enumerate(index.tolist()):
        here = truth.select(truth.frame_index == frame)
        boxes = here.boxes_xyxy.astype(np.float64)
        found, sure = [], []
        hidden = covered(boxes)
        for n, track_id in enumerate(here.track_id.tolist()):
            errors = _mixed(rng, lasting[track_id][place])
            height = max(boxes[n, 3] - boxes[n, 1], 1.0)
            logit = (
                noise.intercept
                + noise.per_doubling * np.log2(height * to_input / REFERENCE_PX)
                + noise.occluded * hidden[n]
                + noise.scatter * errors[0]
            )
            width_height = np.tile(boxes[n, 2:] - boxes[n, :2], 2)
            found.append(boxes[n] + errors[1:] * np.tile(noise.jitter_xy, 2) * width_height)
            sure.append(float(_sigmoid(logit)))
        ghosts = [g for g in ghosts if rng.random() >= step_s / FALSE_S]
        ghosts += _new_ghosts(rng, noise, boxes, size_px, share=step_s / FALSE_S)
        for ghost in ghosts:
            found.append(ghost.box + rng.normal(0, 0.02, 4) * np.tile(ghost.box[2:] - ghost.box[:2], 2))
            sure.append(ghost.confidence)
        rows += [(frame, sure[k], found[k]) for k in _suppressed(np.array(found).reshape(-1, 4), np.array(sure))]
    return _table(rows, frames)


@dataclass(frozen=True, eq=False)
class _Ghost:
    box: Floats
    confidence: float


def covered(boxes: Floats) -> Floats:
    """(n,) largest share of each box that one whose lower edge is nearer to the camera covers."""
    if not len(boxes):
        return np.zeros(0)
    shared = box_intersection_px(boxes[:, None], boxes[None]) / np.maximum(box_area_px(boxes), 1.0)[:, None]
    in_front = boxes[None, :, 3] > boxes[:, None, 3]
    return np.where(in_front, shared, 0.0).max(axis=1)


def _lasting(rng: np.random.Generator, n: int, k: int, step_s: float) -> Floats:
    """(n, k) standard normal values that are forgotten in :data:`LASTING_S`."""
    keep = float(np.exp(-step_s / LASTING_S))
    values = rng.normal(size=(n, k))
    for row in range(1, n):
        values[row] = keep * values[row - 1] + np.sqrt(1 - keep**2) * values[row]
    return values


def _mixed(rng: np.random.Generator, lasting: Floats) -> Floats:
    return np.sqrt(LASTING_SHARE) * lasting + np.sqrt(1 - LASTING_SHARE) * rng.normal(size=len(lasting))


def _new_ghosts(
    rng: np.random.Generator, noise: DetectorNoise, boxes: Floats, size_px: tuple[int, int], *, share: float
) -> list[_Ghost]:
    made = []
    for box in boxes[rng.random(len(boxes)) < noise.false_per_person * share]:
        size = box[2:] - box[:2]
        scale = rng.uniform(0.45, 1.0, 2)
        centre = (box[:2] + box[2:]) / 2 + rng.uniform(-0.4, 0.4, 2) * size
        made.append(np.concatenate([centre - scale * size / 2, centre + scale * size / 2]))
    heights = boxes[:, 3] - boxes[:, 1] if len(boxes) else np.array([size_px[1] / 3])
    for _ in range(rng.poisson(noise.false_per_frame * share)):
        height = float(rng.choice(heights)) * rng.uniform(0.5, 1.2)
        corner = rng.uniform(0, 1, 2) * np.maximum(np.array(size_px) - [height / 2.5, height], 1.0)
        made.append(np.concatenate([corner, corner + np.array([height / 2.5, height])]))
    return [_Ghost(box, float(_sigmoid(rng.normal(*noise.false_logit)))) for box in made]


def _suppressed(boxes: Floats, sure: Floats) -> list[int]:
    """Positions that are sure enough and left by non-maximum suppression."""
    kept: list[int] = []
    for n in np.argsort(-sure).tolist():
        if sure[n] >= MIN_CONFIDENCE and (not kept or box_iou(boxes[n], boxes[kept]).max() <= NMS_IOU):
            kept.append(n)
    return kept


def _table(rows: list[tuple[int, float, Floats]], frames: FrameTable) -> DetectionTable:
    index = np.array([row[0] for row in rows], np.int64)
    boxes = np.array([row[2] for row in rows], np.float32).reshape(-1, 4)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    return DetectionTable(
        index,
        frames.timestamp_s[np.searchsorted(frames.frame_index, index)],
        np.array(["person"] * len(rows), dtype=object),
        np.array([row[1] for row in rows], np.float32),
        boxes,
        np.full(len(rows), UNTRACKED),
    )


def _sigmoid(x: float | Floats) -> float | Floats:
    return 1.0 / (1.0 + np.exp(-x))
