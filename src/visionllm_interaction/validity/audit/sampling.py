"""Which units people label: stratified probability samples, larger where the detector is likely to err.

Units are divided by what the detector says and by how sure it is, within every child. A class gets labels in proportion
to its size times its expected spread (Neyman 1934), spread evenly over the children, at least two in each stratum.
Every unit has a random number once and for all, and those with the smallest are drawn, so that an audit can grow and
stays one random sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from visionllm_interaction.validity.estimation.audited_units import Bools, Floats, Ints

MIN_PER_STRATUM = 2
MIN_PER_CLASS = 40
"""Fewer frames of a class, over all children, tell little of its rare errors."""
MIN_CLIPS_PER_CLASS = 6
"""The same of clips, which tell more each."""
AIM = 0.9
"""The planned half width is this share of the wanted one: what is planned with is itself estimated."""
EXPECTED_ERROR: Mapping[str, float] = MappingProxyType(
    {"yes": 0.1, "yes, unsure": 0.3, "no": 0.05, "no, unsure": 0.2, "no label": 0.3}
)
"""Expected share of *yes* where the detector says no, and the reverse, before anybody has labelled anything."""
_PRIOR_WEIGHT = 25.0
"""So many imagined labels with the expected error stand beside the real ones of a class. A second round that follows
the labels of the first too closely is biased: a class in which errors were missed by chance would get few again."""


@dataclass(frozen=True, eq=False)
class DrawnSample:
    """A drawn sample.

    Attributes:
        drawn: (N,) whether the unit is to be labelled.
        inclusion_probability: (N,) the share of its stratum that is.
        order: (N,) place among the tasks, from 0; −1 if not drawn. Tasks are labelled in this order.
        sizes: stratum → number of units, and of units drawn.
        expected_half_width: of the 95 % interval, in the unit of the labels.
    """

    drawn: Bools
    inclusion_probability: Floats
    order: Ints
    sizes: Mapping[str, tuple[int, int]]
    expected_half_width: float


def detector_classes(predicted: Floats, unsure: Bools) -> NDArray[np.str_]:
    """(N,) what the detector says of each unit, and whether it is sure: the second part of a stratum's name."""
    yes = np.nan_to_num(predicted) > 0
    named = np.where(yes, np.where(unsure, "yes, unsure", "yes"), np.where(unsure, "no, unsure", "no"))
    return np.asarray(np.where(np.isnan(predicted), "no label", named), np.str_)


def strata_of(child: NDArray[np.str_], classes: NDArray[np.str_]) -> NDArray[np.str_]:
    """(N,) names of strata: child and class."""
    return np.char.add(np.char.add(child, " | "), classes)


def draw(
    stratum: NDArray[np.str_],
    classes: NDArray[np.str_],
    *,
    random: Floats,
    half_width: float | None = None,
    labels: int | None = None,
    spread: Mapping[str, float],
    at_least: Mapping[str, int] | None = None,
    min_per_class: int = MIN_PER_CLASS,
) -> DrawnSample:
    """Draw a sample for a wanted half width, or of a wanted size.

    Args:
        stratum: (N,) names.
        classes: (N,) what the detector says; a stratum has units of one class.
        random: (N,) the units' own random numbers.
        half_width: wanted half width of the 95 % interval of the mean.
        labels: wanted number of labels instead.
        spread: stratum → expected standard deviation of the labels.
        at_least: stratum → units drawn before, which stay drawn.
        min_per_class: least number of units of a class; with ``labels`` at most half of its even share.

    Returns:
        The sample.
    """
    names, code, size = np.unique(stratum, return_inverse=True, return_counts=True)
    deviation = np.array([spread[str(name)] for name in names])
    share = size / size.sum()
    wanted = labels if labels is not None else _labels_for(half_width or 0.05, share, deviation, int(size.sum()))
    before = np.array([(at_least or {}).get(str(name), 0) for name in names])
    least = np.maximum(np.maximum(before, MIN_PER_STRATUM), _class_floor(classes, code, size, min_per_class, labels))
    counts = _allocate(wanted, share * np.maximum(deviation, 1e-6), size, least)
    rank = np.empty(len(stratum), np.int64)
    by_stratum = np.lexsort((random, code))
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank[by_stratum] = np.arange(len(stratum)) - np.repeat(starts, size)
    drawn = rank < counts[code]
    order = np.full(len(stratum), -1, np.int64)
    # Every stratum is spread evenly over the tasks: who stops early has labelled a sample of each.
    place = (rank[drawn] + 0.5) / counts[code][drawn]
    order[np.flatnonzero(drawn)[np.lexsort((random[drawn], place))]] = np.arange(int(drawn.sum()))
    variance = float((share**2 * deviation**2 / counts * (1 - counts / size)).sum())
    sizes = {str(name): (int(n), int(k)) for name, n, k in zip(names, size, counts, strict=True)}
    half = float(stats.norm.ppf(0.975)) * math.sqrt(variance)
    return DrawnSample(drawn, np.asarray((counts / size)[code]), order, sizes, half)


