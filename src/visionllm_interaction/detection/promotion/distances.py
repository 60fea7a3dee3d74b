"""Distances between what two detectors found, or one detector at two times: class mix and confidence. Pure logic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def class_mix_distance(one: NDArray[np.object_], other: NDArray[np.object_]) -> float:
    """Total variation distance between the shares of categories.

    Args:
        one: (n,) category of each detection.
        other: (m,) the same of the other detector.

    Returns:
        From 0, the same shares, to 1, no category in common; 1 if only one side has detections, 0 if neither has.
    """
    return share_distance(Counter(one.tolist()), Counter(other.tolist()))


def share_distance(one: Mapping[Any, int], other: Mapping[Any, int]) -> float:
    """Total variation distance between the shares of categories that were counted.

    Args:
        one: category → how often it was found.
        other: the same of the other side.

    Returns:
        From 0, the same shares, to 1, no category in common; 1 if only one side has any, 0 if neither has.
    """
    totals = sum(one.values()), sum(other.values())
    if not all(totals):
        return float(any(totals))
    return sum(abs(one.get(key, 0) / totals[0] - other.get(key, 0) / totals[1]) for key in {*one, *other}) / 2


def confidence_distance(one: Floats, other: Floats) -> float:
    """Kolmogorov–Smirnov distance between two sets of confidences.

    Args:
        one: (n,) confidences.
        other: (m,) the same of the other detector.

    Returns:
        From 0 to 1; 1 if only one side has detections, 0 if neither has.
    """
    if not len(one) or not len(other):
        return float(len(one) != len(other))
    # Imported here: SciPy takes long to load, and a service that counts needs none of it.
    from scipy.stats import ks_2samp

    return float(ks_2samp(one, other, method="asymp").statistic)


def histogram_distance(one: Sequence[int], other: Sequence[int]) -> float:
    """Kolmogorov–Smirnov distance between two histograms with the same bins.

    Args:
        one: how many values are in each bin, in the order of the values.
        other: the same of the other side.

    Returns:
        From 0 to 1, at most the distance between the values themselves; 1 if only one side has any, 0 if neither has.
    """
    counts = np.array([one, other], np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    if not totals.all():
        return float(totals.any())
    below = np.cumsum(counts / totals, axis=1)
    return float(np.abs(below[0] - below[1]).max())
