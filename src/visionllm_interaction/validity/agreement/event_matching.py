"""One-to-one matching of two coders' events; the result is the same whoever comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from visionllm_interaction.interop.tiers import Interval

OMITTED = "(not coded as an event)"
"""The other coder's side of an event without a partner, in tables of events."""


@dataclass(frozen=True)
class MatchedEvents:
    """Events of two coders.

    Attributes:
        pairs: events that belong together, first coder's first.
        only_first: the first coder's events without a partner.
        only_second: the second coder's events without a partner.
    """

    pairs: tuple[tuple[Interval, Interval], ...]
    only_first: tuple[Interval, ...]
    only_second: tuple[Interval, ...]


def match_events(first: Sequence[Interval], second: Sequence[Interval], *, tolerance_s: float) -> MatchedEvents:
    """Match events whose onsets lie within a tolerance.

    As many events with equal labels as possible are matched, then as many pairs, then those that lie nearest.

    Args:
        first: the first coder's events.
        second: the second coder's.
        tolerance_s: largest distance of two onsets in seconds.

    Returns:
        Every event once: in a pair, or alone.
    """
    a, b = sorted(first, key=_key), sorted(second, key=_key)
    pairs: list[tuple[Interval, Interval]] = []
    alone: tuple[list[Interval], list[Interval]] = ([], [])
    for rows, columns in _blocks(a, b, tolerance_s):
        matched = _match_block(rows, columns, tolerance_s)
        pairs += [(rows[i], columns[j]) for i, j in matched]
        alone[0].extend(event for i, event in enumerate(rows) if i not in {i for i, _ in matched})
        alone[1].extend(event for j, event in enumerate(columns) if j not in {j for _, j in matched})
    return MatchedEvents(tuple(pairs), tuple(alone[0]), tuple(alone[1]))


def _key(event: Interval) -> tuple[float, float, str]:
    return event.begin_s, event.end_s, event.label


def _blocks(
    a: Sequence[Interval], b: Sequence[Interval], tolerance_s: float
) -> Iterator[tuple[list[Interval], list[Interval]]]:
    """Runs of events whose onsets follow each other within the tolerance: no pair reaches from one to another."""
    merged = sorted([(e.begin_s, 0, e) for e in a] + [(e.begin_s, 1, e) for e in b], key=lambda item: item[0])
    block: tuple[list[Interval], list[Interval]] = ([], [])
    last = -np.inf
    for onset_s, who, event in merged:
        if onset_s - last > tolerance_s + 1e-9 and (block[0] or block[1]):
            yield block
            block = ([], [])
        block[who].append(event)
        last = onset_s
    if block[0] or block[1]:
        yield block


def _match_block(rows: Sequence[Interval], columns: Sequence[Interval], tolerance_s: float) -> list[tuple[int, int]]:
    if not rows or not columns:
        return []
    onset = np.array([e.begin_s for e in rows])[:, None] - np.array([e.begin_s for e in columns])[None, :]
    offset = np.array([e.end_s for e in rows])[:, None] - np.array([e.end_s for e in columns])[None, :]
    same = np.array([[a.label == b.label for b in columns] for a in rows])
    eligible = np.abs(onset) <= tolerance_s + 1e-9
    return _assign(eligible, same, np.abs(onset), np.abs(offset), _sums(rows, columns))


def _sums(rows: Sequence[Interval], columns: Sequence[Interval]) -> NDArray[np.float64]:
    """A tie-breaker that does not depend on who comes first: earlier pairs are preferred."""
    sums = np.array([e.begin_s + e.end_s for e in rows])[:, None] + np.array([e.begin_s + e.end_s for e in columns])
    return np.asarray((sums - sums.min()) / max(float(np.ptp(sums)), 1e-300))


def _assign(
    eligible: NDArray[np.bool_],
    same: NDArray[np.bool_],
    onset: NDArray[np.float64],
    offset: NDArray[np.float64],
    tie: NDArray[np.float64],
) -> list[tuple[int, int]]:
    size = min(eligible.shape) + 1
    distance = onset / max(float(onset.max()), 1e-300) + 1e-3 * offset / max(float(offset.max()), 1e-300) + 1e-6 * tie
    # Each level outweighs all that the next one can add up to.
    gain = np.where(eligible, np.where(same, size * size * 8.0, 0.0) + size * 4.0 - distance, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if eligible[i, j]]
