"""Side by side: as detected, from the audit alone, and corrected; for these recordings or for children in general."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.validity.estimation.audited_units import Floats, Units, check_probability_sample
from visionllm_interaction.validity.estimation.confidence_intervals import (
    Interval95,
    Scale,
    design_interval,
    exact_zero_errors,
    few_children,
    jackknife_interval,
    no_interval,
)
from visionllm_interaction.validity.estimation.prediction_powered import (
    LinearEstimates,
    child_means,
    fit_linear,
    slopes_without_each_child,
    weighted_fit,
)

Target = Literal["recordings", "children"]
Kind = Literal["as detected", "audit only", "corrected"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number, of which kind it is, and its interval.

    Attributes:
        kind: ``"as detected"``, ``"audit only"`` or ``"corrected"``.
        value: the estimate; None if it is not defined.
        interval: its 95 % interval, or the reason why there is none.
    """

    kind: Kind
    value: float | None
    interval: Interval95

    def scaled(self, factor: float) -> Estimate:
        """The same in another unit."""

        def times(value: float | None) -> float | None:
            return None if value is None else value * factor

        inner = self.interval
        scaled = replace(inner, low=times(inner.low), high=times(inner.high), se=times(inner.se))
        return Estimate(self.kind, times(self.value), scaled)

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        low, high = self.interval.low, self.interval.high
        return low is not None and high is not None and (low > 0 or high < 0)

    def __str__(self) -> str:
        shown = "not defined" if self.value is None else f"{self.value:.4g}"
        if self.interval.low is None:
            return f"{shown} ({self.kind}; no interval: {self.interval.reason})"
        return f"{shown} [{self.interval.low:.4g}, {self.interval.high:.4g}] ({self.kind})"


@dataclass(frozen=True, slots=True)
class ComparedEstimate:
    """One quantity three times, always all three.

    Attributes:
        name: what it is, for example ``all``, ``group=older``, ``group: older − younger`` or ``age_months: slope``.
        naive: as the detector gives it.
        audit_only: from the audited units alone.
        corrected: by the detector, corrected by the audit.
    """

    name: str
    naive: Estimate
    audit_only: Estimate
    corrected: Estimate

    def scaled(self, factor: float) -> ComparedEstimate:
        """The same in another unit."""
        return ComparedEstimate(
            self.name, self.naive.scaled(factor), self.audit_only.scaled(factor), self.corrected.scaled(factor)
        )


_KINDS: tuple[Kind, ...] = ("as detected", "audit only", "corrected")


def compare(
    units: Units, *, target: Target = "recordings", by: str | None = None, scale: Scale = "logit"
) -> tuple[ComparedEstimate, ...]:
    """Estimate a mean, means of groups and their differences, or a slope, three ways.

    Args:
        units: all units with their audit.
        target: whom the intervals are about: these ``"recordings"``, or ``"children"`` in general.
        by: a covariate: names give a mean per group and differences, numbers a slope per 1 of it.
        scale: of the intervals of means: ``"logit"`` for shares, ``"log"`` for rates.

    Returns:
        One comparison for each quantity.

    Raises:
        InputDataError: if the audit is no probability sample, or a child has no labels where the target is children.
        UsageError: if the covariate is not known or does not vary.
    """
    check_probability_sample(units)
    if target == "children":
        _check_every_child(units)
    if by is None:
        return (_three("all", lambda kind: _mean(_as(units, kind), kind, target, scale)),)
    column = units.covariate(by)
    _check_covariate(by, column)
    if column.dtype.kind in "fiu":
        return (_three(f"{by}: slope", lambda kind: _slope(_as(units, kind), kind, target, column)),)
    return tuple(_groups(units, by, column.astype(np.str_), target, scale))


def _three(name: str, estimate: object) -> ComparedEstimate:
    naive, audit_only, corrected = (estimate(kind) for kind in _KINDS)  # type: ignore[operator]
    return ComparedEstimate(name, naive, audit_only, corrected)


def _as(units: Units, kind: Kind) -> Units:
    """For *as detected*, the detector stands in for people in every unit; no label counts as absent, as in measures."""
    if kind != "as detected":
        return units
    detected = np.nan_to_num(units.predicted)
    return replace(units, predicted=detected, human=detected, inclusion_probability=np.ones(len(units)))


