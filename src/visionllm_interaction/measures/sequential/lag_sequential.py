"""Lag-sequential tables: which code follows which more often than chance, with its 2 × 2 statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, union
from visionllm_interaction.measures.sequential.observation import Times, observed_times
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, undefined

_ITERATIONS = 1000
_CLOSE = 1e-12


@dataclass(frozen=True, slots=True)
class Association:
    """A 2 × 2 table and its statistics.

    Attributes:
        both: a, the target after the given.
        given_only: b, something else after the given.
        target_only: c, the target after something else.
        neither: d.
        odds_ratio: ad / bc; undefined where b or c is 0.
        yules_q: (ad - bc) / (ad + bc), from -1 to 1; undefined where both products are 0.
        adjusted_residual: (observed - expected) over its standard error, about normal; undefined where a row or
            column of the table is empty or holds all.
    """

    both: int
    given_only: int
    target_only: int
    neither: int
    odds_ratio: Statistic
    yules_q: Statistic
    adjusted_residual: Statistic


def association(both: int, given_only: int, target_only: int, neither: int) -> Association:
    """Statistics of a 2 × 2 table.

    Source: Bakeman & Quera (2011), Sequential Analysis and Observational Methods, chapter 9: odds ratio, Yule's Q,
    adjusted residual.

    Args:
        both: tallies of the target after the given.
        given_only: tallies of something else after the given.
        target_only: tallies of the target after something else.
        neither: all other tallies.

    Returns:
        The table with its statistics.
    """
    table = np.array([[both, given_only], [target_only, neither]])
    expected, leverages = _quasi_independence(table, np.ones((2, 2), dtype=np.bool_))
    return _statistics(table, _residual(table, expected, leverages, 0, 0))


def _statistics(table: NDArray[np.int64], residual: Statistic) -> Association:
    (a, b), (c, d) = table.tolist()
    products = a * d + b * c
    return Association(
        both=a,
        given_only=b,
        target_only=c,
        neither=d,
        odds_ratio=Statistic(a * d / (b * c), "number")
        if b * c
        else undefined("number", "a cell beside the diagonal is 0"),
        yules_q=Statistic((a * d - b * c) / products, "number")
        if products
        else undefined("number", "a row or column is empty"),
        adjusted_residual=residual,
    )


@dataclass(frozen=True, slots=True, eq=False)
class LagTable:
    """Codes by the codes that follow them at a lag.

    Attributes:
        codes: the K codes.
        lag: how many codes later the target is.
        counts: (K, K) tallies from each row's given to each column's target.
        expected: (K, K) tallies expected if the target does not depend on the given.
        cells: for each given, for each target the table of this pair against all other tallies; None where the pair
            cannot occur.
    """

    codes: tuple[str, ...]
    lag: int
    counts: NDArray[np.int64]
    expected: NDArray[np.float64]
    cells: tuple[tuple[Association | None, ...], ...]

    def pair(self, given: str, target: str) -> Association | None:
        """The table of ``target`` after ``given``; None where the pair cannot occur."""
        return self.cells[self.codes.index(given)][self.codes.index(target)]


def lag_table(
    sequences: Sequence[Sequence[str]], *, lag: int = 1, codes: Sequence[str] | None = None, can_repeat: bool = True
) -> LagTable:
    """Which code follows which at a lag, pooled over sequences.

    If codes cannot repeat, the diagonal is a structural zero at lag 1: expected tallies come from iterative
    proportional fitting (quasi-independence), and the residuals' standard errors from the fitted log-linear model.

    Source: Bakeman & Quera (2011), chapters 8 and 9; Sackett (1979); Haberman (1973), Biometrics 29.

    Args:
        sequences: series of codes in order of time; no tally reaches from one series into the next.
        lag: how many codes later the target is, at least 1.
        codes: rows and columns; by default those that occur, sorted.
        can_repeat: whether a code can follow itself; False for changes of state. It matters at lag 1 only.

    Returns:
        The table; without tallies its statistics are undefined.

    Raises:
        ValueError: if ``lag`` is below 1, a code is not in ``codes``, or one repeats that cannot.
    """
    if lag < 1:
        raise ValueError(f"the lag is at least 1, not {lag}")
    names = sorted({code for series in sequences for code in series}) if codes is None else list(codes)
    counts = _tallies(sequences, lag, names)
    possible = np.ones(counts.shape, dtype=np.bool_)
    if not can_repeat and lag == 1:
        np.fill_diagonal(possible, False)
    if counts[~possible].any():
        raise ValueError("a code follows itself, although can_repeat is False: give changes of state only")
    expected, leverages = _quasi_independence(counts, possible)
    cells = tuple(
        tuple(
            _cell(counts, expected, leverages, row, column) if possible[row, column] else None
            for column in range(len(names))
        )
        for row in range(len(names))
    )
    return LagTable(tuple(names), lag, counts, expected, cells)


def _tallies(sequences: Sequence[Sequence[str]], lag: int, names: Sequence[str]) -> NDArray[np.int64]:
    place = {name: index for index, name in enumerate(names)}
    unknown = sorted({code for series in sequences for code in series} - place.keys())
    if unknown:
        raise ValueError(f"codes lack {unknown}")
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    for series in sequences:
        rows = np.array([place[code] for code in series], dtype=np.int64)
        np.add.at(counts, (rows[:-lag], rows[lag:]), 1)
    return counts


def _cell(
    counts: NDArray[np.int64], expected: NDArray[np.float64], leverages: NDArray[np.float64], row: int, column: int
) -> Association:
    a = counts[row, column]
    b, c = counts[row].sum() - a, counts[:, column].sum() - a
    table = np.array([[a, b], [c, counts.sum() - a - b - c]])
    return _statistics(table, _residual(counts, expected, leverages, row, column))


def _residual(
    counts: NDArray[np.int64], expected: NDArray[np.float64], leverages: NDArray[np.float64], row: int, column: int
) -> Statistic:
    variance = expected[row, column] * (1.0 - leverages[row, column])
    if variance <= 1e-9:
        return undefined("number", "a row or column is empty, or holds all tallies")
    return Statistic(float((counts[row, column] - expected[row, column]) / np.sqrt(variance)), "number")


def _quasi_independence(
    counts: NDArray[np.int64], possible: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expected tallies where only ``possible`` cells can hold any, and the leverage of each cell.

    Without impossible cells they are row sum × column sum / n and row share + column share - their product, so
    that the adjusted residual has its usual standard error.
    """
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    expected = possible.astype(np.float64)
    for _ in range(_ITERATIONS):
        expected *= (rows / np.maximum(expected.sum(axis=1), 1e-300))[:, None]
        change = columns / np.maximum(expected.sum(axis=0), 1e-300)
        expected *= change
        if np.abs(change[columns > 0] - 1.0).max(initial=0.0) < _CLOSE:
            break
    return expected, _leverages(expected)


