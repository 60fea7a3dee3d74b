"""Coefficients of agreement. What is not defined has a reason, never NaN.

Sources: Cohen (1960), Educational and Psychological Measurement 20; Krippendorff (2019), Content Analysis, 4th ed.;
McGraw & Wong (1996), Psychological Methods 1; Bakeman & Quera (2011) for the largest kappa that margins allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AgreementValue:
    """A coefficient, or the reason why it is not defined.

    Attributes:
        value: the coefficient; None if it is not defined.
        reason: why it is not defined; None if it is.
        low: lower end of its 95 % interval; None if there is none.
        high: upper end; None if there is none.
        interval_reason: why there is no interval, where one could be expected.
    """

    value: float | None
    reason: str | None = None
    low: float | None = None
    high: float | None = None
    interval_reason: str | None = None

    def __str__(self) -> str:
        if self.value is None:
            return f"not defined: {self.reason}"
        interval = f" [{self.low:.3f}, {self.high:.3f}]" if self.low is not None and self.high is not None else ""
        return f"{self.value:.3f}{interval}"


def undefined(reason: str) -> AgreementValue:
    """A coefficient that is not defined, for ``reason``."""
    return AgreementValue(None, reason)


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with what is needed to read it.

    Attributes:
        kappa: agreement beyond chance.
        observed: share of agreement.
        kappa_max: the largest kappa that the coders' totals allow; far below 1 they use codes unequally often.
        prevalence: code → its mean share; the rarer a code, the lower kappa is at the same accuracy.
    """

    kappa: AgreementValue
    observed: AgreementValue
    kappa_max: AgreementValue
    prevalence: Mapping[str, float]


_NOTHING = "there is nothing that both have coded"
_ONE_CODE = "both used one and the same code throughout, so that chance alone gives full agreement"


def cohens_kappa(table: Floats, codes: Sequence[str] = ()) -> Kappa:
    """Cohen's kappa of a table of two coders.

    Args:
        table: (K, K) seconds, frames or events: rows by the first coder, columns by the second.
        codes: the K codes.

    Returns:
        Kappa, observed agreement, largest kappa and prevalence.
    """
    counts = np.asarray(table, np.float64)
    total = float(counts.sum())
    if not total > 0:
        return Kappa(undefined(_NOTHING), undefined(_NOTHING), undefined(_NOTHING), {})
    rows, columns = counts.sum(axis=1) / total, counts.sum(axis=0) / total
    observed, chance = float(np.trace(counts)) / total, float(rows @ columns)
    names = codes or [str(k) for k in range(len(counts))]
    prevalence = {name: float(share) for name, share in zip(names, (rows + columns) / 2, strict=True)}
    if 1 - chance < 1e-12:
        return Kappa(undefined(_ONE_CODE), AgreementValue(observed), undefined(_ONE_CODE), prevalence)
    largest = (float(np.minimum(rows, columns).sum()) - chance) / (1 - chance)
    kappa = (observed - chance) / (1 - chance)
    return Kappa(AgreementValue(kappa), AgreementValue(observed), AgreementValue(largest), prevalence)


Level = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(values: Sequence[Sequence[object]], *, level: Level = "nominal") -> AgreementValue:
    """Krippendorff's alpha of any number of coders; gaps are allowed.

    Args:
        values: one row per coder with one entry per unit; None or NaN: not coded.
        level: of measurement.

    Returns:
        Alpha, or why it is not defined.
    """
    units = [[v for v in unit if not _is_missing(v)] for unit in zip(*values, strict=True)]
    paired = [unit for unit in units if len(unit) >= 2]
    if not paired:
        return undefined("no unit was coded by two coders")
    codes = sorted({v for unit in paired for v in unit}, key=lambda v: (isinstance(v, str), v))
    place = {code: k for k, code in enumerate(codes)}
    counts = np.zeros((len(paired), len(codes)))
    for row, unit in enumerate(paired):
        np.add.at(counts[row], [place[v] for v in unit], 1.0)
    return alpha_of_counts(counts, codes, level=level)