def _check_every_child(units: Units) -> None:
    without = sorted(set(units.children()) - {str(name) for name in units.child[units.audited]})
    if without:
        raise InputDataError(
            "Some children have no audited units, so their errors are not known.",
            expected="audited units of every child (--target children)",
            found=f"none of {', '.join(without[:10])}",
            fix="plan the audit over all children, or label the rest of the tasks; clips need two a child",
        )
    names, counts = np.unique(units.child[units.audited], return_counts=True)
    if units.kind == "clip" and int(counts.min()) < 2:
        single = ", ".join(map(str, names[counts < 2][:10]))
        raise InputDataError(
            "Some children have a single audited clip.",
            expected="at least two clips of every child",
            found=f"one of {single}",
            fix="label more clips of these children: `visionllm audit plan` draws two or more of each",
        )


def _check_covariate(name: str, column: NDArray[np.generic]) -> None:
    missing = np.isnan(column.astype(np.float64)) if column.dtype.kind in "fiu" else column.astype(np.str_) == ""
    if missing.any():
        raise InputDataError(
            f"The covariate {name!r} is not known for every unit.",
            expected="a value for every video",
            found=f"none for {int(missing.sum())} of {len(column)} units",
            fix="set it with `visionllm videos set`",
        )
    if len(np.unique(column)) < 2:
        raise UsageError(
            f"The covariate {name!r} does not vary.", expected="two values or more", found=str(column[0]), where="--by"
        )


def _mean(units: Units, kind: Kind, target: Target, scale: Scale) -> Estimate:
    if target == "children":
        _, means, _ = child_means(units, powered=kind == "corrected")
        return Estimate(
            kind, float(means.mean()), jackknife_interval(float(means.mean()), _without(means), scale=scale)
        )
    return _of_recordings(units, kind, np.ones((len(units), 1)), 0, scale)


def _without(means: Floats) -> Floats:
    """(G,) the mean without each one."""
    return np.asarray((means.sum() - means) / max(len(means) - 1, 1))


def _of_recordings(units: Units, kind: Kind, design: Floats, k: int, scale: Scale) -> Estimate:
    if kind == "as detected":
        return _naive_of_recordings(units, design, k, scale)
    found: LinearEstimates = fit_linear(units, design, powered=kind == "corrected")
    value, se = float(found.value[k]), float(found.se[k])
    if se <= 1e-12 and not units.audited.all():
        audited = int((units.audited & (np.abs(design[:, k]) > 0)).sum())
        if scale == "logit" and units.is_share:
            return Estimate(kind, value, exact_zero_errors(value, audited))
        return Estimate(kind, value, no_interval("all audited units agree: their spread is not known; label more"))
    return Estimate(kind, value, design_interval(value, se, df=found.df, scale=scale))


def _naive_of_recordings(units: Units, design: Floats, k: int, scale: Scale) -> Estimate:
    """The usual analysis: as if the detector were right, and the units a sample."""
    fitted = weighted_fit(design, units.human, units.amount)
    scores = (units.amount * (units.human - design @ fitted))[:, None] * design
    bread = np.linalg.pinv(design.T @ (units.amount[:, None] * design), hermitian=True)
    se = math.sqrt(max(float((bread @ scores.T @ scores @ bread)[k, k]), 0.0))
    interval = design_interval(float(fitted[k]), se, df=max(len(units) - design.shape[1], 1), scale=scale)
    return Estimate("as detected", float(fitted[k]), replace(interval, method="as if the detector made no errors"))


def _slope(units: Units, kind: Kind, target: Target, column: NDArray[np.generic]) -> Estimate:
    value = column.astype(np.float64)
    design = np.stack([np.ones(len(value)), value - value.mean()], axis=1)
    if target == "recordings":
        return _of_recordings(units, kind, design, 1, "plain")
    refused = few_children(len(units.children()))
    whole, left_out = slopes_without_each_child(units, design, powered=kind == "corrected")
    between = all(len(np.unique(value[units.child == name])) == 1 for name in units.children())
    df = float(len(left_out) - (2 if between else 1))
    interval = refused or jackknife_interval(float(whole[1]), left_out[:, 1], scale="plain", df=df)
    return Estimate(kind, float(whole[1]), interval)


