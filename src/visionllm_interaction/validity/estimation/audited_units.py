"""The units of an audit: every frame or clip with the detector's value, and people's labels of a sample of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.errors import InputDataError, UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
UnitKind = Literal["frame", "clip"]

_SAME_SHARE_Z = 5.0
"""A sample whose detector values lie so many standard errors from those of all units was not drawn as stated."""


@dataclass(frozen=True, eq=False)
class Units:
    """All units of the recordings, audited or not.

    Attributes:
        child: (N,) name of the child; units of one child depend on each other.
        predicted: (N,) the detector's value: 0 or 1 for a state, a number for a count; NaN where it gave *no label*.
        human: (N,) the same by people; NaN where nobody has labelled the unit.
        inclusion_probability: (N,) the chance with which the unit was drawn for the audit.
        amount: (N,) what the unit stands for, in seconds; shares are weighted by it.
        stratum: (N,) name of the stratum that the unit was drawn in.
        covariates: name → (N,) numbers or names, for example ``age_months``.
        kind: ``"frame"`` or ``"clip"``.
        pool: (N,) what the detector says, in words; strata with few labels share their variance with those of the same
            pool. None: with all others.
    """

    child: NDArray[np.str_]
    predicted: Floats
    human: Floats
    inclusion_probability: Floats
    amount: Floats
    stratum: NDArray[np.str_]
    covariates: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    kind: UnitKind = "frame"
    pool: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        sizes = {len(column) for column in (self.child, self.predicted, self.human, self.amount, self.stratum)}
        sizes |= {len(self.inclusion_probability), *(len(column) for column in self.covariates.values())}
        if len(sizes) != 1:
            raise UsageError("The columns of an audit differ in length.", expected="one length", found=str(sizes))
        if not len(self.predicted):
            raise InputDataError("There are no units.", expected="at least one frame or clip", found="none")
        _check_design(self.inclusion_probability, self.amount)

    def __len__(self) -> int:
        return len(self.predicted)

    @property
    def audited(self) -> Bools:
        """(N,) whether people have labelled the unit."""
        return ~np.isnan(self.human)

    @property
    def unlabelled(self) -> Bools:
        """(N,) whether the detector gave no label."""
        return np.isnan(self.predicted)

    @property
    def is_share(self) -> bool:
        """Whether the values are yes or no."""
        values = np.concatenate([self.predicted[~self.unlabelled], self.human[self.audited]])
        return bool(np.isin(values, (0.0, 1.0)).all())

    def children(self) -> list[str]:
        """The children, sorted."""
        return sorted({str(name) for name in self.child})

    def covariate(self, name: str) -> NDArray[Any]:
        """One covariate.

        Args:
            name: its name.

        Returns:
            (N,) its values.

        Raises:
            UsageError: if there is none of that name.
        """
        if name in self.covariates:
            return self.covariates[name]
        raise UsageError(
            f"The covariate {name!r} is not known.",
            expected=f"one of: {', '.join(self.covariates) or 'none is known'}",
            found=name,
            fix="set it for each video with `visionllm videos set`",
        )

    def where(self, chosen: Bools) -> Units:
        """The units for which ``chosen`` (N,) is true."""
        return Units(
            self.child[chosen],
            self.predicted[chosen],
            self.human[chosen],
            self.inclusion_probability[chosen],
            self.amount[chosen],
            self.stratum[chosen],
            {name: column[chosen] for name, column in self.covariates.items()},
            self.kind,
            None if self.pool is None else self.pool[chosen],
        )


def simple_units(
    child: Any,
    predicted: Any,
    human: Any,
    *,
    inclusion_probability: Any = None,
    amount: Any = 1.0,
    stratum: Any = None,
    covariates: Mapping[str, Any] | None = None,
    kind: UnitKind = "frame",
    pool: Any = None,
) -> Units:
    """Units from plain columns.

    Args:
        child: N names.
        predicted: N values of the detector; None or NaN: no label.
        human: N values by people; None or NaN: not audited.
        inclusion_probability: N chances of being drawn; None: simple random sampling within each stratum.
        amount: N weights in seconds, or one for all.
        stratum: N names; None: the children are the strata.
        covariates: name → N values.
        kind: ``"frame"`` or ``"clip"``.
        pool: N names; strata with few labels share their variance with those of the same pool.

    Returns:
        The units.

    Raises:
        UsageError: if the columns differ in length.
        InputDataError: if there are none, or a probability or amount is impossible.
    """
    predicted_ = np.asarray(predicted, np.float64)
    human_ = np.asarray(human, np.float64)
    child_ = np.asarray(child, np.str_)
    stratum_ = child_ if stratum is None else np.asarray(stratum, np.str_)
    chance = inclusion_probability
    if chance is None:
        chance = realised_probability(stratum_, ~np.isnan(human_))
    return Units(
        child_,
        predicted_,
        human_,
        np.broadcast_to(np.asarray(chance, np.float64), predicted_.shape),
        np.broadcast_to(np.asarray(amount, np.float64), predicted_.shape),
        stratum_,
        {name: np.asarray(column) for name, column in (covariates or {}).items()},
        kind,
        None if pool is None else np.asarray(pool, np.str_),
    )


def realised_probability(stratum: NDArray[np.str_], audited: Bools) -> Floats:
    """(N,) the share of each unit's stratum that was audited."""
    _, code = np.unique(stratum, return_inverse=True)
    size = np.bincount(code)
    drawn = np.bincount(code, weights=audited.astype(np.float64))
    return np.asarray((drawn / size)[code])


