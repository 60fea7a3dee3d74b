"""Agreement over time: exact seconds in which two coders have the same code, with or without tolerance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import (
    Intervals,
    as_intervals,
    complement,
    contains,
    intersection,
    total_s,
    union,
)
from visionllm_interaction.interop.tiers import Interval

ABSENT = "(absent)"
"""The code of coded time in which a tier has no interval."""
Floats = NDArray[np.float64]


def spans_of(events: Sequence[Interval], label: str | None = None) -> Intervals:
    """Disjoint intervals of the events, of one label or of any."""
    return union(as_intervals([(e.begin_s, e.end_s) for e in events if label is None or e.label == label]))


def is_exclusive(events: Sequence[Interval], labels: Sequence[str]) -> bool:
    """Whether no two labels are coded at once."""
    separate = sum(total_s(spans_of(events, label)) for label in labels)
    return separate - total_s(spans_of(events)) < 1e-6


def time_table(
    first: Sequence[Interval],
    second: Sequence[Interval],
    *,
    labels: Sequence[str],
    coded: Intervals,
    tolerance_s: float = 0.0,
) -> Floats:
    """Seconds by the codes of both coders, in the time that both coded.

    With a tolerance, a coder's code counts as found where the other has it within so many seconds; both directions are
    counted by half, so that the table of exchanged coders is the transposed one.

    Args:
        first: the first coder's events of one tier; labels exclude each other.
        second: the second coder's.
        labels: all labels; :data:`ABSENT` is added as the last one.
        coded: (M, 2) disjoint intervals that both coded.
        tolerance_s: in seconds.

    Returns:
        (K + 1, K + 1) seconds.
    """
    forward = _one_way(first, second, labels, coded, tolerance_s)
    if tolerance_s <= 0:
        return forward
    return (forward + _one_way(second, first, labels, coded, tolerance_s).T) / 2


def _one_way(
    first: Sequence[Interval],
    second: Sequence[Interval],
    labels: Sequence[str],
    coded: Intervals,
    tolerance_s: float,
) -> Floats:
    mine, theirs = [spans_of(first, label) for label in labels], [spans_of(second, label) for label in labels]
    near = [_widened(spans, tolerance_s) for spans in (*theirs, _absent(theirs, coded))]
    edges = np.unique(np.concatenate([s.ravel() for s in (*mine, *theirs, *near, coded)]))
    middle, length = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    chosen = contains(coded, middle) if len(coded) else np.zeros(len(middle), np.bool_)
    middle, length = middle[chosen], length[chosen]
    code, other = _code_at(mine, middle), _code_at(theirs, middle)
    for k, spans in enumerate(near):
        forgiven = (code == k) & contains(spans, middle) if len(spans) else np.zeros(len(middle), np.bool_)
        other[forgiven] = k
    table = np.zeros((len(labels) + 1, len(labels) + 1))
    np.add.at(table, (code, other), length)
    return table


def _absent(spans: Sequence[Intervals], coded: Intervals) -> Intervals:

    every = union(np.concatenate([*spans, np.zeros((0, 2))]))
    return union(complement(every, within=coded))


def _widened(spans: Intervals, by_s: float) -> Intervals:
    return union(spans + np.array([-by_s, by_s])) if len(spans) else spans


def _code_at(spans: Sequence[Intervals], times_s: Floats) -> NDArray[np.int64]:
    code = np.full(len(times_s), len(spans), np.int64)
    for k, of_label in enumerate(spans):
        if len(of_label):
            code[contains(of_label, times_s)] = k
    return code


def presence_seconds(
    first: Sequence[Interval], second: Sequence[Interval], *, label: str | None, coded: Intervals
) -> tuple[float, float, float]:
    """Seconds with a label by both, by the second only, and by the first only, within the time that both coded.

    Args:
        first: the first coder's events.
        second: the second coder's.
        label: the label; None: any.
        coded: (M, 2) disjoint intervals that both coded.

    Returns:
        The three numbers.
    """
    a = intersection(spans_of(first, label), coded) if len(coded) else np.zeros((0, 2))
    b = intersection(spans_of(second, label), coded) if len(coded) else np.zeros((0, 2))
    both = total_s(intersection(a, b))
    return both, total_s(b) - both, total_s(a) - both


def codes_at_steps(
    events: Sequence[Interval], *, labels: Sequence[str], coded: Intervals, step_s: float, end_s: float
) -> NDArray[np.int64]:
    """A coder's code at the middle of equal steps of time; −1 where nothing was coded, the number of labels if absent.

    Args:
        events: of one tier.
        labels: all labels.
        coded: (M, 2) the intervals that this coder coded.
        step_s: length of a step in seconds.
        end_s: end of the last step.

    Returns:
        (T,) codes.
    """
    middle = np.asarray((np.arange(max(round(end_s / step_s), 0)) + 0.5) * step_s, np.float64)
    code = _code_at([spans_of(events, label) for label in labels], middle)
    if not len(coded):
        return np.full(len(middle), -1, np.int64)
    code[~contains(coded, middle)] = -1
    return code