def alpha_of_counts(counts: Floats, codes: Sequence[object], *, level: Level = "nominal") -> AgreementValue:
    """Krippendorff's alpha of how many coders gave each code to each unit.

    Args:
        counts: (units, K); units with fewer than two coders are left out.
        codes: the K codes, in order; numbers for the levels above nominal.
        level: of measurement.

    Returns:
        Alpha, or why it is not defined.
    """
    coders = counts.sum(axis=1)
    used = counts[coders >= 2]
    if not len(used):
        return undefined("no unit was coded by two coders")
    weights = 1 / (used.sum(axis=1) - 1)
    coincidence = used.T @ (weights[:, None] * used) - np.diag(weights @ used)
    totals = coincidence.sum(axis=1)
    n, distance = float(totals.sum()), _distances(codes, totals, level)
    expected = float(totals @ distance @ totals) / (n - 1)
    if expected <= 1e-12:
        return undefined(_ONE_CODE.replace("both", "all"))
    return AgreementValue(1 - float((coincidence * distance).sum()) / expected)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _distances(codes: Sequence[object], totals: Floats, level: Level) -> Floats:
    if level == "nominal":
        return 1.0 - np.eye(len(codes))
    if level == "interval":
        numbers = np.asarray(codes, np.float64)
        return np.asarray((numbers[:, None] - numbers[None, :]) ** 2)
    middle = np.cumsum(totals) - totals / 2
    return np.asarray((middle[:, None] - middle[None, :]) ** 2)


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """ICC(A,1): absolute agreement of single coders; ICC(C,1): consistency. Two-way model of McGraw & Wong."""

    absolute: AgreementValue
    consistency: AgreementValue


def intraclass(values: Floats) -> IntraclassCorrelation:
    """Intraclass correlations of totals, such as seconds per recording.

    Args:
        values: (recordings, coders), complete.

    Returns:
        Both correlations with their 95 % intervals, or why they are not defined.
    """
    x = np.asarray(values, np.float64)
    n, k = x.shape if x.ndim == 2 else (0, 0)
    if n < 2 or k < 2:
        reason = undefined("it needs two recordings and two coders at least")
        return IntraclassCorrelation(reason, reason)
    grand = x.mean()
    rows, columns = k * ((x.mean(1) - grand) ** 2).sum() / (n - 1), n * ((x.mean(0) - grand) ** 2).sum() / (k - 1)
    rest = x - x.mean(1, keepdims=True) - x.mean(0, keepdims=True) + grand
    error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    if rows + error <= 1e-15 * max(grand**2, 1.0):
        reason = undefined("the recordings do not differ: there is no variance to explain")
        return IntraclassCorrelation(reason, reason)
    consistency = (rows - error) / (rows + (k - 1) * error)
    absolute = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    return IntraclassCorrelation(
        _absolute_interval(absolute, rows, columns, error, n, k), _consistency_interval(consistency, rows, error, n, k)
    )


def _consistency_interval(value: float, rows: float, error: float, n: int, k: int) -> AgreementValue:
    if 1 - value < 1e-12:
        return AgreementValue(1.0, low=1.0, high=1.0)
    from scipy import special  # here: the service compares codings by kappa alone, and need not wait for scipy

    f, df = rows / error, ((n - 1), (n - 1) * (k - 1))
    low, high = f / special.fdtri(*df, 0.975), f * special.fdtri(*df[::-1], 0.975)
    return AgreementValue(value, low=(low - 1) / (low + k - 1), high=(high - 1) / (high + k - 1))


def _absolute_interval(value: float, rows: float, columns: float, error: float, n: int, k: int) -> AgreementValue:
    if 1 - value < 1e-12:
        return AgreementValue(1.0, low=1.0, high=1.0)
    from scipy import special

    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    v = (a * columns + b * error) ** 2 / (
        (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / max((n - 1) * (k - 1), 1) or 1e-300
    )
    upper, lower = special.fdtri(n - 1, v, 0.975), special.fdtri(v, n - 1, 0.975)
    spread = k * columns + (k * n - k - n) * error
    low = n * (rows - upper * error) / (upper * spread + n * rows)
    high = n * (lower * rows - error) / (spread + n * lower * rows)
    return AgreementValue(value, low=float(low), high=float(high))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Precision, recall and their harmonic mean; the first coder is the reference."""

    precision: AgreementValue
    recall: AgreementValue
    f1: AgreementValue


def accuracy(hit: float, only_second: float, only_first: float) -> Accuracy:
    """Precision, recall and F1 of the second coder against the first.

    Args:
        hit: seconds or events with the code by both.
        only_second: by the second coder only.
        only_first: by the first coder only.

    Returns:
        The three, each with its reason where it is not defined.
    """
    given, true = hit + only_second, hit + only_first
    precision = AgreementValue(hit / given) if given > 0 else undefined("the second coder never used this code")
    recall = AgreementValue(hit / true) if true > 0 else undefined("the first coder never used this code")
    if given + true <= 0:
        return Accuracy(precision, recall, undefined("nobody used this code"))
    return Accuracy(precision, recall, AgreementValue(2 * hit / (given + true)))
