"""How sure is an AP? Confidence intervals by resampling groups of images.

Source: Davison & Hinkley, Bootstrap Methods and their Application, 1997 (percentile intervals; clusters drawn whole).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hotcoco import COCOeval
from numpy.typing import NDArray

from visionllm_interaction.detection.evaluation.coco_metrics import IOU_50
from visionllm_interaction.detection.evaluation.image_groups import Groups

LEVEL = 0.95
FEW_GROUPS = 10
RECALLS = np.linspace(0, 1, 101)
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DetectionMatches:
    """All detections of one category, most confident first.

    Attributes:
        hit: (T, n) whether each finds an object at each IoU threshold; ``miss``: whether it counts as wrong (what
            lies on a crowd is neither).
        image: (n,) index of the image.
        truths: (images,) objects to find.
    """

    hit: Flags
    miss: Flags
    scores: Floats
    image: NDArray[np.int64]
    truths: Floats

    def average_precision(self, weights: Floats) -> Floats:
        """(T,) AP per IoU threshold with images counted ``weights`` times; NaN if there is nothing to find."""
        total = float(weights @ self.truths)
        if total == 0:
            return np.full(len(self.hit), np.nan)
        weight = weights[self.image]
        return np.array([_area(hit, miss, weight, total) for hit, miss in zip(self.hit, self.miss, strict=True)])


def _area(hit: Flags, miss: Flags, weight: Floats, total: float) -> float:
    """Mean precision at 101 recalls, each the best at this recall or above, as COCO defines it."""
    found = np.flatnonzero(hit)
    right = np.cumsum(weight[found])
    wrong = np.cumsum(np.where(miss, weight, 0.0))[found]
    precision = right / np.maximum(right + wrong, np.spacing(1))
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(envelope[np.searchsorted(right / total, RECALLS, side="left")].mean())


def matches_of(evaluation: COCOeval, images: Sequence[int]) -> list[DetectionMatches]:
    """Matches per category (in the order of ``params.cat_ids``) of an evaluation over all sizes only."""
    place = {image_id: n for n, image_id in enumerate(images)}
    parts: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for part in evaluation.eval_imgs:
        if part is not None:
            parts[part["category_id"]].append(part)
    return [_matches(parts[key], place, len(evaluation.params.iou_thrs)) for key in evaluation.params.cat_ids]


def _matches(parts: Sequence[dict[str, Any]], place: dict[int, int], thresholds: int) -> DetectionMatches:
    truths = np.zeros(len(place))
    for part in parts:
        truths[place[part["image_id"]]] = len(part["gtIgnore"]) - sum(part["gtIgnore"])
    filled = [part for part in parts if part["dtScores"]]
    empty = np.zeros((thresholds, 0), dtype=bool)
    hit = np.concatenate([empty, *(np.array(part["dtMatched"], dtype=bool) for part in filled)], axis=1)
    ignored = np.concatenate([empty, *(np.array(part["dtIgnore"], dtype=bool) for part in filled)], axis=1)
    scores = np.concatenate([np.zeros(0), *(np.array(part["dtScores"], dtype=np.float64) for part in filled)])
    image = np.repeat([place[p["image_id"]] for p in filled], [len(p["dtScores"]) for p in filled]).astype(np.int64)
    order = np.argsort(-scores, kind="stable")
    return DetectionMatches(
        (hit & ~ignored)[:, order], (~hit & ~ignored)[:, order], scores[order], image[order], truths
    )


@dataclass(frozen=True, eq=False)
class Resampled:
    """AP under resampling: (resamples,) ``AP``, ``AP50``; (resamples, K) ``per_category``; NaN where undefined."""

    AP: Floats
    AP50: Floats
    per_category: Floats


def resample(matches: Sequence[DetectionMatches], groups: Groups, *, resamples: int, seed: int = 0) -> Resampled:
    """Draw as many groups as there are, with replacement, ``resamples`` times; the same seed draws the same groups."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=resamples).astype(np.float64)
    table = np.array([[m.average_precision(draw[groups.of_image]) for m in matches] for draw in drawn])
    return Resampled(_mean(table.mean(axis=2)), _mean(table[:, :, IOU_50]), table.mean(axis=2))


def _mean(table: Floats) -> Floats:
    """Mean over categories of each row, without those that a draw has none of."""
    known = ~np.isnan(table)
    return np.asarray(np.where(known, table, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def interval(values: Floats) -> tuple[float, float] | None:
    """Percentile interval of :data:`LEVEL`; ``None`` if the values are mostly undefined."""
    valid = values[~np.isnan(values)]
    if len(valid) < max(2, len(values) // 2):
        return None
    low, high = np.quantile(valid, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
