"""Choose images that score high, differ from one another, and come from many groups.

Greedy, one image at a time: its score against how far its features lie from the nearest image that is annotated or
chosen. With diversity 1 this is the k-center rule of Sener & Savarese, Active Learning for CNNs: A Core-Set Approach,
2018.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
_COMPONENTS = 32
"""Principal components kept of the features: distances in hundreds of dimensions are nearly all alike."""


@dataclass(frozen=True)
class Choice:
    """One chosen image.

    Attributes:
        index: of the image in the pool.
        score: its rank over the pool, from 0 to 1.
        novelty: distance of its features to the nearest image annotated or chosen before it, by the largest such
            distance at the start; ``None`` for the first where nothing is annotated.
    """

    index: int
    score: float
    novelty: float | None


def pool_scores(signs: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """Join several signs into one score.

    Args:
        signs: name → (n,) value for each image of the pool; higher is more worth to be annotated.
        weights: name → how much it counts.

    Returns:
        (n,) weighted mean of the signs' ranks, each from 0 to 1; equal values have equal ranks.
    """
    used = {name: values for name, values in signs.items() if weights.get(name, 0.0) > 0}
    total = sum(weights[name] for name in used)
    size = len(next(iter(signs.values())))
    if total == 0 or size < 2:
        return np.zeros(size)
    ranks = [weights[name] * (rankdata(values) - 1.0) / (size - 1.0) for name, values in used.items()]
    return np.asarray(np.sum(ranks, axis=0) / total)


def choose(
    scores: Floats,
    features: Floats,
    groups: Sequence[str],
    *,
    count: int,
    diversity: float,
    max_group_share: float,
    annotated: Floats | None = None,
) -> list[Choice]:
    """Choose images.

    Args:
        scores: (n,) from 0 to 1, as of :func:`pool_scores`.
        features: (n, d) description of each image; near features mean similar images.
        groups: the group of each image.
        count: how many to choose.
        diversity: weight of novelty against the score, from 0 to 1.
        max_group_share: largest share of ``count`` from one group, at least one image. It limits nothing where all
            images are of one group.
        annotated: (m, d) features of images that are annotated.

    Returns:
        The choices, best first; fewer than ``count`` if the pool or the groups hold no more.
    """
    if not len(scores):
        return []
    points, known = _reduced(features, annotated)
    limit = count if len(set(groups)) == 1 else max(1, math.floor(max_group_share * count + 1e-9))
    distance = np.full(len(scores), np.inf)
    if known is not None:
        distance = pairwise_distances_argmin_min(points, known)[1]
    scale = float(distance.max()) if known is not None else None
    taken: Counter[str] = Counter()
    free = np.ones(len(scores), np.bool_)
    chosen: list[Choice] = []
    while len(chosen) < count and free.any():
        known_distances = np.isfinite(distance).all()
        if known_distances and scale is None:
            scale = float(distance.max())
        novelty = distance / scale if known_distances and scale else np.zeros(len(scores))
        value = (1.0 - diversity) * scores + diversity * novelty
        index = int(np.argmax(np.where(free, value, -np.inf)))
        chosen.append(Choice(index, float(scores[index]), float(novelty[index]) if known_distances else None))
        free[index] = False
        taken[groups[index]] += 1
        if taken[groups[index]] >= limit:
            free &= np.array([group != groups[index] for group in groups])
        distance = np.minimum(distance, np.linalg.norm(points - points[index], axis=1))
    return chosen


def _reduced(features: Floats, annotated: Floats | None) -> tuple[Floats, Floats | None]:
    """Standardised principal components of pool and annotated images."""
    together = features if annotated is None or not len(annotated) else np.concatenate([features, annotated])
    reduced = StandardScaler().fit_transform(together.astype(np.float64))
    components = min(_COMPONENTS, *reduced.shape)
    if reduced.any():  # else all are alike, and there is no component
        reduced = PCA(n_components=components, random_state=0).fit_transform(reduced)
    known = reduced[len(features) :]
    return reduced[: len(features)], known if len(known) else None
