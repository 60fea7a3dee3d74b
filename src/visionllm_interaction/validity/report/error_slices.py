"""Errors of the detector by child, age, camera and light, and where it is not good enough for a claim."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.validity.estimation.audited_units import Units
from visionllm_interaction.validity.estimation.confidence_intervals import Scale
from visionllm_interaction.validity.estimation.side_by_side import ComparedEstimate, compare, domain


@dataclass(frozen=True)
class ErrorSlice:
    """The detector's error in one part of the recordings.

    Attributes:
        covariate: for example ``age_months``.
        value: for example ``below 12.5``.
        audited: audited units of the part.
        estimate: as detected, audit alone and corrected; None if there are too few labels.
        problem: why the detector is not good enough here for an uncorrected number; None if it is.
    """

    covariate: str
    value: str
    audited: int
    estimate: ComparedEstimate | None
    problem: str | None


def error_slices(units: Units, covariates: tuple[str, ...], *, scale: Scale, smallest: float) -> Iterator[ErrorSlice]:
    """The error of the detector in every part.

    Args:
        units: all units.
        covariates: by which to divide; those that are not known are left out. ``child`` is always known.
        scale: of the intervals.
        smallest: smallest difference that matters, in the unit of the mean.

    Yields:
        One for each part.
    """
    for name in covariates:
        column = units.child if name == "child" else units.covariates.get(name)
        if column is None:
            continue
        for value, chosen in _parts(column):
            if chosen.any():
                yield _slice(units, name, value, chosen, scale, smallest)


def _parts(column: NDArray[np.generic]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Every name, or two halves of a number that has more than four values."""
    if column.dtype.kind not in "fiu":
        yield from ((str(name) or "(not set)", column == name) for name in np.unique(column))
        return
    number = column.astype(np.float64)
    values = np.unique(number[~np.isnan(number)])
    if len(values) <= 4:
        yield from ((f"{value:g}", number == value) for value in values)
        return
    middle = float(np.median(values))
    yield f"below {middle:g}", np.asarray(number < middle)
    yield f"{middle:g} and above", np.asarray(number >= middle)


def _slice(units: Units, name: str, value: str, chosen: NDArray[np.bool_], scale: Scale, smallest: float) -> ErrorSlice:
    audited = int((units.audited & chosen).sum())
    try:
        [found] = compare(domain(units, chosen), scale=scale)
    except InputDataError as error:
        return ErrorSlice(name, value, audited, None, f"not known: {error.found} audited units, too few")
    return ErrorSlice(name, value, audited, found, _problem(found, smallest))


def _problem(found: ComparedEstimate, smallest: float) -> str | None:
    low, high = found.corrected.interval.low, found.corrected.interval.high
    naive = found.naive.value
    if low is None or high is None or naive is None:
        return f"not known: {found.corrected.interval.reason}"
    if naive < low or naive > high:
        return "the uncorrected number is wrong here: it lies outside the corrected interval"
    if (high - low) / 2 > smallest:
        return f"too few labels to tell: half width {(high - low) / 2:.3f} is above {smallest:g}"
    return None
