"""Power by simulation: how many children and labels a difference between two groups needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visionllm_interaction.errors import UsageError
from visionllm_interaction.validity.estimation.audited_units import Units, simple_units
from visionllm_interaction.validity.estimation.confidence_intervals import MIN_CHILDREN
from visionllm_interaction.validity.estimation.side_by_side import compare


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A planned study of two groups of children.

    Attributes:
        children_per_group: children in each group.
        shares: the true mean share in each group.
        child_sd: standard deviation of the shares between children.
        frames_per_child: frames analysed of each child.
        labels_per_child: frames audited of each child.
        sensitivity: the detector's.
        specificity: the detector's.
    """

    children_per_group: int
    shares: tuple[float, float]
    child_sd: float
    frames_per_child: int = 1_000
    labels_per_child: int = 40
    sensitivity: float = 0.8
    specificity: float = 0.9


@dataclass(frozen=True, slots=True)
class Power:
    """The power of a plan, and its width.

    Attributes:
        power: share of simulated studies in which the corrected interval excludes zero.
        mean_half_width: mean half width of these intervals.
        studies: number of simulated studies.
    """

    power: float
    mean_half_width: float
    studies: int


def simulate_power(plan: StudyPlan, *, studies: int = 200, seed: int = 0) -> Power:
    """Simulate a planned study many times, and correct each as a real one.

    Args:
        plan: the study.
        studies: how many are simulated.
        seed: of the random numbers.

    Returns:
        The power of the corrected difference for children in general.

    Raises:
        UsageError: for fewer than five children a group, or a spread that shares with this mean cannot have.
    """
    if plan.children_per_group < MIN_CHILDREN:
        raise UsageError(
            "A group has too few children.",
            expected=f"at least {MIN_CHILDREN} a group",
            found=str(plan.children_per_group),
        )
    rng = np.random.default_rng(seed)
    found, widths = 0, []
    for _ in range(studies):
        [*_, difference] = compare(_study(plan, rng), target="children", by="group")
        interval = difference.corrected.interval
        found += difference.corrected.excludes_zero
        if interval.low is not None and interval.high is not None:
            widths.append((interval.high - interval.low) / 2)
    return Power(found / studies, float(np.mean(widths)), studies)


def _study(plan: StudyPlan, rng: np.random.Generator) -> Units:
    count, frames = plan.children_per_group, plan.frames_per_child
    shares = np.concatenate([_child_shares(mean, plan.child_sd, count, rng) for mean in plan.shares])
    truth = rng.random((2 * count, frames)) < shares[:, None]
    chance = np.where(truth, plan.sensitivity, 1 - plan.specificity)
    seen = rng.random(truth.shape) < chance
    human = np.full(truth.shape, np.nan)
    human[:, : plan.labels_per_child] = truth[:, : plan.labels_per_child]
    child = np.repeat([f"c{n:03d}" for n in range(2 * count)], frames)
    group = np.repeat(["first"] * count + ["second"] * count, frames)
    return simple_units(child, seen.ravel(), human.ravel(), covariates={"group": group})


def _child_shares(mean: float, sd: float, count: int, rng: np.random.Generator) -> np.ndarray:
    limit = mean * (1 - mean)
    if not 0 < sd**2 < limit:
        raise UsageError(
            "Shares cannot vary so much between children.",
            expected=f"a standard deviation between 0 and {limit**0.5:.2f} for a mean of {mean}",
            found=str(sd),
        )
    total = limit / sd**2 - 1
    return rng.beta(mean * total, (1 - mean) * total, count)
