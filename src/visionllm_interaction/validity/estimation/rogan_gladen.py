r"""The textbook correction with constant error rates (Rogan & Gladen 1978), and the conditions without which it lies.

A share as detected is :math:`q = p\,se + (1 - p)(1 - sp)`, so that :math:`p = (q + sp - 1) / (se + sp - 1)`. That
holds if sensitivity and specificity are the same on both sides of a contrast. They seldom are: children grow, hands
get nearer, cameras differ. Where they are not shown to be the same, this correction is refused.
Source: Rogan & Gladen (1978), American Journal of Epidemiology 107.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from visionllm_interaction.validity.estimation.audited_units import Floats, Units
from visionllm_interaction.validity.estimation.prediction_powered import weighted_fit

MIN_YOUDEN = 0.3
"""Least se + sp − 1; below it a small error of the rates is a large one of the result."""
MAX_RATE_CHANGE = 0.1
"""Largest change of a rate over the covariate that the audit must be able to rule out."""
_MIN_UNITS = 10
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class ConstantRates:
    """The correction with constant rates, or why it does not hold.

    Attributes:
        sensitivity: share of the units with *yes* by people that the detector finds; None if there are too few.
        specificity: share of the units with *no* by people in which the detector finds nothing; None likewise.
        refusals: why it does not hold; empty if it does.
    """

    sensitivity: float | None
    specificity: float | None
    refusals: tuple[str, ...]

    @property
    def youden(self) -> float | None:
        """Se + sp − 1."""
        if self.sensitivity is None or self.specificity is None:
            return None
        return self.sensitivity + self.specificity - 1

    def share(self, detected: float) -> float:
        """The corrected share.

        Args:
            detected: the share as detected.

        Returns:
            The share by constant rates.

        Raises:
            ValueError: if the correction was refused.
        """
        if self.refusals or self.sensitivity is None or self.specificity is None:
            raise ValueError("; ".join(self.refusals))
        return (detected + self.specificity - 1) / (self.sensitivity + self.specificity - 1)


def constant_rates(units: Units, covariate: NDArray[np.generic] | None = None) -> ConstantRates:
    """Rates of errors in the audit, and whether they may be taken as constant.

    Args:
        units: all units, drawn with known probabilities; values are 0 or 1.
        covariate: (N,) numbers or names that the contrast is about; None: one share for all.

    Returns:
        The rates, and every reason against their use.
    """
    refusals: list[str] = []
    if not units.is_share:
        return ConstantRates(None, None, ("it is defined for shares (yes or no per frame) only",))
    if units.unlabelled.any():
        share = float(np.average(units.unlabelled, weights=units.amount))
        refusals.append(f"{share:.0%} of the units have no label: a third class, for which there is no such rate")
    known = units.audited & ~units.unlabelled
    if (units.inclusion_probability <= 0).any():
        refusals.append("the detector chose what was audited (verification bias): the rates are not those of all units")
    rates = [_rate(units, known & (units.human == truth), truth) for truth in (1.0, 0.0)]
    names = ("sensitivity", "specificity")
    for name, rate, truth in zip(names, rates, (1.0, 0.0), strict=True):
        if rate is None:
            refusals.append(f"fewer than {_MIN_UNITS} audited units tell the {name}")
        elif covariate is not None:
            reason = _differs(units, known & (units.human == truth), covariate, name)
            refusals += [reason] if reason else []
    sensitivity, specificity = rates
    found = ConstantRates(sensitivity, specificity, tuple(refusals))
    return ConstantRates(sensitivity, specificity, (*refusals, *_weak(units, found)))


def _weak(units: Units, found: ConstantRates) -> list[str]:
    if found.youden is None or found.sensitivity is None or found.specificity is None:
        return []
    if found.youden < MIN_YOUDEN:
        return [
            f"sensitivity + specificity − 1 is {found.youden:.2f}, below {MIN_YOUDEN}: it would inflate every error"
        ]
    detected = float(np.average(np.nan_to_num(units.predicted), weights=units.amount))
    share = (detected + found.specificity - 1) / found.youden
    return [] if 0 <= share <= 1 else [f"the result, {share:.2f}, would lie outside 0 to 1"]


def _rate(units: Units, chosen: NDArray[np.bool_], truth: float) -> float | None:
    if int(chosen.sum()) < _MIN_UNITS:
        return None
    weight = units.amount[chosen] / np.maximum(units.inclusion_probability[chosen], 1e-300)
    return float(np.average(units.predicted[chosen] == truth, weights=weight))


def _differs(units: Units, chosen: NDArray[np.bool_], covariate: NDArray[np.generic], name: str) -> str | None:
    """Why a rate is not constant over the covariate, or not shown to be."""
    design = _contrasts(covariate)
    if design.shape[1] < 2:
        return None
    weight = units.amount[chosen] / np.maximum(units.inclusion_probability[chosen], 1e-300)
    right = (units.predicted[chosen] == units.human[chosen]).astype(np.float64)
    x = design[chosen]
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return f"the audit has no units that tell the {name} for a part of the covariate's values"
    change, spread = _robust(x, right, weight)
    worst = int(np.argmax(np.abs(change) / np.maximum(spread, 1e-12)))
    wald = abs(change[worst]) / max(spread[worst], 1e-12)
    p = min(float(2 * stats.norm.sf(wald)) * len(change), 1.0)
    if p < _ALPHA:
        return f"the {name} differs by the covariate of the contrast (change {change[worst]:+.2f}, p = {p:.3g})"
    reach = float((np.abs(change) + stats.norm.ppf(1 - _ALPHA / 2) * spread).max())
    if reach > MAX_RATE_CHANGE:
        return (
            f"the {name} is not shown to be constant: the audit allows a change of {reach:.2f} over the covariate "
            f"(at most {MAX_RATE_CHANGE} may be left open)"
        )
    return None


def _contrasts(covariate: NDArray[np.generic]) -> Floats:
    """(N, 1 + C) a constant, and the covariate over its range, or a column per group but the first."""
    constant = np.ones((len(covariate), 1))
    if covariate.dtype.kind in "fiu":
        value = covariate.astype(np.float64)
        span = float(np.ptp(value))
        return np.hstack([constant, ((value - value.min()) / span)[:, None]]) if span > 0 else constant
    groups = np.unique(covariate)
    return np.hstack([constant, (covariate[:, None] == groups[None, 1:]).astype(np.float64)])


def _robust(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Coefficients after the first, and their standard errors that allow for unequal variances (HC1)."""
    fitted = weighted_fit(x, y, weight)
    scores = (weight * (y - x @ fitted))[:, None] * x
    bread = np.linalg.pinv(x.T @ (weight[:, None] * x), hermitian=True)
    variance = bread @ scores.T @ scores @ bread * len(y) / max(len(y) - x.shape[1], 1)
    return fitted[1:], np.sqrt(np.maximum(np.diag(variance)[1:], 0.0))
