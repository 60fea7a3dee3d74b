"""Turns between two speakers, and how many there would be by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, as_intervals, overlapping, total_s, union
from visionllm_interaction.measures.sequential.observation import observation_of
from visionllm_interaction.measures.sequential.value_or_reason import (
    NOTHING_OBSERVED,
    Statistic,
    median_of,
    per_minute,
    ratio,
    undefined,
)
from visionllm_interaction.measures.turn_limits import STANDARD, TurnLimits

SHUFFLES = 1000
_ROWS_AT_ONCE = 500_000


@dataclass(frozen=True, slots=True, eq=False)
class TurnTaking:
    """Utterances of one speaker that another answers.

    Attributes:
        asked: (T, 2) the utterances answered, in order.
        answers: (T, 2) the answer to each.
        lags_s: (T,) begin of the answer less end of the utterance; below 0 they overlap.
        count: number of turns.
        rate: turns per observed minute.
        share_answered: turns over the utterances of the first speaker that could be answered.
        median_lag: median of the lags in seconds.
        share_overlapping: share of the turns whose answer begins before the utterance ends.
    """

    asked: Intervals
    answers: Intervals
    lags_s: NDArray[np.float64]
    count: Statistic
    rate: Statistic
    share_answered: Statistic
    median_lag: Statistic
    share_overlapping: Statistic


def turn_taking(
    first: Intervals, second: Intervals, *, observed: Intervals, limits: TurnLimits = STANDARD
) -> TurnTaking:
    """Utterances of the first speaker that the second answers.

    The answer is the nearest utterance of the second speaker: the earliest that begins after the first speaker's
    utterance has begun, at most ``max_overlap_s`` before and at most ``max_gap_s`` after its end, and before the first
    speaker's next utterance. What lies wholly inside an utterance of the other is no turn, and neither do the
    utterances of one speaker that overlap answer each other.

    Source: Casillas & Scaff (2021), CogSci 43 (gap up to 2 s, overlap up to 1 s, nearest utterance); with
    :data:`visionllm_interaction.measures.turn_limits.LENA` gaps up to 5 s and no overlap: Gilkerson & Richards (2008).

    Args:
        first: (N, 2) utterances of who is answered, seconds.
        second: (M, 2) utterances of who answers.
        observed: (P, 2) transcribed time; a turn counts if the utterance answered begins in it.
        limits: the longest gap and overlap.

    Returns:
        The turns of this direction; call it once more with the speakers exchanged for the other one.
    """
    speaking, answering = _not_contained(first, second), _not_contained(second, first)
    speaking, replies = _replies(speaking, answering, limits)
    inside = observation_of(speaking[:, 0], observed) >= 0
    speaking, replies = speaking[inside], replies[inside]
    asked, answers = speaking[replies >= 0], answering[replies[replies >= 0]]
    lags, observed_s = answers[:, 0] - asked[:, 1], total_s(observed)
    return TurnTaking(
        asked=asked,
        answers=answers,
        lags_s=lags,
        count=Statistic(len(asked), "count") if observed_s else undefined("count", NOTHING_OBSERVED),
        rate=per_minute(len(asked), observed_s),
        share_answered=ratio(len(asked), len(speaking), reason="there is no utterance to answer"),
        median_lag=median_of(lags, "s", reason="there is no turn"),
        share_overlapping=ratio((lags < -TOLERANCE_S).sum(), len(lags), reason="there is no turn"),
    )


def _not_contained(utterances: Intervals, others: Intervals) -> Intervals:
    """The utterances, sorted, without those that lie wholly inside one of ``others``."""
    said, other = _sorted(utterances), _sorted(others)
    if not len(other):
        return said
    place = np.searchsorted(other[:, 0], said[:, 0], side="right") - 1
    reached = np.maximum.accumulate(other[:, 1])[np.maximum(place, 0)]
    inside = (place >= 0) & (said[:, 1] <= reached) & (said[:, 0] < reached)
    return np.asarray(said[~inside])


def _sorted(intervals: Intervals) -> Intervals:
    found = as_intervals(intervals)
    return np.asarray(found[np.lexsort((found[:, 1], found[:, 0]))])


def _replies(speaking: Intervals, answering: Intervals, limits: TurnLimits) -> tuple[Intervals, NDArray[np.int64]]:
    """The utterances, and of each the row of its answer in ``answering``, or -1."""
    if not len(speaking) or not len(answering):
        return speaking, np.full(len(speaking), -1)
    begins = answering[:, 0]
    earliest = np.searchsorted(begins, speaking[:, 1] - limits.max_overlap_s - TOLERANCE_S, side="left")
    reply = np.maximum(earliest, np.searchsorted(begins, speaking[:, 0], side="right"))
    latest = np.minimum(speaking[:, 1] + limits.max_gap_s + TOLERANCE_S, np.append(speaking[1:, 0], np.inf))
    found = reply < len(begins)
    found[found] = begins[reply[found]] <= latest[found]
    return speaking, np.where(found, reply, -1)


@dataclass(frozen=True, slots=True)
class TurnsByChance:
    """The turns found beside those of shuffled utterances.

    Attributes:
        count: turns found, utterances of one speaker that meet or overlap taken as one.
        expected: mean number of turns over the shuffles.
        deviation: their standard deviation.
        z: turns found less those expected, in deviations.
        p_value: share of the shuffles with at least as many turns, the data counted as one of them.
        shuffles: number of shuffles.
    """

    count: Statistic
    expected: Statistic
    deviation: Statistic
    z: Statistic
    p_value: Statistic
    shuffles: int


def turns_by_chance(
    first: Intervals,
    second: Intervals,
    *,
    observed: Intervals,
    limits: TurnLimits = STANDARD,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> TurnsByChance:
    """How many turns there would be if the two speakers did not listen to each other.

    Within each observed interval the utterances of each speaker are put into a random order with random pauses;
    their number and lengths stay. Utterances of one speaker that meet or overlap are one, in the data as well.

    Source: the random baseline of Casillas & Scaff (2021), CogSci 43.

    Args:
        first: (N, 2) utterances of who is answered, seconds.
        second: (M, 2) utterances of who answers.
        observed: (P, 2) transcribed time.
        limits: the longest gap and overlap.
        shuffles: number of shuffles.
        seed: of the random numbers.

    Returns:
        The number found and that of the shuffles; undefined if one of the two says nothing.
    """
    seen = union(observed)
    said, answered = (_within(utterances, seen) for utterances in (first, second))
    count = turn_taking(said, answered, observed=observed, limits=limits).count
    if not len(said) or not len(answered):
        missing = [undefined(unit, "one of the two says nothing") for unit in ("count", "count", "number", "number")]
        return TurnsByChance(count, missing[0], missing[1], missing[2], missing[3], shuffles)
    rng = np.random.default_rng(seed)
    block = max(_ROWS_AT_ONCE // (len(said) + len(answered)), 1)
    sizes = [min(block, shuffles - done) for done in range(0, shuffles, block)]
    counts = np.concatenate([_counts_of_shuffles(said, answered, seen, limits, size, rng) for size in sizes])
    return _against(count, counts, shuffles)


def _counts_of_shuffles(
    first: Intervals, second: Intervals, observed: Intervals, limits: TurnLimits, size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(size,) turns of each shuffle. All lie on one time line, far enough apart that none answers another."""
    begin = observed[0, 0]
    apart = float(observed[-1, 1] - begin + limits.max_gap_s + limits.max_overlap_s + 1.0)
    shifts = apart * np.arange(size)[:, None, None]
    talk, replies = ((_shuffled(each, observed, size, rng) + shifts).reshape(-1, 2) for each in (first, second))
    asking, found = _replies(_not_contained(talk, replies), _not_contained(replies, talk), limits)
    which = ((asking[found >= 0, 0] - begin + 0.5) // apart).astype(np.int64)
    return np.bincount(which, minlength=size)


def _against(count: Statistic, counts: NDArray[np.int64], shuffles: int) -> TurnsByChance:
    found, deviation = float(count.value or 0), float(counts.std(ddof=1)) if shuffles > 1 else 0.0
    return TurnsByChance(
        count=count,
        expected=Statistic(float(counts.mean()), "count"),
        deviation=Statistic(deviation, "count"),
        z=Statistic((found - float(counts.mean())) / deviation, "number")
        if deviation
        else undefined("number", "all shuffles have the same number of turns"),
        p_value=Statistic(float((1 + (counts >= found).sum()) / (1 + shuffles)), "number"),
        shuffles=shuffles,
    )


def _within(utterances: Intervals, observed: Intervals) -> Intervals:
    """The utterances cut to each of the disjoint ``observed``; overlapping ones are one."""
    said = union(utterances)
    rows, places = overlapping(said, observed)
    return np.stack(
        [np.maximum(said[rows, 0], observed[places, 0]), np.minimum(said[rows, 1], observed[places, 1])], axis=1
    )


def _shuffled(utterances: Intervals, observed: Intervals, shuffles: int, rng: np.random.Generator) -> Intervals:
    """(shuffles, N, 2): the utterances of each observed interval in random order with random pauses."""
    parts = []
    places = observation_of(utterances[:, 0], observed)
    for place in np.unique(places):
        rows = utterances[places == place]
        begin, end = observed[place]
        lengths = rng.permuted(np.tile(rows[:, 1] - rows[:, 0], (shuffles, 1)), axis=1)
        free = max(float(end - begin - lengths[0].sum()), 0.0)
        pauses = np.sort(rng.uniform(0.0, free, lengths.shape), axis=1)
        begins = begin + pauses + np.cumsum(lengths, axis=1) - lengths
        parts.append(np.stack([begins, begins + lengths], axis=2))
    return np.concatenate(parts, axis=1)
