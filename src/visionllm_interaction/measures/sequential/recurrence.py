"""Categorical cross-recurrence of two people's states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, contains, union
from visionllm_interaction.core.run_lengths import true_runs
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, ratio, undefined

Codes = NDArray[np.int64]
"""(n,) a code per sample: at least 1 for a state, 0 for none of them, below 0 for not observed."""
MIN_LINE = 2
MAX_LAG = 10


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of recurrent points in one direction.

    Attributes:
        share: share of the recurrent points that lie on lines of at least the shortest length: determinism (DET) of
            diagonals, laminarity (LAM) of verticals and horizontals.
        mean: mean length of these lines in samples; of verticals and horizontals it is the trapping time (TT).
        longest: length of the longest in samples.
        entropy: Shannon entropy of the distribution of their lengths, natural logarithm.
    """

    share: Statistic
    mean: Statistic
    longest: Statistic
    entropy: Statistic


@dataclass(frozen=True, slots=True, eq=False)
class CrossRecurrence:
    """Recurrence of one person's states in the other's.

    Attributes:
        samples: samples of each series.
        recurrence_rate: share of all pairs of samples, one of each series, that match (RR).
        diagonal: lines along which both go through matching states: DET, mean and longest length, entropy.
        vertical: runs of the first series that match one sample of the second: LAM, TT.
        horizontal: runs of the second series that match one sample of the first.
        profile: lag in samples → share of matches with the second series that much later; above 0 the first leads.
        peak_lag: the lag of the highest share, in samples; of equal ones the nearest to 0.
    """

    samples: int
    recurrence_rate: Statistic
    diagonal: Lines
    vertical: Lines
    horizontal: Lines
    profile: Mapping[int, Statistic]
    peak_lag: Statistic


def cross_recurrence(
    first: Codes,
    second: Codes,
    *,
    matches: Iterable[tuple[int, int]] | None = None,
    min_line: int = MIN_LINE,
    max_lag: int = MAX_LAG,
) -> CrossRecurrence:
    """Categorical cross-recurrence quantification.

    Sample i of the first series and sample j of the second are recurrent if their codes match. Samples that were not
    observed match nothing and leave the denominators. The matrix is never built: verticals and horizontals follow
    from the runs of each series, diagonals are taken one by one.

    Source: Marwan et al. (2007), Physics Reports 438; Dale, Warlaumont & Richardson (2011), International Journal of
    Bifurcation and Chaos 21 (categorical, lag profile); Cox et al. (2016) (chromatic by ``matches``, anisotropic by
    verticals and horizontals), as in Xu, de Barbaro, Abney & Cox (2020), Frontiers in Psychology 11.

    Args:
        first: (n,) codes of the first person.
        second: (n,) codes of the second person at the same samples.
        matches: pairs of codes (first, second) that match; by default equal codes of at least 1.
        min_line: shortest line in samples.
        max_lag: largest lag of the profile in samples.

    Returns:
        The statistics; undefined where nothing is recurrent.

    Raises:
        ValueError: if the series differ in length, or ``min_line`` is below 2.
    """
    if min_line < 2:
        raise ValueError(f"a line has at least 2 samples, not {min_line}")
    a, b, match = _matching(first, second, matches)
    found = recurrence_profile(first, second, matches=matches, max_lag=max_lag)
    points = _points(a, b, match)
    return CrossRecurrence(
        samples=len(a),
        recurrence_rate=found.recurrence_rate,
        diagonal=_lines(_diagonals(a, b, match), points, min_line),
        vertical=_lines(_crossing(a, b, match), points, min_line),
        horizontal=_lines(_crossing(b, a, match.T), points, min_line),
        profile=found.profile,
        peak_lag=found.peak_lag,
    )


@dataclass(frozen=True, slots=True, eq=False)
class RecurrenceProfile:
    """How often two series match, at all and at each lag; see :class:`CrossRecurrence`.

    Attributes:
        recurrence_rate: share of all pairs of samples, one of each series, that match.
        profile: lag in samples → share of matches with the second series that much later.
        peak_lag: the lag of the highest share, in samples.
    """

    recurrence_rate: Statistic
    profile: Mapping[int, Statistic]
    peak_lag: Statistic


def recurrence_profile(
    first: Codes, second: Codes, *, matches: Iterable[tuple[int, int]] | None = None, max_lag: int = MAX_LAG
) -> RecurrenceProfile:
    """The part of :func:`cross_recurrence` without lines, which takes time only in proportion to the samples.

    Args:
        first: (n,) codes of the first person.
        second: (n,) codes of the second person at the same samples.
        matches: pairs of codes (first, second) that match; by default equal codes of at least 1.
        max_lag: largest lag of the profile in samples.

    Returns:
        Recurrence rate and lag profile.

    Raises:
        ValueError: if the series differ in length.
    """
    a, b, match = _matching(first, second, matches)
    seen_a, seen_b = np.asarray(first) >= 0, np.asarray(second) >= 0
    profile = _profile(a, b, match, seen_a, seen_b, max_lag)
    pairs = int(seen_a.sum()) * int(seen_b.sum())
    return RecurrenceProfile(
        recurrence_rate=ratio(_points(a, b, match), pairs, reason="no sample was observed"),
        profile=MappingProxyType(profile),
        peak_lag=_peak(profile),
    )