def _leverages(expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Diagonal of the hat matrix of the log-linear model with rows and columns, weighted by ``expected``."""
    size = expected.shape
    row, column = np.indices(size).reshape(2, -1)
    design = (
        np.concatenate([np.eye(size[0])[row], np.eye(size[1])[column]], axis=1) if expected.size else np.zeros((0, 0))
    )
    weighted = design * np.sqrt(expected.ravel())[:, None]
    return np.asarray((weighted @ np.linalg.pinv(weighted.T @ weighted) * weighted).sum(axis=1).reshape(size))


def window_association(
    given_s: Times, target_s: Times, *, observed: Intervals, window_s: float = 5.0, tick_s: float = 1.0
) -> Association:
    """Whether target events begin more often within a window after given events than elsewhere.

    Observed time is cut into ticks. A tick is *given* if it begins within ``window_s`` after a given event has begun,
    its own tick included, and *target* if a target event begins in it.

    Source: time-window sequential analysis: Bakeman & Quera (2011), chapter 11; Yoder & Tapp (2004), Journal of
    Behavioral Education 13.

    Args:
        given_s: (N,) begins of the given events, seconds.
        target_s: (M,) begins of the target events.
        observed: (P, 2) time in which both would have been seen; each interval has ticks of its own, and what is left
            at its end is not counted.
        window_s: length of the window.
        tick_s: length of a tick.

    Returns:
        The 2 × 2 table of ticks with its statistics.

    Raises:
        ValueError: if ``window_s`` or ``tick_s`` is not above 0.
    """
    if not (window_s > 0 and tick_s > 0):
        raise ValueError(f"window and tick are above 0 s, not {window_s} and {tick_s}")
    width = max(round(window_s / tick_s), 1)
    table = np.zeros((2, 2), dtype=np.int64)
    for begin, end in union(observed):
        ticks = int((end - begin + TOLERANCE_S) // tick_s)
        part = np.array([[begin, begin + ticks * tick_s]])
        given, target = (_ticks(observed_times(times, part), begin, tick_s, ticks) for times in (given_s, target_s))
        within = np.convolve(given, np.ones(width, dtype=np.int64))[:ticks] > 0 if ticks else given > 0
        for row, rows in enumerate((within, ~within)):
            table[row] += (rows & (target > 0)).sum(), (rows & (target == 0)).sum()
    (a, b), (c, d) = table.tolist()
    return association(a, b, c, d)


def _ticks(times_s: Times, begin_s: float, tick_s: float, ticks: int) -> NDArray[np.int64]:
    """(ticks,) how many moments each tick holds."""
    place = np.minimum((times_s - begin_s + TOLERANCE_S) // tick_s, ticks - 1).astype(np.int64)
    return np.bincount(place, minlength=ticks)
