"""How events are spread in time: burstiness, memory, and the Allan factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, union
from visionllm_interaction.measures.sequential.observation import Times, observation_of, observed_times
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, mean_of, undefined

MIN_EVENTS = 3
MIN_PAIRS = 3
MIN_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class Burstiness:
    """Spread of the intervals between events.

    Attributes:
        events: number of events.
        mean_interval: mean time from an event to the next in seconds.
        interval_deviation: its standard deviation, of a sample (over n - 1).
        burstiness: B of Goh & Barabási: -1 regular, 0 random (Poisson), towards 1 in bursts.
        finite_size_burstiness: A of Kim & Jo, which few events do not bias.
        memory: correlation of each interval with the next.
    """

    events: int
    mean_interval: Statistic
    interval_deviation: Statistic
    burstiness: Statistic
    finite_size_burstiness: Statistic
    memory: Statistic


def burstiness(times_s: Times, *, observed: Intervals) -> Burstiness:
    """Burstiness and memory of a series of events.

    With the coefficient of variation r = deviation / mean of the intervals between events, and n events,
    B = (r - 1) / (r + 1), and A = (sqrt(n+1) r - sqrt(n-1)) / ((sqrt(n+1) - 2) r + sqrt(n-1)). The memory coefficient
    is Pearson's correlation of successive intervals. Intervals across time that was not observed do not count.

    Source: Goh & Barabási (2008), EPL 81; Kim & Jo (2016), Physical Review E 94; used on infants' views by Xu,
    de Barbaro, Abney & Cox (2020), Frontiers in Psychology 11.

    Args:
        times_s: (N,) moments in seconds.
        observed: (M, 2) seconds.

    Returns:
        The coefficients. B and A need 3 events and one pause, memory 3 pairs of intervals that vary.
    """
    times = observed_times(times_s, observed)
    same = np.diff(observation_of(times, observed)) == 0
    intervals = np.diff(times)[same]
    few = f"fewer than {MIN_EVENTS} events"
    if len(times) < MIN_EVENTS or len(intervals) < MIN_EVENTS - 1:
        reason = few if len(times) < MIN_EVENTS else "fewer than 2 intervals without a break in the observation"
        spread, b, a = undefined("s", reason), undefined("number", reason), undefined("number", reason)
    else:
        deviation, mean = float(intervals.std(ddof=1)), float(intervals.mean())
        spread = Statistic(deviation, "s")
        b, a = _coefficients(deviation, mean, len(intervals) + 1)
    return Burstiness(
        events=len(times),
        mean_interval=mean_of(intervals, "s", reason="fewer than 2 events"),
        interval_deviation=spread,
        burstiness=b,
        finite_size_burstiness=a,
        memory=_memory(intervals, same),
    )


def _coefficients(deviation: float, mean: float, events: int) -> tuple[Statistic, Statistic]:
    if mean <= TOLERANCE_S:
        return undefined("number", "all events are at the same time"), undefined(
            "number", "all events are at the same time"
        )
    r, more, less = deviation / mean, np.sqrt(events + 1), np.sqrt(events - 1)
    finite = float((more * r - less) / ((more - 2) * r + less))
    return Statistic((r - 1) / (r + 1), "number"), Statistic(finite, "number")


def _memory(intervals: NDArray[np.float64], same: NDArray[np.bool_]) -> Statistic:
    """Correlation of successive intervals; ``same`` says which steps between events are intervals."""
    steps = np.full(len(same), np.nan)
    steps[same] = intervals
    pairs = np.stack([steps[:-1], steps[1:]]) if len(steps) > 1 else np.zeros((2, 0))
    pairs = pairs[:, ~np.isnan(pairs).any(axis=0)]
    if pairs.shape[1] < MIN_PAIRS:
        return undefined("number", f"fewer than {MIN_PAIRS} pairs of successive intervals")
    if (np.ptp(pairs, axis=1) <= TOLERANCE_S).any():
        return undefined("number", "the intervals do not vary")
    return Statistic(float(np.clip(np.corrcoef(pairs)[0, 1], -1.0, 1.0)), "number")


@dataclass(frozen=True, slots=True)
class AllanFactor:
    """Clustering of events at one scale of time.

    Attributes:
        window_s: length of the windows in seconds.
        windows: number of whole windows.
        factor: 1 for a Poisson process; more if events cluster at this scale, less if they are regular.
    """

    window_s: float
    windows: int
    factor: Statistic


def allan_factor(times_s: Times, *, observed: Intervals, window_s: float) -> AllanFactor:
    """The Allan factor of a series of events.

    With N(k) the events in the k-th of adjoining windows, it is mean((N(k+1) - N(k))²) / (2 mean(N(k))).

    Source: Allan (1966), Proceedings of the IEEE 54; Abney, Dale, Louwerse & Kello (2018), Cognitive Science 42.

    Args:
        times_s: (N,) moments in seconds.
        observed: (M, 2) seconds. Windows begin with each observed interval; what is left at its end does not count.
        window_s: length of the windows.

    Returns:
        The factor; undefined with fewer than 3 windows or without an event.

    Raises:
        ValueError: if ``window_s`` is not above 0.
    """
    if not window_s > 0:
        raise ValueError(f"the window is above 0 s, not {window_s}")
    counts = [_counts(times_s, begin, end, window_s) for begin, end in union(observed)]
    per_window = np.concatenate(counts) if counts else np.zeros(0)
    steps = np.concatenate([np.diff(part) for part in counts]) if counts else np.zeros(0)
    if len(per_window) < MIN_WINDOWS or not len(steps):
        factor = undefined("number", f"fewer than {MIN_WINDOWS} windows of {window_s:g} s")
    elif not per_window.any():
        factor = undefined("number", "there is no event")
    else:
        factor = Statistic(float((steps**2).mean() / (2 * per_window.mean())), "number")
    return AllanFactor(window_s, len(per_window), factor)


def allan_factors(times_s: Times, *, observed: Intervals, windows_s: Sequence[float]) -> tuple[AllanFactor, ...]:
    """:func:`allan_factor` at several scales; a slope above 0 over their logarithms shows nested clusters.

    Args:
        times_s: (N,) moments in seconds.
        observed: (M, 2) seconds.
        windows_s: lengths of the windows.

    Returns:
        One factor per length.
    """
    return tuple(allan_factor(times_s, observed=observed, window_s=window) for window in windows_s)


def _counts(times_s: Times, begin_s: float, end_s: float, window_s: float) -> NDArray[np.float64]:
    windows = int((end_s - begin_s + TOLERANCE_S) // window_s)
    place = (np.asarray(times_s) - begin_s + TOLERANCE_S) // window_s
    inside = (place >= 0) & (place < windows)
    return np.bincount(place[inside].astype(np.int64), minlength=windows).astype(np.float64)
