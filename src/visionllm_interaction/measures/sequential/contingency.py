"""Contingency: how often one kind of event follows another, beside chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, total_s, union
from visionllm_interaction.measures.sequential.observation import (
    Times,
    observation_of,
    observed_times,
    running_time,
)
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, ratio, undefined

WINDOWS_S = (1.0, 2.0, 5.0)
SURROGATES = 1000
_CELLS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Contingency:
    """How often a response follows an event within a window.

    Attributes:
        window_s: the window in seconds.
        events: events with the whole window observed; the denominator.
        followed: those of them with a response in the window.
        probability: ``followed`` over ``events``.
        expected: the probability if the responses are shifted in time; exact, over all shifts.
        difference: probability less expected.
        ratio: probability over expected.
        p_value: share of random shifts with at least that probability, the data counted as one of them.
    """

    window_s: float
    events: int
    followed: int
    probability: Statistic
    expected: Statistic
    difference: Statistic
    ratio: Statistic
    p_value: Statistic


def contingency(
    events_s: Times,
    responses_s: Times,
    *,
    observed: Intervals,
    window_s: float = 2.0,
    surrogates: int = SURROGATES,
    seed: int = 0,
) -> Contingency:
    """The probability that a response follows an event within ``window_s``, beside time-shifted responses.

    A response follows if it begins later than the event, by at most ``window_s``. Events whose window is not wholly
    observed do not count. The surrogates shift all responses by the same time around the observed time joined into a
    circle, which keeps their number and rhythm. Over all shifts, the expected probability is the share of the circle
    that the windows before the responses cover.

    Source: windows as in Van Egeren, Barratt & Roach (2001), Developmental Psychology 37; Bakeman & Quera (2011),
    chapter 11. Shifted surrogates: Andrzejak et al. (2003), Physical Review E 68.

    Args:
        events_s: (N,) moments in seconds.
        responses_s: (M,) moments in seconds.
        observed: (P, 2) time in which both would have been seen.
        window_s: how late a response may be.
        surrogates: number of random shifts for the p value.
        seed: of the random numbers.

    Returns:
        The probability and what chance gives; undefined without events.

    Raises:
        ValueError: if ``window_s`` is not above 0.
    """
    if not window_s > 0:
        raise ValueError(f"the window is above 0 s, not {window_s}")
    seen, span = union(observed), total_s(observed)
    events, responses = observed_times(events_s, seen), observed_times(responses_s, seen)
    events = events[events + window_s <= seen[observation_of(events, seen), 1] + TOLERANCE_S] if len(events) else events
    if not len(events):
        nothing = undefined("share", f"no event with {window_s:g} s observed after it")
        return Contingency(
            window_s, 0, 0, nothing, nothing, nothing, undefined("number", "no event"), undefined("number", "no event")
        )
    at, after = running_time(events, seen), running_time(responses, seen)
    followed = int(_followed(at[None, :], after, window_s, np.inf).sum())
    probability, expected = followed / len(events), _covered(after, window_s, span) / span
    shifts = np.random.default_rng(seed).uniform(0.0, span, surrogates)
    blocks = np.array_split(shifts, max(len(shifts) * len(at) // _CELLS_AT_ONCE, 1))
    shifted = np.concatenate(
        [_followed((at[None, :] - block[:, None]) % span, after, window_s, span).sum(axis=1) for block in blocks]
    )
    return Contingency(
        window_s=window_s,
        events=len(events),
        followed=followed,
        probability=Statistic(probability, "share"),
        expected=Statistic(expected, "share"),
        difference=Statistic(probability - expected, "share"),
        ratio=ratio(probability, expected, unit="number", reason="there is no response"),
        p_value=Statistic(float((1 + (shifted >= followed).sum()) / (1 + surrogates)), "number"),
    )


def _followed(events: NDArray[np.float64], responses: Times, window_s: float, span: float) -> NDArray[np.bool_]:
    """Which of ``events`` (S, N) a response follows within the window, around a circle of ``span`` seconds."""
    if not len(responses):
        return np.zeros(events.shape, dtype=np.bool_)
    around = np.append(responses, responses[0] + span)
    place = np.searchsorted(responses, events + TOLERANCE_S, side="right")
    return np.asarray(around[place] - events <= window_s + TOLERANCE_S)


def _covered(responses: Times, window_s: float, span: float) -> float:
    """Seconds of the circle within ``window_s`` before a response."""
    if not len(responses):
        return 0.0
    pauses = np.diff(np.append(responses, responses[0] + span))
    return float(np.minimum(pauses, window_s).sum())


@dataclass(frozen=True, slots=True)
class MutualContingency:
    """Contingency in both directions.

    Attributes:
        forward: the second person's events after the first one's, for each window.
        backward: the first person's events after the second one's, for each window.
    """

    forward: tuple[Contingency, ...]
    backward: tuple[Contingency, ...]


def mutual_contingency(
    first_s: Times,
    second_s: Times,
    *,
    observed: Intervals,
    windows_s: Sequence[float] = WINDOWS_S,
    surrogates: int = SURROGATES,
    seed: int = 0,
) -> MutualContingency:
    """Contingency of two people's events in both directions, by default within 1, 2 and 5 s.

    Args:
        first_s: (N,) moments of the first person, seconds.
        second_s: (M,) moments of the second person.
        observed: (P, 2) time in which both would have been seen.
        windows_s: the windows.
        surrogates: number of random shifts.
        seed: of the random numbers.

    Returns:
        One :class:`Contingency` per direction and window.
    """

    def one_way(events: Times, responses: Times) -> tuple[Contingency, ...]:
        return tuple(
            contingency(events, responses, observed=observed, window_s=window, surrogates=surrogates, seed=seed)
            for window in windows_s
        )

    return MutualContingency(forward=one_way(first_s, second_s), backward=one_way(second_s, first_s))