def _class_floor(classes: NDArray[np.str_], code: Ints, size: Ints, min_per_class: int, labels: int | None) -> Ints:
    """Each stratum's part of the least number of units of its class, by size."""
    _, class_code = np.unique(classes, return_inverse=True)
    of_stratum = np.zeros(len(size), np.int64)
    of_stratum[code] = class_code
    total = np.bincount(of_stratum, weights=size.astype(np.float64))
    floor = min_per_class if labels is None else min(min_per_class, labels // (2 * len(total)))
    return np.ceil(floor * size / total[of_stratum]).astype(np.int64)


def _labels_for(half_width: float, share: Floats, deviation: Floats, total: int) -> int:
    """Labels for a half width under optimal allocation (Cochran 1977, Sampling Techniques, 5.25)."""
    variance = (AIM * half_width / float(stats.norm.ppf(0.975))) ** 2
    return math.ceil(float((share * deviation).sum()) ** 2 / (variance + float((share * deviation**2).sum()) / total))


def _allocate(wanted: int, weight: Floats, size: Ints, least: Ints) -> Ints:
    """Whole numbers in proportion to ``weight``, at least ``least`` and at most ``size``."""
    least = np.minimum(least, size)
    counts = least.copy()
    open_ = np.ones(len(size), np.bool_)
    for _ in range(len(size) + 1):
        free = max(wanted - int(counts[~open_].sum()), 0)
        total = float(weight[open_].sum())
        ideal = np.ceil(free * weight / total - 1e-9).astype(np.int64) if total > 0 else least
        fixed = open_ & ((ideal <= least) | (ideal >= size))
        counts[open_] = np.clip(ideal, least, size)[open_]
        if not fixed.any():
            break
        open_ &= ~fixed
        if not open_.any():
            break
    return np.minimum(counts, size)


def expected_spread(
    stratum: NDArray[np.str_], classes: NDArray[np.str_], human: Floats, *, deviation: float | None = None
) -> dict[str, float]:
    """Expected standard deviation of the labels in each class, from labels there are and from what is usual.

    Args:
        stratum: (N,) names.
        classes: (N,) what the detector says.
        human: (N,) labels; NaN where there are none.
        deviation: the usual standard deviation for labels that are numbers; None: labels are yes or no.

    Returns:
        Stratum → standard deviation of its class.
    """
    known, of_class = ~np.isnan(human), {}
    for name in np.unique(classes):
        values = human[known & (classes == name)]
        if deviation is None:
            rate = _class_rate(str(name), values)
            of_class[str(name)] = math.sqrt(rate * (1 - rate))
        else:
            squares = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
            of_class[str(name)] = math.sqrt((squares + _PRIOR_WEIGHT * deviation**2) / (len(values) + _PRIOR_WEIGHT))
    first = dict(zip(stratum.tolist(), classes.tolist(), strict=True))
    return {name: of_class[first[name]] for name in first}


def _class_rate(name: str, values: Floats) -> float:
    """Share of *yes* in a class over all children, with the usual one as a prior."""
    usual = 1 - EXPECTED_ERROR[name] if name.startswith("yes") else EXPECTED_ERROR[name]
    return (float(values.sum()) + _PRIOR_WEIGHT * usual) / (len(values) + _PRIOR_WEIGHT)
