"""Numbers with a unit: a finite value, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOTHING_OBSERVED = "nothing was observed"


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number that may be undefined; never NaN, never infinite.

    Attributes:
        value: the number; None where it is undefined.
        unit: ``"s"``, ``"count"``, ``"share"``, ``"per_min"``, ``"bits"``, or ``"number"`` for a plain number.
        reason: why there is no value; None where there is one.
    """

    value: float | int | None
    unit: str
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"a statistic has either a value or a reason, not {self.value!r} and {self.reason!r}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.value!r} is no value: say why it is undefined")


def undefined(unit: str, reason: str) -> Statistic:
    """A statistic of ``unit`` that has no value, because of ``reason``."""
    return Statistic(None, unit, reason)


def count_of(items: ArrayLike) -> Statistic:
    """How many ``items`` there are."""
    return Statistic(int(np.asarray(items).shape[0]), "count")


def ratio(part: float, whole: float, *, reason: str, unit: str = "share") -> Statistic:
    """``part`` over ``whole``; where ``whole`` is 0 it is undefined, because of ``reason``."""
    return Statistic(float(part / whole), unit) if whole > 0 else undefined(unit, reason)


def per_minute(count: int, observed_s: float) -> Statistic:
    """``count`` per minute of ``observed_s`` seconds."""
    return ratio(60.0 * count, observed_s, unit="per_min", reason=NOTHING_OBSERVED)


def mean_of(values: NDArray[np.float64], unit: str, *, reason: str) -> Statistic:
    """The mean of ``values`` (N,); without any it is undefined, because of ``reason``."""
    return Statistic(float(values.mean()), unit) if len(values) else undefined(unit, reason)


def median_of(values: NDArray[np.float64], unit: str, *, reason: str) -> Statistic:
    """The median of ``values`` (N,); without any it is undefined, because of ``reason``."""
    return Statistic(float(np.median(values)), unit) if len(values) else undefined(unit, reason)