def _matching(
    first: Codes, second: Codes, matches: Iterable[tuple[int, int]] | None
) -> tuple[Codes, Codes, NDArray[np.int64]]:
    """Both series as places of their distinct codes, and (A, B) 1 where these match."""
    a, b = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"two series of one length, not {a.shape} and {b.shape}")
    match = _match_table(a, b, matches)
    return np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1], match


def _points(a: Codes, b: Codes, match: NDArray[np.int64]) -> int:
    """Number of pairs of samples that match."""
    if not len(a):
        return 0
    return int(np.bincount(a, minlength=match.shape[0]) @ match @ np.bincount(b, minlength=match.shape[1]))


def _match_table(a: Codes, b: Codes, matches: Iterable[tuple[int, int]] | None) -> NDArray[np.int64]:
    """(A, B) 1 where the A-th code of the first series matches the B-th of the second."""
    codes_a, codes_b = np.unique(a), np.unique(b)
    if matches is None:
        table = (codes_a[:, None] == codes_b) & (codes_a[:, None] >= 1)
    else:
        pairs = set(matches)
        table = np.array([[(x, y) in pairs for y in codes_b.tolist()] for x in codes_a.tolist()], dtype=np.bool_)
        table = table.reshape(len(codes_a), len(codes_b)) & (codes_a[:, None] >= 0) & (codes_b >= 0)
    return np.asarray(table, dtype=np.int64)


def _crossing(a: Codes, b: Codes, match: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n + 1,) number of lines of each length: runs of ``a`` that match a sample of ``b``, for each such sample."""
    lengths = np.zeros(len(a) + 1, dtype=np.int64)
    for code, repeats in enumerate(np.bincount(b, minlength=match.shape[1]) if len(b) else ()):
        runs = true_runs(match[a, code] > 0)
        lengths += repeats * np.bincount(runs[:, 1] - runs[:, 0], minlength=len(lengths))
    return lengths


def _diagonals(a: Codes, b: Codes, match: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n + 1,) number of diagonal lines of each length."""
    lengths = np.zeros(len(a) + 1, dtype=np.int64)
    table = match > 0
    for lag in range(1 - len(a), len(a)):
        runs = true_runs(table[a[: len(a) - lag] if lag >= 0 else a[-lag:], b[lag:] if lag >= 0 else b[:lag]])
        if len(runs):
            np.add.at(lengths, runs[:, 1] - runs[:, 0], 1)
    return lengths


def _lines(lengths: NDArray[np.int64], points: int, min_line: int) -> Lines:
    sizes = np.arange(len(lengths))
    counted = np.where(sizes >= min_line, lengths, 0)
    share = ratio(int(counted @ sizes), points, reason="nothing is recurrent")
    lines = int(counted.sum())
    if not lines:
        none = f"no line of at least {min_line} samples"
        return Lines(share, undefined("samples", none), undefined("samples", none), undefined("nats", none))
    shares = counted[counted > 0] / lines
    return Lines(
        share=share,
        mean=Statistic(float(counted @ sizes) / lines, "samples"),
        longest=Statistic(int(sizes[counted > 0].max()), "samples"),
        entropy=Statistic(float(max(-(shares * np.log(shares)).sum(), 0.0)), "nats"),
    )


def _profile(
    a: Codes,
    b: Codes,
    match: NDArray[np.int64],
    seen_a: NDArray[np.bool_],
    seen_b: NDArray[np.bool_],
    max_lag: int,
) -> dict[int, Statistic]:
    def share(lag: int) -> Statistic:
        early, late = slice(0, max(len(a) - abs(lag), 0)), slice(abs(lag), None)
        left, right = (early, late) if lag >= 0 else (late, early)
        pairs = int((seen_a[left] & seen_b[right]).sum())
        return ratio(int(match[a[left], b[right]].sum()), pairs, reason="no pair of samples was observed at this lag")

    return {lag: share(lag) for lag in range(-max_lag, max_lag + 1)}


def _peak(profile: Mapping[int, Statistic]) -> Statistic:
    known = {lag: share.value for lag, share in profile.items() if share.value is not None}
    if not any(known.values()):
        return undefined("samples", "nothing is recurrent")
    return Statistic(min(known, key=lambda lag: (-known[lag], abs(lag))), "samples")


def sample_states(
    states: Mapping[str, Intervals], names: Iterable[str], *, observed: Intervals, step_s: float
) -> Codes:
    """A series of codes from streams of states.

    Args:
        states: name → (N, 2) seconds in which the state holds. Where several hold, the first in ``names`` counts.
        names: the states; code k is the k-th of them, from 1.
        observed: (M, 2) seconds.
        step_s: seconds from a sample to the next; the first is half a step after the begin of the observed time.

    Returns:
        (n,) codes from the first begin to the last end of what was observed: 0 for none of the states, -1 where
        nothing was observed.

    Raises:
        ValueError: if ``step_s`` is not above 0.
    """
    if not step_s > 0:
        raise ValueError(f"the step is above 0 s, not {step_s}")
    seen = union(observed)
    if not len(seen):
        return np.zeros(0, dtype=np.int64)
    samples = int((seen[-1, 1] - seen[0, 0] + TOLERANCE_S) // step_s)
    times = seen[0, 0] + step_s * (np.arange(samples) + 0.5)
    codes = np.zeros(samples, dtype=np.int64)
    for code, name in reversed(list(enumerate(names, start=1))):
        codes[contains(union(states.get(name, np.zeros((0, 2)))), times)] = code
    codes[~contains(seen, times)] = -1
    return codes
