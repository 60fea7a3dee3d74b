"""Divide things of unequal size and content into two parts that are alike: the search behind ``transform.splits``.

Which groups go to validation is a 0/1 choice per group. Sought is the choice whose number of images, and of images
showing each category, is nearest to the wanted share, among those that keep every category in both parts. That is a
mixed-integer linear programme, and HiGHS (in SciPy) finds the best division, or proves that there is none, where a
sequential heuristic can do neither (iterative stratification: Sechidis, Tsoumakas, Vlahavas 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack, vstack

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_EXACT_UP_TO = 400
"""With more groups the relaxed problem is solved first: it leaves only about as many open as there are categories."""
_GAP = 0.02
_NODES = 2000
_TIE_BREAK = 0.01
"""Weight of the random costs that choose among divisions that are equally good."""


@dataclass(frozen=True, eq=False)
class SplitProblem:
    """The groups to divide.

    Attributes:
        images: (g,) number of images of each group.
        showing: (g, k) sparse, how many of them show each category.
        costs: (g,) random numbers in [0, 1) that break ties.
        share: the share of the images wanted in the second part.
        tolerance: how far, as a share of all images, it may be from that.
        both: whether every category must be in both parts.
    """

    images: Floats
    showing: csr_array
    costs: Floats
    share: float
    tolerance: float
    both: bool


def divide(division: SplitProblem) -> Mask | None:
    """(g,) True for the groups of the second part; ``None`` if no division is within the limits."""
    count = len(division.images)
    free = np.zeros(count), np.ones(count)
    if count > _EXACT_UP_TO:
        relaxed = _solve(division, *free, whole=False)
        if relaxed is None:
            return None
        settled = np.abs(relaxed - np.round(relaxed)) < 1e-6
        free = np.where(settled, np.round(relaxed), 0.0), np.where(settled, np.round(relaxed), 1.0)
    chosen = _solve(division, *free, whole=True)
    return None if chosen is None else np.asarray(chosen > 0.5, np.bool_)


def _solve(division: SplitProblem, lower: Floats, upper: Floats, *, whole: bool) -> Floats | None:
    """Values (g,) in [0, 1], whole numbers or not. Variables: the groups, then one deviation per quantity."""
    count = len(division.images)
    quantities, totals = _quantities(division)
    deviations = len(totals)
    target = division.share * totals
    # |quantity − target| ≤ deviation × total, as two inequalities
    spread = eye_array(deviations, format="csr") * totals[:, None]
    above = LinearConstraint(hstack([quantities, -spread], format="csr"), -np.inf, target)
    below = LinearConstraint(hstack([quantities, spread], format="csr"), target, np.inf)
    weights = np.full(deviations, 1.0 / deviations)
    weights[0] = 1.0  # the size counts as much as all categories together
    result: Any = milp(
        np.concatenate([division.costs * _TIE_BREAK / count, weights]),
        integrality=np.concatenate([np.full(count, int(whole)), np.zeros(deviations)]),
        bounds=Bounds(np.concatenate([lower, np.zeros(deviations)]), np.concatenate([upper, np.ones(deviations)])),
        constraints=[above, below, _limits(division, deviations)],
        options={"mip_rel_gap": _GAP, "node_limit": _NODES},
    )
    return None if result.x is None else np.asarray(result.x[:count])


def _quantities(division: SplitProblem) -> tuple[csr_array, Floats]:
    """What is to be divided by share, one row each (images, then the categories that occur), and their totals."""
    rows = vstack([csr_array(division.images[None, :]), division.showing.T], format="csr")
    totals = np.asarray(rows.sum(axis=1), np.float64).ravel()
    return rows[totals > 0], totals[totals > 0]


def _limits(division: SplitProblem, deviations: int) -> LinearConstraint:
    """The size within its tolerance; at least one group with each category on both sides."""
    total = division.images.sum()
    low = [max(1.0, (division.share - division.tolerance) * total)]
    high = [min(total - 1.0, (division.share + division.tolerance) * total)]
    rows = [csr_array(division.images[None, :])]
    if division.both:
        present = csr_array((division.showing > 0).astype(np.float64).T)
        present = present[np.asarray(present.sum(axis=1)).ravel() > 0]
        rows.append(present)
        low += [1.0] * present.shape[0]
        high += (np.asarray(present.sum(axis=1)).ravel() - 1.0).tolist()
    stacked = vstack(rows, format="csr")
    padding = csr_array((stacked.shape[0], deviations))
    return LinearConstraint(hstack([stacked, padding], format="csr"), np.array(low), np.array(high))
