"""Permutation tests that keep time and child together.

Frames and bouts are no independent observations: a test that shuffles them rejects far too often. Here a whole child
changes its group or its sign, or one of two series moves against the other as a whole, so that bouts stay bouts.
Source: Good (2005), Permutation, Parametric and Bootstrap Tests; circular shifts after Kreuz et al. (2013) and Harris
(2020), arXiv:2006.12862.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.errors import InputDataError, UsageError

Floats = NDArray[np.float64]
Alternative = Literal["two-sided", "greater", "less"]
MAX_EXACT = 20_000
"""Up to so many arrangements, all of them are computed."""
_ROUNDING = 1e-10


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """The result of a permutation test.

    Attributes:
        statistic: the observed value.
        expected: its mean over the permutations.
        p: the probability of a value as extreme, if nothing is related.
        permutations: how many were computed.
        exact: whether these are all there are.
        scheme: what was permuted.
    """

    statistic: float
    expected: float
    p: float
    permutations: int
    exact: bool
    scheme: str


def permute_children(
    values: Sequence[float] | Floats,
    is_second: Sequence[bool] | NDArray[np.bool_],
    *,
    alternative: Alternative = "two-sided",
    permutations: int = 9_999,
    seed: int = 0,
) -> PermutationTest:
    """Test a difference between two groups of children; each child moves as a whole.

    Args:
        values: one value per child, for example its corrected share.
        is_second: whether the child belongs to the second group.
        alternative: of the second mean less the first.
        permutations: how many, where not all can be computed.
        seed: of the random numbers.

    Returns:
        The test of the second group's mean less the first's.

    Raises:
        UsageError: if the columns differ in length.
        InputDataError: if a group is empty, or so few children could never give p below 0.05.
    """
    value, second = np.asarray(values, np.float64), np.asarray(is_second, np.bool_)
    if value.shape != second.shape:
        raise UsageError("There is not one group per value.", expected=str(len(value)), found=str(len(second)))
    count, size = len(value), int(second.sum())
    arrangements = comb(count, size) if 0 < size < count else 0
    _check_reachable(arrangements, alternative, "children")
    exact = arrangements <= MAX_EXACT
    if exact:
        chosen = _choices(count, size)
    else:
        draws = np.random.default_rng(seed).random((permutations, count))
        chosen = np.argsort(draws, axis=1)[:, :size]
    sums = value[chosen].sum(axis=1)
    found = sums / size - (value.sum() - sums) / (count - size)
    observed = float(value[second].mean() - value[~second].mean())
    return _result(observed, found, alternative, exact=exact, scheme="children between groups")


def flip_children(
    differences: Sequence[float] | Floats,
    *,
    alternative: Alternative = "two-sided",
    permutations: int = 9_999,
    seed: int = 0,
) -> PermutationTest:
    """Test a difference within children, for example between two ages or two conditions; each child flips as a whole.

    Args:
        differences: one per child.
        alternative: of their mean.
        permutations: how many, where not all can be computed.
        seed: of the random numbers.

    Returns:
        The test of the mean difference.

    Raises:
        InputDataError: if so few children could never give p below 0.05.
    """
    value = np.asarray(differences, np.float64)
    _check_reachable(2 ** len(value) if len(value) else 0, alternative, "children")
    exact = 2 ** len(value) <= MAX_EXACT
    rng = np.random.default_rng(seed)
    signs = _signs(len(value)) if exact else rng.choice((-1.0, 1.0), (permutations, len(value)))
    return _result(
        float(value.mean()), signs @ value / len(value), alternative, exact=exact, scheme="signs of children"
    )


def shift_in_time(
    first: Sequence[NDArray[np.bool_]],
    second: Sequence[NDArray[np.bool_]],
    *,
    alternative: Alternative = "two-sided",
    permutations: int = 1_999,
    seed: int = 0,
) -> PermutationTest:
    """Test whether two behaviours occur together more or less often than their own rhythms make them.

    In each recording the second series is moved against the first by a random time, round the end; bouts, pauses and
    their order stay as they are, and recordings stay with their child.

    Args:
        first: for each recording the first behaviour, (T,) at equal steps of time.
        second: the same of the second behaviour.
        alternative: of the share of time in which both occur.
        permutations: how many.
        seed: of the random numbers.

    Returns:
        The test of the share of time with both.

    Raises:
        UsageError: if the series differ in number or length.
        InputDataError: if there is nothing to move.
    """
    if [len(a) for a in first] != [len(b) for b in second]:
        raise UsageError("The series differ in number or length.", expected="pairs of equal length", found="others")
    total = sum(len(a) for a in first)
    if not total or max(len(a) for a in first) < 40:
        raise InputDataError(
            "The series are too short for a test by shifts.", expected="at least 40 steps", found=str(total)
        )
    rng = np.random.default_rng(seed)
    observed, moved = 0.0, np.zeros(permutations)
    for a, b in zip(first, second, strict=True):
        together = _all_shifts(a, b)
        observed += float(together[0])
        moved += together[rng.integers(0, len(a), permutations)]
    return _result(observed / total, moved / total, alternative, exact=False, scheme="shifts in time")


@cache
def _choices(count: int, size: int) -> NDArray[np.int64]:
    """(C, size) every choice of ``size`` of ``count`` children."""
    return np.array(list(combinations(range(count), size)))


@cache
def _signs(count: int) -> Floats:
    """(2 ** count, count) every pattern of signs."""
    return np.asarray(np.where((np.arange(2**count)[:, None] >> np.arange(count)) & 1, 1.0, -1.0))


def _all_shifts(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Floats:
    """(T,) number of steps with both, for every shift of ``b`` round the end."""
    spectrum = np.conj(np.fft.rfft(a.astype(np.float64))) * np.fft.rfft(b.astype(np.float64))
    return np.rint(np.fft.irfft(spectrum, len(a)))


def _check_reachable(arrangements: int, alternative: Alternative, what: str) -> None:
    least = (2 if alternative == "two-sided" else 1) / arrangements if arrangements else 1.0
    if least > 0.05:
        raise InputDataError(
            f"So few {what} can never give p below 0.05.",
            expected="arrangements enough for p < 0.05: at least 4 and 4 children, or 6 in pairs",
            found=f"{arrangements} arrangements, at best p = {min(least, 1.0):.3f}",
            fix="record more children, or report the estimates without a test",
        )


def _result(observed: float, found: Floats, alternative: Alternative, *, exact: bool, scheme: str) -> PermutationTest:
    centre = float(found.mean())
    distance: dict[str, Callable[[Floats], Floats]] = {
        "two-sided": lambda x: np.abs(x - centre),
        "greater": lambda x: x,
        "less": lambda x: -x,
    }
    measure = distance[alternative]
    seen = float(measure(np.array([observed]))[0])
    as_extreme = int((measure(found) >= seen - _ROUNDING).sum())
    p = as_extreme / len(found) if exact else (1 + as_extreme) / (1 + len(found))
    return PermutationTest(observed, centre, min(p, 1.0), len(found), exact, scheme)
