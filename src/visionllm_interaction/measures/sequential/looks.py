"""Looks from target to target: how long, how often, in which order, and how predictable the order is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import Intervals, total_s
from visionllm_interaction.measures.sequential.observation import in_order, observation_of, observed_parts
from visionllm_interaction.measures.sequential.value_or_reason import (
    Statistic,
    mean_of,
    median_of,
    per_minute,
    undefined,
)


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Looks in order of time.

    Attributes:
        intervals: (N, 2) seconds.
        targets: (N,) what each look is at.
        observations: (N,) which observation each lies in; no look follows another across the end of one.
    """

    intervals: Intervals
    targets: tuple[str, ...]
    observations: NDArray[np.int64]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Targets of looks that follow each other at different targets: from where, to where."""
        same = self.observations[1:] == self.observations[:-1]
        steps = zip(self.targets[:-1], self.targets[1:], same, strict=True)
        return [(before, after) for before, after, joined in steps if joined and before != after]


def looks_in_order(looks: Mapping[str, Intervals], *, observed: Intervals, max_gap_s: float = 0.0) -> Looks:
    """All looks in order of their begin.

    Args:
        looks: target → (N, 2) looks, seconds, in any order.
        observed: (M, 2) time in which gaze was coded.
        max_gap_s: longest pause between two looks at a target that are taken as one.

    Returns:
        The looks; those that meet or overlap at one target are one.
    """
    parts = {target: observed_parts(looks[target], observed, max_gap_s=max_gap_s) for target in sorted(looks)}
    intervals, targets = in_order(parts)
    return Looks(intervals, targets, observation_of(intervals[:, 0], observed))


@dataclass(frozen=True, slots=True)
class LookRates:
    """How long looks last and how often they shift.

    Attributes:
        mean_dwell: mean length of a look in seconds.
        median_dwell: median length of a look in seconds.
        dwell_by_target: target → mean length of the looks at it, seconds.
        look_rate: looks per observed minute.
        shift_count: looks that follow a look at another target.
        shift_rate: shifts per observed minute.
    """

    mean_dwell: Statistic
    median_dwell: Statistic
    dwell_by_target: Mapping[str, Statistic]
    look_rate: Statistic
    shift_count: Statistic
    shift_rate: Statistic


def look_rates(looks: Mapping[str, Intervals], *, observed: Intervals, max_gap_s: float = 0.0) -> LookRates:
    """Dwell times and shifts of gaze.

    A dwell is the length of one look at one target. A shift is a look that follows a look at another target,
    however long the eyes were elsewhere in between, but not across time that was not observed.

    Source: Holmqvist et al. (2011), Eye Tracking, on dwell time and transitions; Ruff & Rothbart (1996) on shift rates.

    Args:
        looks: target → (N, 2) looks, seconds.
        observed: (M, 2) time in which gaze was coded.
        max_gap_s: longest pause within a look.

    Returns:
        Dwell times in seconds and rates per observed minute.
    """
    ordered = looks_in_order(looks, observed=observed, max_gap_s=max_gap_s)
    dwells, observed_s = ordered.intervals[:, 1] - ordered.intervals[:, 0], total_s(observed)
    names = np.array(ordered.targets, dtype=object)
    shifts = len(ordered.pairs)
    return LookRates(
        mean_dwell=mean_of(dwells, "s", reason="there is no look"),
        median_dwell=median_of(dwells, "s", reason="there is no look"),
        dwell_by_target=MappingProxyType(
            {target: mean_of(dwells[names == target], "s", reason="no look at it") for target in sorted(looks)}
        ),
        look_rate=per_minute(len(dwells), observed_s),
        shift_count=Statistic(shifts, "count") if observed_s else undefined("count", "nothing was observed"),
        shift_rate=per_minute(shifts, observed_s),
    )


@dataclass(frozen=True, slots=True, eq=False)
class TransitionTable:
    """Which target follows which, and how predictable that is.

    Attributes:
        targets: the K targets.
        counts: (K, K) transitions from each row's target to each column's.
        probabilities: the counts over their row's sum; None in the row of a target that nothing follows.
        transition_entropy: mean entropy of where a look goes next, in bits (gaze transition entropy).
        stationary_entropy: entropy of where looks are, in bits (stationary gaze entropy).
    """

    targets: tuple[str, ...]
    counts: NDArray[np.int64]
    probabilities: tuple[tuple[float | None, ...], ...]
    transition_entropy: Statistic
    stationary_entropy: Statistic


def transition_table(pairs: Sequence[tuple[str, str]], *, targets: Sequence[str] | None = None) -> TransitionTable:
    """Transitions between targets with their entropies.

    With p(i) the share of the transitions that leave target i and p(j | i) the share of these that go to j, the
    transition entropy is ``-sum_i p(i) sum_j p(j | i) log2 p(j | i)``. The stationary one is ``-sum_i p(i) log2 p(i)``.

    Source: Krejtz et al. (2015), ACM Transactions on Applied Perception 13; Shiferaw, Downey & Crewther (2019),
    Neuroscience & Biobehavioral Reviews 96. The shares p(i) are those observed, not the eigenvector of the matrix.

    Args:
        pairs: (from, to), one for each transition; :attr:`Looks.pairs`, or :func:`pairs_of` for a series of codes.
        targets: rows and columns; by default those that occur, sorted.

    Returns:
        The table; without a transition both entropies are undefined.

    Raises:
        ValueError: if a pair has a target that is not in ``targets``.
    """
    names = sorted({name for pair in pairs for name in pair}) if targets is None else list(targets)
    place = {name: index for index, name in enumerate(names)}
    unknown = sorted({name for pair in pairs for name in pair} - place.keys())
    if unknown:
        raise ValueError(f"targets lack {unknown}")
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, tuple(np.array([[place[a], place[b]] for a, b in pairs], dtype=np.int64).reshape(-1, 2).T), 1)
    return _with_entropies(tuple(names), counts)


def pairs_of(labels: Sequence[str]) -> list[tuple[str, str]]:
    """The changes in a series of labels: from each run of equal ones to the next."""
    return [(before, after) for before, after in pairwise(labels) if before != after]


def _with_entropies(names: tuple[str, ...], counts: NDArray[np.int64]) -> TransitionTable:
    leaving, total = counts.sum(axis=1), counts.sum()
    shares = counts / np.maximum(leaving, 1)[:, None]
    probabilities = tuple(
        tuple(row.tolist()) if left else (None,) * len(names) for row, left in zip(shares, leaving, strict=True)
    )
    if not total:
        missing = undefined("bits", "there is no transition")
        return TransitionTable(names, counts, probabilities, missing, missing)
    weights = leaving / total
    following = np.array([_entropy_bits(row) for row in shares])
    return TransitionTable(
        names,
        counts,
        probabilities,
        transition_entropy=Statistic(float(weights @ following), "bits"),
        stationary_entropy=Statistic(_entropy_bits(weights), "bits"),
    )


def _entropy_bits(shares: NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(max(-(positive * np.log2(positive)).sum(), 0.0))
