"""Mixed models and generalised estimating equations on corrected values, one for each video.

The models are statsmodels'; the corrections for few children are applied here, because its defaults take children for
many: estimating equations with the bias-reduced covariance of Mancl and DeRouen (2001), t instead of normal quantiles,
and no model at all below five children.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.validity.estimation.audited_units import Units
from visionllm_interaction.validity.estimation.confidence_intervals import MIN_CHILDREN
from visionllm_interaction.validity.estimation.prediction_powered import child_means

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient with its 95 % interval and p value, both by t with ``df`` degrees of freedom."""

    name: str
    value: float
    se: float
    low: float
    high: float
    p: float
    df: float


@dataclass(frozen=True)
class FittedModel:
    """A fitted model.

    Attributes:
        kind: ``"gee"`` or ``"mixed"``.
        coefficients: one for each term.
        children: number of children.
        notes: what a reader must know, for example that a variance was estimated as zero.
    """

    kind: str
    coefficients: tuple[Coefficient, ...]
    children: int
    notes: tuple[str, ...]


def video_values(units: Units, video: Sequence[str] | NDArray[np.str_]) -> dict[str, float]:
    """The corrected mean of each video, for a model.

    Args:
        units: all units; every video needs audited ones.
        video: (N,) the video of each unit.

    Returns:
        Video → its corrected mean.

    Raises:
        InputDataError: if a video has no audited units.
    """
    names = np.asarray(video, np.str_)
    without = sorted({str(v) for v in names} - {str(v) for v in names[units.audited]})
    if without:
        raise InputDataError(
            "Some videos have no audited units.",
            expected="audited units of every video",
            found=f"none of {', '.join(without[:5])}",
            fix="plan the audit with strata by video, or compare children instead (`visionllm correct --by`)",
        )
    of_video = Units(
        names, units.predicted, units.human, units.inclusion_probability, units.amount, units.stratum, kind=units.kind
    )
    found, means, _ = child_means(of_video)
    return dict(zip(found, means.tolist(), strict=True))


def fit_model(
    values: Sequence[float] | Floats,
    covariates: Mapping[str, Sequence[float] | Floats],
    child: Sequence[str] | NDArray[np.str_],
    *,
    kind: Literal["gee", "mixed"] = "gee",
) -> FittedModel:
    """Fit a linear model in which videos of one child depend on each other.

    Args:
        values: one corrected value per video.
        covariates: name → one number per video.
        child: the child of each video.
        kind: ``"gee"``: estimating equations, exchangeable within a child, bias-reduced covariance; ``"mixed"``: a
            random intercept for each child, restricted maximum likelihood.

    Returns:
        The coefficients, of a constant first.

    Raises:
        InputDataError: for fewer than five children, or a covariate that is a combination of others.
        UsageError: if statsmodels is not installed.
    """
    names = np.asarray(child, np.str_)
    design = np.column_stack([np.ones(len(names)), *(np.asarray(c, np.float64) for c in covariates.values())])
    count = len(np.unique(names))
    _check_model(design, count)
    terms = ("constant", *covariates)
    y = np.asarray(values, np.float64)
    between = _between(design, names)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        estimate, spread = _gee(y, design, names) if kind == "gee" else _mixed(y, design, names)
    notes = tuple(sorted({str(w.message).splitlines()[0] for w in seen if "converge" in str(w.message).lower()}))
    coefficients, df = [], float(max(count - between, 1))
    for k, term in enumerate(terms):
        half = float(stats.t.ppf(0.975, df)) * spread[k]
        p = float(2 * stats.t.sf(abs(estimate[k]) / spread[k], df)) if spread[k] > 0 else 1.0
        coefficients.append(
            Coefficient(term, float(estimate[k]), float(spread[k]), estimate[k] - half, estimate[k] + half, p, df)
        )
    return FittedModel(kind, tuple(coefficients), count, notes)


def _check_model(design: Floats, children: int) -> None:
    if children < MIN_CHILDREN:
        raise InputDataError(
            "There are too few children for a model of children in general.",
            expected=f"at least {MIN_CHILDREN} children",
            found=str(children),
            fix="describe these recordings instead: `visionllm correct --target recordings`",
        )
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise InputDataError(
            "A covariate does not vary, or is a combination of others.",
            expected="independent covariates",
            found=f"rank {np.linalg.matrix_rank(design)} of {design.shape[1]}",
        )


def _between(design: Floats, child: NDArray[np.str_]) -> int:
    """How many columns are constant within every child; they take degrees of freedom from the children."""
    groups = [design[child == name] for name in np.unique(child)]
    return int(sum(all(np.ptp(rows[:, k]) == 0 for rows in groups) for k in range(design.shape[1])))


def _gee(y: Floats, design: Floats, child: NDArray[np.str_]) -> tuple[Floats, Floats]:
    api = _statsmodels()
    model = api.GEE(y, design, groups=child, cov_struct=api.cov_struct.Exchangeable())
    fitted = model.fit(cov_type="bias_reduced")
    return np.asarray(fitted.params), np.asarray(fitted.bse)


def _mixed(y: Floats, design: Floats, child: NDArray[np.str_]) -> tuple[Floats, Floats]:
    fitted = _statsmodels().MixedLM(y, design, groups=child).fit(reml=True)
    count = design.shape[1]
    return np.asarray(fitted.fe_params), np.asarray(fitted.bse_fe)[:count]


def _statsmodels() -> Any:
    try:
        import statsmodels.api
    except ImportError as error:
        raise UsageError(
            "statsmodels is not installed.",
            expected="the extra `validity`",
            found=str(error),
            fix="pip install 'visionllm-interaction[validity]'",
        ) from error
    return statsmodels.api