def _groups(
    units: Units, by: str, column: NDArray[np.str_], target: Target, scale: Scale
) -> Iterator[ComparedEstimate]:
    names = [str(name) for name in np.unique(column)]
    for name in names:
        part = domain(units, column == name)
        yield _three(f"{by}={name}", lambda kind, part=part: _mean(_as(part, kind), kind, target, scale))
    for first, second in combinations(names, 2):
        chosen = (column == first) | (column == second)
        crossed = replace(units, stratum=np.char.add(np.char.add(units.stratum, " | "), column))
        pair, is_second = domain(crossed, chosen), (column == second)[chosen]
        yield _three(
            f"{by}: {second} − {first}",
            lambda kind, pair=pair, at=is_second: _difference(_as(pair, kind), kind, target, at),
        )


MIN_AUDITED = 10
"""A group with fewer audited units is refused."""


def domain(units: Units, chosen: NDArray[np.bool_]) -> Units:
    """A part of the recordings, with weights that add up to its own strata.

    Within a stratum, the audited units of a part are a random sample of that part, however many there are. Strata of
    the part without any are joined with those of the same class.

    Args:
        units: all units.
        chosen: (N,) the part.

    Returns:
        Its units.

    Raises:
        InputDataError: if it has too few audited units.
    """
    part = units.where(chosen)
    audited = part.audited
    if int(audited.sum()) < MIN_AUDITED:
        raise InputDataError(
            "A group has too few audited units.",
            expected=f"at least {MIN_AUDITED}",
            found=str(int(audited.sum())),
            fix="draw more units: `visionllm audit plan … --extend --labels N`",
        )
    cell = part.stratum
    for coarser in (part.pool, np.full(len(part), "")):
        empty = ~np.isin(cell, cell[audited])
        if coarser is None or not empty.any():
            continue
        cell = np.where(np.isin(coarser, coarser[empty]), np.char.add("| ", coarser), cell)
    _, code = np.unique(cell, return_inverse=True)
    weight = np.where(audited, 1 / np.maximum(part.inclusion_probability, 1e-300), 0.0)
    factor = np.bincount(code) / np.maximum(np.bincount(code, weights=weight), 1e-300)
    chance = np.clip(part.inclusion_probability / factor[code], 1e-9, 1.0)
    return replace(part, stratum=cell, inclusion_probability=chance)


def _difference(units: Units, kind: Kind, target: Target, is_second: NDArray[np.bool_]) -> Estimate:
    """The second group less the first one."""
    if target == "recordings":
        design = np.stack([np.ones(len(units)), is_second.astype(np.float64)], axis=1)
        return _of_recordings(units, kind, design, 1, "plain")
    per_group = []
    for chosen in (~is_second, is_second):
        names, means, _ = child_means(units.where(chosen), powered=kind == "corrected")
        per_group.append(dict(zip(names, means.tolist(), strict=True)))
    first, second = per_group
    value = float(np.mean(list(second.values())) - np.mean(list(first.values())))
    return Estimate(kind, value, _difference_interval(first, second, value))


def _difference_interval(first: dict[str, float], second: dict[str, float], value: float) -> Interval95:
    both = sorted(set(first) & set(second))
    smaller = min(len(first), len(second))
    if smaller < 5:
        return few_children(smaller) or no_interval("too few children in a group")
    if len(both) == len(first) == len(second):
        pairs = np.array([second[name] - first[name] for name in both])
        return jackknife_interval(value, _without(pairs), scale="plain")
    if not both:
        variances = [float(np.var(list(group.values()), ddof=1)) / len(group) for group in (first, second)]
        total = sum(variances)
        parts = sum(v**2 / (len(g) - 1) for v, g in zip(variances, (first, second), strict=True))
        df = total**2 / parts if parts > 0 else float(smaller - 1)
        interval = design_interval(value, math.sqrt(total), df=df, scale="plain")
        return replace(interval, method=f"Welch over children, t({df:.1f})")
    children = sorted(set(first) | set(second))
    left_out = [
        float(
            np.mean([v for name, v in second.items() if name != out])
            - np.mean([v for name, v in first.items() if name != out])
        )
        for out in children
    ]
    return jackknife_interval(value, np.array(left_out), scale="plain", df=float(smaller - 1))