def _check_design(chance: Floats, amount: Floats) -> None:
    if np.isnan(chance).any() or (chance < 0).any() or (chance > 1).any():
        raise InputDataError(
            "The chances with which units were drawn are not known.",
            expected="an inclusion probability between 0 and 1 for every unit",
            found=f"{int((np.isnan(chance) | (chance < 0) | (chance > 1)).sum())} units without one",
            fix="draw the audit with `visionllm audit plan`, which stores the probabilities",
        )
    if np.isnan(amount).any() or (amount <= 0).any():
        raise InputDataError("An amount is not positive.", expected="seconds above 0", found=str(float(amount.min())))


def check_probability_sample(units: Units) -> None:
    """Refuse an audit whose units were chosen by the detector's result or by unknown rules.

    Args:
        units: all units.

    Raises:
        InputDataError: if units had no chance of being drawn, nobody labelled anything, a stratum has no labels, or the
            detector's values in the sample do not fit a sample drawn with the stated probabilities.
    """
    audited = units.audited
    if not audited.any():
        raise InputDataError(
            "Nobody has labelled any unit of the audit.",
            expected="labels of people",
            found="none",
            fix="label the tasks of `visionllm audit export`, then `visionllm audit import`",
        )
    _check_no_chance(units)
    _check_strata(units)
    _check_balance(units)


def _check_no_chance(units: Units) -> None:
    never = units.inclusion_probability <= 0
    if not never.any():
        return
    by_detector = {bool(value) for value in (units.predicted[never] > 0)} == {False} and not units.unlabelled.all()
    raise InputDataError(
        "Some units had no chance of being audited, so the audit says nothing about them.",
        expected="an inclusion probability above 0 for every unit",
        found=f"{int(never.sum())} of {len(units)} units with 0"
        + (": units without a detection; the detector chose what was audited" if by_detector else ""),
        fix="draw a probability sample with `visionllm audit plan`: frames without a detection belong to it",
    )


def _check_strata(units: Units) -> None:
    without = sorted(set(units.stratum[~units.audited]) - set(units.stratum[units.audited]))
    if without:
        raise InputDataError(
            "Some strata have no labels, so the audit says nothing about them.",
            expected="labelled units in every stratum",
            found=f"none in {len(without)}: {', '.join(map(str, without[:5]))}{' …' if len(without) > 5 else ''}",
            fix="label the rest of the tasks (`visionllm audit status`), or plan the audit with fewer strata",
        )


def _check_balance(units: Units) -> None:
    """Compare the detector's values in the sample with all of them: they must agree, whatever people say."""
    audited = units.audited
    weight = units.amount[audited] / units.inclusion_probability[audited]
    for name, value in (
        ("no label", units.unlabelled.astype(np.float64)),
        ("detections", np.nan_to_num(units.predicted)),
    ):
        everywhere = float(np.average(value, weights=units.amount))
        drawn = value[audited]
        mean = float(np.average(drawn, weights=weight))
        spread = float(np.sqrt(max(np.average((value - everywhere) ** 2, weights=units.amount), 0.0)))
        effective = float(weight.sum() ** 2 / (weight**2).sum())
        if spread > 0 and abs(mean - everywhere) > _SAME_SHARE_Z * spread / np.sqrt(effective) + 1e-9:
            raise InputDataError(
                "The audited units are no random sample: the detector's result decided what was labelled.",
                expected=f"a mean of {everywhere:.3f} ({name}) among the audited units, as among all",
                found=f"{mean:.3f} in {int(audited.sum())} audited units",
                fix="label the units that `visionllm audit plan` drew, all of them, or give the true probabilities",
            )
