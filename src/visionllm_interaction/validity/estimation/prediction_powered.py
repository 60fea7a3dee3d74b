r"""Prediction-powered estimates of means and slopes: all units by the detector, corrected by an audited sample.

With :math:`X` what the estimate is about (a constant, groups, an age), :math:`z` what the detector says (its value,
and *no label* as a class of its own), :math:`y` what people say:

.. math:: \hat\theta = OLS_{all}(z\lambda \sim X) + WLS_{audited}(y - z\lambda \sim X)

weighted by amount, and in the audit by amount over inclusion probability. :math:`\lambda = 0` is the audit alone,
otherwise :math:`\lambda = s\beta` with the coefficients :math:`\beta` of people's labels on the detector's columns.
Power tuning chooses the :math:`s` in [0, 1] of the smallest estimated variance, for each estimate its own, so that a
poor detector does no harm. Sources: Angelopoulos, Duchi & Zrnic (2023), PPI++, arXiv:2311.01453; Särndal, Swensson &
Wretman (1992), Model Assisted Survey Sampling: the regression estimator, of which it is a case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visionllm_interaction.validity.estimation.audited_units import Bools, Floats, Ints, Units

_OWN_VARIANCE = 10
"""A stratum with fewer labels shares its variance with others."""


@dataclass(frozen=True, eq=False)
class LinearEstimates:
    """K coefficients and their standard errors under the sampling design.

    Attributes:
        value: (K,) the estimates.
        se: (K,) their standard errors for these recordings.
        df: degrees of freedom.
        tuning: (K, P) the weight of each column of the detector; 0 for the audit alone.
    """

    value: Floats
    se: Floats
    df: float
    tuning: Floats


def detector_columns(units: Units) -> Floats:
    """(N, P) what the detector says of each unit: its value, and 1 where it gave no label; without constant columns."""
    columns = [np.nan_to_num(units.predicted), units.unlabelled.astype(np.float64)]
    return np.stack([c for c in columns if np.ptp(c) > 0] or [np.zeros(len(units))], axis=1)


def fit_linear(units: Units, design: Floats, *, powered: bool = True) -> LinearEstimates:
    """The coefficients of a linear model of what people would say of every unit, for these recordings.

    Args:
        units: all units.
        design: (N, K) the columns of the model.
        powered: whether to use the detector; False: the audit alone.

    Returns:
        The estimates. Standard errors are those of the stratified sample with finite population correction.
    """
    audited, columns = units.audited, detector_columns(units)
    weight = units.amount[audited] / units.inclusion_probability[audited]
    x, y, z = design[audited], units.human[audited], columns[audited]
    bread = np.linalg.pinv(design.T @ (units.amount[:, None] * design))
    beta = _detector_fit(x, z, y, weight) if powered else np.zeros(z.shape[1])
    y_rest, z_rest = y - x @ weighted_fit(x, y, weight), (z - x @ weighted_fit(x, z, weight)) @ beta
    strata = _Strata.of(units, audited)
    count = x.shape[1]
    value, se, tuning = np.zeros(count), np.zeros(count), np.zeros((count, z.shape[1]))
    scores = (x @ bread) * weight[:, None]
    used = 0
    for k in range(count):
        u, v = strata.centre(scores[:, k] * y_rest), strata.centre(scores[:, k] * z_rest)
        part = _tune(u, v, strata.factor)
        tuning[k] = part * beta
        used = max(used, int(np.count_nonzero(tuning[k])))
        rest = u - part * v
        se[k] = np.sqrt(max(float((strata.factor * rest**2).sum()), 0.0))
        from_all = weighted_fit(design, columns @ tuning[k], units.amount)[k]
        value[k] = from_all + weighted_fit(x, y - z @ tuning[k], weight)[k]
    df = max(len(y) - strata.count - used - (count - 1), 1)
    return LinearEstimates(value, se * np.sqrt(1 + used / df), float(df), tuning)


def _tune(u: Floats, v: Floats, factor: Floats) -> float:
    """The part of [0, 1] for which the variance of ``u − part * v`` is smallest."""
    size = float((factor * v**2).sum())
    return float(np.clip((factor * u * v).sum() / size, 0.0, 1.0)) if size > 0 else 0.0


def _detector_fit(x: Floats, z: Floats, y: Floats, weight: Floats) -> Floats:
    """(P,) coefficients of people's labels on the detector's columns, beside those of the model."""
    rest, of_y = z - x @ weighted_fit(x, z, weight), y - x @ weighted_fit(x, y, weight)
    # A column that the model explains (up to rounding) has nothing to add.
    varies = (rest**2).mean(axis=0) > 1e-9 * np.maximum((z**2).mean(axis=0), 1e-300)
    found = np.zeros(z.shape[1])
    if varies.any():
        found[varies] = weighted_fit(rest[:, varies], of_y, weight)
    return found


def weighted_fit(design: Floats, value: Floats, weight: Floats) -> Floats:
    """Coefficients of weighted least squares; a value may have several columns."""
    normal = design.T @ (weight[:, None] * design)
    moments = design.T @ (weight * value if value.ndim == 1 else weight[:, None] * value)
    return np.asarray(np.linalg.pinv(normal, hermitian=True) @ moments)


@dataclass(frozen=True, eq=False)
class _Strata:
    """The strata of the audited units; small ones are pooled."""

    code: Ints
    count: int
    factor: Floats
    """(n,) n_h / (n_h − 1) × (1 − the share of the stratum that was audited)."""

    @classmethod
    def of(cls, units: Units, audited: Bools) -> _Strata:
        names, code = np.unique(units.stratum, return_inverse=True)
        drawn = np.bincount(code[audited], minlength=len(names))
        # Two or three labels tell no variance, where errors are rare least of all: small strata are pooled.
        small = (drawn < _OWN_VARIANCE)[code]
        pool = np.full(len(code), "") if units.pool is None else units.pool
        _, pooled = np.unique(pool, return_inverse=True)
        merged = np.where(small, len(names) + pooled, code)
        counts = np.bincount(merged[audited], minlength=int(merged.max()) + 1)
        alone = (counts < 2)[merged]
        merged[alone] = int(np.argmax(counts))
        _, joint = np.unique(merged, return_inverse=True)
        n, total = np.bincount(joint[audited]), np.bincount(joint)
        correction = n / np.maximum(n - 1, 1) * (1 - n / total[: len(n)])
        mine = joint[audited]
        return cls(mine, len(np.unique(mine)), np.asarray(np.maximum(correction, 0.0)[mine]))

    def centre(self, value: Floats) -> Floats:
        """``value`` (n,) or (n, P) less the mean of its stratum."""
        n = np.bincount(self.code)
        flat = value.reshape(len(value), -1)
        means = np.stack([np.bincount(self.code, weights=column) / n for column in flat.T], axis=1)
        return np.asarray((flat - means[self.code]).reshape(value.shape))


def child_means(units: Units, *, powered: bool = True) -> tuple[list[str], Floats, Floats]:
    """The corrected mean of each child; the detector's weight is the same for all, tuned for their mean.

    Args:
        units: all units; every child needs audited ones.
        powered: whether to use the detector; False: the audit alone.

    Returns:
        The children, (G,) their means and (P,) the detector's weights.
    """
    names, code = np.unique(units.child, return_inverse=True)
    groups, columns, audited = len(names), detector_columns(units), units.audited
    weight = units.amount[audited] / units.inclusion_probability[audited]
    mine, y, z = code[audited], units.human[audited], columns[audited]
    y_mean = _means(mine, y[:, None], weight, groups)
    z_mean, z_all = _means(mine, z, weight, groups), _means(code, columns, units.amount, groups)
    tuning = np.zeros(z.shape[1])
    if powered:
        strata, share = _Strata.of(units, audited), weight / np.bincount(mine, weights=weight, minlength=groups)[mine]
        y_rest, z_rest = y - y_mean[mine, 0], z - z_mean[mine]
        beta = _detector_fit(np.zeros((len(y), 1)), z_rest, y_rest, share)
        parts = strata.centre(share * y_rest), strata.centre(share * (z_rest @ beta))
        tuning = _tune(*parts, strata.factor) * beta
    return [str(name) for name in names], y_mean[:, 0] + (z_all - z_mean) @ tuning, tuning


def _means(code: Ints, value: Floats, weight: Floats, groups: int) -> Floats:
    total = np.bincount(code, weights=weight, minlength=groups)
    sums = [np.bincount(code, weights=weight * column, minlength=groups) for column in value.T]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.stack(sums, axis=1) / total[:, None])


def slopes_without_each_child(units: Units, design: Floats, *, powered: bool = True) -> tuple[Floats, Floats]:
    """Coefficients for children in general: every child has the same weight, whatever the length of its recordings.

    Args:
        units: all units.
        design: (N, K) the columns of the model.
        powered: whether to use the detector; False: the audit alone.

    Returns:
        (K,) the coefficients, and (G, K) the same without one child each; NaN where they cannot be computed.
    """
    names, code = np.unique(units.child, return_inverse=True)
    even = units.amount / np.bincount(code, weights=units.amount)[code]
    evened = Units(
        units.child,
        units.predicted,
        units.human,
        units.inclusion_probability,
        even,
        units.stratum,
        {},
        units.kind,
        units.pool,
    )
    tuning = fit_linear(evened, design, powered=powered).tuning
    columns, audited = detector_columns(evened), evened.audited
    weight = np.where(audited, even / np.maximum(units.inclusion_probability, 1e-300), 0.0)
    human = np.where(audited, units.human, 0.0)
    value = np.zeros(design.shape[1])
    left_out = np.full((len(names), design.shape[1]), np.nan)
    for k in range(design.shape[1]):
        said = columns @ tuning[k]
        parts = [
            _per_child(design, said, even, code, len(names)),
            _per_child(design, human - said, weight, code, len(names)),
        ]
        value[k] = sum(_solve(normal.sum(0), moment.sum(0))[k] for normal, moment in parts)
        for g in range(len(names)):
            rest = [_solve(n.sum(0) - n[g], m.sum(0) - m[g])[k] for n, m in parts]
            left_out[g, k] = sum(rest)
    return value, left_out


def _per_child(design: Floats, value: Floats, weight: Floats, code: Ints, groups: int) -> tuple[Floats, Floats]:
    """(G, K, K) and (G, K): each child's part of the normal equations."""
    size = design.shape[1]
    normal, moment = np.zeros((groups, size, size)), np.zeros((groups, size))
    for g in range(groups):
        rows = code == g
        scaled = weight[rows, None] * design[rows]
        normal[g], moment[g] = design[rows].T @ scaled, scaled.T @ value[rows]
    return normal, moment


def _solve(normal: Floats, moment: Floats) -> Floats:
    if np.linalg.matrix_rank(normal, hermitian=True) < len(normal):
        return np.full(len(moment), np.nan)
    return np.asarray(np.linalg.solve(normal, moment))
